"""Trainings of known results on known data: a config each, and what must come out."""

from benchmarks.recipes import classes, forecasts, music, tags, texts, translations

RECIPES = {
    **classes.RECIPES,
    **forecasts.RECIPES,
    **music.RECIPES,
    **tags.RECIPES,
    **texts.RECIPES,
    **translations.RECIPES,
}
"""By name; the config of each is the TOML file of that name."""
