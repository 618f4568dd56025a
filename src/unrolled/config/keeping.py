"""A config as text: read from TOML of any version, written with comments, changed by what a person types.

`CONFIGS` lists the tasks.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec import structs

from unrolled.config.base import SCHEMA, Config
from unrolled.config.classify import ClassifyConfig
from unrolled.config.field import Field
from unrolled.config.forecast import ForecastConfig
from unrolled.config.language_model import LanguageModelConfig
from unrolled.config.notes import NotesConfig
from unrolled.config.tag import TagConfig
from unrolled.config.translate import TranslateConfig
from unrolled.errors import DataError, OptionError, nearest

SomeConfig = TypeVar("SomeConfig", bound=Config)

CONFIGS: dict[str, type[Config]] = {
    "classify": ClassifyConfig,
    "forecast": ForecastConfig,
    "lm": LanguageModelConfig,
    "notes": NotesConfig,
    "tag": TagConfig,
    "translate": TranslateConfig,
}
"""The config of each task, by the task's name."""

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From the fields of one schema to those of the next; an entry, once written, is kept for ever."""

ALIASES = {"lr": "learning_rate", "optimizer": "optimiser"}
"""Short or American names that are understood where a person types, and nowhere else."""


def kind_of(task: object, where: str = "config") -> type[Config]:
    """The class of a task's config.

    Raises:
        OptionError: there is no such task.
    """
    if not isinstance(task, str) or task not in CONFIGS:
        fix = nearest(str(task), CONFIGS)
        raise OptionError(f"{where}: task", f"be one of {', '.join(CONFIGS)}", repr(task), fix)
    return CONFIGS[task]


def load(path: str | Path, task: str | None = None) -> Any:
    """Reads a config from a TOML file; fields that it leaves out have their defaults.

    Args:
        task: which config it is where the file does not say; a language model's unless given.

    Raises:
        DataError: the file is not there, or no TOML.
        OptionError: a field that does not exist, or a value that cannot be.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        got = getattr(error, "strerror", None) or error
        raise DataError(f"config: {path}", "be a readable file", got, "Name a TOML file.") from error
    return loads(text, str(path), task)


def loads(text: str, where: str = "config", task: str | None = None) -> Any:
    """Reads a config from TOML text, as `load` does; ``where`` names the text in errors."""
    try:
        fields: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(where, "be TOML", str(error), 'Texts need quotes: cell = "gru".') from error
    if task and fields.get("task", task) != task:
        fix = f"Train that task: unrolled train {fields['task']}, or take another file."
        raise OptionError(f"{where}: task", f"be {task}", repr(fields["task"]), fix)
    return override(kind_of(fields.get("task", task or "lm"), where)(), migrated(fields, where), where)


def migrated(fields: dict[str, Any], where: str) -> dict[str, Any]:
    """Brings fields that an earlier version wrote to the present schema, one step at a time.

    Raises:
        OptionError: a later version wrote them.
    """
    version = fields.get("schema", SCHEMA)
    if type(version) is not int or not 1 <= version <= SCHEMA:
        fix = "A later version wrote this: pip install --upgrade unrolled."
        raise OptionError(f"{where}: schema", f"be a whole number from 1 to {SCHEMA}", version, fix)
    for earlier in range(version, SCHEMA):
        fields = {**MIGRATIONS[earlier](fields), "schema": earlier + 1}
    return fields


def override(config: SomeConfig, given: Mapping[str, object], where: str = "config") -> SomeConfig:
    """A config with some fields changed; a value may be a text, as typed on a command line.

    Durations are read as ``10m``, ``1h30m`` or seconds, switches as ``on`` and ``off``, ``length`` also as
    ``whole``; hyphens in names count as underscores.

    Raises:
        OptionError: a field that does not exist, or a value that cannot be.
    """
    changes: dict[str, Any] = {}
    for key, value in given.items():
        field = field_named(key, type(config), where)
        changes[field.name] = field.value(value)
    return structs.replace(config, **changes)


def requested(
    task: str, sources: Iterable[str | Path], file: Path | None, fields: Mapping[str, object]
) -> Config:
    """The config that a task, sources, a file of fields and further fields, which count more, make together.

    Raises:
        OptionError: they cannot be, or name no source.
    """
    for field in {"schema", "sources"} & fields.keys():
        fix = f'Files come after the task: train("{task}", "book.txt").'
        raise OptionError(f"train {task}: {field}", "not be given by name", repr(fields[field]), fix)
    kind = kind_of(task, "train")
    base = load(file, task) if file else kind()
    texts = tuple(map(str, sources))  # Python gives paths too
    chosen = override(base, {**fields, **({"sources": texts} if texts else {})}, where=f"train {task}")
    if not chosen.sources:
        fix = f"For example: unrolled train {task} book.txt"
        raise OptionError(f"train {task}: TEXT", "name a file, a folder, a pattern or -", "nothing", fix)
    return chosen


def field_named(key: str, kind: type[Config], where: str = "config") -> Field:
    """The field that is meant by what a person typed.

    Raises:
        OptionError: none of this name.
    """
    name = key.replace("-", "_")
    name = ALIASES.get(name, name)
    fields = kind.fields()
    if name not in fields:
        raise OptionError(f"{where}: the field", "be one that exists", key, nearest(name, fields))
    return fields[name]


def dumps(config: Config) -> str:
    """The config as TOML, complete, every field with its meaning as a comment; `loads` reads it again."""
    return str(config)


def changes(config: Config) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    fields = config.fields()
    pairs = ((name, getattr(config, name)) for name in fields)
    return {name: value for name, value in pairs if value != fields[name].default}
