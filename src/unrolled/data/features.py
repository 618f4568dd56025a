"""Measurements as sequences: of rows that are steps, of rows with a label each, or one in each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data import times
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Table, as_number, listed
from unrolled.errors import DataError


@dataclass(frozen=True)
class Roles:
    """Which column is what; a name that is empty is no column.

    Attributes:
        label: what is to be predicted.
        sequence: what says to which sequence a row belongs; without one, a file is a sequence.
        time: what orders the rows of a sequence.
        features: the measurements; none are all columns of numbers that have no other role.
    """

    label: str = ""
    sequence: str = ""
    time: str = ""
    features: tuple[str, ...] = ()


def long(table: Table, roles: Roles) -> Table:
    """Sequences whose rows are steps, each sequence with one label: columns x, label, sequence.

    With a time, the rows of each sequence are put in its order. What is missing is NaN.

    Raises:
        DataError: a missing or misnamed column, a cell that is no number, the same time twice in a sequence,
            or a label that changes within one.
    """
    made, labels = _sequences(table, roles)
    if not roles.label:
        return made
    starts = _starts(made)
    for start, stop in pairwise(starts):
        for i in range(start + 1, stop):
            if labels[i][1] != labels[start][1]:
                row, first = labels[i][0], labels[start][0]
                got = f"{labels[i][1]!r} after {labels[start][1]!r} in {table.where(first)}"
                fix = "Give all rows of a sequence its label; where each row has its own: unrolled train tag."
                rule = "be the same in all rows of a sequence"
                raise DataError(table.where(row, table.name(roles.label)), rule, got, fix)
    return made.with_columns({**made.columns, "label": [labels[start][1] for start in starts[:-1]]})


def frames(table: Table, roles: Roles) -> Table:
    """Sequences whose rows are steps, each step with its label: columns x, label (a list each), sequence.

    Raises:
        DataError: a missing or misnamed column, a cell that is no number, a row without a label, or the same
            time twice in a sequence.
    """
    made, labels = _sequences(table, roles)
    starts = _starts(made)
    lists = [[label for _, label in labels[a:b]] for a, b in pairwise(starts)]
    return made.with_columns({**made.columns, "label": lists})


def wide(table: Table, roles: Roles) -> Table:
    """Sequences of one number a step, a row each: columns x ``[N, 1]``, label, sequence.

    The steps are the features in their order. Cells that are missing at the end of a row are past the end of
    its sequence; those before are NaN.

    Raises:
        DataError: a misnamed column, no columns of numbers, a cell that is none, or two rows with one id.
    """
    names = [table.name(name) for name in roles.features] or _unused(table, roles)
    if not names:
        raise _no_features(table)
    matrix = np.stack([table.numbers(name, missing=True) for name in names], axis=1)
    filled = ~np.isnan(matrix)
    lengths = np.where(filled.any(1), matrix.shape[1] - filled[:, ::-1].argmax(1), 0)
    x = Ragged(matrix[np.arange(len(names)) < lengths[:, None]][:, None], np.append(0, np.cumsum(lengths)))
    columns: dict[str, Column] = {"x": x}
    if roles.label:
        columns["label"] = table.labels(roles.label)
    if roles.sequence:
        columns["sequence"] = table.unique(roles.sequence)
    return table.with_columns(columns)


def numeric(table: Table, roles: Roles) -> list[str]:
    """The columns of a table that hold numbers, and have no other role."""
    return [name for name in _unused(table, roles) if _is_numeric(table[name])]


def _sequences(table: Table, roles: Roles) -> tuple[Table, list[tuple[int, Any]]]:
    """The table of sequences, and the row and the label of each step, in the order of the steps."""
    names, remarks = measurements(table, roles)
    matrix = np.stack([table.numbers(name, missing=True) for name in names], axis=1)
    ids = table.labels(roles.sequence) if roles.sequence else table.places.source.tolist()
    groups: dict[Any, list[int]] = {}
    for row, key in enumerate(ids):
        groups.setdefault(key, []).append(row)
    rows = [np.array(group) for group in groups.values()]
    if roles.time:
        moments = times.read(table, roles.time)
        rows = [group[np.argsort(moments[group], kind="stable")] for group in rows]
        for group in rows:
            times.check_order(moments[group], table.take(group), roles.time)
    order = np.concatenate(rows)
    labels = table.labels(roles.label) if roles.label else [None] * len(table)
    x = Ragged(matrix[order], np.append(0, np.cumsum([len(group) for group in rows])))
    columns: dict[str, Column] = {"x": x}
    if roles.sequence:
        columns["sequence"] = list(groups)
    places = table.places.take([int(group.min()) for group in rows])
    made = Table(columns, places, [*table.remarks, *remarks])
    return made, [(row, labels[row]) for row in order.tolist()]


def measurements(table: Table, roles: Roles) -> tuple[list[str], list[str]]:
    """The columns to learn from, and what was assumed, a sentence each.

    Without names, they are those of numbers that do not merely count the rows.

    Raises:
        DataError: a misnamed column, or none of numbers.
    """
    if roles.features:
        return [table.name(name) for name in roles.features], []
    names = numeric(table, roles)
    counting = [name for name in names if _counts(table, name)]
    counting = counting if len(counting) < len(names) else []
    kept = [name for name in names if name not in counting]
    others = [name for name in _unused(table, roles) if name not in names]
    if not kept:
        raise _no_features(table)
    remarks: list[str] = []
    if counting:
        what = "rises" if len(counting) == 1 else "rise"
        remarks.append(f"{listed(counting)} {what} from row to row, and so is taken for no measurement.")
    if others:
        remarks.append(f"No numbers, and so no measurements: {listed(others)}.")
    return kept, [f"{remark} Say which are: --features." for remark in remarks]


def _unused(table: Table, roles: Roles) -> list[str]:
    used = {table.name(name) for name in (roles.label, roles.sequence, roles.time) if name}
    return [name for name in table.columns if name not in used]


def _counts(table: Table, name: str) -> bool:
    """Whether a column rises from each row to the next within every file."""
    numbers, source = table.numbers(name, missing=True), table.places.source
    same = source[1:] == source[:-1]
    return bool(same.any()) and bool(np.all(numbers[1:][same] > numbers[:-1][same]))


def _is_numeric(column: Column) -> bool:
    if isinstance(column, np.ndarray):
        return column.ndim == 1 and column.dtype.kind in "biuf"
    return not isinstance(column, Ragged) and all(as_number(cell) is not None for cell in column)


def _starts(made: Table) -> Sequence[int]:
    x = made["x"]
    assert isinstance(x, Ragged)
    starts: NDArray[np.int64] = x.starts
    return starts.tolist()


def _no_features(table: Table) -> DataError:
    fix = "Name the columns of numbers: --features."
    return DataError(table.where(0) if len(table) else "the data", "have columns of numbers", "none", fix)
