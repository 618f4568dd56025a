"""Trainings of known results on known data: a config each, and what must come out."""

from benchmarks.recipes import texts

RECIPES = {**texts.RECIPES}
"""By name; the config of each is the TOML file of that name."""
