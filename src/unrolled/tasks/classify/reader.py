"""What turns texts and measurements into numbers, as training did it: kept beside the weights."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np

from unrolled import storage
from unrolled.config import ClassifyConfig
from unrolled.data import tokenizers
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Table, listed
from unrolled.data.tokenizers import Tokenizer
from unrolled.errors import DataError, RunError
from unrolled.tasks.classify.columns import Columns, X

VERSION = 1
"""Of the form of reader.json."""

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
"""A word, with an apostrophe inside it; or a mark, each by itself."""


@dataclass(frozen=True)
class Reader(ABC):
    """From examples to numbers, and from numbers to classes. Abstract.

    Attributes:
        columns: which columns of a source hold what.
        labels: the classes.
    """

    kind: ClassVar[str]

    columns: Columns
    labels: Labels

    @property
    @abstractmethod
    def unit(self) -> str:
        """What a step is, in a word."""

    @abstractmethod
    def numbers(self, x: Column) -> Ragged:
        """The steps of examples as the network reads them.

        Shapes:
            x: texts, or a `Ragged` ``[N, I]``; gives ids ``[N]``, or float64 ``[N, I]``.

        Raises:
            DataError: something else than what the model was trained on.
        """

    @abstractmethod
    def example(self) -> Column:
        """An example of one step, as `numbers` takes it."""

    @abstractmethod
    def names(self, x: Any) -> list[str]:
        """What each step of one example is called: its token, or its number.

        Shapes:
            x: of one example, ``[T]`` or ``[T, I]``.
        """

    @property
    @abstractmethod
    def between(self) -> str | None:
        """What stands between two steps where they are written as text; None where they are numbers."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What this kind of reader needs to be made again, as JSON has it."""

    @classmethod
    @abstractmethod
    def of_facts(cls, columns: Columns, labels: Labels, facts: dict[str, Any]) -> Self:
        """What gave these facts."""

    def save(self, path: str | Path) -> None:
        """Writes it as JSON.

        Raises:
            StorageError: it cannot be written.
        """
        made = {
            "unrolled_reader": VERSION,
            "kind": self.kind,
            "columns": self.columns.facts(),
            "labels": list(self.labels.names),
            **self.facts(),
        }
        storage.write(Path(path), json.dumps(made, indent=1, ensure_ascii=False) + "\n")

    @staticmethod
    def load(path: str | Path) -> Reader:
        """Reads what `save` wrote.

        Raises:
            RunError: the file is missing, damaged or of a later version.
        """
        fix = "Take it from the run it belongs to, or train anew."
        try:
            facts = json.loads(Path(path).read_text(encoding="utf-8"))
            if facts["unrolled_reader"] > VERSION:
                later = "A later version wrote it: pip install --upgrade unrolled."
                raise RunError(str(path), f"have a form up to {VERSION}", facts["unrolled_reader"], later)
            kind = {TextReader.kind: TextReader, SensorReader.kind: SensorReader}[facts["kind"]]
            return kind.of_facts(Columns.of_facts(facts["columns"]), Labels(facts["labels"]), facts)
        except RunError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            got = f"{type(error).__name__}: {error}"
            raise RunError(str(path), "be the reader of a classifier", got, fix) from error


@final
@dataclass(frozen=True)
class TextReader(Reader):
    """Texts as ids of tokens.

    Words are parted from marks (``didn't.`` is two tokens); with ``lower``, capitals are small letters.
    """

    kind: ClassVar[str] = "text"

    tokenizer: Tokenizer
    lower: bool

    @classmethod
    def fit(cls, config: ClassifyConfig, columns: Columns, labels: Labels, texts: Sequence[str]) -> Self:
        """A reader whose vocabulary is that of these texts.

        Raises:
            OptionError: a vocabulary that is too small.
            UnavailableError: byte pairs without the library that finds them.
        """
        ready = [_ready(text, config.tokens, config.lower) for text in texts]
        return cls(
            columns, labels, tokenizers.fit(config.tokens, ready, _entries(config, ready)), config.lower
        )

    @property
    def unit(self) -> str:
        """Word, character, byte or piece."""
        return {"char": "character", "byte": "byte", "word": "word", "bpe": "piece"}[self.tokenizer.name]

    def numbers(self, x: Column) -> Ragged:
        """The ids of texts.

        Shapes:
            gives ``[N]``.

        Raises:
            DataError: a text without a token, or something else than texts.
        """
        found = [self.tokenizer.encode(self.ready(text)) for text in _texts(x)]
        for row, ids in enumerate(found):
            if not len(ids):
                rule, fix = "have a character that is no white space", "Leave it out."
                raise DataError(f"text {row + 1}", rule, "length 0", fix)
        return Ragged.of(found, np.uint32)

    def example(self) -> Column:
        """A short text."""
        return ["a"]

    def ready(self, text: str) -> str:
        """A text as the tokenizer is given it."""
        return _ready(text, self.tokenizer.name, self.lower)

    def names(self, x: Any) -> list[str]:
        """The tokens."""
        vocabulary = self.tokenizer.vocabulary
        return [vocabulary[token] for token in x]

    @property
    def between(self) -> str:
        """A blank between words; nothing between characters, bytes or pieces, of which some are blanks."""
        return " " if self.tokenizer.name == "word" else ""

    def facts(self) -> dict[str, Any]:
        """Tokenizer and capitals."""
        return {"lower": self.lower, "tokenizer": json.loads(self.tokenizer.dumps())}

    @classmethod
    def of_facts(cls, columns: Columns, labels: Labels, facts: dict[str, Any]) -> Self:
        """What gave these facts."""
        return cls(columns, labels, Tokenizer.loads(json.dumps(facts["tokenizer"])), facts["lower"])


