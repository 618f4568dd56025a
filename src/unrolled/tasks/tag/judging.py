"""All that there is to say of labels: chunk by chunk, label by label, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from unrolled import metrics
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.metrics import ChunkScore
from unrolled.tasks.classify import judging as classify
from unrolled.tasks.classify.judging import MISTAKES, Mistake
from unrolled.tasks.tag import scoring

BESIDE = 4
"""Words that are shown on either side of one that is mistaken."""


@final
@dataclass(frozen=True)
class Judged:
    """What a tagger is worth on some sentences or sequences.

    Attributes:
        unit: word or frame.
        steps: what each of these is worth. Its mistakes are the words of which the model was surest, and
            wrong; or the longest runs of frames with the same mistake.
        chunks: the score of each kind of chunk, that of all under the empty name; none of other labels.
    """

    unit: str
    steps: classify.Judged
    chunks: dict[str, ChunkScore]

    def values(self) -> dict[str, float]:
        """The measures by their keys."""
        chunks = {"chunk_f1": self.chunks[""].f1} if self.chunks else {}
        return {**chunks, **self.steps.confusion.values(), "nats": self.steps.loss}


def judge(
    labels: Labels,
    y: Ragged,
    shares: Sequence[NDArray[Any]],
    where: Callable[[int], str],
    words: Sequence[Sequence[str]] | None = None,
) -> Judged:
    """Compares what is true with what a model says.

    Args:
        y: the number of the true label of each step.
        where: the place of a sentence or a sequence.
        words: the sentences; none of frames.

    Shapes:
        shares: ``[T, K]`` of each, the probability of every label.
    """
    whole = np.concatenate(shares)
    said, sure = whole.argmax(1), whole.max(1)
    chunks: dict[str, ChunkScore] = {}
    if scoring.has_chunks(labels):
        found = scoring.named(Ragged(said, y.starts), labels)
        chunks = metrics.chunk_scores(scoring.named(y, labels), found)
    if words is None:
        mistakes = _runs(labels, y, said, sure, where)
    else:
        mistakes = _words(labels, y, said, sure, (where, words))
    confusion = classify.Confusion.of(labels.names, y.values, said)
    loss = classify.mean_loss(y.values, whole)
    return Judged(
        "frame" if words is None else "word", classify.Judged(confusion, loss, tuple(mistakes)), chunks
    )


def _words(
    labels: Labels,
    y: Ragged,
    said: NDArray[np.int64],
    sure: NDArray[Any],
    sentences: tuple[Callable[[int], str], Sequence[Sequence[str]]],
) -> list[Mistake]:
    """The surest mistakes, each among the words beside it; ``sentences`` are their places and words."""
    where, words = sentences
    wrong = np.flatnonzero(said != y.values)
    mistakes: list[Mistake] = []
    for step in wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES].tolist():
        row = int(np.searchsorted(y.starts, step, side="right")) - 1
        at = step - int(y.starts[row])
        first = max(0, at - BESIDE)
        beside = enumerate(words[row][first : at + BESIDE + 1], first)
        shown = [f"[{word}]" if k == at else word for k, word in beside]
        truth, answer = labels.names[y.values[step]], labels.names[said[step]]
        place = f"{where(row)}, word {at + 1}"
        mistakes.append(Mistake(" ".join(shown), place, truth, answer, float(sure[step])))
    return mistakes


def _runs(
    labels: Labels, y: Ragged, said: NDArray[np.int64], sure: NDArray[Any], where: Callable[[int], str]
) -> list[Mistake]:
    """The longest runs of frames that have one label, and for which another was said throughout."""
    both = np.where(said != y.values, y.values * len(labels) + said, -1)
    changes = np.append(np.flatnonzero(np.diff(both)) + 1, len(both))
    bounds = np.unique(np.concatenate([y.starts, changes]))
    begins, lengths = bounds[:-1], np.diff(bounds)
    wrong = np.flatnonzero(both[begins] >= 0)
    mistakes: list[Mistake] = []
    for run in wrong[np.argsort(-lengths[wrong], kind="stable")][:MISTAKES].tolist():
        begin, length = int(begins[run]), int(lengths[run])
        row = int(np.searchsorted(y.starts, begin, side="right")) - 1
        first = begin - int(y.starts[row]) + 1
        shown = f"frames {first} to {first + length - 1}" if length > 1 else f"frame {first}"
        mean = float(sure[begin : begin + length].mean())
        truth, answer = labels.names[y.values[begin]], labels.names[said[begin]]
        mistakes.append(Mistake(shown, where(row), truth, answer, mean))
    return mistakes
