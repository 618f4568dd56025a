"""What a language model is compared with: guesses that need no network, judged on the same text.

Losses are those of ``test[1:]``, each token given all that stands before it, as a network is judged.

Units: nats a token for the models over tokens, bits altogether for those that compress.
"""

from __future__ import annotations

import lzma
import math
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from unrolled.errors import note

Ids: TypeAlias = NDArray[np.integer[Any]]

LIMIT = 10_000_000
"""Tokens that an n-gram counts at most: about 500 MB of text at order 5, 1.3 GB of pure chance."""

XZ_LIMIT = 1 << 25
"""Bytes of training text that xz is given at most: a minute's work."""

BLOCK = 1 << 20
"""Tokens that are looked at together."""


def uniform(size: int) -> float:
    """The loss of taking all tokens of the vocabulary for equally likely."""
    return math.log(size)


def unigram(train: Ids, test: Ids, size: int) -> float:
    """The loss of each token's share of the training text, every one counted once more than it is there.

    Shapes:
        train, test: ``[N]``, ids below ``size``.
    """
    seen = _counts(train, size) + 1
    return float(-_counts(test[1:], size) @ np.log(seen / seen.sum()) / (len(test) - 1))


def witten_bell(train: Ids, test: Ids, size: int, order: int = 5, limit: int = LIMIT) -> float:
    """The loss of an interpolated n-gram model of this order; it counts the last ``limit`` training tokens.

    Shapes:
        train, test: ``[N]``, ids below ``size``.
    """
    if len(train) > limit:
        note(f"the {order}-gram counts the last {limit:,} of {len(train):,} training tokens, for its memory")
    model = WittenBell.fit(train[-limit:], size, order)
    total = 0.0
    for begin in range(1, len(test), BLOCK):
        first = max(0, begin - order + 1)  # what stands before, as far as the order looks back
        block = np.asarray(test[first : begin + BLOCK], np.int64)
        total -= float(np.log(model.probabilities(block)[begin - first :]).sum())
    return total / (len(test) - 1)


@dataclass(frozen=True)
class _Level:
    """The n-grams of one n in the training text: rank of the (n-1)-gram before it, and the token after that.

    Shapes:
        keys, counts: ``[N]``, the different n-grams as ``rank * size + token``, ascending; how often each is.
        total, kinds: ``[M]`` for each (n-1)-gram: how many tokens follow it, and how many different ones.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int32]
    total: NDArray[np.int32]
    kinds: NDArray[np.int32]


@final
class WittenBell:
    """An n-gram model, in which each order is mixed with the next lower one, down to equal shares.

    Maths:
        p_n(w | h) = (c(h w) + t(h) p_{n-1}(w | h')) / (c(h) + t(h)), where c counts, t(h) is how many
        different tokens follow h, h' is h without its first token, and p_0 = 1 / size; where nothing follows
        h, p_n = p_{n-1}.

    Source: Witten and Bell 1991, method C; interpolated as in Chen and Goodman 1998, eq. 16 and 17.

    Cost:
        a sort of the training text for every order; one binary search a token and order to look up.
    """

    def __init__(self, size: int, levels: list[_Level]) -> None:
        self._size, self._levels = size, levels

    @classmethod
    def fit(cls, ids: Ids, size: int, order: int) -> WittenBell:
        """Counts the n-grams of ids ``[N]``, n from 1 to ``order``."""
        tokens = np.asarray(ids, np.int64)
        levels: list[_Level] = []
        before, histories = np.zeros(len(tokens), np.int64), 1  # the empty history's rank
        for _ in range(order):
            grams = before * size + tokens
            keys, counts = np.unique(grams, return_counts=True)
            history = keys // size
            total, kinds = np.bincount(history, counts, histories), np.bincount(history, minlength=histories)
            levels.append(_Level(keys, *(each.astype(np.int32) for each in (counts, total, kinds))))
            # An n-gram's rank is the history of the token after it; the first token has none this long.
            # In real text this search is quicker than the sort of places that ``return_inverse`` needs.
            before, tokens, histories = np.searchsorted(keys, grams)[:-1], tokens[1:], len(keys)
        return cls(size, levels)

    def probabilities(self, ids: Ids) -> NDArray[np.float64]:
        """Of every one of ids ``[N]``, given those before it, none of which the first has."""
        tokens = np.asarray(ids, np.int64)
        p = np.full(len(tokens), 1 / self._size)
        history, at = np.zeros(len(tokens), np.int64), np.arange(len(tokens))
        for level in self._levels:
            # ``at``: the tokens whose history this level knows; ``history``: its rank, in the same order.
            followed = level.total[history] > 0
            at, history = at[followed], history[followed]
            grams = history * self._size + tokens[at]
            found = np.minimum(np.searchsorted(level.keys, grams), len(level.keys) - 1)
            known = level.keys[found] == grams
            kinds = level.kinds[history]
            p[at] = (level.counts[found] * known + kinds * p[at]) / (level.total[history] + kinds)
            at, history = at[known] + 1, found[known]
            inside = at < len(tokens)
            at, history = at[inside], history[inside]
        return p


def xz(test: bytes) -> float:
    """The bits that xz, at its most thorough, makes of the text."""
    return 8.0 * len(_compressed(test))


def xz_given(train: bytes, test: bytes, limit: int = XZ_LIMIT) -> float:
    """The bits that the text adds when xz compresses it behind the last ``limit`` bytes of training text."""
    if len(train) > limit:
        note(f"xz is given the last {limit:,} of {len(train):,} bytes of training text, for its time")
    train = train[-limit:]
    return 8.0 * (len(_compressed(train + test)) - len(_compressed(train)))


def _compressed(data: bytes) -> bytes:
    """As ``xz -9 --extreme --check=none`` does, which looks back 64 MiB."""
    window = min(max(len(data), 1 << 12), 1 << 26)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": window}]
    return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=filters)


def _counts(ids: Ids, size: int) -> NDArray[np.int64]:
    """How often each id is, in blocks, since bincount makes 8 bytes of each."""
    counts = np.zeros(size, np.int64)
    for begin in range(0, len(ids), BLOCK):
        counts += np.bincount(ids[begin : begin + BLOCK], minlength=size)
    return counts