@final
@dataclass(frozen=True)
class SensorReader(Reader):
    """Measurements as they are; the model normalises them by what is kept here.

    Attributes:
        mean, scale: of each feature in the train part.
        missing: the features of which some values were missing there.
    """

    kind: ClassVar[str] = "sensors"

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    missing: tuple[int, ...]

    @classmethod
    def fit(cls, columns: Columns, labels: Labels, x: Ragged) -> Self:
        """A reader of features that are as these.

        Shapes:
            x: ``[N, I]``.

        Raises:
            DataError: a feature of which every value is missing.
        """
        absent = np.isnan(x.values)
        if absent.all(0).any():
            names = columns.features or [str(i + 1) for i in range(x.values.shape[1])]
            nothing = [names[i] for i in np.flatnonzero(absent.all(0))]
            fix = "Leave it out: name the others with --features."
            raise DataError(
                f"the measurement {listed(nothing)}", "have a value in the train part", "none", fix
            )
        mean, scale = np.nanmean(x.values, 0), np.nanstd(x.values, 0)
        scale[scale < 1e-12 * np.maximum(1, np.abs(mean))] = 1  # one that never changes
        gaps = np.flatnonzero(absent.any(0))
        return cls(columns, labels, tuple(mean.tolist()), tuple(scale.tolist()), tuple(gaps.tolist()))

    @property
    def unit(self) -> str:
        """Step."""
        return "step"

    def numbers(self, x: Column) -> Ragged:
        """The measurements.

        Shapes:
            gives float64 ``[N, I]``.

        Raises:
            DataError: another number of features, or something else than numbers.
        """
        if not isinstance(x, Ragged):
            fix = "Give sequences [T, I] of numbers."
            raise DataError("the data", "be sequences of numbers, as in training", "texts", fix)
        values = x.values.reshape(len(x.values), -1).astype(np.float64)
        if values.shape[1] != len(self.mean):
            fix = "Give the features of training, in their order."
            raise DataError("the data", f"have {len(self.mean)} features a step", values.shape[1], fix)
        return Ragged(values, x.starts)

    def example(self) -> Column:
        """A step with the mean of every feature."""
        return Ragged([self.mean], [0, 1])

    def names(self, x: Any) -> list[str]:
        """The numbers of the steps."""
        return [str(t) for t in range(len(x))]

    @property
    def between(self) -> None:
        """Numbers are no text."""

    def facts(self) -> dict[str, Any]:
        """Mean, scale and missing."""
        return {"mean": self.mean, "scale": self.scale, "missing": self.missing}

    @classmethod
    def of_facts(cls, columns: Columns, labels: Labels, facts: dict[str, Any]) -> Self:
        """What gave these facts."""
        mean, scale, missing = (tuple(facts[name]) for name in ("mean", "scale", "missing"))
        return cls(columns, labels, mean, scale, missing)


def fit(config: ClassifyConfig, columns: Columns, labels: Labels, train: Table) -> Reader:
    """The reader of what is trained on.

    Raises:
        DataError, OptionError, UnavailableError: as the two kinds of reader say.
    """
    x = train[X]
    if isinstance(x, Ragged):
        return SensorReader.fit(columns, labels, x)
    return TextReader.fit(config, columns, labels, _texts(x))


def _texts(x: Column) -> list[str]:
    if isinstance(x, Ragged | np.ndarray):
        fix = "Give a list of str."
        raise DataError("the data", "be texts, as in training", "numbers", fix)
    return x


def _ready(text: str, tokens: str, lower: bool) -> str:
    """A text as a tokenizer is given it: words and marks with a blank between, or itself."""
    text = text.lower() if lower else text
    return " ".join(WORD.findall(text)) if tokens == "word" else text


def _entries(config: ClassifyConfig, ready: Iterable[str]) -> int:
    """The entries that a vocabulary may have, so that none is rarer than the config allows; 0: any number."""
    if config.min_count < 2 or config.tokens not in ("word", "char"):
        return config.vocabulary
    counts: Counter[str] = Counter()
    for text in ready:
        counts.update(text.split() if config.tokens == "word" else text)
    often = max(2, 1 + sum(count >= config.min_count for count in counts.values()))
    return min(config.vocabulary or often, often)
