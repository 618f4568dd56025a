"""Which sequences make a batch: those of similar length, so that little of it is padding."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from unrolled.errors import OptionError

MIXED = 0.05
"""By which share of its length a sequence may stand among longer or shorter ones. More lets chance mix more,
at the price of as much padding at most."""


def shuffled(lengths: NDArray[np.integer], batch: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The rows of each batch of an epoch: every row once, which with which drawn anew each epoch.

    Each length is stretched by chance, by up to `MIXED`; the rows are sorted by these lengths and cut into
    batches, and the batches are drawn in a random order. The same arguments give the same batches. The last
    batch before the draw may be smaller.

    Shapes:
        lengths: ``[E]``; returns row numbers ``[B]``.

    Raises:
        OptionError: a batch below 1.
    """
    _check(batch)
    random = np.random.default_rng([seed, epoch])
    stretched = (np.asarray(lengths) + 0.5) * random.uniform(1 - MIXED, 1 + MIXED, len(lengths))
    batches = _cut(np.argsort(stretched), batch)
    return [batches[i] for i in random.permutation(len(batches))]


def longest_first(lengths: NDArray[np.integer], batch: int) -> list[NDArray[np.int64]]:
    """The rows of each batch where the order does not matter: so that what needs most memory comes first.

    Shapes:
        lengths: ``[E]``; returns row numbers ``[B]``.

    Raises:
        OptionError: a batch below 1.

    Example:
        >>> longest_first(np.array([3, 9, 5]), batch=2)
        [array([1, 2]), array([0])]
    """
    _check(batch)
    return _cut(np.argsort(-np.asarray(lengths, np.int64), kind="stable"), batch)


def waste(lengths: NDArray[np.integer], batches: Iterable[NDArray[np.int64]]) -> float:
    """The share of padding in all steps of the batches, each as long as its longest sequence.

    Shapes:
        lengths: ``[E]``; batches: row numbers ``[B]``.

    Example:
        >>> waste(np.array([4, 2]), [np.array([0, 1])])
        0.25
    """
    chosen = [lengths[rows] for rows in batches]
    steps = sum(int(ours.max(initial=0)) * len(ours) for ours in chosen)
    return 1 - sum(int(ours.sum()) for ours in chosen) / steps if steps else 0.0


def _cut(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


def _check(batch: int) -> None:
    if batch < 1:
        raise OptionError("buckets: batch", "be at least 1", batch, "Take 1 for one sequence at a time.")
