"""A text as the tokens of one side, and back: words with punctuation apart, byte pairs or characters."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from unrolled import storage
from unrolled.config.translate import TranslateConfig
from unrolled.data import tokenizers
from unrolled.data.ragged import Ragged
from unrolled.data.tokenizers import Tokenizer
from unrolled.errors import DataError, RunError

JOINED = "\N{HALFWIDTH BLACK SQUARE}"
"""Stands in a sign's token where a word, or a sign before it, touches it."""

VERSION = 1
"""Of the form of reader.json."""

_TOUCHED = re.compile(r"(?<=\S)([^\w\s])")
_TOUCHING = re.compile(r"([^\w\s])(?=\w)")


def apart(text: str) -> str:
    """A text whose words and signs stand apart, each sign with the marks by which `together` undoes it.

    So a word is the same token wherever it stands, and nothing has to be known of the language.

    Example:
        >>> print(apart("It's (3.5) here!"))
        It ￭'￭ s (￭ 3 ￭.￭ 5 ￭) here ￭!
    """
    text = text.replace(JOINED, " ")
    return _TOUCHING.sub(rf"\1{JOINED} ", _TOUCHED.sub(rf" {JOINED}\1", text))


def together(text: str) -> str:
    """What `apart` was given.

    Example:
        >>> together(apart("It's (3.5) here!"))
        "It's (3.5) here!"
    """
    return text.replace(f" {JOINED}", "").replace(f"{JOINED} ", "").replace(JOINED, "")


@dataclass(frozen=True)
class Side:
    """One side of the pairs: how its texts are written as tokens.

    After the tokenizer's own entries come a token that begins a text and one that ends it.
    """

    tokenizer: Tokenizer
    lower: bool

    @classmethod
    def fit(cls, tokens: str, texts: Iterable[str], vocabulary: int, min_count: int, lower: bool) -> Self:
        """The side of such texts.

        Raises:
            OptionError: a vocabulary that is too small for its kind.
            UnavailableError: byte pairs without the library for them.
        """
        spaced = [_spaced(text, tokens, lower) for text in texts]
        if tokens == "word" and min_count > 1:
            counts = Counter(word for text in spaced for word in text.split())
            common = sum(count >= min_count for count in counts.values())
            vocabulary = min(vocabulary or common + 1, max(2, common + 1))
        return cls(tokenizers.fit(tokens, spaced, vocabulary), lower)

    @property
    def begin(self) -> int:
        """The token that begins a text."""
        return self.tokenizer.size

    @property
    def end(self) -> int:
        """The token that ends it."""
        return self.tokenizer.size + 1

    @property
    def size(self) -> int:
        """V: how many tokens there are."""
        return self.tokenizer.size + 2

    @property
    def never(self) -> tuple[int, ...]:
        """The tokens that no text is written with."""
        unknown = self.tokenizer.unknown
        return (self.begin,) if unknown is None else (self.begin, unknown)

    def ids(self, texts: Iterable[str]) -> Ragged:
        """The tokens of each text, and the end.

        Shapes:
            a sequence of int32 ``[n+1]`` for each text.
        """
        each = self.tokenizer.encode_each([_spaced(text, self.tokenizer.name, self.lower) for text in texts])
        return Ragged.of((np.append(ids, self.end) for ids in each), np.int32)

    def text(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> str:
        """The text that tokens stand for, without begin and end.

        Shapes:
            ids: ``[n]``.
        """
        text = self.tokenizer.decode([token for token in ids if token < self.tokenizer.size])
        return together(text) if self.tokenizer.name == "word" else text.strip()

    def names(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> list[str]:
        """Each token as it can be shown.

        Shapes:
            ids: ``[n]``; gives n names.
        """
        vocabulary = [*self.tokenizer.vocabulary, "<begin>", "<end>"]
        return [vocabulary[token].replace(JOINED, "") for token in ids]

    def plain(self, text: str) -> str:
        """A text as it is judged: with single blanks, and in small letters where all are."""
        text = " ".join(text.split())
        return text.lower() if self.lower else text

    def unknown(self, ids: Ragged) -> int:
        """How many tokens stand for something that the vocabulary has not."""
        unknown = self.tokenizer.unknown
        return 0 if unknown is None else int((ids.values == unknown).sum())


def _spaced(text: str, tokens: str, lower: bool) -> str:
    """A text as its tokenizer is given it: of byte pairs, a first word is as one that follows a blank."""
    text = " ".join(text.split())
    text = text.lower() if lower else text
    return apart(text) if tokens == "word" else f" {text}" if tokens == "bpe" else text


@dataclass(frozen=True)
class Pair:
    """What reads the data of a translator: both sides, and what was seen of the targets.

    Attributes:
        metric: ``bleu`` or ``exact``: what counts first.
        longest: tokens of the longest target that is learned from, its end included.
    """

    source: Side
    target: Side
    metric: str
    longest: int = 1

    @classmethod
    def fit(cls, config: TranslateConfig, sources: Sequence[str], targets: Sequence[str]) -> Self:
        """Both sides of such pairs.

        Raises:
            OptionError: a vocabulary that is too small for its kind.
            UnavailableError: byte pairs without the library for them.
        """
        size, target_size = config.vocabulary, config.target_vocabulary or config.vocabulary
        if config.shared:
            both = Side.fit(config.tokens, [*sources, *targets], size, config.min_count, config.lower)
            source = target = both
        else:
            source = Side.fit(config.tokens, sources, size, config.min_count, config.lower)
            target = Side.fit(config.written, targets, target_size, config.min_count, config.lower)
        short = np.median([len(text.split()) for text in targets]) <= 1
        metric = config.metric if config.metric != "guess" else "exact" if short else "bleu"
        return cls(source, target, metric)

    @property
    def shared(self) -> bool:
        """Whether both sides have one vocabulary."""
        return self.source is self.target

    def save(self, path: Path) -> None:
        """Writes it to a file, whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        facts = {
            "unrolled_pair": VERSION,
            "lower": self.source.lower,
            "longest": self.longest,
            "metric": self.metric,
            "source": self.source.tokenizer.dumps(),
            "target": None if self.shared else self.target.tokenizer.dumps(),
        }
        storage.write(path, json.dumps(facts, indent=1))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            RunError: the file is missing or damaged.
        """
        fix = "Take it from the run it belongs to, or train anew."
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["unrolled_pair"] > VERSION:
                fix = "A later version wrote it: pip install --upgrade unrolled."
                raise RunError(str(path), f"have a form up to {VERSION}", facts["unrolled_pair"], fix)
            source = Side(Tokenizer.loads(facts["source"], str(path)), facts["lower"])
            other = facts["target"]
            target = source if other is None else Side(Tokenizer.loads(other, str(path)), facts["lower"])
            return cls(source, target, facts["metric"], facts["longest"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, RunError):
                raise
            got = f"{type(error).__name__}: {error}"
            raise RunError(str(path), "say how texts become tokens", got, fix) from error


def words(text: str) -> int:
    """How many words a text has; signs that stand apart are none.

    Example:
        >>> words("Qui est-ce ?")
        2
    """
    return sum(any(map(str.isalnum, chunk)) for chunk in text.split())


def checked(texts: Iterable[object]) -> list[str]:
    """Texts to translate.

    Raises:
        DataError: one that is no text; names its place.
    """
    found: list[str] = []
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            fix = "Give a list of texts."
            raise DataError(f"translate: text {number}", "be a text", type(text).__name__, fix)
        found.append(text)
    return found
