"""Forecasts as text: tables of what comes, and of what forecasts were worth."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.report.figures.forecast import forecast
from unrolled.report.figures.svg import Figure
from unrolled.report.training import ranked, shown
from unrolled.tasks.base import Measure, Row

Floats = NDArray[np.float64]

LISTED = 200
"""Lines of a table that are shown; files have all."""


@dataclass(frozen=True)
class Forecasts:
    """How series go on.

    Shapes:
        quantiles: ``[E, H, Q]``, rising; levels: Q shares; times: of each series ``[H]``, as text; past: of
        each series ``[T]``.

    Attributes:
        names: of the series.
    """

    names: tuple[str, ...]
    times: tuple[tuple[str, ...], ...]
    quantiles: Floats
    levels: tuple[float, ...] = field(repr=False)
    past: tuple[Floats, ...] = field(repr=False)

    @property
    def median(self) -> Floats:
        """The point forecasts, ``[E, H]``."""
        return self.quantiles[..., len(self.levels) // 2]

    def interval(self, percent: float) -> tuple[Floats, Floats]:
        """From where to where the values are to lie, so many times in a hundred; each ``[E, H]``.

        Raises:
            KeyError: another interval than those of `percents`.
        """
        place = {each: i for i, each in enumerate(self.percents)}[percent]
        return self.quantiles[..., place], self.quantiles[..., -1 - place]

    @property
    def percents(self) -> tuple[float, ...]:
        """The intervals that there are, the widest first."""
        half = self.levels[: len(self.levels) // 2]
        return tuple(round(100 * (1 - 2 * level), 1) for level in half)

    def figure(self) -> Figure:
        """The series as they were and as they are to go on, as a picture; `Figure.svg` makes a file of it."""
        (low, high), (lowest, highest) = self.interval(80), self.interval(95)
        bands = np.stack([lowest, low, self.median, high, highest], axis=-1)
        return forecast(self.names, self.past, bands, [(times[0], times[-1]) for times in self.times])

    def _repr_html_(self) -> str:
        return self.figure().svg()

    def __str__(self) -> str:
        rows = [["series", "step", "median", "80 % from", "to", "95 % from", "to"]]
        rows += [[*row[:2], *(f"{value:,.6g}" for value in row[2:])] for row in self._rows()[:LISTED]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        left = self.median.size - LISTED
        return "\n".join([*lines, *([f"... {left:,} more; --csv has all"] if left > 0 else [])])

    def as_data(self) -> list[dict[str, Any]]:
        """A dict a series: its name, times, median, and all quantiles by their levels."""
        return [
            {
                "series": name,
                "times": list(times),
                "median": median.tolist(),
                "quantiles": {f"{q:g}": made[:, i].tolist() for i, q in enumerate(self.levels)},
            }
            for name, times, median, made in zip(
                self.names, self.times, self.median, self.quantiles, strict=True
            )
        ]

    def as_csv(self) -> str:
        """A row a step of each series."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["series", "step", "median", "low_80", "high_80", "low_95", "high_95"])
        writer.writerows([*row[:2], *(f"{value:.10g}" for value in row[2:])] for row in self._rows())
        return text.getvalue()

    def _rows(self) -> list[list[Any]]:
        columns = [self.median, *self.interval(80), *self.interval(95)]
        return [
            [name, time, *(float(column[e, h]) for column in columns)]
            for e, (name, times) in enumerate(zip(self.names, self.times, strict=True))
            for h, time in enumerate(times)
        ]


@dataclass(frozen=True)
class Worth:
    """What forecasts were worth, beside those that need no network.

    Attributes:
        what: the data, and how many forecasts.
        coverages: how much each interval is to hold, and how much it holds.
    """

    what: str
    measures: tuple[Measure, ...]
    rows: tuple[Row, ...]
    coverages: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        headings = [measure.heading.replace("\n", " ") for measure in self.measures]
        lines = [["", *headings, ""]]
        for row in ranked(self.rows, self.measures):
            values = [shown(row.values.get(each.key), each) for each in self.measures]
            lines.append([row.name, *values, row.remark])
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        texts = [
            "  ".join(
                cell.rjust(width) if 0 < i <= len(headings) else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        stated = ", ".join(f"{share:.0%} {held:.1%}" for share, held in self.coverages)
        return "\n".join([self.what, *texts, f"intervals, stated and held: {stated}"])

    def as_data(self) -> dict[str, Any]:
        """The rows with their measures, and the coverages."""
        return {
            "data": self.what,
            "rows": [{"name": row.name, **row.values, "remark": row.remark} for row in self.rows],
            "coverages": [list(pair) for pair in self.coverages],
        }


def steps_as_text(times: NDArray[Any] | None, horizon: int) -> tuple[str, ...]:
    """The times ``[H]`` of a forecast, as short as they all can be; without times +1, +2, ..."""
    if times is None:
        return tuple(f"+{step}" for step in range(1, horizon + 1))
    texts: Sequence[str] = [str(time).replace("T", " ") for time in times.astype("datetime64[s]")]
    for rest, length in (("-01 00:00:00", 7), (" 00:00:00", 10)):
        if all(text.endswith(rest) for text in texts) and len({text[:length] for text in texts}) == horizon:
            return tuple(text[:length] for text in texts)
    return tuple(texts)
