"""Which examples are the same, so that none is trained on and judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column


def numbered(columns: Sequence[Column]) -> list[NDArray[np.int64]]:
    """A number for each example of each column (one a part): the same number where examples are the same.

    Texts are the same if their words are, apart from white space and capitals; arrays if every bit is.

    Example:
        >>> numbered([["A cat", "dog"], ["a  cat"]])
        [array([0, 1]), array([0])]
    """
    known: dict[Hashable, int] = {}
    return [
        np.array([known.setdefault(_key(example), len(known)) for example in column], np.int64)
        for column in columns
    ]


def _key(example: object) -> Hashable:
    if isinstance(example, str):
        return " ".join(example.casefold().split())
    if isinstance(example, np.ndarray | Ragged):
        array = np.ascontiguousarray(example.values if isinstance(example, Ragged) else example)
        return array.shape, hashlib.blake2b(array.tobytes(), digest_size=16).digest()
    if isinstance(example, list):
        return tuple(_key(one) for one in example)
    return repr(example)
