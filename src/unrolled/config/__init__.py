"""What decides a training run: one frozen record, kept as TOML beside the run and readable for ever.

A field is declared once, with its limits and its meaning; the command line, the comments in ``config.toml``
and every message are made from that. Neither NumPy nor torch is needed to read a config.
"""

from unrolled.config.field import Field, seconds, shown
from unrolled.config.keeping import changes, dumps, field_named, load, loads, override, requested
from unrolled.config.language_model import FIELDS, SECTIONS, LanguageModelConfig, sections

__all__ = [
    "FIELDS",
    "SECTIONS",
    "Field",
    "LanguageModelConfig",
    "changes",
    "dumps",
    "field_named",
    "load",
    "loads",
    "override",
    "requested",
    "seconds",
    "sections",
    "shown",
]
