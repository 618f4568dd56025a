"""One token a byte."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import Any, Self, final

import numpy as np

from unrolled.data.tokenizers.base import AnyIds, Decoder, Ids, Tokenizer, at_least, printable, within


@final
class ByteTokenizer(Tokenizer):
    """One token a byte, 256 of them whatever the text; it also takes the bytes themselves."""

    name = "byte"

    @classmethod
    def fit(cls, texts: Iterable[str | bytes], vocabulary: int = 0) -> Self:
        del texts
        at_least(vocabulary or 256, 256)
        return cls()

    @property
    def vocabulary(self) -> list[str]:
        return [printable(chr(byte)) if byte < 128 else f"\\x{byte:02x}" for byte in range(256)]

    def look_up(self, text: str | bytes) -> tuple[Ids, int]:
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return np.frombuffer(data, np.uint8).astype(np.uint32), 0

    def to_bytes(self, ids: AnyIds) -> bytes:
        return within(ids, 256).astype(np.uint8).tobytes()

    def decoder(self) -> Decoder:
        return BytesDecoder([bytes([byte]) for byte in range(256)])

    def characters(self, ids: AnyIds) -> int:
        return len(ids)

    def _facts(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _of_facts(cls, facts: dict[str, Any]) -> Self:
        del facts
        return cls()


@final
class BytesDecoder(Decoder):
    """Every id is some bytes; a letter comes with its last one."""

    def __init__(self, written: Sequence[bytes]) -> None:
        self._written, self._letters = written, codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        return self._letters.decode(self._written[token])

    def finish(self) -> str:
        return self._letters.decode(b"", final=True)
