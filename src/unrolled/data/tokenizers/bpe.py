"""Tokens of several bytes, merged by frequency."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Self, final

import numpy as np

from unrolled.data.tokenizers.base import AnyIds, Decoder, Ids, Tokenizer, at_least, printable, within
from unrolled.data.tokenizers.byte import BytesDecoder
from unrolled.errors import UnavailableError

CHUNK = 1 << 14
"""Characters that the library is given at once: it has a thread for each chunk, and is slow on long ones."""


@final
class BPETokenizer(Tokenizer):
    """Pairs merged by frequency, from single bytes on, so that nothing is unknown.

    The tokenizers library fits and finds them.

    Source: Sennrich et al. 2016, over bytes and split into words as GPT-2 does (Radford et al. 2019).
    """

    name = "bpe"

    def __init__(self, fitted: Any) -> None:
        self._fitted = fitted
        letters = _byte_of_letter()
        entries = sorted(fitted.get_vocab().items(), key=lambda entry: entry[1])
        self._bytes = [bytes(letters[letter] for letter in entry) for entry, _ in entries]
        # A character begins at each byte that does not go on with one (10xxxxxx).
        self._characters = np.array([sum(byte & 0xC0 != 0x80 for byte in entry) for entry in self._bytes])

    @classmethod
    def fit(cls, texts: Iterable[str], vocabulary: int = 0) -> Self:
        library = _library()
        fitted = library.Tokenizer(library.models.BPE())
        fitted.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        fitted.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=at_least(vocabulary or 8000, 256),
            initial_alphabet=sorted(_byte_of_letter()),
            show_progress=False,
        )
        fitted.train_from_iterator(texts, trainer)
        return cls(fitted)

    @property
    def vocabulary(self) -> list[str]:
        return ["".join(map(printable, entry.decode("utf-8", "backslashreplace"))) for entry in self._bytes]

    @property
    def size(self) -> int:
        return len(self._bytes)

    def look_up(self, text: str) -> tuple[Ids, int]:
        found = self._fitted.encode_batch_fast(_chunks(text))
        return np.fromiter(itertools.chain.from_iterable(chunk.ids for chunk in found), np.uint32), 0

    def encode_each(self, texts: Sequence[str]) -> list[Ids]:
        found = self._fitted.encode_batch_fast(list(texts))  # a call for each would cost more than its work
        return [np.array(text.ids, np.uint32) for text in found]

    def to_bytes(self, ids: AnyIds) -> bytes:
        return b"".join([self._bytes[token] for token in within(ids, self.size).tolist()])

    def decoder(self) -> Decoder:
        return BytesDecoder(self._bytes)

    def characters(self, ids: AnyIds) -> int:
        return int(self._characters[within(ids, self.size)].sum())

    def _facts(self) -> dict[str, Any]:
        return {"tokenizers": json.loads(self._fitted.to_str())}

    @classmethod
    def _of_facts(cls, facts: dict[str, Any]) -> Self:
        library = _library()
        try:
            return cls(library.Tokenizer.from_str(json.dumps(facts["tokenizers"])))
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(error) from error


def _chunks(text: str) -> list[str]:
    """The text in chunks that end before white space, where no pair is merged across."""
    word_end, chunks, begin = re.compile(r"\S(?=\s)"), list[str](), 0
    while found := word_end.search(text, begin + CHUNK):
        chunks.append(text[begin : found.end()])
        begin = found.end()
    return [*chunks, text[begin:]]


def _byte_of_letter() -> dict[str, int]:
    """The letters in which byte pairs are kept: a byte that prints is itself, others come from 256 on."""
    printing = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = sorted(set(range(256)) - set(printing))
    return {chr(byte): byte for byte in printing} | {chr(256 + i): byte for i, byte in enumerate(others)}


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        fix = 'Fix: pip install "unrolled[text]", or take --tokens char.'
        raise UnavailableError("tokens = bpe", "find the package tokenizers", "none", fix) from error
    return tokenizers
