"""From what a config names, or from data in Python, to tables of examples in three parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unrolled.config import ClassifyConfig
from unrolled.data import formats, parts, same
from unrolled.data import reading as data
from unrolled.data.formats import Options, parallel, ts
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


def unlabelled(config: ClassifyConfig, columns: Columns, source: str) -> Table:
    """The examples of a file or of standard input, rows or lines, or of the value itself; with no label.

    Raises:
        DataError: a file that cannot be read, or a value that is not as the model needs it.
    """
    path = Path(source)
    names_file = source == "-" or _exists(path) or (formats.kind_of(source) and not source.split()[1:])
    if not names_file:
        return given([source] if columns.kind == "text" else _numbers(source))
    return _checked(roles.examples(_rows(config, columns, path), replace(columns, label="")))


def _rows(config: ClassifyConfig, columns: Columns, path: Path) -> Table:
    """The rows of a file, or its lines, where it is plain text."""
    if columns.kind == "sensors" or config.format or formats.kind_of(path.name) or data.is_folder(path):
        return read(config, [str(path)])
    text = data.decoded(data.contents(path), path, config.encoding)
    kind = formats.looks_like(text)
    if kind and not columns.text.isdecimal():
        table = formats.FORMATS[kind].read(text, str(path), Options(config.encoding))
        if columns.text in table.columns:
            return table
    lines = text.removesuffix("\n").split("\n")
    return Table({columns.text: lines}, Places.of(f"{path}: line", range(1, 1 + len(lines))))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or with a zero byte
        return False


def _numbers(value: str) -> Ragged:
    """A sequence as it is typed: numbers with commas between, channels with colons between.

    Raises:
        DataError: something else.
    """
    x = ts.read(f"@data\n{value}", "the value", Options())[X]
    assert isinstance(x, Ragged)
    return x


def given(x: Column, labels: Sequence[Any] | None = None) -> Table:
    """The examples that Python code holds: texts, or sequences of numbers; with a label each.

    Raises:
        DataError: a text or a sequence of length 0, a value that is infinite, a label that is missing.
    """
    columns: dict[str, Column] = {X: x} if labels is None else {X: x, LABEL: list(labels)}
    found = Columns("sequences", LABEL) if isinstance(x, Ragged) else Columns("text", LABEL, X)
    return _checked(roles.examples(Table(columns, Places.of("row", range(len(x)))), found))


def prepared(
    config: ClassifyConfig, heard: Callable[[str, int], None], known: Mapping[str, Table] | None
) -> tuple[dict[str, Table], Columns]:
    """The examples of each part, and which columns they are from.

    Args:
        known: the examples of the parts where these are not read from sources; a part to judge on is not cut
            from them.

    Raises:
        DataError: data that cannot be read or cannot be learned from: which row, which column, what to do.
    """
    if known:
        made = dict(known)
        is_text = not isinstance(made["train"][X], Ragged)
        found = Columns("text", LABEL, X) if is_text else Columns("sequences", LABEL)
        return _in_parts(config, made, made, found, judged=False), found
    raw = _read_parts(config, heard)
    found = roles.find(config, raw["train"])
    if config.drop_missing:
        raw = {part: without_missing(table, found) for part, table in raw.items()}
    return _in_parts(config, raw, {part: labelled(raw[part], found) for part in raw}, found), found


def labelled(table: Table, columns: Columns) -> Table:
    """The examples of a table, each with its label.

    Raises:
        DataError: there are no labels, or an example is not as it must be.
    """
    table.name(columns.label)
    return _checked(roles.examples(table, columns))


def without_missing(table: Table, columns: Columns) -> Table:
    """The rows in which neither text nor label is missing."""
    return table.without_missing([name for name in (columns.text, columns.label) if name])


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
    config: ClassifyConfig,
    raw: Mapping[str, Table],
    made: dict[str, Table],
    found: Columns,
    judged: bool = True,
) -> dict[str, Table]:
    """The parts that are there; the others are those of a column, or are cut from what is trained on.

    Unless something is to be ``judged``, there need not be a part for it.
    """
    whole, rows = made["train"], {"train": np.arange(len(made["train"]))}
    if config.split:
        rows = parts.by_column(roles.examples(raw["train"], found, config.split), LABEL)
    wanted = PARTS[1:] if judged else ("valid",)
    shares = {part: getattr(config, part) for part in wanted if part not in rows and part not in made}
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
    return {part: cut_out.get(part) or made[part] for part in PARTS if part in cut_out or part in made}


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
