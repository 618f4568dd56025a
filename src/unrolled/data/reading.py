"""Text from wherever it lies, in pieces of about a megabyte, so that its size does not matter.

A source is a file, a folder, a pattern such as ``books/*.txt``, or ``-`` for standard input; files that end
in ``.gz`` are unpacked on the way. Several sources are one text, in their order.
"""

from __future__ import annotations

import codecs
import contextlib
import difflib
import glob
import gzip
import hashlib
import io
import itertools
import os
import stat
import sys
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from unrolled import storage
from unrolled.errors import DataError, OptionError

BLOCK = 1 << 20
"""Bytes read at once."""

STDIN = Path("-")

NO_TEXT = {"idna", "punycode", "undefined"}
"""Encodings of Python that are for host names, or for nothing."""


def files(sources: Sequence[str | Path], encoding: str = "utf-8") -> list[Path]:
    """The files that the sources stand for: of folders and patterns in the order of their names.

    Of a folder it takes every ``.txt`` and ``.txt.gz`` and whatever else begins as text, but no hidden files.

    Raises:
        DataError: a source that is not there, or that holds no text.
    """
    return [path for source in sources for path in _expanded(str(source), encoding)]


def texts(sources: Sequence[str | Path], encoding: str = "utf-8") -> Iterator[str]:
    r"""The text of all sources, in pieces that end before white space, so that no word is cut in two.

    Line ends become ``\n``, also one that is missing between two files; a byte order mark is left out.

    Raises:
        OptionError: an encoding that Python does not know.
        DataError: a source that cannot be read or is not text in this encoding, or no text at all.
    """
    empty = True
    paths = files(sources, _known(encoding))
    for piece in joined(_decoded(_blocks(path), path, encoding) for path in paths):
        yield piece
        empty = False
    if empty:
        raise _no_text(sources)


