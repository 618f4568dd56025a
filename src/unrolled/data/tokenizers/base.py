"""What every kind of token has in common."""

from __future__ import annotations

import abc
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unrolled import storage
from unrolled.errors import OptionError, RunError

Ids: TypeAlias = NDArray[np.uint32]
AnyIds: TypeAlias = NDArray[np.integer[Any]] | Sequence[int]

UNKNOWN = "<unk>"
VERSION = 1
"""Of the form of tokenizer.json."""


class Decoder(abc.ABC):
    """Text from ids as they come, one at a time; what it has said is never taken back."""

    @abc.abstractmethod
    def feed(self, token: int) -> str:
        """What this token adds to the text; empty while a letter's bytes are not all there."""

    def finish(self) -> str:
        """What was still held back: the replacement sign for a letter that was never completed."""
        return ""


class Tokenizer(abc.ABC):
    """Text to ids and back.

    Attributes:
        name: its kind, as ``--tokens`` names it.
        kinds: every kind by its name.
        unknown: the id of all that the fitted text did not have; None where nothing can be unknown.
    """

    name: ClassVar[str]
    kinds: ClassVar[dict[str, type[Tokenizer]]] = {}
    unknown: int | None = None

    def __init_subclass__(cls) -> None:
        Tokenizer.kinds[cls.name] = cls

    @classmethod
    @abc.abstractmethod
    def fit(cls, texts: Iterable[str], vocabulary: int = 0) -> Self:
        """A tokenizer for such texts, of at most ``vocabulary`` entries; 0 means as many as its kind has.

        Raises:
            OptionError: fewer entries than its kind needs.
        """

    @property
    @abc.abstractmethod
    def vocabulary(self) -> list[str]:
        """Every entry in a printable form, by id."""

    @property
    def size(self) -> int:
        """How many entries the vocabulary has."""
        return len(self.vocabulary)

    @abc.abstractmethod
    def look_up(self, text: str) -> tuple[Ids, int]:
        """The ids ``[N]`` of a text, and how many of them stand for something never seen."""

    def encode(self, text: str) -> Ids:
        """The ids ``[N]`` of a text."""
        return self.look_up(text)[0]

    def encode_each(self, texts: Sequence[str]) -> list[Ids]:
        """The ids ``[N]`` of each of many texts."""
        return [self.encode(text) for text in texts]

    @abc.abstractmethod
    def to_bytes(self, ids: AnyIds) -> bytes:
        """The text that ids ``[N]`` stand for, in UTF-8."""

    def decode(self, ids: AnyIds) -> str:
        """The text that ids ``[N]`` stand for."""
        return self.to_bytes(ids).decode("utf-8", "replace")

    @abc.abstractmethod
    def decoder(self) -> Decoder:
        """A decoder that stands at the beginning of a text."""

    @abc.abstractmethod
    def characters(self, ids: AnyIds) -> int:
        """How many characters ids ``[N]`` stand for (bytes, where the tokens are bytes)."""

    @abc.abstractmethod
    def _facts(self) -> dict[str, Any]:
        """What `_of_facts` needs to make this tokenizer again, as JSON has it."""

    @classmethod
    @abc.abstractmethod
    def _of_facts(cls, facts: dict[str, Any]) -> Self: ...

    def dumps(self) -> str:
        """The tokenizer as JSON, the same text for the same tokenizer."""
        return json.dumps({"unrolled_tokenizer": VERSION, "tokens": self.name, **self._facts()}, indent=0)

    @staticmethod
    def loads(text: str, where: str = "tokenizer.json") -> Tokenizer:
        """The tokenizer of `dumps`.

        Raises:
            RunError: another text, naming the file ``where`` as its place.
        """
        fix = "Take it from the run it belongs to, or train anew."
        try:
            facts = json.loads(text)
            version, kind = facts.pop("unrolled_tokenizer"), Tokenizer.kinds[facts.pop("tokens")]
            if version > VERSION:
                fix = "A later version wrote it: pip install --upgrade unrolled."
                raise RunError(where, f"have a form up to {VERSION}", version, fix)
            return kind._of_facts(facts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, RunError):
                raise
            raise RunError(
                where, "be a tokenizer of unrolled", f"{type(error).__name__}: {error}", fix
            ) from error

    def save(self, path: str | Path) -> None:
        """Writes `dumps` to a file, whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        storage.write(Path(path), self.dumps())

    @staticmethod
    def load(path: str | Path) -> Tokenizer:
        """Reads what `save` wrote.

        Raises:
            RunError: the file is missing or damaged.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fix = "Take it from the run it belongs to, or train anew."
            raise RunError(str(path), "be a readable tokenizer", error, fix) from error
        return Tokenizer.loads(text, str(path))


def printable(character: str) -> str:
    """A character as one line of a list can show it."""
    if character == " ":
        return "␣"
    return character if character.isprintable() else repr(character)[1:-1]


def within(ids: AnyIds, size: int) -> NDArray[np.integer[Any]]:
    """The ids as an array.

    Raises:
        OptionError: an id that no vocabulary of this size has.
    """
    ids = np.asarray(ids, None if len(ids) else np.int64)
    if ids.size and not 0 <= ids.min() <= ids.max() < size:
        wrong = int(ids.max()) if ids.max() >= size else int(ids.min())
        raise OptionError("decode: ids", f"be from 0 to {size - 1}", wrong, "Use the tokenizer of the ids.")
    return ids


def at_least(vocabulary: int, least: int) -> int:
    """A number of entries that was asked for.

    Raises:
        OptionError: fewer than ``least``.
    """
    if vocabulary < least:
        raise OptionError(
            "vocabulary", f"be 0 (all) or at least {least}", vocabulary, f"Take {least} or more."
        )
    return vocabulary
