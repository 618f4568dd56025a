"""Columns of dates and times: read, held to their order, and looked at for gaps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.tables import Table, as_number, is_missing
from unrolled.errors import DataError

ISO = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d{1,9})?)?)?)?)?)?")
"""Dates and times that NumPy reads."""

MONTH = "datetime64[M]"

JITTER = 0.05
"""By which share of a step a time may be early or late: clocks are a second off."""

UNITS = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
"""Seconds in each."""


@dataclass(frozen=True)
class Gap:
    """A place where times are missing: after which row, and how many steps."""

    row: int
    missing: int


@dataclass(frozen=True)
class Regularity:
    """How far apart the times of a series are.

    Attributes:
        step: the distance that is most frequent, as text: ``"1 hour"``, ``"1 month"``, ``"2"``.
        gaps: where more than a step lies between two rows.
        uneven: rows after which no whole number of steps lies, give or take `JITTER` of one.
    """

    step: str
    gaps: tuple[Gap, ...]
    uneven: tuple[int, ...]

    @property
    def missing(self) -> int:
        """How many steps are missing in all."""
        return sum(gap.missing for gap in self.gaps)


def read(table: Table, wanted: str, form: str = "") -> NDArray[Any]:
    """A column of times, ``[E]``: datetime64 where these are dates, float64 where they are numbers.

    Dates are read as ISO 8601 writes them (1949-01, 2016-07-01 00:00:00, with a zone as UTC), others by
    ``form``, as Python's ``strptime`` reads them. Whole numbers of four digits are years only with ``%Y``.

    Raises:
        DataError: no such column, or a cell that is no time; names the row.
    """
    name = table.name(wanted)
    column = table[name]
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        return column.astype("datetime64[us]")
    cells: list[Any] = list(column)
    for row, cell in enumerate(cells):
        if is_missing(cell):
            fix = "Fill it in, or leave such rows out: --drop-missing."
            raise DataError(table.where(row, name), "hold a time", "nothing", fix)
    if not form and all(as_number(cell) is not None for cell in cells):
        return table.numbers(name)
    times = np.empty(len(cells), "datetime64[us]")
    for row, cell in enumerate(cells):
        time = _time(str(cell).strip(), form)
        if time is None:
            fix = "Write 2024-12-31 or 2024-12-31 23:59, or say how it is written: --time-format %d/%m/%Y."
            raise DataError(table.where(row, name), "hold a time", repr(str(cell)[:40]), fix)
        times[row] = time
    return times


def check_order(times: NDArray[Any], table: Table, wanted: str) -> None:
    """Holds a series to the order of its times.

    Shapes:
        times: ``[E]``, one for each row of the table.

    Raises:
        DataError: a time before the one of the row above, or the same; names both rows.
    """
    steps = np.flatnonzero(~(times[1:] > times[:-1]))
    if not len(steps):
        return
    row = int(steps[0]) + 1
    same = times[row] == times[row - 1]
    alike = f" ({len(steps)} rows like this)" if len(steps) > 1 else ""
    got = f"{table[wanted][row]} after {table[wanted][row - 1]}{alike}"
    fix = "Sort the rows by time: --sort."
    if same:
        fix = "Keep one row for each time; of several series, name the column that tells them apart: --by."
    raise DataError(table.where(row, table.name(wanted)), "be later than the row before it", got, fix)


def regularity(times: NDArray[Any]) -> Regularity:
    """The step of a series whose times rise, and where it is not kept.

    Shapes:
        times: ``[E]``, rising.

    Example:
        >>> regularity(np.array(["2024-01", "2024-02", "2024-05"], "datetime64[us]"))
        Regularity(step='1 month', gaps=(Gap(row=1, missing=2),), uneven=())
    """
    if len(times) < 2:
        return Regularity("", (), ())
    months = times.astype(MONTH).astype(np.int64) if times.dtype.kind == "M" else None
    if months is not None and _same_day(times) and np.all(np.diff(months) > 0):
        distances, unit = np.diff(months).astype(np.float64), "month"
    elif months is not None:
        distances, unit = np.diff(times) / np.timedelta64(1, "s"), "second"
    else:
        distances, unit = np.diff(times).astype(np.float64), ""
    values, counts = np.unique(distances, return_counts=True)
    step = float(values[counts.argmax()])
    ratio = distances / step
    whole = (np.abs(ratio - np.round(ratio)) <= JITTER) & (np.round(ratio) > 0)
    gaps = tuple(Gap(int(row), round(ratio[row]) - 1) for row in np.flatnonzero(whole & (ratio > 1.5)))
    return Regularity(_in_words(step, unit), gaps, tuple(np.flatnonzero(~whole).tolist()))


def is_time(cell: Any) -> bool:
    """Whether a cell is a date or a time that is written as one, not as a number."""
    return not is_missing(cell) and as_number(cell) is None and _time(str(cell).strip(), "") is not None


def _time(text: str, form: str) -> np.datetime64 | None:
    try:
        if ISO.fullmatch(text) and not form:
            return np.datetime64(text, "us")
        time = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
        return np.datetime64(time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time, "us")
    except (ValueError, OverflowError):
        return None


def _same_day(times: NDArray[Any]) -> bool:
    """Whether all times are the same day and hour of their months."""
    return len(np.unique(times - times.astype(MONTH))) == 1


def _in_words(step: float, unit: str) -> str:
    if unit == "second":
        unit = next((name for name, seconds in UNITS.items() if step % seconds == 0), "second")
        step /= UNITS[unit]
    number = f"{step:g}"
    return " ".join(filter(None, [number, unit + ("s" if unit and number != "1" else "")]))