def joined(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """Texts, each in pieces, as one: with a line end where one lacks its last and another follows.

    The pieces of the whole end before white space, so that no word is cut in two.
    """
    held = ""
    for piece in _with_line_ends(texts):
        text = held + piece
        end = _last_word_end(text)
        yield text[:end]
        held = text[end:]
    if held:
        yield held


def contents(path: Path) -> bytes:
    """All bytes of one file, unpacked where its name ends in ``.gz``, or of standard input.

    Raises:
        DataError: it cannot be read.
    """
    return b"".join(_blocks(path))


def decoded(data: bytes, path: Path, encoding: str) -> str:
    r"""The contents of a file as text: line ends are ``\n``, a byte order mark is left out.

    Raises:
        OptionError: an encoding that Python does not know.
        DataError: they are not text in this encoding.
    """
    return "".join(_decoded([data], path, _known(encoding)))


def as_read(text: str) -> str:
    r"""A text as `texts` reads it from a file: line ends are ``\n``, a byte order mark is left out."""
    lines = io.IncrementalNewlineDecoder(None, translate=True)
    return lines.decode(text.removeprefix("\ufeff"), final=True)


def encoded(text: str, encoding: str) -> bytes:
    """A text as bytes that `texts` reads again.

    Raises:
        OptionError: an encoding that Python does not know.
        DataError: a character that it does not have.
    """
    try:
        return text.encode(_known(encoding))
    except UnicodeEncodeError as error:
        got = f"{text[error.start]!a} at {error.start}"
        fix = (
            "Leave it out." if encoding == "utf-8" else "Leave the encoding out, or name that of your files."
        )
        raise DataError("the text", f"have characters of {encoding} alone", got, fix) from error


def is_file(text: str) -> bool:
    """Whether a text is the name of a file rather than a text."""
    try:
        return stat.S_ISREG(storage.mode(Path(text)))
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder lies at a path.

    Raises:
        DataError: it may not be looked at.
    """
    return stat.S_ISDIR(_mode(path))


def entries(folder: Path) -> list[str]:
    """The names in a folder, in no order.

    Raises:
        DataError: it may not be looked into.
    """
    try:
        return [path.name for path in folder.iterdir()]
    except OSError as error:
        raise _unreadable(folder, error) from error


def named(path: Path) -> str:
    """What messages call a file."""
    return "standard input" if path == STDIN else str(path)


def raw(sources: Sequence[str | Path]) -> Iterator[bytes]:
    """The bytes of all sources as they are, in pieces.

    Raises:
        DataError: a source that cannot be read, or not one byte in all of them.
    """
    empty = True
    for path in files(sources):
        for block in _blocks(path):
            yield block
            empty = False
    if empty:
        raise _no_text(sources)


@contextlib.contextmanager
def spooled(sources: Sequence[str | Path], folder: Path) -> Generator[tuple[str, ...]]:
    """The sources, those that can be read only once (standard input, pipes) copied into ``folder`` meanwhile.

    Errors of what is read inside call a copy by what it was copied from.

    Raises:
        DataError: a source that cannot be read.
        StorageError: the folder has no room for the copy.
    """
    once = dict.fromkeys(str(source) for source in sources if _once(Path(source)))
    copies = {source: storage.beside(folder / f"once-{i}") for i, source in enumerate(once)}
    try:
        for source, copy in copies.items():
            _copy(Path(source), copy)
        yield tuple(str(copies.get(str(source), source)) for source in sources)
    except DataError as error:
        subject = error.subject
        for source, copy in copies.items():
            subject = subject.replace(str(copy), named(Path(source)))
        raise DataError(subject, error.rule, error.got, error.fix) from error
    finally:
        for copy in copies.values():
            copy.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """The SHA-256 of a file as it lies there, packed or not; what ``sha256sum`` says."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _expanded(source: str, encoding: str) -> list[Path]:
    path = Path(source)
    if path == STDIN:
        return [path]
    if is_folder(path):
        return _of_folder(path, encoding)
    if _mode(path):
        return [path]
    if not glob.has_magic(source):
        got, fix = "nothing of that name", _whereabouts(path)
        raise DataError(source, "be a file, a folder, a pattern or -", got, fix)
    found = sorted(Path(name) for name in glob.glob(source, recursive=True))  # noqa: PTH207  may be absolute
    if not found:
        raise DataError(source, "match a file", "no match", f"Try the pattern: ls {source}")
    return [file for one in found for file in _expanded(str(one), encoding)]


def _whereabouts(path: Path) -> str:
    folder = path.parent
    if not is_folder(folder):
        return f"There is no folder {folder} either; paths start at {Path.cwd()}."
    inside = entries(folder)
    if path.name in inside:
        return f"It is a link to nothing: ls -l {path}"
    close = difflib.get_close_matches(path.name, inside, n=1)
    return f"Did you mean {folder / close[0]}?" if close else f"Have a look: ls {folder.resolve()}"


def _of_folder(folder: Path, encoding: str) -> list[Path]:
    inside: list[Path] = []

    def refuse(error: OSError) -> None:
        raise _unreadable(Path(error.filename), error) from error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside += [Path(parent, name) for name in names if not name.startswith(".")]
    inside = sorted(path for path in inside if stat.S_ISREG(_mode(path)))
    chosen = [path for path in inside if _named_text(path) or _begins_as_text(path, encoding)]
    if not chosen:
        count = "1 file" if len(inside) == 1 else f"{len(inside)} files"
        got = f"{count}, none of them text" if inside else "no file at all"
        raise DataError(str(folder), "be a folder with text files", got, "Name the files or another folder.")
    return chosen


def _named_text(path: Path) -> bool:
    return path.name.endswith((".txt", ".txt.gz"))


def _begins_as_text(path: Path, encoding: str) -> bool:
    try:
        with _opened(path) as file:
            text = codecs.getincrementaldecoder(encoding)().decode(file.read(4096))
    except (OSError, EOFError, zlib.error, UnicodeError):
        return False
    return "\0" not in text


def _opened(path: Path) -> contextlib.AbstractContextManager[IO[bytes] | gzip.GzipFile]:
    if path == STDIN:
        return contextlib.nullcontext(sys.stdin.buffer)
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with _opened(path) as file:
            while block := file.read(BLOCK):
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        fix = f"Fetch it again, or look: gzip --test {path}"
        raise DataError(str(path), "be a whole gzip file", f"{error}".rstrip("."), fix) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    fix = "Give it a text: unrolled ... - < FILE" if path == STDIN else f"Look: ls -ld {path}"
    return DataError(named(path), "be readable", error.strerror or error, fix)


def _mode(path: Path) -> int:
    """`storage.mode`, whose refusal is an error of the data."""
    try:
        return storage.mode(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _with_line_ends(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """The pieces of all texts, with a line end before the first of one where that before lacks its last."""
    last = "\n"
    for pieces in texts:
        missing = "" if last == "\n" else "\n"
        for piece in filter(None, pieces):
            yield missing + piece
            missing, last = "", piece[-1]


def _decoded(blocks: Iterable[bytes], path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = io.IncrementalNewlineDecoder(decoder, translate=True)
    read, line, first = 0, 1, True
    for block in itertools.chain(blocks, [b""]):  # at the empty one, a decoder says what it waits for
        pending = len(decoder.getstate()[0])
        try:
            text = lines.decode(block, final=not block)
        except UnicodeError as error:
            raise _undecodable(error, path, encoding, (line, read - pending)) from error
        if "\0" in text:
            raise _binary(path)
        if first:
            text = text.removeprefix("\ufeff")
        read, line, first = read + len(block), line + text.count("\n"), first and not text
        if text:
            yield text


def _undecodable(error: UnicodeError, path: Path, encoding: str, start: tuple[int, int]) -> DataError:
    """The error for bytes that are no text, which were decoded from (line, byte) on."""
    if not isinstance(error, UnicodeDecodeError):  # UTF-16 without a byte order mark
        return DataError(
            named(path), f"be text in {encoding}", error, "Name the byte order: --encoding utf-16-le."
        )
    data, (line, byte) = error.object, start
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if (
        b"\0" in data
        and not marked
        and not encoding.lower().startswith(("utf-16", "utf-32", "utf16", "utf32"))
    ):
        return _binary(path)
    line += data[: error.start].decode(encoding, "ignore").count("\n")
    return DataError(
        f"{named(path)}: line {line}, byte {byte + error.start}",
        f"be text in {encoding}",
        f"0x{data[error.start]:02x} ({error.reason})",
        f"Name the encoding that it has, for example --encoding {'utf-16' if marked else 'cp1252'}.",
    )


def _binary(path: Path) -> DataError:
    fix = "Name a text file, or take its bytes as they are: --tokens byte."
    return DataError(named(path), "be text", "a binary file (it has zero bytes)", fix)


def _no_text(sources: Sequence[str | Path]) -> DataError:
    names = ", ".join(named(Path(source)) for source in sources) or "sources"
    got = {0: "no source", 1: "an empty file"}.get(len(sources), "empty files")
    return DataError(names, "hold text", got, "Name a file with text in it.")


def _known(encoding: str) -> str:
    try:
        b"a".decode(encoding, "ignore")  # LookupError also of those that are not of text
        if codecs.lookup(encoding).name in NO_TEXT:
            raise LookupError
    except (LookupError, ValueError) as error:
        fix = "Most text is utf-8; older files often are cp1252 or latin-1."
        raise OptionError("encoding", "be a text encoding that Python knows", encoding, fix) from error
    return encoding


def _last_word_end(text: str) -> int:
    """Where the last run of white space with a word before it begins; the text's end if there is none."""
    space = max(text.rfind(" "), text.rfind("\n"))
    return len(text[: space + 1].rstrip()) or len(text)


def _once(path: Path) -> bool:
    mode = 0 if path == STDIN else _mode(path)
    return path == STDIN or (mode != 0 and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode))


def _copy(source: Path, copy: Path) -> None:
    try:
        with copy.open("wb") as file:
            file.writelines(_blocks(source))
    except OSError as error:
        raise storage.refusal(copy, error) from error
