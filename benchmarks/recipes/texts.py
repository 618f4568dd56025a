"""Recipes of language models."""

from __future__ import annotations

from pathlib import Path

from benchmarks.recipes.recipe import Recipe, Sources, files
from unrolled.data import reading

PTB = files("ptb", "ptb.train.txt.gz", "ptb.valid.txt", "ptb.test.txt.gz")


def stripped(data: Path, place: Path) -> Sources:
    """Penn Treebank's lines without the blanks around them.

    They are no part of the sentence; a model of characters would be credited for foreseeing them.
    """
    made: Sources = {}
    for field, [path] in PTB(data, place).items():
        lines = "".join(reading.texts([path], "utf-8")).splitlines()
        aside = place / Path(path).name.removesuffix(".gz")
        aside.write_text("".join(line.strip() + "\n" for line in lines))
        made[field] = [str(aside)]
    return made


RECIPES = {
    "tinyshakespeare": Recipe(
        files("tinyshakespeare", "input.txt.gz"), "nats", 1.548,
        "minGRU (Feng et al. 2024, Were RNNs All We Needed?), held-out loss",
    ),
    "ptb-words": Recipe(
        PTB, "perplexity", 115.9,
        "Zaremba et al. 2014, small LSTM without dropout, as its published code gives",
    ),
    "ptb-chars": Recipe(stripped, "bits_per_character", 1.36, "Bai et al. 2018, LSTM"),
}  # fmt: skip
