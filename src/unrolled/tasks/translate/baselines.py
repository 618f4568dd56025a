"""What a translator is compared with: translations that need no network, made from the same pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unrolled.data.ragged import Ragged

Ids: TypeAlias = NDArray[np.int64]

WORD = r"\w+|[^\w\s]"
"""A word, or a sign."""

BLOCK = 256
"""Texts whose likeness to all others is held at the same time."""

TOGETHER = 5_000_000
"""Pairs of a source token and a target token, seen in one pair of texts, that are counted at most."""

ROUNDS = 5
"""Rounds of expectation and maximisation: the likeliest word changes little after them."""


def nearest(texts: Sequence[str], sources: Sequence[str], targets: Sequence[str], letters: bool) -> list[str]:
    """The translation of the known text that is most like each, by tf-idf of its words, or of its letters."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # pyright: ignore[reportMissingTypeStubs]

    words, signs = (
        TfidfVectorizer(token_pattern=WORD),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)),
    )
    vectors: Any = signs if letters else words
    known = vectors.fit_transform(sources)
    found: list[str] = []
    for begin in range(0, len(texts), BLOCK):
        alike = vectors.transform(texts[begin : begin + BLOCK]) @ known.T
        best = np.asarray(alike.argmax(axis=1)).ravel()
        found += [targets[int(row)] for row in best]
    return found


class WordByWord:
    """The likeliest target token of each source token, in the source's order.

    Maths:
        t(f|e) by expectation and maximisation, every target token being said by one of the source

    Source: Brown et al. 1993, The Mathematics of Statistical Machine Translation, model 1; no null word here.

    Shapes:
        sources, targets: E sequences of ids each.

    Example:
        >>> table = WordByWord(Ragged.of([[0, 1], [0, 2]]), Ragged.of([[5, 6], [5, 7]]))
        >>> table.translated([2, 0, 9])
        [7, 5]
    """

    def __init__(self, sources: Ragged, targets: Ragged) -> None:
        products = np.cumsum(sources.lengths * targets.lengths)
        most = max(1, int(np.searchsorted(products, TOGETHER, side="right")))
        e, f, place = _together(sources[:most], targets[:most])
        cells, cell = np.unique(np.stack([e, f]), axis=1, return_inverse=True)
        t = np.ones(cells.shape[1])
        for _ in range(ROUNDS):
            each = t[cell]
            each /= np.bincount(place, each)[place]
            t = np.bincount(cell, each, minlength=len(t))
            t /= np.bincount(cells[0], t)[cells[0]]
        order = np.lexsort((t, cells[0]))
        last = np.flatnonzero(np.diff(cells[0][order], append=-1))
        self._of: dict[int, int] = dict(
            zip(cells[0][order[last]].tolist(), cells[1][order[last]].tolist(), strict=True)
        )

    def translated(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> list[int]:
        """Each token's own, those that were never seen left out.

        Shapes:
            ids: ``[n]``; gives at most as many.
        """
        return [self._of[token] for token in map(int, ids) if token in self._of]


def _together(sources: Ragged, targets: Ragged) -> tuple[Ids, Ids, Ids]:
    """Every source token with every target token of the same texts, and which target token it is about."""
    both = list(zip(sources, targets, strict=True))
    e = np.concatenate([np.tile(source, len(target)) for source, target in both])
    f = np.concatenate([np.repeat(target, len(source)) for source, target in both])
    each = np.repeat(sources.lengths, targets.lengths)
    return e.astype(np.int64), f.astype(np.int64), np.repeat(np.arange(len(each)), each)
