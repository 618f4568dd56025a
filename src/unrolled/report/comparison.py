"""Runs side by side; those that differ in nothing but the seed as one line, with the interval over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t  # pyright: ignore[reportMissingTypeStubs]

from unrolled.report.explanation import table
from unrolled.tasks.base import Measure

CONFIDENCE = 0.95
"""Of the interval over seeds."""

OWN = "seed", "threads", "schema", "checkpoint_every", "sample"
"""Fields in which runs may differ and still be the same experiment."""


@dataclass(frozen=True)
class Compared:
    """A run in a comparison.

    Attributes:
        fields: of its config, by name.
        parameters: how many numbers it learned.
        seconds: of training.
        values: of its model by the measure's key, on the data that it was judged on.
        memoryless: the same of the network without memory; empty where there was none.
    """

    name: str
    fields: dict[str, Any]
    parameters: int
    seconds: float
    values: dict[str, float]
    memoryless: dict[str, float]


@dataclass(frozen=True)
class Line:
    """An experiment: one run, or several with different seeds.

    Attributes:
        differs: the fields in which the experiments differ, by name.
        values: mean, and half the width of the interval over seeds, by the measure's key; the width is None
            for a single run.
    """

    name: str
    runs: int
    differs: dict[str, Any]
    parameters: int
    seconds: float
    values: dict[str, tuple[float, float | None]]
    without_memory: tuple[float, float | None] | None


@dataclass(frozen=True)
class Comparison:
    """Experiments, best first by the first measure."""

    measures: tuple[Measure, ...]
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        """A table, and what the intervals are of."""
        fields = list(self.lines[0].differs)
        first = self.measures[0]
        heads = [" ".join(measure.heading.split()) for measure in self.measures]
        without = any(line.without_memory for line in self.lines)
        rows = [("run", *fields, "parameters", "time", *heads, *["without memory"] * without)]
        for line in self.lines:
            told = [_told(line.values.get(measure.key), measure) for measure in self.measures]
            rows.append((
                line.name if line.runs == 1 else f"{line.name} and {line.runs - 1} more seeds",
                *(str(line.differs[name]) for name in fields),
                f"{line.parameters:,}", f"{line.seconds / 60:.1f} min", *told,
                *[_told(line.without_memory, first)] * without,
            ))  # fmt: skip
        several = any(line.runs > 1 for line in self.lines)
        remark = (
            f"\n\n± is the {CONFIDENCE:.0%} interval of the mean over seeds (Student's t)." if several else ""
        )
        return table(rows) + remark


def compare(runs: Sequence[Compared], measures: Sequence[Measure]) -> Comparison:
    """The comparison of some runs of one task, judged in these measures."""
    groups: dict[str, list[Compared]] = {}
    for run in runs:
        same = {name: value for name, value in run.fields.items() if name not in OWN}
        groups.setdefault(repr(sorted(same.items())), []).append(run)
    experiments = list(groups.values())
    differing = [
        name
        for name in runs[0].fields
        if name not in OWN and len({repr(group[0].fields.get(name)) for group in experiments}) > 1
    ]
    lines = [_line(group, differing, measures) for group in experiments]
    first = measures[0]
    lines.sort(key=lambda line: line.values[first.key][0] * (-1 if first.higher else 1))
    return Comparison(tuple(measures), tuple(lines))


def interval(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean and half the width of its interval by Student's t; no width for a single value.

    Example:
        >>> mean, half = interval([1.0, 2.0, 3.0])
        >>> mean, round(half, 3)
        (2.0, 2.484)
    """
    n = len(values)
    if n < 2:
        return values[0], None
    return fmean(values), float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stdev(values) / sqrt(n)


def _line(group: Sequence[Compared], differing: Sequence[str], measures: Sequence[Measure]) -> Line:
    first, key = group[0], measures[0].key
    without = [run.memoryless[key] for run in group if key in run.memoryless]
    return Line(
        name=first.name,
        runs=len(group),
        differs={name: first.fields.get(name) for name in differing},
        parameters=first.parameters,
        seconds=fmean(run.seconds for run in group),
        values={
            m.key: interval([run.values[m.key] for run in group]) for m in measures if m.key in first.values
        },
        without_memory=interval(without) if without else None,
    )


def _told(value: tuple[float, float | None] | None, measure: Measure) -> str:
    if value is None:
        return ""
    mean, half = value
    return format(mean, measure.form) + ("" if half is None else f" ± {format(half, measure.form)}")


def compared(name: str, fields: Mapping[str, Any], result: Mapping[str, Any]) -> Compared:
    """A run from its config and its ``result.json``."""
    model, *others = result["rows"]
    twin = next((row for row in others if row["name"] == "the same without memory"), {"values": {}})
    kept = ({k: v for k, v in row["values"].items() if v is not None} for row in (model, twin))
    return Compared(name, dict(fields), result["parameters"], result["seconds"], *kept)
