"""From what a config names, or from data in Python, to tables of examples in three parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from unrolled.config import ClassifyConfig
from unrolled.data import formats, parts, same
from unrolled.data.formats import Options, parallel
from unrolled.data.ragged import Ragged
from unrolled.data.splits import PARTS
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError
from unrolled.tasks.classify import columns as roles
from unrolled.tasks.classify.columns import LABEL, Columns, X

PARALLEL = "parallel"
"""The format of files whose lines go together: texts in the first, their labels in the second."""


def read(config: ClassifyConfig, sources: Sequence[str]) -> Table:
    """The rows of the sources, as the config says that files are read.

    Raises:
        DataError: a source that cannot be read, or rows that do not go together.
        OptionError: a format that is not offered.
    """
    header = {"guess": None, "on": True, "off": False}[config.header]
    options = Options(config.encoding, header, config.names, config.delimiter)
    if config.format != PARALLEL:
        return formats.read(sources, config.format, options)
    if not options.names and len(sources) == 2:
        options = Options(config.encoding, names=("text", LABEL))
    return parallel.read(sources, options)


def given(x: Column, labels: Sequence[Any] | None = None) -> Table:
    """A table of what Python code holds: texts, or sequences of numbers; with a label each."""
    made: dict[str, Column] = {X if isinstance(x, Ragged) else "text": x}
    if labels is not None:
        made[LABEL] = list(labels)
    return Table(made, Places.of("row", range(len(x))))


def prepared(
    config: ClassifyConfig, heard: Callable[[str, int], None], known: Mapping[str, Table] | None
) -> tuple[dict[str, Table], Columns]:
    """The examples of each part, and which columns they are from.

    Args:
        known: the tables of the parts where these are not read from sources.

    Raises:
        DataError: data that cannot be read or cannot be learned from: which row, which column, what to do.
    """
    raw = dict(known) if known else _read_parts(config, heard)
    found = roles.find(config, raw["train"])
    if config.drop_missing:
        needed = [name for name in (found.text, found.label) if name]
        raw = {part: table.without_missing(needed) for part, table in raw.items()}
    made = {part: _checked(roles.examples(table, found)) for part, table in raw.items()}
    for part, table in made.items():
        if LABEL not in table.columns:
            raw[part].name(found.label)  # says what is missing
    return _in_parts(config, raw, made, found), found


def _read_parts(config: ClassifyConfig, heard: Callable[[str, int], None]) -> dict[str, Table]:
    named = {"train": config.sources, "valid": config.valid_sources, "test": config.test_sources}
    found: dict[str, Table] = {}
    for part, sources in named.items():
        if sources:
            found[part] = read(config, sources)
            heard(f"read {part}", sum(len(str(cell)) for cell in _first(found[part])))
    return found


def _first(table: Table) -> Sequence[Any]:
    column = next(iter(table.columns.values()))
    return column if isinstance(column, list) else ()


def _in_parts(
    config: ClassifyConfig, raw: Mapping[str, Table], made: dict[str, Table], found: Columns
) -> dict[str, Table]:
    """The parts that are there; the others are those of a column, or are cut from what is trained on."""
    whole, rows = made["train"], {"train": np.arange(len(made["train"]))}
    if config.split:
        rows = parts.by_column(roles.examples(raw["train"], found, config.split), LABEL)
    shares = {part: getattr(config, part) for part in PARTS[1:] if part not in rows and part not in made}
    if shares:
        train = whole.take(rows["train"])
        if config.group:
            groups = roles.examples(raw["train"], found, config.group).take(rows["train"])[LABEL]
            cut = parts.by_group(list(groups), shares, config.seed)
        else:
            alike = same.numbered([train[X]])[0]
            cut = parts.by_share(len(train), shares, config.seed, list(train[LABEL]), alike)
        rows = {**rows, **{part: rows["train"][these] for part, these in cut.items()}}
    cut_out = {part: whole.take(these) for part, these in rows.items()}
    return {part: cut_out[part] if part in cut_out else made[part] for part in PARTS}


def _checked(table: Table) -> Table:
    """The table, whose sequences each have a step, and no number that is infinite.

    Raises:
        DataError: naming the first row that is not so.
    """
    x = table[X]
    if not len(table):
        raise DataError("the data", "have rows", "none", "Give some.")
    if not isinstance(x, Ragged):
        return table
    empty = np.flatnonzero(x.lengths == 0)
    if len(empty):
        alike = f" ({len(empty)} rows like this)" if len(empty) > 1 else ""
        rule, fix = "have at least one step", "Leave such rows out of the file."
        raise DataError(table.where(int(empty[0])), rule, f"length 0{alike}", fix)
    infinite = np.argwhere(np.isinf(x.values))
    if len(infinite):
        step, feature = infinite[0].tolist()
        row = int(np.searchsorted(x.starts, step, side="right")) - 1
        place = f"{table.where(row)}, step {step - int(x.starts[row]) + 1}, feature {feature + 1}"
        fix = "Correct it, or leave the cell empty: a missing value can be learned from."
        raise DataError(place, "be a finite number", "infinity", fix)
    return table
