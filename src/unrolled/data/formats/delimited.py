"""Rows of text whose columns are parted by a comma, a semicolon, a tab or a bar."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Generator, Sequence
from typing import NamedTuple

from unrolled.data.formats.options import Options
from unrolled.data.tables import Column, Places, Table, listed
from unrolled.errors import DataError

DELIMITERS = "\t;,|"
"""What may part columns; of several that would do, the first."""

SAMPLE = 100
"""Rows that are looked at to find the delimiter and whether there is a header."""

NAME = re.compile(r"[^\W\d_][\w \-+*/%()\[\]{}#:°.&]{0,63}(?<!\.)|[_#][\w ]{0,63}")
"""What the name of a column may look like: no sentence, no number."""


class Row(NamedTuple):
    """The cells of a row, and the line that it begins in."""

    line: int
    cells: list[str]


def read(text: str, name: str, options: Options) -> Table:
    """The rows of a text, by the names in its first line, by those of the options, or by 1, 2, ....

    Raises:
        DataError: no rows, one with more or fewer cells than the first, a quotation without its end, or two
            columns of one name.
    """
    delimiter = options.delimiter or ("\t" if _suffix(name) in (".tsv", ".tab") else sniffed(text) or ",")
    rows = _rows(text, name, delimiter)
    if not rows:
        raise DataError(name, "have rows", "an empty file", "Name a file with data in it.")
    found = has_header(rows) if options.header is None else options.header
    found = found and (options.header is not None or not options.names)
    names, body = (_names(rows[0], rows[1:], name), rows[1:]) if found else (_counted(rows[0]), rows)
    if options.names:
        _check_count(options.names, names, f"{name}: line {rows[0].line}")
        names = list(options.names)
    if not body:
        raise DataError(name, "have rows", "nothing but a line of names", "Name a file with data in it.")
    _check_widths(body, len(names), name, delimiter)
    columns: dict[str, Column] = {key: [row.cells[i] for row in body] for i, key in enumerate(names)}
    remarks: list[str] = []
    if found and options.header is None and not _has_numbers(names, body):
        remarks = [f"The first line of {name} was read as names of columns; --header off reads it as data."]
    return Table(columns, Places.of(f"{name}: line", (row.line for row in body)), remarks)


def sniffed(text: str) -> str:
    """What parts the columns: what gives the first lines the same number of cells, more than one."""
    lines = text[: 1 << 16].split("\n")
    lines = [line for line in (lines if len(lines) == 1 else lines[:-1])[:SAMPLE] if line.strip()]
    for delimiter in DELIMITERS:
        rows = _split(lines, delimiter) if delimiter == "\t" else _quoted("\n".join(lines), delimiter)[0]
        widths = [len(row.cells) for row in rows]
        # the first line of a file written by R lacks the name of the row numbers
        if widths and min(widths) > 1 and len(set(widths[1:])) <= 1 and widths[-1] - widths[0] in (0, 1):
            return delimiter
    return ""


def has_header(rows: Sequence[Row]) -> bool:
    """Whether the first row looks like names: none a number or a sentence, and none again in its column."""
    first, body = rows[0].cells, rows[1:SAMPLE]
    if any(cell.strip() and not NAME.fullmatch(cell.strip()) for cell in first) or not any(first):
        return False
    if len({cell for cell in first if cell}) < sum(map(bool, first)):
        return False
    shift = len(body[0].cells) - len(first) if body else 0
    return shift in (0, 1) and not any(
        name and name == cell for row in body for name, cell in zip(first, row.cells[shift:], strict=False)
    )


def _has_numbers(names: Sequence[str], body: Sequence[Row]) -> bool:
    """Whether a column has numbers below its name, so that the name cannot be one of its cells."""
    return any(all(_is_number(row.cells[i]) for row in body[:SAMPLE]) for i, _ in enumerate(names))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _suffix(name: str) -> str:
    match = re.search(r"\.[^./\\]*$", name.lower().removesuffix(".gz"))
    return match[0] if match else ""


def _rows(text: str, name: str, delimiter: str) -> list[Row]:
    """The rows that are not blank; those of tables parted by tabs are quoted only where they must be."""
    rows, error = _quoted(text, delimiter)
    if delimiter == "\t":
        plain = _split(text.split("\n"), delimiter)
        if error or _is_even(plain) or not _is_even(rows):
            return [Row(row.line, [_unquoted(cell) for cell in row.cells]) for row in plain]
    elif error:
        line = rows[-1].line + 1 if rows else 1
        fix = (
            'Double a quotation mark inside a quoted cell (""), or name what parts the columns: --delimiter.'
        )
        got = f"{error}, in the row that begins there or later"
        raise DataError(f"{name}: line {line}", "quote its cells as CSV does", got, fix) from error
    return rows


def _is_even(rows: Sequence[Row]) -> bool:
    return len({len(row.cells) for row in rows[1:]}) <= 1


def _split(lines: Sequence[str], delimiter: str) -> list[Row]:
    return [Row(i, line.split(delimiter)) for i, line in enumerate(lines, 1) if line.strip()]


def _quoted(text: str, delimiter: str) -> tuple[list[Row], csv.Error | None]:
    """The rows that are not blank, up to where the quotation is wrong."""
    rows: list[Row] = []
    with _any_size():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        line = 1
        try:
            for cells in reader:
                if any(cells) or len(cells) > 1:
                    rows.append(Row(line, cells))
                line = reader.line_num + 1
        except csv.Error as error:
            return rows, error
    return rows, None


@contextlib.contextmanager
def _any_size() -> Generator[None]:
    """Lets a cell be as long as it is; Python's own limit is 128 kB."""
    before = csv.field_size_limit((1 << 31) - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _unquoted(cell: str) -> str:
    inside = cell[1:-1]
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"' or '"' in inside.replace('""', ""):
        return cell
    return inside.replace('""', '"')


def _counted(row: Row) -> list[str]:
    return [str(i) for i, _ in enumerate(row.cells, 1)]


def _names(header: Row, body: Sequence[Row], name: str) -> list[str]:
    """The names of a header; a first column without one, as of row numbers, is called row."""
    names = [cell.strip() for cell in header.cells]
    if body and all(len(row.cells) == len(names) + 1 for row in body[:SAMPLE]):
        names = ["", *names]
    if not names[0] and "row" not in names:
        names[0] = "row"
    names = [key or str(i) for i, key in enumerate(names, 1)]
    for i, key in enumerate(names):
        if key in names[:i]:
            got = f'"{key}" for columns {names.index(key) + 1} and {i + 1}'
            fix = "Rename one, or give names: --names."
            raise DataError(f"{name}: line {header.line}", "name its columns differently", got, fix)
    return names


def _check_count(given: Sequence[str], found: Sequence[str], place: str) -> None:
    if len(given) != len(found):
        fix = f"Name {len(found)} columns: --names."
        got = f"{len(given)} names, {listed(given)}, for columns {listed(found)}"
        raise DataError(place, "have a name for every column", got, fix)


def _check_widths(rows: Sequence[Row], width: int, name: str, delimiter: str) -> None:
    for row in rows:
        if len(row.cells) != width:
            parts = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}.get(delimiter, f"{delimiter!r}")
            fix = f"Quote a cell that has a {parts} in it, or name what parts the columns: --delimiter."
            cells = f"{width} cell" + ("s" if width != 1 else "")
            rule = f"have {cells}, as the rows before it"
            raise DataError(f"{name}: line {row.line}", rule, len(row.cells), fix)
