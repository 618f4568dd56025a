"""Recipes of classifiers."""

from __future__ import annotations

from pathlib import Path

from benchmarks.recipes.recipe import Recipe, Sources, files


def tweets(data: Path, place: Path) -> Sources:
    """Texts and labels in files whose lines go together."""
    del place
    folder = data / "tweeteval-emotion"
    parts = {"sources": "train", "test_sources": "val"}
    return {
        field: [str(folder / f"{part}_{what}.txt") for what in ("text", "labels")]
        for field, part in parts.items()
    }


def surnames(data: Path, place: Path) -> Sources:
    """A file of names a language."""
    del place
    return {"sources": [str(data / "names")]}


RECIPES = {
    "sst2-sentiment": Recipe(
        files("sst", "sst2-train.tsv.gz", test="sst2-dev.tsv"), "accuracy", 0.80, "to be reached on dev",
    ),
    "trec-questions": Recipe(
        files("trec-qc", "train.txt", test="test.txt"), "accuracy", 0.90, "to be reached, six classes",
    ),
    "tweet-emotions": Recipe(tweets, "macro_f1", 0.58, "to be reached on val", seeds=3),
    "surnames": Recipe(surnames, "accuracy", 0.80, "to be reached on a stratified fifth"),
    "japanese-vowels": Recipe(
        files("japanese-vowels", "JapaneseVowels_TRAIN.ts.gz", test="JapaneseVowels_TEST.ts.gz"),
        "accuracy", 0.97, "to be reached",
    ),
    "basic-motions": Recipe(
        files("basic-motions", "BasicMotions_TRAIN.ts", test="BasicMotions_TEST.ts"),
        "accuracy", 0.95, "to be reached",
    ),
}  # fmt: skip
