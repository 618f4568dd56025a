"""Tables as series of numbers in time: a row a step, or a row a series; what is missing said or filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data import features, seasons, times
from unrolled.data.features import Roles
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Table, listed
from unrolled.errors import DataError, OptionError

Floats = NDArray[np.float64]

WIDE = 8
"""Columns of numbers from where on a row without a time is taken for a series."""

TINY = 0.01
"""The share of a column's median above which all its other values are, where zeros at an end are unknown."""


@dataclass(frozen=True)
class Columns:
    """Which columns are what, and what is done where something is missing.

    Attributes:
        time: when a row is; empty: the first column of dates, if there is one.
        target: what is foreseen; of several, each is a series.
        by: whose value says to which series a row belongs.
        past: measured besides, known until now.
        future: known ahead, such as prices and holidays.
        layout: what a row is: ``step``, ``series``, or ``guess``.
        form: how times are written, as ``strptime`` reads them.
        sort: put the rows of a series in the order of their times.
        gaps: where times are missing: ``refuse``, ``keep`` (a row is a step) or ``insert`` unknown values.
        fill: unknown values: ``refuse``, or take the ``previous`` one, a ``linear`` course, or ``zero``.
        zeros: ``guess``: zeros at an end of a column that has no others are unknown; ``keep``; ``unknown``:
            all of them.
    """

    time: str = ""
    target: tuple[str, ...] = ()
    by: str = ""
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    layout: str = "guess"
    form: str = ""
    sort: bool = False
    gaps: str = "refuse"
    fill: str = "refuse"
    zeros: str = "guess"


@dataclass(frozen=True)
class Series:
    """One series, and what is known besides.

    Shapes:
        values: ``[T]``, filled in; real: bool ``[T]``, false where a value was filled in; times: ``[T + A]``,
        or empty; past: ``[T, U]``; future: ``[T + A, C]``, A steps ahead of the values.
    """

    name: str
    values: Floats
    real: NDArray[np.bool]
    times: NDArray[Any] = field(default_factory=lambda: np.zeros(0))
    past: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    future: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of(cls, name: str, values: Floats) -> Series:
        """A series without times, all of it known."""
        none = np.zeros((len(values), 0))
        return cls(name, values, np.ones(len(values), np.bool), past=none, future=none)


@dataclass(frozen=True)
class Panel:
    """Series that belong together.

    Attributes:
        step: from one time to the next, such as ``1 hour``; nothing where there are no times.
        columns: those that were found.
        remarks: what was assumed, a sentence each.
    """

    series: tuple[Series, ...]
    step: str
    columns: Columns
    remarks: tuple[str, ...] = ()


def read(table: Table, columns: Columns) -> Panel:
    """The series of a table.

    Raises:
        DataError: a missing or misnamed column; a cell that is no number or infinite; times out of order,
            doubled or with gaps; unknown values. Names row and column, and says what to do.
        OptionError: columns that do not go together.
    """
    columns, remarks = _found(table, columns)
    panel = _wide(table, columns) if columns.layout == "series" else _long(table, columns)
    return replace(panel, remarks=(*table.remarks, *remarks, *panel.remarks))


def of_arrays(sequences: Ragged, names: Sequence[str] = ()) -> Panel:
    """Series without times, such as Python's lists.

    Raises:
        DataError: NaN, infinity, or steps of several numbers.
    """
    if sequences.values.ndim != 1:
        got = list(sequences.values.shape[1:])
        raise DataError("the series", "have one number a step", f"steps of shape {got}", "Give [T] each.")
    names = names or [f"series {i}" for i in range(len(sequences))]
    for name, values in zip(names, sequences, strict=True):
        wrong = np.flatnonzero(~np.isfinite(values.astype(np.float64)))
        if len(wrong):
            got, fix = f"{values[wrong[0]]} at step {wrong[0]}", "Fill it in, or leave it out."
            raise DataError(name, "be finite", got, fix)
    made = [Series.of(name, one.astype(np.float64)) for name, one in zip(names, sequences, strict=True)]
    return Panel(tuple(made), "", Columns(layout="series"))


