"""Recipes of translators."""

from __future__ import annotations

import runpy
from pathlib import Path

from benchmarks.recipes.recipe import Recipe, Sources, files

EXAMPLE = Path(__file__).parents[2] / "examples" / "translate.py"

DATES, PARTS = 12_000, ("train", "val")


def dates(data: Path, place: Path) -> Sources:
    """Dates as the example makes them."""
    del data
    file = place / "dates.tsv"
    made = runpy.run_path(str(EXAMPLE))["pairs"](DATES)
    file.write_text("".join(f"{source}\t{target}\n" for source, target in made.items()))
    return {"sources": [str(file)]}


def descriptions(data: Path, place: Path) -> Sources:
    """Multi30k, German to English; the part that it is judged on is the data set's ``val``."""
    del place
    both = {part: [str(data / "multi30k" / f"{part}.{side}.gz") for side in ("de", "en")] for part in PARTS}
    return {"sources": both["train"], "test_sources": both["val"]}


RECIPES = {
    "dates": Recipe(dates, "exact", 0.99, "to be reached"),
    "eng-fra-short": Recipe(
        files("eng-fra", "fra.txt.gz"),
        "bleu",
        45.0,
        "to be reached on held-out sentences of at most 10 words",
    ),
    "multi30k-de-en": Recipe(
        descriptions, "bleu", 28.3, "bentrevett/pytorch-seq2seq, GRU with attention; there the 2016 test set"
    ),
}
