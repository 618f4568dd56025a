"""One token a character."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from unrolled.data.tokenizers.base import (
    UNKNOWN,
    AnyIds,
    Decoder,
    Ids,
    Tokenizer,
    at_least,
    printable,
    within,
)


@final
class CharTokenizer(Tokenizer):
    """One token a character (a Unicode code point), in Unicode's order after ``<unk>``."""

    name = "char"
    unknown = 0

    def __init__(self, characters: str) -> None:
        self._points = np.array([0xFFFD, *map(ord, characters)], np.uint32)
        # By code point its id; whatever lies beyond the last one meets the zero at the end.
        self._ids = np.zeros(int(self._points[1:].max(initial=0)) + 2, np.uint32)
        self._ids[self._points[1:]] = np.arange(1, len(self._points))

    @classmethod
    def fit(cls, texts: Iterable[str], vocabulary: int = 0) -> Self:
        counts = np.zeros(0x110000, np.int64)
        for text in texts:
            found = np.bincount(_code_points(text))
            counts[: len(found)] += found
        most = at_least(vocabulary, 2) - 1 if vocabulary else counts.size
        seen = np.flatnonzero(counts)
        kept = seen[np.argsort(-counts[seen], kind="stable")][:most]
        return cls("".join(map(chr, np.sort(kept))))

    @property
    def vocabulary(self) -> list[str]:
        return [UNKNOWN, *(printable(chr(point)) for point in self._points[1:])]

    @property
    def size(self) -> int:
        return len(self._points)

    def look_up(self, text: str) -> tuple[Ids, int]:
        ids = self._ids.take(_code_points(text), mode="clip")
        return ids, ids.size - int(np.count_nonzero(ids))

    def to_bytes(self, ids: AnyIds) -> bytes:
        return self.decode(ids).encode("utf-8", "surrogatepass")

    def decode(self, ids: AnyIds) -> str:
        return (
            self._points[within(ids, self.size)].astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        )

    def decoder(self) -> Decoder:
        return _EachAlone([chr(point) for point in self._points])

    def characters(self, ids: AnyIds) -> int:
        return len(ids)

    def _facts(self) -> dict[str, Any]:
        return {"characters": "".join(map(chr, self._points[1:]))}

    @classmethod
    def _of_facts(cls, facts: dict[str, Any]) -> Self:
        return cls(facts["characters"])


@final
class _EachAlone(Decoder):
    """Every id is a text of its own."""

    def __init__(self, written: Sequence[str]) -> None:
        self._written = written

    def feed(self, token: int) -> str:
        return self._written[token]


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
