"""Do the intervals of forecasts hold what they state, over the series of several runs together?

python -m benchmarks.recipes m4-hourly --runs runs
python -m benchmarks.recipes m4-weekly --runs runs
python -m benchmarks.recipes.coverage runs/m4-hourly runs/m4-weekly
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from unrolled.tasks.forecast import Forecasting
from unrolled.training import keeping
from unrolled.training.run_folder import RunFolder

POINTS = 0.03
"""By how much what an interval holds may differ from what it states."""


def coverages(runs: Sequence[Path]) -> tuple[int, list[tuple[float, float]]]:
    """How many forecasts there are; what each interval states, and holds, each forecast counting the same."""
    counts: list[int] = []
    found: list[list[tuple[float, float]]] = []
    for run in runs:
        folder = RunFolder.open(run)
        kept = keeping.load(folder)
        task: Any = Forecasting.reopen(kept.config, folder.data, folder.path / Forecasting.READER)
        counts.append(len(task.parts["test"]["period"]))
        found.append(task.concluded(kept.model)[1])
    held = np.average([[held for _, held in each] for each in found], axis=0, weights=counts)
    return sum(counts), [(stated, float(one)) for (stated, _), one in zip(found[0], held, strict=True)]


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(runs: tuple[Path, ...]) -> None:
    """Says what the intervals of RUNS hold, together."""
    count, found = coverages(runs)
    click.echo(f"{count:,} forecasts of {len(runs)} runs")
    for stated, held in found:
        click.echo(f"  stated {stated:5.1%}   held {held:5.1%}   {100 * (held - stated):+.1f} points")
    far = max(abs(held - stated) for stated, held in found)
    click.echo(
        f"farthest off: {100 * far:.1f} points, {'within' if far <= POINTS else 'beyond'} {POINTS:.0%}"
    )


if __name__ == "__main__":
    main()