def _found(table: Table, columns: Columns) -> tuple[Columns, list[str]]:
    """The columns with those that are guessed, and what was guessed."""
    remarks: list[str] = []
    numbers = features.numeric(table, Roles())
    time = table.name(columns.time) if columns.time else _time_column(table)
    layout = columns.layout
    if layout == "guess":
        wide = not time and not columns.target and len(numbers) >= WIDE
        layout = "series" if wide else "step"
    if layout == "series":
        by = (
            table.name(columns.by) if columns.by else next((n for n in table.columns if n not in numbers), "")
        )
        return replace(columns, layout=layout, time="", by=by), remarks
    target = tuple(table.name(name) for name in columns.target)
    if not target:
        used = {time, *(table.name(name) for name in (columns.by, *columns.past, *columns.future) if name)}
        free = [name for name in numbers if name not in used]
        if len(free) != 1:
            rule, fix = "say which column is foreseen", f"Name it: --target {free[-1] if free else 'COLUMN'}."
            raise DataError("the data", rule, f"numbers in {listed(free) or 'no column'}", fix)
        target = (free[0],)
        remarks.append(f"{free[0]} is foreseen; --target names another column.")
    if time and not columns.time:
        remarks.append(f"{time} has the times; --time names another column.")
    roles = [table.name(name) for name in (columns.by, *columns.past, *columns.future) if name]
    doubled = next((name for name in target if name in [*roles, time]), "")
    if doubled:
        fix = "Its own past is seen anyway: name other columns."
        raise OptionError(f"forecast: column {doubled}", "have one role", "target and another", fix)
    return replace(columns, layout=layout, time=time, target=target), remarks


def _time_column(table: Table) -> str:
    for name, column in table.columns.items():
        if len(table) and isinstance(column, list) and times.is_time(column[0]):
            return name
    return ""


def _wide(table: Table, columns: Columns) -> Panel:
    made = features.wide(table, Roles(sequence=columns.by))
    x = made["x"]
    assert isinstance(x, Ragged)
    names = [str(name) for name in made["sequence"]] if columns.by else [made.where(i) for i in range(len(x))]
    series: list[Series] = []
    for row, (name, values) in enumerate(zip(names, x, strict=True)):
        if not len(values):
            raise DataError(made.where(row), "have values", "none", "Leave the row out.")
        series.append(_series(name, made.where(row), values[:, 0], columns))
    return Panel(tuple(series), "", columns)


def _long(table: Table, columns: Columns) -> Panel:
    moments = times.read(table, columns.time, columns.form) if columns.time else None
    numbers = {name: _numbers(table, name) for name in (*columns.target, *columns.past, *columns.future)}
    series: list[Series] = []
    steps: dict[str, None] = {}
    remarks: dict[str, None] = {}
    for key, members in _groups(table, columns).items():
        rows = members if moments is None else _ordered(table, columns, moments, members)
        for target in columns.target:
            name = " ".join(filter(None, [key, target if len(columns.target) > 1 or not key else ""]))
            one = _Rows(name, table, rows, None if moments is None else moments[rows])
            made, step, said = _one(one, columns, {each: numbers[each][rows] for each in numbers}, target)
            series.append(made)
            steps[step] = None
            remarks |= dict.fromkeys(said)
    step, *others = steps
    if others:
        remarks[f"The series have different steps ({listed(steps)}): {step} is taken for all."] = None
    return Panel(tuple(series), step, columns, tuple(remarks))


@dataclass(frozen=True)
class _Rows:
    """The rows of one series."""

    name: str
    table: Table
    rows: NDArray[np.int64]
    moments: NDArray[Any] | None


