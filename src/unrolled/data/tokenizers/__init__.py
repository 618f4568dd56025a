"""Tokens: what a model reads and writes instead of text, and how the one becomes the other.

A vocabulary is fitted on text once and kept as ``tokenizer.json``. Whatever the kind, `Tokenizer.encode`
gives ids ``[N]`` below `Tokenizer.size`, and decoding them gives the text back: to the letter for characters,
bytes and byte pairs, for words with single blanks between them. What the fitted text did not have becomes
`Tokenizer.unknown`, where a kind has that.
"""

from __future__ import annotations

from collections.abc import Iterable

from unrolled.data.tokenizers.base import Decoder, Tokenizer
from unrolled.data.tokenizers.bpe import BPETokenizer
from unrolled.data.tokenizers.byte import ByteTokenizer
from unrolled.data.tokenizers.char import CharTokenizer
from unrolled.data.tokenizers.word import WordTokenizer
from unrolled.errors import OptionError, nearest

__all__ = [
    "BPETokenizer",
    "ByteTokenizer",
    "CharTokenizer",
    "Decoder",
    "Tokenizer",
    "WordTokenizer",
    "fit",
]


def fit(tokens: str, texts: Iterable[str], vocabulary: int = 0) -> Tokenizer:
    """A tokenizer of the kind that ``tokens`` names.

    Raises:
        OptionError: a kind that is not offered, or fewer entries than it needs.
        UnavailableError: byte pairs without the tokenizers library.
    """
    if tokens not in Tokenizer.kinds:
        raise OptionError("tokens", "name a kind of token", tokens, nearest(tokens, Tokenizer.kinds))
    return Tokenizer.kinds[tokens].fit(texts, vocabulary)
