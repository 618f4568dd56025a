"""Trains a recipe on its text, or goes on with it, and compares the result with the figure to reach."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from math import log
from pathlib import Path

import click

from unrolled import config as configs
from unrolled.data import reading
from unrolled.report.training import Display
from unrolled.tasks.base import Row
from unrolled.training import course
from unrolled.training.course import Outcome
from unrolled.training.run_folder import RunFolder

CONFIGS = Path(__file__).parent


@dataclass(frozen=True)
class Recipe:
    """A text, and the figure to reach on the part of it that is judged.

    ``measure`` is ``nats`` (a token), ``bits`` (a character) or ``perplexity`` (a token).
    """

    folder: str
    train: str
    valid: str
    test: str
    measure: str
    limit: float
    source: str


RECIPES = {
    "tinyshakespeare": Recipe(
        "tinyshakespeare", "input.txt.gz", "", "", "nats", 1.548,
        "minGRU (Feng et al. 2024, Were RNNs All We Needed?), held-out loss",
    ),
    "ptb-words": Recipe(
        "ptb", "ptb.train.txt.gz", "ptb.valid.txt", "ptb.test.txt.gz", "perplexity", 115.9,
        "Zaremba et al. 2014, small LSTM without dropout, as its published code gives",
    ),
    "ptb-chars": Recipe(
        "ptb", "ptb.train.txt.gz", "ptb.valid.txt", "ptb.test.txt.gz", "bits", 1.36,
        "Bai et al. 2018, LSTM",
    ),
}  # fmt: skip


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
    run = "-".join([name, *(setting.replace("=", "-") for setting in settings)])
    with Display() as display, tempfile.TemporaryDirectory() as place:
        if (runs / run / "config.toml").exists():
            outcome = course.resume(RunFolder.open(runs / run), display)
        else:
            config = configs.load(CONFIGS / f"{name}.toml")
            given: dict[str, object] = {**texts(recipe, Path(data), Path(place), config.tokens)}
            given |= {key: value for key, _, value in (setting.partition("=") for setting in settings)}
            config = configs.override(config, given)
            folder = RunFolder.create(configs.dumps(config), run, runs)
            outcome = course.train(config, folder, display)
    if outcome.finished:
        display.result(name, outcome.rows, outcome.measures)
        click.echo(verdict(recipe, outcome))


def texts(recipe: Recipe, data: Path, place: Path, tokens: str) -> dict[str, list[str]]:
    """The sources of a recipe: the files as they are, or for characters the lines without blanks around them.

    Penn Treebank's lines have a blank before and after them that is no part of the sentence; a model of
    characters would be credited for foreseeing it.
    """
    sources: dict[str, list[str]] = {}
    for field, file in (
        ("sources", recipe.train),
        ("valid_sources", recipe.valid),
        ("test_sources", recipe.test),
    ):
        if not file:
            continue
        path = data / recipe.folder / file
        if recipe.folder == "ptb" and tokens == "char":
            lines = "".join(reading.texts([str(path)], "utf-8")).splitlines()
            text = "".join(line.strip() + "\n" for line in lines)
            path = place / file.removesuffix(".gz")
            path.write_text(text)
        sources[field] = [str(path)]
    return sources


def verdict(recipe: Recipe, outcome: Outcome) -> str:
    """Whether the figure was reached."""
    found = measured(recipe, outcome.rows[0])
    word = "reached" if found <= recipe.limit else "missed"
    goal = f"to reach {recipe.limit} ({recipe.source})"
    return f"{recipe.measure} {found:.4f}, {goal}: {word} in {outcome.seconds / 60:.1f} minutes"


def measured(recipe: Recipe, row: Row) -> float:
    """The figure of the recipe's measure."""
    nats, perplexity = row.values["nats"], row.values["perplexity"]
    assert nats is not None
    assert perplexity is not None
    return {"nats": nats, "bits": nats / log(2), "perplexity": perplexity}[recipe.measure]


if __name__ == "__main__":
    main()
