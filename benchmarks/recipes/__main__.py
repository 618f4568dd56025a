"""Trains a recipe on its data, or goes on with it, and compares the result with the figure to reach."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from benchmarks.recipes import RECIPES
from benchmarks.recipes.recipe import Recipe
from unrolled import config as configs
from unrolled.report.training import Display
from unrolled.training import trainer
from unrolled.training.run_folder import RunFolder
from unrolled.training.trainer import Outcome

CONFIGS = Path(__file__).parent


@click.command()
@click.argument("name", type=click.Choice(list(RECIPES)))
@click.argument("settings", nargs=-1)
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="where the run is kept")
@click.option("--data", default=lambda: os.environ.get("UNROLLED_DATA"), help="the folder of the data sets")
def main(name: str, settings: tuple[str, ...], runs: Path, data: str | None) -> None:
    """Trains recipe NAME with SETTINGS (key=value) changed; a run that was stopped goes on."""
    if not data:
        raise click.UsageError("The data sets are found through UNROLLED_DATA, or give --data FOLDER.")
    recipe = RECIPES[name]
    outcomes: list[Outcome] = []
    for seed in range(recipe.seeds):
        own = (*settings, f"seed={seed}") if recipe.seeds > 1 else settings
        with Display() as display, tempfile.TemporaryDirectory() as place:
            outcome = trained(name, recipe, own, runs, (Path(data), Path(place)), display)
        if not outcome.finished:
            return
        display.result("-".join([name, *own]), outcome.rows, outcome.measures)
        outcomes.append(outcome)
    click.echo(recipe.verdict(outcomes))


def trained(
    name: str,
    recipe: Recipe,
    settings: tuple[str, ...],
    runs: Path,
    folders: tuple[Path, Path],
    display: Display,
) -> Outcome:
    """Trains a run to its end, from its beginning or from where it was stopped."""
    run = "-".join([name, *(setting.replace("=", "-") for setting in settings)])
    if (runs / run / "config.toml").exists():
        return trainer.resume(RunFolder.open(runs / run), display)
    config = configs.load(CONFIGS / f"{name}.toml")
    given: dict[str, object] = {**recipe.sources(*folders)}
    given |= {key: value for key, _, value in (setting.partition("=") for setting in settings)}
    config = configs.override(config, given)
    return trainer.train(config, RunFolder.create(configs.dumps(config), run, runs), display)


if __name__ == "__main__":
    main()