def _one(
    of: _Rows, columns: Columns, numbers: Mapping[str, Floats], target: str
) -> tuple[Series, str, list[str]]:
    """A series of rows, its step, and what is remarked."""
    remarks: list[str] = []
    ahead = {name: values for name, values in numbers.items() if name in columns.future}
    numbers = {name: _zeros(name, values, columns, remarks) for name, values in numbers.items()} | ahead
    known = np.flatnonzero(~np.isnan(numbers[target]))
    if not len(known):
        place = of.table.where(int(of.rows[0]), target)
        raise DataError(place, "have a value", f"none in all of {of.name}", "Leave the series out.")
    first, last = int(known[0]), int(known[-1]) + 1
    if first:
        remarks.append(f"{of.name}: the first {first} rows have no {target} and are left out.")
    end = len(of.rows) if columns.future else last
    if last < len(of.rows):
        use = "tell what is known ahead" if columns.future else "are left out"
        remarks.append(f"{of.name}: the last {len(of.rows) - last} rows have no {target} and {use}.")
    rows, moments = of.rows[first:end], None if of.moments is None else of.moments[first:end]
    cut = {name: values[first:end] for name, values in numbers.items()}
    step, places = "", np.arange(len(rows))
    if moments is not None:
        step, places, said = _steps(replace(of, rows=rows, moments=moments), columns)
        remarks += said
        if len(places) and places[-1] + 1 > len(rows):
            cut = {name: _spread(values, places) for name, values in cut.items()}
            moments = _grid(moments, places)
    last = int(places[last - first - 1]) + 1
    where = of.table.where(int(rows[0]), target)
    made = _series(of.name, where, cut[target][:last], columns)
    past = _matrix([_filled(cut[name][:last], columns, name, where) for name in columns.past], last)
    future = [_filled(cut[name], columns, name, where) for name in columns.future]
    steps = len(cut[target])
    return (
        replace(
            made,
            times=np.zeros(0) if moments is None else moments,
            past=past,
            future=_matrix(future, steps),
        ),
        step,
        remarks,
    )


def _series(name: str, where: str, values: Floats, columns: Columns) -> Series:
    real = ~np.isnan(values)
    made = Series.of(name, _filled(values, columns, name, where))
    return replace(made, real=real)


def _filled(values: Floats, columns: Columns, name: str, where: str) -> Floats:
    """The values with what is unknown filled in, as the person chose.

    Raises:
        DataError: something is unknown, and nothing was chosen.
    """
    unknown = np.isnan(values)
    if not unknown.any():
        return values
    if columns.fill == "refuse":
        first, count = int(np.flatnonzero(unknown)[0]), int(unknown.sum())
        got = f"nothing at step {first + 1}" + (f" ({count} steps like this)" if count > 1 else "")
        fix = "Say how it is filled in: --fill previous, linear or zero."
        raise DataError(f"{where}: {name}", "have a number at every step", got, fix)
    if columns.fill == "zero" or unknown.all():
        return np.where(unknown, 0.0, values)
    known = np.flatnonzero(~unknown)
    if columns.fill == "linear":
        return np.interp(np.arange(len(values)), known, values[known])
    before = np.maximum.accumulate(np.where(unknown, -1, np.arange(len(values))))
    return values[np.where(before < 0, known[0], before)]


def _numbers(table: Table, name: str) -> Floats:
    """A column, NaN where nothing stands; infinity is refused."""
    values = table.numbers(name, missing=True)
    wrong = np.flatnonzero(np.isinf(values))
    if len(wrong):
        place = table.where(int(wrong[0]), table.name(name))
        raise DataError(place, "be finite", str(values[wrong[0]]), "Correct it, or leave the cell empty.")
    return values


def _zeros(name: str, values: Floats, columns: Columns, remarks: list[str]) -> Floats:
    """The values with those zeros unknown that stand for it."""
    zero = values == 0
    if columns.zeros == "keep" or not zero.any():
        return values
    if columns.zeros == "guess":
        others = values[~zero & ~np.isnan(values)]
        ends = np.zeros_like(zero)
        ends[: int(np.argmin(zero))] = True
        ends[len(zero) - int(np.argmin(zero[::-1])) :] = True
        if len(np.unique(others)) <= 2 or (zero & ~ends).any() or others.min() <= TINY * np.median(others):
            return values
        where = "the last" if ends[-1] and not ends[0] else "the first" if not ends[-1] else "both ends'"
        count = f"{where} {int(zero.sum())} values"
        remarks.append(f"{name}: {count} are 0 and no others: taken for unknown; --zeros keep reads them.")
    return np.where(zero, np.nan, values)


