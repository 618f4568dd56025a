"""The one list of the formats of files, and the one door through which they become tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from unrolled.data import reading
from unrolled.data.formats import (
    conll,
    delimited,
    folders,
    json_rows,
    npz,
    parallel,
    parquet,
    prefixed,
    ts,
)
from unrolled.data.formats.options import Options
from unrolled.data.tables import Table, joined
from unrolled.errors import DataError, OptionError, nearest

__all__ = ["FORMATS", "Format", "Options", "kind_of", "looks_like", "parallel", "read"]


class Format(NamedTuple):
    """One format of files.

    Attributes:
        what: what such a file holds.
        suffixes: how the names of its files end, before a ``.gz``.
        read: makes a table of the contents (bytes where ``binary``, else text), the name and the options.
    """

    what: str
    suffixes: tuple[str, ...]
    read: Callable[[Any, str, Options], Table]
    binary: bool = False


FORMATS = {
    "csv": Format("rows of cells parted by commas, semicolons or bars", (".csv",), delimited.read),
    "tsv": Format("rows of cells parted by tabs", (".tsv", ".tab"), delimited.read),
    "jsonl": Format("a JSON object a line", (".jsonl", ".ndjson"), json_rows.read_lines),
    "json": Format("a JSON list of objects, or an object of lists", (".json",), json_rows.read_whole),
    "parquet": Format("columns, as data frames save them", (".parquet", ".pq"), parquet.read, binary=True),
    "npz": Format("NumPy arrays x, y, lengths, starts", (".npz",), npz.read, binary=True),
    "ts": Format("time series with their classes", (".ts",), ts.read),
    "conllu": Format("words with the ten columns of CoNLL-U", (".conllu", ".conll-u"), conll.read_conllu),
    "conll": Format(
        "a word a line with its tags in columns", (".conll", ".iob", ".iob2", ".bio", ".col"), conll.read
    ),
    "prefixed": Format("lines that begin with LABEL:fine", (), prefixed.read),
}
"""Every format that a file can be in, by its name. Folders are read as `folders` says, text as text."""

SAMPLE = 1 << 16
"""Characters that are looked at where a name says nothing."""


def read(sources: Sequence[str | Path], kind: str = "", options: Options | None = None) -> Table:
    """The rows of files, of folders whose names are labels, or of standard input (``-``), as one table.

    Without a kind, a file's name says its format, or where that says nothing, its first lines. A folder of
    folders has a class in each; one of text files has a class in each file; other files are read one by one.

    Raises:
        DataError: a source that cannot be read, or in none of the `FORMATS`; files without the same columns.
        OptionError: a kind or an encoding that is not offered.
        UnavailableError: a format that an extra reads.
    """
    options = options or Options()
    if kind and kind not in FORMATS:
        raise OptionError("kind", "be a format of files", kind, nearest(kind, FORMATS))
    tables: list[Table] = []
    for source in sources:
        folder = Path(source)
        if reading.is_folder(folder) and not kind and not (inside := _known_inside(folder)):
            tables.append(
                (folders.classes if folders.has_classes(folder) else folders.lines)(folder, options)
            )
            continue
        inside = _known_inside(folder) if reading.is_folder(folder) else []
        paths = inside or reading.files([source], options.encoding)
        tables += [_read_file(path, kind, options) for path in paths]
    return joined(tables)


def kind_of(name: str) -> str:
    """The format that a name's ending says, or nothing.

    Example:
        >>> kind_of("BasicMotions_TRAIN.ts.gz")
        'ts'
    """
    name = name.lower().removesuffix(".gz")
    return next((kind for kind, one in FORMATS.items() if one.suffixes and name.endswith(one.suffixes)), "")


def looks_like(text: str) -> str:
    r"""The format that the first lines of a text are in, or nothing: then it is plain text.

    Example:
        >>> looks_like("He PRP B-NP\nruns VBZ B-VP\n\nWe PRP B-NP\nstay VBP B-VP\n")
        'conll'
    """
    text = text[:SAMPLE]
    begin = text.lstrip()
    lines = [line.strip() for line in text.split("\n")]
    filled = [line for line in lines if line]
    if begin.startswith("{"):
        return "jsonl" if all(line.startswith("{") for line in filled[:2]) else "json"
    if re.match(r"\[\s*[{\[]", begin):
        return "json"
    if any(line.lower() == "@data" for line in filled):
        return "ts"
    if sum(bool(prefixed.LINE.fullmatch(line)) for line in filled) > 0.9 * len(filled) > 0:
        return "prefixed"
    return _of_words(lines) or ({"\t": "tsv", "": ""}.get(delimited.sniffed(text), "csv"))


def _of_words(lines: Sequence[str]) -> str:
    """Whether lines are words with their columns: as many in each, and blank lines between sentences."""
    lines = [line for line in lines if not line.startswith("# ")]
    inner = [i for i, line in enumerate(lines) if line]
    if not inner or all(lines[inner[0] : inner[-1] + 1]):
        return ""
    words = [lines[i].split("\t") if "\t" in lines[i] else lines[i].split() for i in inner[:-1]]
    widths = {len(cells) for cells in words}
    if widths == {len(conll.CONLLU)} and lines[inner[0]][0].isdecimal():
        return "conllu"
    if len(widths) != 1 or not 2 <= widths.pop() <= 20:
        return ""
    # lines of verse may have as many words each, but few of their last ones begin with a capital
    tags = sum(not cells[-1][:1].islower() for cells in words)
    return "conll" if "\t" in lines[inner[0]] or tags > 0.9 * len(words) else ""


def _known_inside(folder: Path) -> list[Path]:
    """The files of a folder whose names say a format."""
    known = (folder / name for name in reading.entries(folder) if kind_of(name))
    return sorted(path for path in known if reading.is_file(str(path)))


def _read_file(path: Path, kind: str, options: Options) -> Table:
    data = reading.contents(path)
    kind = kind or kind_of(path.name)
    if not kind:
        binary = {b"PAR1": "parquet", b"PK\x03\x04": "npz"}.get(data[:4])
        kind = binary or looks_like(reading.decoded(data[: 4 * SAMPLE], path, options.encoding))
    if not kind:
        fix = f"Say its format: --format {' or '.join(FORMATS)}."
        raise DataError(str(path), "have columns, or another format that is known", "plain text", fix)
    chosen = FORMATS[kind]
    contents = data if chosen.binary else reading.decoded(data, path, options.encoding)
    return chosen.read(contents, str(path), options)
