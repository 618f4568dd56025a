"""Words as numbers: vocabulary, characters, labels, and each different word of some sentences once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from unrolled import storage
from unrolled.config.tag import TagConfig
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Table
from unrolled.tasks.examples import Examples
from unrolled.tasks.tag.sources import Columns, labels_of

UNKNOWN = 0
"""The number of every word, and of every character, that is in no vocabulary."""

SPELL = 0.01
"""The share of unknown words, in what chooses the weights, from where on characters are guessed to help."""


class Words(Struct, frozen=True, tag="words", tag_field="reads", dict=True, kw_only=True):
    """What turns words into numbers, and numbers into labels.

    Attributes:
        words, label, sequence: the columns they were read from.
        vocabulary: the words from number 1 on.
        characters: those that words are spelled with, from number 1 on; none where spelling is not read.
        labels: by number.
        lower: words are looked up in small letters.
        bidirectional: the network reads in both directions.
    """

    words: str
    label: str
    sequence: str
    vocabulary: tuple[str, ...]
    characters: tuple[str, ...]
    labels: tuple[str, ...]
    lower: bool
    bidirectional: bool

    @classmethod
    def fit(cls, config: TagConfig, columns: Columns, tables: dict[str, Table], labels: Labels) -> Words:
        """The reader of a config for the words to learn from."""
        train = sentences(tables["train"])
        counts = Counter(_folded(word, config.lower) for sentence in train for word in sentence)
        vocabulary = _frequent(counts, config.min_count, config.vocabulary)
        known = set(vocabulary)
        held_out = [
            _folded(word, config.lower) for sentence in sentences(tables["valid"]) for word in sentence
        ]
        unknown = sum(word not in known for word in held_out) / len(held_out)
        characters: tuple[str, ...] = ()
        if config.characters == "on" or (config.characters == "guess" and unknown > SPELL):
            spelled = Counter(letter for sentence in train for word in sentence for letter in word)
            characters = _frequent(spelled, config.min_count, 0)
        return cls(
            words=columns.words,
            label=columns.label,
            sequence=columns.sequence,
            vocabulary=vocabulary,
            characters=characters,
            labels=labels.names,
            lower=config.lower,
            bidirectional=config.bidirectional != "off",
        )

    @cached_property
    def classes(self) -> Labels:
        """The labels, which know their numbers."""
        return Labels(self.labels)

    @property
    def columns(self) -> Columns:
        """Which columns the words and labels of a table are in."""
        return Columns("words", self.words, self.label, self.sequence)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.vocabulary, 1)}

    @cached_property
    def _letters(self) -> dict[str, int]:
        return {letter: number for number, letter in enumerate(self.characters, 1)}

    def examples(self, table: Table, forms: Forms) -> Examples:
        """Sentences and their labels as numbers; their words are put among the ``forms``.

        Raises:
            DataError: a label that is not among those learned; names the word.
        """
        places = [
            f"{table.where(row)}, word {number}"
            for row, labels in enumerate(labels_of(table))
            for number in range(1, len(labels) + 1)
        ]
        x = forms.take(sentences(table))
        y = self.classes.numbers(list(chain.from_iterable(labels_of(table))), places)
        return {"x": x, "y": Ragged(y.astype(np.int32), x.starts)}

    def number(self, word: str) -> int:
        """The number of a word, or of all that are unknown."""
        return self._numbers.get(_folded(word, self.lower), UNKNOWN)

    def spelled(self, word: str) -> list[int]:
        """The numbers of the characters of a word; one unknown for a word without any."""
        return [self._letters.get(letter, UNKNOWN) for letter in word] or [UNKNOWN]

    def save(self, path: Path) -> None:
        """Writes it as JSON.

        Raises:
            StorageError: the file cannot be written.
        """
        storage.write(path, msgspec.json.format(msgspec.json.encode(self), indent=0).decode())


class Forms:
    """Every different word of some sentences once, as it is written; sentences are then numbers of these."""

    def __init__(self, reader: Words) -> None:
        self._reader = reader
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, sentences: Iterable[Sequence[str]]) -> Ragged:
        """The sentences as numbers of forms, new words added."""
        known = self._numbers
        rows = [
            np.array([known.setdefault(word, len(known)) for word in sentence], np.int32)
            for sentence in sentences
        ]
        return Ragged.of(rows, np.int32)

    def columns(self) -> Examples:
        """Of each form its number in the vocabulary, its characters, and its text."""
        reader, forms = self._reader, list(self._numbers)
        word = np.array([reader.number(form) for form in forms], np.int32)
        made: dict[str, Any] = {"word": word, "text": Ragged.of_texts(forms)}
        if reader.characters:
            made["characters"] = Ragged.of([np.array(reader.spelled(form), np.int32) for form in forms])
        return made


def sentences(table: Table) -> list[list[str]]:
    """The words of each sentence of a table."""
    column = table["x"]
    assert isinstance(column, list)
    return column


def _folded(word: str, lower: bool) -> str:
    return word.lower() if lower else word


def _frequent(counts: Counter[str], least: int, most: int) -> tuple[str, ...]:
    """What is counted at least so often, most frequent first; at most so many, or with 0 all."""
    kept = [(-count, one) for one, count in counts.items() if count >= least]
    return tuple(one for _, one in sorted(kept)[: most or None])