def _groups(table: Table, columns: Columns) -> dict[str, NDArray[np.int64]]:
    """The rows of each series."""
    several = len(np.unique(table.places.source)) > 1
    ids: Iterable[Any] = table.places.source.tolist() if several else [""] * len(table)
    if columns.by:
        ids = table.labels(columns.by)
    found: dict[Any, list[int]] = {}
    for row, key in enumerate(ids):
        found.setdefault(key, []).append(row)
    if several and not columns.by:
        names = [name.rpartition(":")[0] or name for name in table.places.names]
        return {names[key]: np.array(rows) for key, rows in found.items()}
    return {str(key): np.array(rows) for key, rows in found.items()}


def _ordered(
    table: Table, columns: Columns, moments: NDArray[Any], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The rows in the order of their times.

    Raises:
        DataError: they are in another one, and are not to be sorted; or a time is there twice.
    """
    if columns.sort:
        rows = rows[np.argsort(moments[rows], kind="stable")]
    times.check_order(moments[rows], table.take(rows), columns.time)
    return rows


def _steps(of: _Rows, columns: Columns) -> tuple[str, NDArray[np.int64], list[str]]:
    """The step of a series' times, the place of each row among all steps, and what is remarked.

    Raises:
        DataError: a gap, or times between the steps, and it was not said what to do.
    """
    assert of.moments is not None
    found = times.regularity(of.moments)
    step, places = found.step, np.arange(len(of.rows))
    if step == "1 day" and not found.uneven and _leaves_out_weekends(of.moments) and columns.gaps != "insert":
        said = [f"{columns.time} leaves out Saturdays and Sundays: a step is a working day."]
        return seasons.WORKING_DAY, places, said if found.gaps else []
    if columns.gaps == "keep" or not (found.gaps or found.uneven):
        count = len(found.gaps) + len(found.uneven)
        said = f"{of.name}: {count} steps are longer or shorter than {step}; each row is taken for a step."
        return step, places, [said] if count else []
    row = min([gap.row for gap in found.gaps] + list(found.uneven))
    place = of.table.where(int(of.rows[row + 1]), columns.time)
    if found.uneven or columns.gaps == "refuse":
        times_ = of.table[columns.time]
        here, before = times_[int(of.rows[row + 1])], times_[int(of.rows[row])]
        count = len(found.gaps) + len(found.uneven)
        got = f"{here} after {before}" + (f" ({count} places like this)" if count > 1 else "")
        fix = "Take each row for a step: --gaps keep"
        fix += "." if found.uneven else "; or put the missing steps in: --gaps insert --fill linear."
        raise DataError(place, f"be {step} after the row before it", got, fix)
    for gap in found.gaps:
        places[gap.row + 1 :] += gap.missing
    return step, places, [f"{of.name}: {found.missing} missing steps were put in, unknown."]


def _leaves_out_weekends(moments: NDArray[Any]) -> bool:
    days = moments.astype("datetime64[D]").astype(np.int64)
    return moments.dtype.kind == "M" and len(days) > 10 and bool(((days + 3) % 7 < 5).all())


def _spread(values: Floats, places: NDArray[np.int64]) -> Floats:
    spread = np.full(int(places[-1]) + 1, np.nan)
    spread[places] = values
    return spread


def _grid(moments: NDArray[Any], places: NDArray[np.int64]) -> NDArray[Any]:
    """The times of all steps, between those of the rows in even distances."""
    every, numbers = np.arange(int(places[-1]) + 1), moments.astype(np.float64)
    return np.interp(every, places, numbers).round().astype(moments.dtype)


def _matrix(columns: Sequence[Floats], steps: int) -> Floats:
    return np.stack(columns, axis=-1) if columns else np.zeros((steps, 0))
