"""What decides a training run: one frozen record, kept as TOML beside the run and readable for ever.

A field is declared once, with its limits and its meaning; the command line, the comments in ``config.toml``
and every message are made from that. Neither NumPy nor torch is needed to read a config.

    base.py            what every task's config has
    language_model.py  and a file for every other task: what it adds
    field.py           one field: its declaration, and what a person may type for it
    keeping.py         from and to TOML, from what a person types, and which tasks there are
"""

from unrolled.config.base import Config
from unrolled.config.classify import ClassifyConfig
from unrolled.config.field import Field, seconds, shown
from unrolled.config.forecast import ForecastConfig
from unrolled.config.keeping import (
    CONFIGS,
    changes,
    dumps,
    field_named,
    kind_of,
    load,
    loads,
    override,
    requested,
)
from unrolled.config.language_model import LanguageModelConfig
from unrolled.config.notes import NotesConfig
from unrolled.config.tag import TagConfig
from unrolled.config.translate import TranslateConfig

__all__ = [
    "CONFIGS",
    "ClassifyConfig",
    "Config",
    "Field",
    "ForecastConfig",
    "LanguageModelConfig",
    "NotesConfig",
    "TagConfig",
    "TranslateConfig",
    "changes",
    "dumps",
    "field_named",
    "kind_of",
    "load",
    "loads",
    "override",
    "requested",
    "seconds",
    "shown",
]
