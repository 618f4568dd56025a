"""What Python code holds already as columns and tables: lists, arrays, tensors and data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals
import numpy as np
from numpy.typing import NDArray

from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError, DtypeError, ShapeError


def table(data: Any) -> Table:
    """A table of a dict of columns, a list of rows (dicts or lists), an array, a tensor or a data frame.

    Raises:
        DataError: no rows, columns of different length, or rows that do not go together.
        DtypeError: something else.

    Example:
        >>> table([{"text": "good", "stars": 5}, {"text": "bad", "stars": 1}])["stars"]
        [5, 1]
    """
    if isinstance(data, Table):
        return data
    frame = _frame(data)
    if frame is not None:
        columns: dict[str, Column] = {name: frame[name].to_list() for name in frame.columns}
    elif isinstance(data, Mapping):
        columns = {str(name): column(one) for name, one in data.items()}
    elif isinstance(data, Sequence) and not isinstance(data, str | bytes):
        columns = _of_rows(data)
    else:
        array = _array(data)
        if array is None or array.ndim != 2:
            got = type(data).__name__ if array is None else f"an array of shape {list(array.shape)}"
            raise DtypeError("table", "be columns, rows or a data frame", got, 'Give {"text": [...], ...}.')
        columns = {str(i + 1): array[:, i] for i in range(array.shape[1])}
    rows = len(next(iter(columns.values()))) if columns else 0
    if not rows:
        raise DataError("table", "have rows", "none", "Give some data.")
    return Table(columns, Places.of("row", range(rows)))


def column(data: Any) -> Column:
    """One column: a list, an array, a tensor, or a column of a data frame.

    Raises:
        DtypeError: something else, such as a single text.
    """
    if isinstance(data, list | Ragged):
        return data
    series = narwhals.from_native(data, series_only=True, pass_through=True)
    if isinstance(series, narwhals.Series):
        return series.to_list()
    array = _array(data)
    if array is not None and array.ndim:
        return array.tolist() if array.dtype.kind in "OUS" else array
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return list(data)
    raise DtypeError("data", "be a list, an array or a column", type(data).__name__, "Wrap it: [...].")


def texts(data: Any) -> list[str]:
    """A column of texts.

    Raises:
        DtypeError: no column, or something in it that is no text; names its row.
    """
    cells = list(column(data))
    for row, cell in enumerate(cells):
        if not isinstance(cell, str):
            got = type(cell).__name__
            raise DtypeError(f"X: row {row}", "be a text", got, "Give a list of texts, or one column.")
    return [str(cell) for cell in cells]


def sequences(data: Any) -> Ragged:
    """Sequences of numbers: a list of ``[T]`` or ``[T, I]``, or an array or tensor of them.

    Shapes:
        data: of an array, ``[E, T]`` or ``[E, T, I]``.

    Raises:
        DtypeError: no numbers.
        ShapeError: steps of different shapes, or one sequence alone.
    """
    if isinstance(data, Ragged):
        return data
    array = _array(data)
    if array is None:
        return Ragged.of(_plain(one) for one in column(data))
    if array.dtype == object:
        return Ragged.of(array.tolist())
    if array.ndim not in (2, 3):
        fix = "Wrap a single sequence: [x]." if array.ndim < 2 else "Flatten the features of a step."
        raise ShapeError("X", "have shape [E, T] or [E, T, I]", list(array.shape), fix)
    starts = np.arange(len(array) + 1) * array.shape[1]
    return Ragged(array.reshape(-1, *array.shape[2:]), starts)


def labels(data: Any, count: int | None = None) -> list[Any]:
    """A column of labels, as many as there are examples where ``count`` says so.

    Raises:
        DataError: more or fewer.
        DtypeError: no column.
    """
    cells = column(data)
    found = cells.tolist() if isinstance(cells, np.ndarray) else list(cells)
    if count is not None and len(found) != count:
        fix = "Give a label for each example."
        raise DataError("y", f"have {count} labels, as X has examples", len(found), fix)
    return found


def _frame(data: Any) -> narwhals.DataFrame[Any] | None:
    frame = narwhals.from_native(data, pass_through=True)
    if isinstance(frame, narwhals.LazyFrame):
        frame = frame.collect()
    return frame if isinstance(frame, narwhals.DataFrame) else None


def _array(data: Any) -> NDArray[Any] | None:
    """An array, or what a tensor holds; None of anything else."""
    data = _plain(data)
    return data if isinstance(data, np.ndarray) else None


def _plain(data: Any) -> Any:
    """A tensor as an array, without a need for torch here."""
    if hasattr(data, "detach") and hasattr(data, "numpy"):
        return data.detach().cpu().numpy()
    return data


def _of_rows(rows: Sequence[Any]) -> dict[str, Column]:
    if all(isinstance(row, Mapping) for row in rows):
        keys = dict.fromkeys(str(key) for row in rows for key in row)
        return {key: [row.get(key) for row in rows] for key in keys}
    for number, row in enumerate(rows):
        if not isinstance(row, Sequence) or isinstance(row, str | bytes) or len(row) != len(rows[0]):
            got = f"{len(row)}" if isinstance(row, Sequence) else type(row).__name__
            fix = 'Give rows of one length, or columns: {"text": [...], "label": [...]}.'
            width = len(rows[0]) if isinstance(rows[0], Sequence) else "some"
            raise DataError(f"table: row {number}", f"be a list of {width} cells, as the first row", got, fix)
    return {str(i + 1): [row[i] for row in rows] for i in range(len(rows[0]))}
