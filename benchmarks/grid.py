"""How many times torch.nn's speed, over shapes from one step to full machines?"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.cases import CELLS, GRID, PASSES, Pass, draw, make_run, ours_and_torchs, size_of
from benchmarks.measure import Setting, compare
from benchmarks.results import Limit, Row, Series, mean
from unrolled.speed import Shape, using_threads

SERIES = Series("grid", "torch's time / ours")

MEANS = {"rnn": (5.0, 3.5), "gru": (5.0, 3.5), "lstm": (1.8, 1.4)}
"""What the geometric mean must reach: forward + backward, forward."""

WORST = {"rnn": (1.15, 1.1), "gru": (1.15, 1.1), "lstm": (1.15, 0.93)}
"""What every case must reach."""


def run(setting: Setting) -> Iterator[Row]:
    """Every case, then for each cell and pass the means and the worst."""
    rows: list[Row] = []
    for count in setting.threads:
        for cell in CELLS:
            for shape in setting.shapes([Shape(cell, *sizes) for sizes in GRID]):
                for which in PASSES:
                    rows.append(_measure(setting, shape, which, count))
                    yield rows[-1]
            yield from summary(setting, cell, [r for r in rows if (r.cell, r.threads) == (cell, count)])
            (stack,) = setting.shapes([Shape(cell, 100, 32, 128, 128, layers=2, bidirectional=True)])
            for which in PASSES:
                yield _measure(setting, stack, which, count)


def summary(setting: Setting, cell: str, rows: list[Row]) -> Iterator[Row]:
    """Means over the grid of one cell and number of threads, and its worst case.

    The limits are for all threads together, and count both kinds of training among forward + backward.
    """
    count = rows[0].threads
    for training, passed in enumerate(("forward", "forward + backward")):
        those = [row for row in rows if row.passed.startswith("forward + backward") == bool(training)]
        longer = [row for row in those if not row.case.startswith("T=1 ")]
        judged = count == setting.most_threads
        at_least = [Limit(">=", limits[cell][1 - training]) if judged else None for limits in (MEANS, WORST)]
        yield SERIES.row(cell, "geometric mean", passed, count, mean(those), at_least[0])
        yield SERIES.row(cell, "geometric mean, T > 1", passed, count, mean(longer))
        worst = min(those, key=lambda row: row.value)
        note = f"{worst.case}, {worst.passed}"
        yield SERIES.row(cell, "worst", passed, count, worst.value, at_least[1], note)


def _measure(setting: Setting, shape: Shape, which: Pass, count: int) -> Row:
    ours, theirs = ours_and_torchs(shape)
    x, dh = draw(shape)
    with using_threads(count):
        compared = compare(setting, make_run(ours, which, x, dh), {"torch": make_run(theirs, which, x, dh)})
    return SERIES.row(shape.cell, size_of(shape), which.name, count, compared.gain, note=str(compared))
