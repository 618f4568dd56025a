"""Rows of named columns, each row with the place where it stands, so that every message can name it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from unrolled.data.ragged import Ragged, Rows
from unrolled.errors import DataError, nearest

Column: TypeAlias = "list[Any] | NDArray[Any] | Ragged"

NO_NUMBER = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""What stands, in small letters, where a number is missing."""


@dataclass(frozen=True)
class Places:
    """Where each row stands.

    Shapes:
        source: ``[E]``, for each row the number of its name.
        number: ``[E]``, its line there, from 1.

    Attributes:
        names: what comes before the number, for example ``"reviews.csv: line"``.
    """

    names: tuple[str, ...]
    source: NDArray[np.integer[Any]]
    number: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, name: str, numbers: Iterable[int]) -> Places:
        """Places that all have one name."""
        number = np.fromiter(numbers, np.int64)
        return cls((name,), np.zeros(len(number), np.int32), number)

    def take(self, rows: Rows) -> Places:
        """The places of these rows."""
        return Places(self.names, self.source[rows], self.number[rows])

    def __getitem__(self, row: int) -> str:
        return f"{self.names[self.source[row]]} {self.number[row]}"


@final
class Table:
    """Columns by name, all of the same length.

    A column is a list (of texts, of numbers, of lists of words, None where nothing stands), an array
    ``[E, ...]``, or a `Ragged` of E sequences. Where names are missing the columns are called 1, 2, ...; by
    these numbers the columns of every table are found.

    Attributes:
        places: where each row stands.
        remarks: what was assumed in reading it, a sentence each.

    Raises:
        DataError: columns of different length.

    Example:
        >>> table = Table({"text": ["good", "bad"], "stars": ["5", "1"]}, Places.of("a.csv: line", [2, 3]))
        >>> table.numbers("stars"), table.where(1)
        (array([5., 1.]), 'a.csv: line 3')
    """

    def __init__(self, columns: Mapping[str, Column], places: Places, remarks: Sequence[str] = ()) -> None:
        self.columns, self.places, self.remarks = dict(columns), places, tuple(remarks)
        for name, column in self.columns.items():
            if len(column) != len(self):
                got = f"{len(column)} rows where the others have {len(self)}"
                fix = "Give every column a value for each row."
                raise DataError(f'column "{name}"', "be as long as the others", got, fix)

    def __len__(self) -> int:
        return len(self.places.number)

    def __repr__(self) -> str:
        return f"Table({len(self)} rows; {listed(self.columns)})"

    def where(self, row: int, column: str = "") -> str:
        """The place of a row, or of its cell in a column, as messages begin."""
        return self.places[row] + (f', column "{column}"' if column else "")

    def name(self, wanted: str) -> str:
        """The column of that name, or of that number, from 1.

        Raises:
            DataError: there is none; names the nearest.
        """
        if wanted in self.columns:
            return wanted
        if wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= len(self.columns):
            return list(self.columns)[int(wanted) - 1]
        got = f"columns {listed(self.columns)}"
        source = self.places.names[0].rpartition(":")[0] if self.places.names else ""
        raise DataError(
            source or "the data", f'have a column "{wanted}"', got, _nearest(wanted, self.columns)
        )

    def __getitem__(self, wanted: str) -> Column:
        return self.columns[self.name(wanted)]

    def take(self, rows: Rows) -> Table:
        """These rows, in their order."""
        numbers = np.arange(len(self))[rows]
        columns = {name: _taken(column, numbers) for name, column in self.columns.items()}
        return Table(columns, self.places.take(numbers), self.remarks)

    def with_columns(self, columns: Mapping[str, Column]) -> Table:
        """The same rows with other columns."""
        return Table(columns, self.places, self.remarks)

    def texts(self, wanted: str) -> list[str]:
        """A column of texts, none of them empty.

        Raises:
            DataError: no such column, a cell that is empty, or one that is no text.
        """
        name = self.name(wanted)
        column = _cells(self.columns[name])
        self._require(name, is_missing, "hold text", "nothing", "Leave such rows out: --drop-missing.")
        for row, cell in enumerate(column):
            if not isinstance(cell, str):
                got = f"{_kind(cell)}, {_shown(cell)}"
                raise DataError(
                    self.where(row, name), "hold text", got, "Name the column of the text: --text."
                )
        return column

    def labels(self, wanted: str) -> list[Any]:
        """A column of labels: all texts or all numbers, none missing.

        Raises:
            DataError: no such column, a row without a label, or labels of several kinds.
        """
        name = self.name(wanted)
        column = _cells(self.columns[name])
        self._require(name, is_missing, "hold a label", "nothing", "Leave such rows out: --drop-missing.")
        first = _kind(column[0]) if column else ""
        for row, cell in enumerate(column):
            if _kind(cell) != first or first not in ("text", "a number", "true or false"):
                got = f"{_kind(cell)} ({_shown(cell)})"
                rule = f"hold labels of one kind, {first} as in {self.where(0)}"
                if _kind(cell) == first:
                    rule = "hold a label, one word or number"
                raise DataError(self.where(row, name), rule, got, "Write all labels in the same way.")
        return column

    def numbers(self, wanted: str, missing: bool = False) -> NDArray[np.float64]:
        """A column of numbers, ``[E]``; with ``missing``, NaN where nothing stands, otherwise an error.

        Raises:
            DataError: no such column, a cell that is no number, or one that is empty.
        """
        name = self.name(wanted)
        column = self.columns[name]
        if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "biuf":
            array = column.astype(np.float64)
        else:
            array = np.empty(len(self))
            for row, cell in enumerate(_cells(column)):
                array[row] = self._number(row, name, cell)
        if not missing and np.isnan(array).any():
            fix = "Fill them in, or leave such rows out: --drop-missing."
            self._require(name, _is_no_number, "hold a number", "nothing", fix)
        return array

    def unique(self, wanted: str) -> list[Any]:
        """A column whose cells differ, such as ids.

        Raises:
            DataError: no such column, or two rows with the same cell.
        """
        name = self.name(wanted)
        column = _cells(self.columns[name])
        seen: dict[str, int] = {}
        for row, cell in enumerate(column):
            before = seen.setdefault(repr(cell), row)
            if before != row:
                got = f"{_shown(cell)}, as in {self.where(before)}"
                fix = "Give each row an id of its own."
                raise DataError(self.where(row, name), "differ from the other rows", got, fix)
        return column

    def without_missing(self, names: Sequence[str]) -> Table:
        """The rows in which none of these columns is empty, with a remark on how many are not."""
        columns = [_cells(self[name]) for name in names]
        kept = [
            row for row, cells in enumerate(zip(*columns, strict=True)) if not any(map(is_missing, cells))
        ]
        if len(kept) == len(self) or not names:
            return self
        table, lost = self.take(kept), len(self) - len(kept)
        share = f"{lost} of {len(self)} rows ({lost / len(self):.1%})"
        remark = f"{share} were left out, for {' or '.join(names)} is empty there."
        return Table(table.columns, table.places, [*self.remarks, remark])

    def _number(self, row: int, name: str, cell: Any) -> float:
        number = as_number(cell)
        if number is not None:
            return number
        fix = "Write decimals with a point." if "," in str(cell) else "Correct it, or name another column."
        raise DataError(self.where(row, name), "hold a number", _shown(cell), fix)

    def _require(self, name: str, lacks: Callable[[Any], bool], rule: str, got: str, fix: str) -> None:
        rows = [row for row, cell in enumerate(_cells(self.columns[name])) if lacks(cell)]
        if rows:
            alike = f" ({len(rows)} rows like this, {len(rows) / len(self):.1%})" if len(rows) > 1 else ""
            raise DataError(self.where(rows[0], name), rule, got + alike, fix)


