"""What came out: rows with their limits, kept as JSON lines, read back, and laid out as Markdown tables."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from unrolled import native
from unrolled.timing import Ratio

FOLDER = Path(__file__).parent / "results"
PACKAGES = ("numpy", "torch", "jax", "onnxruntime")


@dataclass(frozen=True)
class Limit:
    """What a value must hold."""

    sign: str
    """``>=`` or ``<=``."""
    value: float

    def held(self, value: float) -> bool:
        """Whether ``value`` does."""
        return value >= self.value if self.sign == ">=" else value <= self.value

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"


@dataclass(frozen=True)
class Row:
    """One number: of which question, what it is, for which cell, case, pass and number of threads.

    ``low`` and ``high`` are the quartiles of the pairs, or the value itself where it is no median of pairs;
    ``note`` has what the number alone does not say.
    """

    question: str
    measure: str
    cell: str
    case: str
    passed: str
    threads: int
    value: float
    low: float
    high: float
    limit: Limit | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """``held`` or ``missed``; empty without a limit."""
        return "" if self.limit is None else "held" if self.limit.held(self.value) else "missed"

    def __str__(self) -> str:
        limit = f"  {self.limit}: {self.verdict}" if self.limit else ""
        place = f"{self.question:7} {self.cell:5} {self.case:32} {self.passed:24} {self.threads} thr."
        return f"{place}  {self.measure} {spread(self)}{limit}  {self.note}".rstrip()


@dataclass(frozen=True)
class Series:
    """Where the rows of one question stand: everything about them but the case."""

    question: str
    measure: str

    def row(
        self,
        cell: str,
        case: str,
        passed: str,
        threads: int,
        value: Ratio | float,
        limit: Limit | None = None,
        note: str = "",
    ) -> Row:
        """A row of this question; a bare number has no spread."""
        ratio = value if isinstance(value, Ratio) else Ratio(value, value, value)
        place = (self.question, self.measure, cell, case, passed, threads)
        return Row(*place, ratio.median, ratio.low, ratio.high, limit, note)


def scaled(ratio: Ratio, factor: float) -> Ratio:
    """The ratio in other units."""
    return Ratio(factor * ratio.median, factor * ratio.low, factor * ratio.high)


def spread(row: Row) -> str:
    """A value with the quartiles of its pairs."""
    return f"{row.value:.3g}" + (f" ({row.low:.3g} to {row.high:.3g})" if row.low < row.high else "")


def circumstances(threads: Sequence[int], quick: bool) -> dict[str, Any]:
    """Machine, versions, commit, date: all that a later reader needs to judge the numbers."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "instructions": native.isa() if native.available() else "no compiled core",
        "threads": list(threads),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "quick": quick,
    }


def read(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Circumstances and rows from a file of JSON lines, the circumstances first."""
    first, *lines = map(json.loads, path.read_text().splitlines())
    limits = [line.pop("limit") for line in lines]
    rows = [Row(**line, limit=limit and Limit(**limit)) for line, limit in zip(lines, limits, strict=True)]
    return first, rows


def line(row: Row) -> str:
    """A row as a line of such a file."""
    return json.dumps(asdict(row))


def markdown(about: dict[str, Any], rows: Sequence[Row]) -> str:
    """The circumstances, what has a limit, and everything, as tables for `docs/log.md`."""
    parts = [", ".join(f"{name} {value}" for name, value in about.items())]
    judged = [row for row in rows if row.limit]
    if judged:
        header = ("question", "measure", "cell", "case", "pass", "threads", "limit", "measured", "")
        parts.append(_table([header, *map(_judged_cells, judged)]))
    for question, measure, threads in dict.fromkeys((r.question, r.measure, r.threads) for r in rows):
        those = [r for r in rows if (r.question, r.measure, r.threads) == (question, measure, threads)]
        words = "1 thread" if threads == 1 else f"{threads} threads"
        parts.append(f"{question}: {measure}, {words}; {_unrest(those)}\n\n{_pivot(those)}")
    return "\n\n".join(parts)


def _judged_cells(row: Row) -> tuple[str, ...]:
    place = (row.question, row.measure, row.cell, row.case, row.passed, str(row.threads))
    return (*place, str(row.limit), spread(row), row.verdict)


def _pivot(rows: Sequence[Row]) -> str:
    """A line a case, a column a cell and pass."""
    columns = list(dict.fromkeys((row.cell, row.passed) for row in rows))
    values = {(row.case, row.cell, row.passed): f"{row.value:.3g}" for row in rows}
    header = ("case", *(", ".join(filter(None, column)) for column in columns))
    cases = dict.fromkeys(row.case for row in rows)
    return _table([header, *((case, *(values.get((case, *c), "") for c in columns)) for case in cases)])


def _unrest(rows: Sequence[Row]) -> str:
    """How far the pairs of a measurement lay apart."""
    widths = [(row.high - row.low) / row.value for row in rows if row.low < row.high]
    if not widths:
        return "single measurements"
    return f"quartiles {median(widths):.0%} of the value apart in the median case, {max(widths):.0%} at most"


def _table(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    header, *body = (
        "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |" for cells in lines
    )
    return "\n".join([header, "| " + " | ".join("-" * max(3, w) for w in widths) + " |", *body])


def mean(rows: Iterable[Row]) -> float:
    """The geometric mean: the only one of ratios that does not depend on which is over which."""
    return geometric_mean([row.value for row in rows])


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [text for text in info.read_text().splitlines() if text.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0].split(":")[1].strip() if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
