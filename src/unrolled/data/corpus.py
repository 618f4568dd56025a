"""The tokens of a text in one file, which is mapped into memory and never read whole.

A text is cut by position into train, valid and test, in this order, and the vocabulary is fitted on the
training part alone. The file is a safetensors file: a tensor of ids a part, in the smallest unsigned integers
that hold them, and beside them the vocabulary and what is known of the text. The text is read piece by piece,
several times over: to count it, to fit the vocabulary, and to write each part. The metadata have the SHA-256
of the ids, and as ``header`` that of the header's other entries.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from unrolled import storage
from unrolled.config import LanguageModelConfig
from unrolled.data import reading, tokenizers
from unrolled.data.splits import PARTS, Heard, SplitText
from unrolled.data.tokenizers import Tokenizer
from unrolled.errors import DataError, RunError

Ids: TypeAlias = NDArray[np.unsignedinteger[Any]]
DTYPES: dict[str, np.dtype[np.unsignedinteger[Any]]] = {
    "U8": np.dtype("<u1"),
    "U16": np.dtype("<u2"),
    "U32": np.dtype("<u4"),
}
ROOM = 4096
"""Bytes kept free in the header for what is known only when all is written."""


def _to_nobody(doing: str, characters: int) -> None:
    del doing, characters


class Encoded(NamedTuple):
    """A text as ids.

    Shapes:
        ids: ``[N]``.

    Attributes:
        characters: how many the ids stand for.
        unknown: how many tokens the vocabulary does not have.
    """

    ids: NDArray[Any]
    characters: int
    unknown: int

    @classmethod
    def of(cls, pieces: Iterable[str], tokenizer: Tokenizer) -> Encoded:
        """A text, given in pieces, whose ids are in a file without a name and never in memory as a whole.

        Raises:
            StorageError: there is no room for the file.
        """
        _, dtype = _smallest(tokenizer.size)
        characters, unknown = 0, 0
        try:
            with tempfile.TemporaryFile() as file:
                for ids, more, unseen in _encoded(pieces, tokenizer):
                    file.write(ids.astype(dtype).tobytes())
                    characters, unknown = characters + more, unknown + unseen
                file.flush()
                ids = np.memmap(file, dtype, "r") if file.tell() else np.zeros(0, dtype)
        except OSError as error:
            raise storage.refusal(Path(tempfile.gettempdir()), error) from error
        return cls(ids, characters, unknown)


@dataclass(frozen=True)
class Source:
    """A file that the text came from, with the SHA-256 of what lay there."""

    part: str
    name: str
    sha256: str


@final
class Corpus:
    """A text as ids, in parts.

    Attributes:
        path: the file.
        train, valid, test: ``[N]``, read-only, mapped.
        tokenizer: what made the ids.
        characters: of each part, how many characters its ids stand for.
        unknown: of each part, how many tokens the vocabulary does not have.
        sources: the files it came from.
    """

    def __init__(self, path: Path, header: dict[str, Any], start: int) -> None:
        facts = header["__metadata__"]
        if facts.get("header") not in (None, _digest(header)):  # none where an earlier version wrote it
            raise _damaged(path, "another header than was written")
        self.path = path
        self.tokenizer = Tokenizer.loads(facts["tokenizer"], str(path))
        self.characters: dict[str, int] = json.loads(facts["characters"])
        self.unknown: dict[str, int] = json.loads(facts["unknown"])
        self.sources = [Source(**source) for source in json.loads(facts["sources"])]
        self._sha256, self._start = facts["sha256"], start
        dtype = DTYPES[header["train"]["dtype"]]
        ids = np.memmap(path, dtype, "r", start, header["test"]["data_offsets"][1] // dtype.itemsize)
        self.train, self.valid, self.test = (
            ids[slice(*(offset // dtype.itemsize for offset in header[part]["data_offsets"]))]
            for part in PARTS
        )

    @classmethod
    def write(
        cls,
        path: str | Path,
        config: LanguageModelConfig,
        heard: Heard = _to_nobody,
    ) -> Corpus:
        """Reads the text that the config names and writes its tokens; ``heard`` is told how far it is.

        Raises:
            DataError: a source that cannot be read, or a part with fewer than two tokens.
            StorageError: the file cannot be written; none is left behind.
        """
        path = Path(path)
        named = {"train": config.sources, "valid": config.valid_sources, "test": config.test_sources}
        with reading.spooled([source for part in PARTS for source in named[part]], path.parent) as readable:
            found = iter(readable)
            text = SplitText(config, {part: tuple(next(found) for _ in named[part]) for part in PARTS}, heard)
            tokenizer = tokenizers.fit(config.tokens, text.pieces("train", "fit"), config.vocabulary)
            sources = _sources(named, text, config.encoding)
            with storage.replacing(path) as file:
                writer = _Writer(file, tokenizer, sources)
                for part in PARTS:
                    tokens = writer.write(part, text.pieces(part))
                    if tokens < 2:
                        raise DataError(f"the {part} text", "have at least 2 tokens", tokens, "Take more.")
                writer.finish()
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> Corpus:
        """Maps a file that `write` made; whether its tokens are intact is `verify`'s question.

        Raises:
            RunError: the file is missing, cut short or another kind of file, or what it says beside the
                tokens is damaged.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                start = 8 + int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(min(start, path.stat().st_size) - 8))
            return cls(path, header, start)
        except RunError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise _damaged(path, f"{type(error).__name__}: {error}") from error

    def report(self) -> dict[str, Any]:
        """What the text is, in numbers: of each part the tokens, the characters and the unknown."""
        parts = {
            part: {
                "tokens": len(self.part(part)),
                "characters": self.characters[part],
                "unknown": self.unknown[part],
            }
            for part in PARTS
        }
        kind, size = self.tokenizer.name, self.tokenizer.size
        return {
            "tokens": kind,
            "vocabulary": size,
            "parts": parts,
            "sources": [asdict(source) for source in self.sources],
        }

    def verify(self, tokenizer: Tokenizer | None = None) -> None:
        """Reads every token and compares with what was written; with a tokenizer, it must be theirs.

        Raises:
            RunError: they differ.
        """
        if tokenizer and tokenizer.dumps() != self.tokenizer.dumps():
            raise _damaged(self.path, "ids of another vocabulary than the model's")
        with self.path.open("rb") as file:
            file.seek(self._start)
            if hashlib.file_digest(file, "sha256").hexdigest() != self._sha256:
                raise _damaged(self.path, "other tokens than were written")

    def part(self, name: str) -> Ids:
        """``train``, ``valid`` or ``test``."""
        return {"train": self.train, "valid": self.valid, "test": self.test}[name]

    def shorten(self, tokens: int) -> None:
        """Leaves at most so many tokens of every part, for a trial; the file stays as it is."""
        self.train, self.valid, self.test = (self.part(part)[:tokens] for part in PARTS)
        for part in PARTS:
            ids = self.part(part)
            self.characters[part] = self.tokenizer.characters(ids)
            self.unknown[part] = int(np.count_nonzero(ids == self.tokenizer.unknown))

    def text_bytes(self, part: str, last: int | None = None) -> bytes:
        """The text of a part in UTF-8, or of its ``last`` tokens; what is unknown is a sign for that."""
        ids = self.part(part)
        return self.tokenizer.to_bytes(ids if last is None else ids[max(0, len(ids) - last) :])