def joined(tables: Sequence[Table]) -> Table:
    """Several tables as one, in their order.

    Raises:
        DataError: no table, or one without the columns of the first.
    """
    if not tables:
        raise DataError("the data", "have at least one table", "none", "Name a file.")
    if len(tables) == 1:
        return tables[0]
    first, shift, names = tables[0], 0, []
    sources: list[NDArray[np.integer[Any]]] = []
    for table in tables:
        if set(table.columns) != set(first.columns):
            place = table.places.names[0].rpartition(":")[0] if table.places.names else "a table"
            rule = f"have the columns of the first file, {listed(first.columns)}"
            fix = "Name files that belong together, or say whether names stand in the first line: --header."
            raise DataError(place, rule, listed(table.columns), fix)
        sources.append(table.places.source + shift)
        names += table.places.names
        shift = len(names)
    number = np.concatenate([table.places.number for table in tables])
    columns = {name: _end_to_end(name, tables) for name in first.columns}
    remarks = dict.fromkeys(remark for table in tables for remark in table.remarks)
    return Table(columns, Places(tuple(names), np.concatenate(sources), number), list(remarks))


def is_missing(cell: Any) -> bool:
    """Whether nothing stands in a cell: None, NaN, an empty list, or a text of nothing but white space."""
    if isinstance(cell, str):
        return not cell or cell.isspace()
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or (isinstance(cell, list) and not cell)


