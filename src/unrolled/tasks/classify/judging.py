"""How good a classifier is: shares, F1, who is taken for whom, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from unrolled import metrics

MISTAKES = 20
"""The surest wrong answers that are kept of a judgement."""


@final
@dataclass(frozen=True)
class Mistake:
    """An example of which the model was sure, and wrong.

    Attributes:
        shown: the example: its text, or what it is.
        where: its place in the data.
        truth, said: the class that it has, and that the model gave.
        sure: the probability of that.
    """

    shown: str
    where: str
    truth: Any
    said: Any
    sure: float


@final
@dataclass(frozen=True)
class Confusion:
    """How many examples of each class were taken for which.

    Shapes:
        counts: ``[K, K]``, the truth down, the answers across.

    Attributes:
        names: the classes.

    Example:
        >>> found = Confusion.of(("a", "b"), [0, 0, 0, 1], [0, 0, 1, 1])
        >>> found.accuracy, round(found.macro_f1, 3)
        (0.75, 0.733)
    """

    names: tuple[Any, ...]
    counts: NDArray[np.int64]

    @classmethod
    def of(
        cls, names: Sequence[Any], truth: Sequence[int] | NDArray[Any], said: Sequence[int] | NDArray[Any]
    ) -> Confusion:
        """Counts true classes and answers, both as numbers ``[E]``."""
        return cls(tuple(names), metrics.confusion(np.asarray(truth), np.asarray(said), len(names)))

    @property
    def accuracy(self) -> float:
        """The share of examples whose class was found."""
        return metrics.accuracy(self.counts)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of what was taken for each class, the share that is of it, ``[K]``; 0 where nothing was."""
        return np.diag(self.counts) / np.maximum(1, self.counts.sum(0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of each class, the share that was found, ``[K]``; 0 where there is none of it."""
        return np.diag(self.counts) / np.maximum(1, self.counts.sum(1))

    @property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall, ``[K]``; NaN of one that is nowhere."""
        return metrics.f1_scores(self.counts)

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that are there or were answered, each counting the same."""
        return metrics.macro_f1(self.counts)

    def values(self) -> dict[str, float]:
        """Accuracy and macro-F1 by their keys."""
        return {"accuracy": self.accuracy, "macro_f1": self.macro_f1}


@final
@dataclass(frozen=True)
class Judged:
    """What a classifier is worth on some examples.

    Units: ``loss`` in nats an example.

    Attributes:
        mistakes: those of which the model was surest, the surest first.
    """

    confusion: Confusion
    loss: float
    mistakes: tuple[Mistake, ...]


def judge(
    names: Sequence[Any],
    truth: NDArray[np.int64],
    shares: NDArray[np.float64],
    shown: Callable[[int], str],
    where: Callable[[int], str],
) -> Judged:
    """All that there is to say of the answers to some examples.

    Args:
        names: the classes.
        shown, where: what the example of a row is, and its place.

    Shapes:
        truth: ``[E]``; shares: ``[E, K]``, the probability of each class.
    """
    said, sure = shares.argmax(1), shares.max(1)
    wrong: list[int] = np.flatnonzero(said != truth).tolist()
    mistakes = [
        Mistake(shown(row), where(row), names[truth[row]], names[said[row]], float(sure[row]))
        for row in sorted(wrong, key=lambda row: -sure[row])[:MISTAKES]
    ]
    return Judged(Confusion.of(names, truth, said), mean_loss(truth, shares), tuple(mistakes))


def mean_loss(truth: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    """The mean of -log p(truth).

    Shapes:
        truth: ``[E]``; shares: ``[E, K]``.

    Units: nats an example.
    """
    of_truth = shares[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float64).tiny)).mean())