def _encoded(pieces: Iterable[str], tokenizer: Tokenizer) -> Iterator[tuple[NDArray[np.uint32], int, int]]:
    """Of each piece of a text its ids, how many characters it adds, and how many tokens are unknown."""
    before = np.zeros(0, np.uint32)
    for piece in pieces:
        ids, unseen = tokenizer.look_up(piece)
        # Two words have a blank between them, also where one piece ends and the next begins.
        joined = np.append(before, ids)
        yield ids, tokenizer.characters(joined) - tokenizer.characters(before), unseen
        before = joined[-1:]


def _digest(header: dict[str, Any]) -> str:
    """The SHA-256 of what a header says beside it, however it is laid out."""
    facts = {name: fact for name, fact in header["__metadata__"].items() if name != "header"}
    said = json.dumps({**header, "__metadata__": facts}, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _damaged(path: Path, got: str) -> RunError:
    return RunError(str(path), "be the tokens of a text", got, "Take it from its run again, or train anew.")


def _sources(named: dict[str, tuple[str, ...]], text: SplitText, encoding: str) -> list[Source]:
    """The files of each part, named as they were given where a copy is read in their place."""
    return [
        Source(part, str(path) if name == readable else name, reading.digest(path))
        for part in PARTS
        for name, readable in zip(named[part], text.sources[part], strict=True)
        for path in reading.files([readable], encoding)
    ]


@final
class _Writer:
    """Tokens into a safetensors file, whose header is known only when all of them are written."""

    def __init__(self, file: IO[bytes], tokenizer: Tokenizer, sources: list[Source]) -> None:
        self._file, self._tokenizer = file, tokenizer
        self._kind, self._dtype = _smallest(tokenizer.size)
        self._facts: dict[str, str] = {
            "tokenizer": tokenizer.dumps(),
            "sources": json.dumps([asdict(source) for source in sources]),
        }
        self._tensors: dict[str, Any] = {}
        self._characters: dict[str, int] = {}
        self._unknown: dict[str, int] = {}
        self._sha256 = hashlib.sha256()
        room = len(json.dumps(self._facts)) + ROOM
        self._room = room + -room % 8
        file.write(bytes(8 + self._room))

    def write(self, part: str, pieces: Iterable[str]) -> int:
        """Writes a part and gives the number of its tokens."""
        begin = self._at()
        characters, unknown = 0, 0
        for ids, more, unseen in _encoded(pieces, self._tokenizer):
            data = ids.astype(self._dtype).tobytes()
            self._file.write(data)
            self._sha256.update(data)
            characters, unknown = characters + more, unknown + unseen
        tokens = (self._at() - begin) // self._dtype.itemsize
        self._tensors[part] = {"dtype": self._kind, "shape": [tokens], "data_offsets": [begin, self._at()]}
        self._characters[part], self._unknown[part] = characters, unknown
        return tokens

    def finish(self) -> None:
        """Writes the header into its room."""
        self._facts["characters"] = json.dumps(self._characters)
        self._facts["unknown"] = json.dumps(self._unknown)
        self._facts["sha256"] = self._sha256.hexdigest()
        contents = {"__metadata__": self._facts, **self._tensors}
        self._facts["header"] = _digest(contents)
        header = json.dumps(contents).encode()
        assert len(header) <= self._room
        self._file.seek(0)
        self._file.write(self._room.to_bytes(8, "little") + header.ljust(self._room))

    def _at(self) -> int:
        return self._file.tell() - 8 - self._room


def _smallest(size: int) -> tuple[str, np.dtype[np.unsignedinteger[Any]]]:
    """The smallest kind of number that holds the ids of a vocabulary, as safetensors and NumPy name it."""
    return next((kind, dtype) for kind, dtype in DTYPES.items() if size - 1 <= np.iinfo(dtype).max)
