"""Recipes of taggers."""

from __future__ import annotations

from pathlib import Path

from benchmarks.recipes.recipe import Recipe, Sources, files
from unrolled.data import reading


def chunks(data: Path, place: Path) -> Sources:
    """CoNLL-2000, the last tenth of whose training part chooses the weights."""
    text = "".join(reading.texts([str(data / "conll2000" / "train.txt.gz")]))
    sentences = text.strip().split("\n\n")
    learned = len(sentences) - len(sentences) // 10
    made: Sources = {"test_sources": [str(data / "conll2000" / "test.txt.gz")]}
    for field, some in (("sources", sentences[:learned]), ("valid_sources", sentences[learned:])):
        aside = place / f"{field}.conll"
        aside.write_text("\n\n".join(some) + "\n")
        made[field] = [str(aside)]
    return made


def gestures(data: Path, place: Path) -> Sources:
    """The first person's videos to learn from, the second's to judge; one frame's label is in Portuguese."""
    made: Sources = {"sources": [], "test_sources": []}
    for video in ("a1", "a2", "a3", "b1", "b3"):
        text = "".join(reading.texts([str(data / "gesture-phase" / f"{video}_raw.csv")]))
        aside = place / f"{video}.csv"
        aside.write_text(text.replace("Preparação", "Preparation"))
        made["sources" if video[0] == "a" else "test_sources"].append(str(aside))
    return made


RECIPES = {
    "conll2000-chunks": Recipe(chunks, "chunk_f1", 0.92, "to be reached"),
    "atis-tags": Recipe(
        files("ud-english-atis", "en_atis-ud-train.conllu.gz", test="en_atis-ud-dev.conllu"),
        "accuracy", 0.975, "to be reached on dev",
    ),
    "lines-tags": Recipe(
        files("ud-english-lines", "en_lines-ud-train.conllu.gz", test="en_lines-ud-dev.conllu.gz"),
        "accuracy", 0.93, "to be reached on dev",
    ),
    "gesture-frames": Recipe(
        gestures, "macro_f1", 0.05, "to be reached, by person", seeds=3, over="the same without memory",
    ),
    "occupancy-frames": Recipe(
        files("occupancy", "datatraining.txt.gz", test="datatest.txt"), "accuracy", 0.97, "to be reached",
    ),
}  # fmt: skip
