"""How good labels are: one for every step of every example, right or wrong, and as chunks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled import metrics
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.tasks.base import Measure
from unrolled.tasks.examples import Batch

CHUNKS = Measure("chunk_f1", "chunk\nF1", ".4f", higher=True)
ACCURACY = Measure("accuracy", "accuracy", ".4f", higher=True)
MACRO = Measure("macro_f1", "macro-\nF1", ".4f", higher=True)
NATS = Measure("nats", "nats", ".4f")


@dataclass(frozen=True)
class Tagged:
    """What was said of every step of some examples.

    Shapes:
        found: int64 ``[N]``, the likeliest label; nats: ``[N]``, -log p of the true one; both as the steps of
            the examples lie end to end.
    """

    found: NDArray[np.int64]
    nats: NDArray[np.float64]

    @classmethod
    def gathered(cls, answered: list[tuple[Batch, Any]], starts: NDArray[np.int64]) -> Tagged:
        """From batches, whose answers are found ``[T, B]`` and nats ``[T, B]``, in any order."""
        found, nats = np.zeros(starts[-1], np.int64), np.zeros(starts[-1])
        for batch, (labels, losses) in answered:
            lengths = batch.lengths.numpy()
            steps = np.arange(len(labels))[:, None]
            real = steps < lengths
            places = (starts[batch.rows] + steps)[real]
            found[places], nats[places] = labels[real], losses[real]
        return cls(found, nats)


def measures(labels: Labels, first: str) -> tuple[Measure, ...]:
    """The measures that these labels have, the one called ``first`` before the others."""
    chunks = [CHUNKS] if has_chunks(labels) else []
    return tuple(sorted([*chunks, ACCURACY, MACRO, NATS], key=lambda measure: measure.key != first))


def has_chunks(labels: Labels) -> bool:
    """Whether the labels are those of chunks."""
    return all(isinstance(name, str) for name in labels.names) and metrics.are_chunks(labels.names)


def values(found: NDArray[np.integer[Any]], y: Ragged, labels: Labels) -> dict[str, float]:
    """What labels are worth, by the measure's key; without the nats.

    Shapes:
        found: ``[N]``; y: the true ones, of as many steps.
    """
    confused = metrics.confusion(y.values, found, len(labels))
    worth = {"accuracy": metrics.accuracy(confused), "macro_f1": metrics.macro_f1(confused)}
    if not has_chunks(labels):
        return worth
    scores = metrics.chunk_scores(named(y, labels), named(Ragged(found, y.starts), labels))
    return {"chunk_f1": scores[""].f1, **worth}


def named(numbers: Ragged, labels: Labels) -> list[list[Any]]:
    """The labels of each example by name."""
    names = labels.of(numbers.values.tolist())
    return [names[a:b] for a, b in pairwise(numbers.starts.tolist())]
