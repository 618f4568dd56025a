"""Recipes of models of music."""

from __future__ import annotations

from benchmarks.recipes.recipe import Recipe, files

RECIPES = {
    "chorales": Recipe(
        files("jsb-chorales", "jsb-chorales-quarter.json.gz"), "nats", 8.43, "Bai et al. 2018, best recurrent"
    ),
}
