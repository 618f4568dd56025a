"""What a classifier is compared with: guesses that need no network, judged on the same examples."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.ragged import Ragged
from unrolled.tasks.classify.judging import mean_loss

Shares = NDArray[np.float64]
"""The probability of each class for each judged example, ``[E, K]``."""

ITERATIONS = 1000
"""Of the solver of logistic regression at most."""

STRENGTHS = (0.1, 1.0, 10.0, 100.0)
"""Inverse strengths of regularisation, of which the best is taken."""


def majority(y: NDArray[np.int64], judged: int, classes: int) -> Shares:
    """The share that each class has in training, for every one of so many examples.

    Shapes:
        y: ``[E]``, the classes in training.
    """
    shares = np.bincount(y, minlength=classes) / len(y)
    return np.tile(shares, (judged, 1))


def bag_of_ngrams(
    train: Sequence[str], y: NDArray[np.int64], judged: Sequence[str], classes: int, characters: bool
) -> Shares:
    """Logistic regression on the tf-idf of words and pairs of them, or of one to four characters.

    Shapes:
        y: ``[E]``, the classes of the texts to learn from.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # pyright: ignore[reportMissingTypeStubs]

    kind: dict[str, Any] = {"analyzer": "char", "ngram_range": (1, 4)}
    if not characters:
        kind = {"token_pattern": r"\S+", "ngram_range": (1, 2)}
    vectorizer: Any = TfidfVectorizer(sublinear_tf=True, lowercase=False, **kind)
    return _regression(vectorizer.fit_transform(train), y, vectorizer.transform(judged), classes)


def summaries(train: Ragged, y: NDArray[np.int64], judged: Ragged, classes: int) -> Shares:
    """Logistic regression on mean, standard deviation, least, most and last of each feature, and the length.

    Shapes:
        train, judged: ``[N, I]``, NaN where a value is missing; y: ``[E]``.
    """
    from sklearn.preprocessing import StandardScaler  # pyright: ignore[reportMissingTypeStubs]

    scaler: Any = StandardScaler()
    learned = scaler.fit_transform(_summary(train))
    return _regression(learned, y, scaler.transform(_summary(judged)), classes)


def _regression(x: Any, y: NDArray[np.int64], judged: Any, classes: int) -> Shares:
    """Logistic regression whose strength of regularisation is chosen on a tenth of what is learned from."""
    from sklearn.linear_model import LogisticRegression  # pyright: ignore[reportMissingTypeStubs]

    def shares(C: float, x: Any, y: NDArray[np.int64], of: Any) -> Shares:
        made = np.zeros((of.shape[0], classes))
        if len(np.unique(y)) == 1:
            made[:, y[0]] = 1
            return made
        model: Any = LogisticRegression(C=C, max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a solver at its last iteration is good enough to compare with
            model.fit(x, y)
        made[:, model.classes_] = model.predict_proba(of)
        return made

    return shares(_strength(shares, x, y), x, y, judged)


def _strength(shares: Callable[..., Shares], x: Any, y: NDArray[np.int64]) -> float:
    """The strength with the least loss on a tenth of the examples, learned from the others."""
    order = np.random.default_rng(0).permutation(len(y))
    held, others = order[: max(1, len(y) // 10)], order[max(1, len(y) // 10) :]
    if not len(others):
        return 1.0
    losses = {
        C: mean_loss(y[held], shares(C, x[others], y[others], x[held])) for C in (0.1, 1.0, 10.0, 100.0)
    }
    return min(losses, key=losses.__getitem__)


def _summary(x: Ragged) -> NDArray[np.float64]:
    """``[E, 5 I + 1]``; what is missing of a whole sequence counts as 0."""
    rows: list[NDArray[np.float64]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of nothing
        for one in x:
            last = np.array([column[~np.isnan(column)][-1:].sum() for column in one.T])
            parts = (np.nanmean(one, 0), np.nanstd(one, 0), np.nanmin(one, 0), np.nanmax(one, 0), last)
            rows.append(np.concatenate([*parts, [len(one)]]))
    return np.nan_to_num(np.stack(rows))
