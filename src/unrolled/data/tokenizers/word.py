"""One token a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Self, final

import numpy as np

from unrolled.data.tokenizers.base import UNKNOWN, AnyIds, Decoder, Ids, Tokenizer, at_least, within

LINE_END = "<eos>"
UNKNOWN_ID = 0


@final
class WordTokenizer(Tokenizer):
    """One token a word, and ``<eos>`` for a line's end: by falling frequency after ``<unk>``.

    Words are what white space parts.

    Source: the form in which the Penn Treebank is used for language models (Mikolov et al. 2010), whose text
    has ``<unk>`` among its words.
    """

    name = "word"
    unknown = UNKNOWN_ID

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [UNKNOWN, *words]
        self._ids = {word: token for token, word in enumerate(self._words)}
        self._written = ["\n" if word == LINE_END else word for word in self._words]
        self._lengths = np.array([len(written) for written in self._written])
        self._is_word = np.array([written != "\n" for written in self._written])

    @classmethod
    def fit(cls, texts: Iterable[str], vocabulary: int = 0) -> Self:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_words(text))
        del counts[UNKNOWN]
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(ranked[: at_least(vocabulary, 2) - 1] if vocabulary else ranked)

    @property
    def vocabulary(self) -> list[str]:
        return list(self._words)

    @property
    def size(self) -> int:
        return len(self._words)

    def look_up(self, text: str) -> tuple[Ids, int]:
        ids = np.array([self._ids.get(word, -1) for word in _words(text)], np.int64)
        unseen = ids < 0
        return np.where(unseen, UNKNOWN_ID, ids).astype(np.uint32), int(np.count_nonzero(unseen))

    def to_bytes(self, ids: AnyIds) -> bytes:
        return self.decode(ids).encode("utf-8", "surrogatepass")

    def decode(self, ids: AnyIds) -> str:
        text = " ".join([self._written[token] for token in within(ids, self.size).tolist()])
        return text.replace(" \n", "\n").replace("\n ", "\n")

    def decoder(self) -> Decoder:
        return _Spaced(self._written)

    def characters(self, ids: AnyIds) -> int:
        ids = within(ids, self.size)
        is_word = self._is_word[ids]
        return int(self._lengths[ids].sum() + np.count_nonzero(is_word[1:] & is_word[:-1]))

    def _facts(self) -> dict[str, Any]:
        return {"words": self._words[1:]}

    @classmethod
    def _of_facts(cls, facts: dict[str, Any]) -> Self:
        return cls(facts["words"])


@final
class _Spaced(Decoder):
    """Words with a blank between, none around line ends."""

    def __init__(self, written: Sequence[str]) -> None:
        self._written, self._last = written, "\n"

    def feed(self, token: int) -> str:
        word = self._written[token]
        blank = "" if "\n" in (self._last, word) else " "
        self._last = word
        return blank + word


def _words(text: str) -> list[str]:
    return text.replace("\n", f" {LINE_END} ").split()