def as_number(cell: Any) -> float | None:
    """A cell as a number, NaN where nothing stands, None where something else does.

    Example:
        >>> as_number(" 1.5"), as_number("n/a"), as_number("one")
        (1.5, nan, None)
    """
    if isinstance(cell, str):
        text = cell.strip()
        if text.lower() in NO_NUMBER:
            return math.nan
        try:
            return None if "_" in text else float(text)
        except ValueError:
            return None
    if cell is None:
        return math.nan
    try:
        return float(cell) if isinstance(cell, int | float | np.number | np.bool) else None
    except OverflowError:
        return math.inf if cell > 0 else -math.inf


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names one after the other, the first few of many.

    Example:
        >>> listed("abcdef", most=3)
        'a, b, c, ... (6 in all)'
    """
    names = list(names)
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])}, ... ({len(names)} in all)"


def _is_no_number(cell: Any) -> bool:
    number = as_number(cell)
    return number is None or math.isnan(number)


def _nearest(wanted: str, offered: Iterable[str]) -> str:
    sentence = nearest(wanted, offered)
    return sentence if sentence.startswith("Did") else "Name one of them."


def _cells(column: Column) -> list[Any]:
    return column if isinstance(column, list) else list(column)


def _taken(column: Column, rows: NDArray[np.integer[Any]]) -> Column:
    return [column[row] for row in rows.tolist()] if isinstance(column, list) else column[rows]


def _end_to_end(name: str, tables: Sequence[Table]) -> Column:
    columns = [table.columns[name] for table in tables]
    if all(isinstance(column, list) for column in columns):
        return [cell for column in columns for cell in column]
    values = [column.values if isinstance(column, Ragged) else np.asarray(column) for column in columns]
    for table, array in zip(tables, values, strict=True):
        if array.shape[1:] != values[0].shape[1:]:
            rule = f"have steps of shape {list(values[0].shape[1:])}, as the first file"
            fix = "Name files that belong together."
            raise DataError(table.where(0, name), rule, list(array.shape[1:]), fix)
    if not all(isinstance(column, Ragged) for column in columns):
        return np.concatenate(values)
    lengths = np.concatenate([column.lengths for column in columns if isinstance(column, Ragged)])
    return Ragged(np.concatenate(values), np.concatenate([[0], np.cumsum(lengths)]))


def _kind(cell: Any) -> str:
    kinds = {str: "text", bool: "true or false", np.bool: "true or false", list: "a list", dict: "an object"}
    if isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool):
        return "a number"
    return kinds.get(type(cell), "text" if isinstance(cell, str) else f"a {type(cell).__name__}")


def _shown(cell: Any) -> str:
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return text if len(text) <= 40 else text[:39] + "…"
