"""What labels can be had without a network: the most frequent one, that of each word, that of each frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.ragged import Ragged

MOST_FRAMES = 200_000
"""Frames that the logistic regression is fitted to at most, drawn at even distances."""

ITERATIONS = 500
"""Of its solver, at most."""


def most_frequent(train: Ragged, test: Ragged) -> NDArray[np.int64]:
    """For every step the label that is most frequent in training, ``[N]``."""
    return np.full(len(test.values), np.bincount(train.values).argmax())


def by_word(words: Ragged, labels: Ragged, test: Ragged, once: NDArray[np.bool]) -> NDArray[np.int64]:
    """For every word the label that it has most often in training, ``[N]``.

    A word that is not there has the label that is most frequent among words that are there once.

    Shapes:
        words, test: numbers below W of the words as they are written; once: ``[W]``.
    """
    counts = np.zeros((len(once), int(labels.values.max()) + 1), np.int64)
    np.add.at(counts, (words.values, labels.values), 1)
    rare = counts[once].sum(0) if once.any() else counts.sum(0)
    label = np.where(counts.any(1), counts.argmax(1), rare.argmax())
    return label[test.values]


def by_frame(x: Ragged, labels: Ragged, test: Ragged, balanced: bool) -> NDArray[np.int64]:
    """For every frame what a logistic regression says that sees this frame alone, ``[N]``.

    Shapes:
        x, test: float ``[N, I]``; missing values are read as means.
    """
    from sklearn.linear_model import LogisticRegression  # pyright: ignore[reportMissingTypeStubs]

    mean, scale = np.nanmean(x.values, 0), np.nanstd(x.values, 0)
    some = np.unique(np.linspace(0, len(x.values) - 1, MOST_FRAMES).astype(np.int64))

    def normal(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.nan_to_num((values - mean) / np.where(scale > 0, scale, 1.0))

    model = LogisticRegression(max_iter=ITERATIONS, class_weight="balanced" if balanced else None)
    model.fit(normal(x.values[some]), labels.values[some])
    return np.asarray(model.predict(normal(test.values)), np.int64)
