"""What a loss in nats is in other units, and how good answers are that are right or wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_CHUNK = "O"
"""The label of a word in no chunk."""


def perplexity(nats: float) -> float:
    """Among how many equally likely tokens a loss of so many nats a token would have to choose.

    Example:
        >>> round(perplexity(math.log(65)), 6)
        65.0
    """
    return math.exp(nats) if nats < 709 else math.inf


def bits(nats: float) -> float:
    """Nats in bits.

    Example:
        >>> bits(math.log(2))
        1.0
    """
    return nats / math.log(2)


def bits_per_character(nats: float, tokens: int, characters: int, first: int) -> float:
    """The loss of a text in bits, over its characters: that of all tokens but the first, over theirs.

    Nothing stands before the first token, so no model is asked for it, and what it stands for does not count
    either. What compresses a text as a whole is charged for the whole: all of its bits, over all characters.

    Args:
        nats: mean loss of the tokens from the second on.
        tokens, characters: of the text, the first token included.
        first: the characters of that token.

    Example:
        >>> bits_per_character(math.log(2), tokens=3, characters=9, first=5)  # two tokens, four characters
        0.5
    """
    return bits(nats) * (tokens - 1) / (characters - first) if characters > first else math.inf


def confusion(truth: NDArray[np.integer], found: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """How often each class was taken for each: rows are what was true, columns what was said.

    Shapes:
        truth, found: ``[N]``, below ``classes``; gives ``[K, K]``.

    Example:
        >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
        array([[1, 1],
               [0, 1]])
    """
    both = np.asarray(truth, np.int64) * classes + found
    return np.bincount(both, minlength=classes * classes).reshape(classes, classes)


def accuracy(confused: NDArray[np.integer]) -> float:
    """The share that is right, of a `confusion` ``[K, K]``."""
    return float(np.trace(confused) / max(1, confused.sum()))


def f1_scores(confused: NDArray[np.integer]) -> NDArray[np.float64]:
    """Of each class the harmonic mean of precision and recall; NaN of one that is neither true nor said.

    Shapes:
        confused: a `confusion` ``[K, K]``; gives ``[K]``.
    """
    either = confused.sum(0) + confused.sum(1)
    scores = np.full(len(confused), math.nan)
    np.divide(2.0 * np.diag(confused), either, out=scores, where=either > 0)
    return scores


def macro_f1(confused: NDArray[np.integer]) -> float:
    """The mean of `f1_scores` over the classes that are true or said somewhere.

    Example:
        >>> round(macro_f1(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]])), 4)
        0.6667
    """
    return float(np.nanmean(f1_scores(confused))) if confused.any() else 0.0


class Chunk(NamedTuple):
    """A run of words that belong together: from the word ``start`` up to, and without, ``stop``."""

    start: int
    stop: int
    kind: str


class ChunkScore(NamedTuple):
    """How many chunks there are, were said, and are the same in both."""

    true: int = 0
    said: int = 0
    right: int = 0

    @property
    def precision(self) -> float:
        """The share of what was said that is right."""
        return self.right / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        """The share of what is true that was said."""
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.right / (self.true + self.said) if self.true + self.said else 0.0


def are_chunks(labels: Iterable[str]) -> bool:
    """Whether labels are those of chunks: O, and B-, I-, and perhaps E- and S- with a kind.

    Example:
        >>> are_chunks(["O", "B-NP", "I-NP"]), are_chunks(["O", "I-PER"]), are_chunks(["NOUN", "VERB"])
        (True, True, False)
    """
    marked = [label for label in labels if label != NO_CHUNK]
    return bool(marked) and all(label[:2] in ("B-", "I-", "E-", "S-") and label[2:] for label in marked)


def chunks(labels: Sequence[str]) -> list[Chunk]:
    """The chunks that the labels of a sentence mean.

    B- begins one, E- ends one and S- is one; I- goes on with one of the same kind, and begins one where there
    is none. So chunks are read of IOB1 too, where B- stands only between two of the same kind.

    Source: the rules of conlleval, the program by which CoNLL-2000 was judged.

    Example:
        >>> chunks(["B-NP", "I-NP", "O", "I-VP", "I-NP", "B-NP"])  # doctest: +NORMALIZE_WHITESPACE
        [Chunk(start=0, stop=2, kind='NP'), Chunk(start=3, stop=4, kind='VP'),
         Chunk(start=4, stop=5, kind='NP'), Chunk(start=5, stop=6, kind='NP')]
    """
    starts = [0] if labels and labels[0] != NO_CHUNK else []
    begun = [
        place
        for place, (before, label) in enumerate(pairwise(labels), 1)
        if label != NO_CHUNK and (label[0] in "BS" or before[0] in "OES" or before[2:] != label[2:])
    ]
    found: list[Chunk] = []
    for start, after in pairwise([*starts, *begun, len(labels)]):
        stop = start + 1
        while stop < after and labels[stop] != NO_CHUNK:
            stop += 1
        found.append(Chunk(start, stop, labels[start][2:]))
    return found


def chunk_scores(truth: Iterable[Sequence[str]], found: Iterable[Sequence[str]]) -> dict[str, ChunkScore]:
    """The score of each kind of chunk over some sentences; under the empty name, of all of them.

    A chunk is right if its first word, its last word and its kind are.

    Example:
        >>> chunk_scores([["B-NP", "I-NP", "B-VP"]], [["B-NP", "I-NP", "B-NP"]])[""].f1
        0.5
    """
    scores: dict[str, list[int]] = {"": [0, 0, 0]}
    for ours, theirs in zip(truth, found, strict=True):
        true, said = set(chunks(ours)), set(chunks(theirs))
        for place, some in enumerate((true, said, true & said)):
            for chunk in some:
                scores[""][place] += 1
                scores.setdefault(chunk.kind, [0, 0, 0])[place] += 1
    return {kind: ChunkScore(*counts) for kind, counts in scores.items()}
