"""Runs benchmarks, or reads the results of an earlier run; prints tables for `docs/log.md`."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks import fixed, grid, language, long, memory, peak, peers, ragged, results, tracing
from benchmarks.measure import Setting

BENCHMARKS = {
    "grid": grid,
    "peers": peers,
    "ragged": ragged,
    "peak": peak,
    "fixed": fixed,
    "memory": memory,
    "long": long,
    "language": language,
    "tracing": tracing,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--quick", is_flag=True, help="rehearse on tiny shapes; the numbers mean nothing")
@click.option(
    "--threads", multiple=True, type=click.IntRange(1), help="numbers of threads  [default: 1 and 2]"
)
@click.option(
    "--rounds", type=click.IntRange(7), default=9, show_default=True, help="pairs of every comparison"
)
@click.option("--read", type=click.Path(exists=True, path_type=Path), help="show these results, run nothing")
def main(
    names: tuple[str, ...], quick: bool, threads: tuple[int, ...], rounds: int, read: Path | None
) -> None:
    """Run the benchmarks NAMES, or all of them.

    Each line goes into benchmarks/results/ as it is measured.
    """
    if read is None:
        counts = tuple(sorted(threads)) or tuple(sorted({1, min(2, os.cpu_count() or 1)}))
        setting = Setting(counts, 2, 0.0, quick=True) if quick else Setting(counts, rounds)
        read = measure(names or tuple(BENCHMARKS), setting, results.FOLDER)
    click.echo(results.markdown(*results.read(read)))


def measure(names: tuple[str, ...], setting: Setting, folder: Path) -> Path:
    """Runs benchmarks and writes what they find into a new file in ``folder``, which it returns.

    A rehearsal is held to no limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{'-'.join(names)}.jsonl"
    with path.open("x", buffering=1) as file:
        print(json.dumps(results.circumstances(setting.threads, setting.quick)), file=file)
        for name in names:
            for found in BENCHMARKS[name].run(setting):
                row = replace(found, limit=None) if setting.quick else found
                click.echo(row, err=True)
                print(results.line(row), file=file)
    return path


if __name__ == "__main__":
    main()
