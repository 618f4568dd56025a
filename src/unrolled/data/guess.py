"""Which task a source looks like, why, and how to say otherwise."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from unrolled.data import features, formats, reading
from unrolled.data.features import Roles
from unrolled.data.formats import Options, folders
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Table, as_number, is_missing, listed
from unrolled.data.times import is_time
from unrolled.errors import DataError

FEW = 100
"""Different values that a column of labels has at most."""

MANY = 30
"""Columns of numbers from where on a row is taken for a sequence, and not for a step."""

RUNS = 0.7
"""The share of rows with the label of the row before, from where on rows are taken for steps in time."""

NAMES = {
    "label": ("label", "class", "target", "category", "sentiment", "stars", "tag", "phase", "y", "occupancy"),
    "words": ("words", "tokens", "form"),
    "tags": ("tags", "labels", "upos", "ner_tags", "pos_tags", "chunk_tags"),
    "sequence": ("id", "sequence", "series", "case", "unique_id"),
}
"""What columns are often called."""


@final
@dataclass(frozen=True)
class Guess:
    """What a source looks like.

    Attributes:
        task: classify, tag, translate, forecast, notes or lm.
        kind: text, sensors, words or frames where a task has several; nothing otherwise.
        columns: which column has which role, as the options of the task are called.
        why: a sentence.
        otherwise: what to type if this is wrong.
    """

    task: str
    kind: str
    columns: dict[str, str]
    why: str
    otherwise: str

    def __str__(self) -> str:
        roles = "".join(f", {role} = {name}" for role, name in self.columns.items())
        named = f"{self.task} {self.kind}".strip()
        return f"{named}{roles}: {self.why} Otherwise: {self.otherwise}"


def guess(sources: Sequence[str | Path], options: Options | None = None) -> Guess:
    """The task that files or folders look like.

    Raises:
        DataError: they cannot be read, or look like none, or like several; says what to type.
    """
    options = options or Options()
    folder = Path(sources[0]) if len(sources) == 1 else None
    if folder and reading.is_folder(folder) and not any(map(formats.kind_of, reading.entries(folder))):
        return _of_folder(folder, options)
    path = reading.files(sources[:1], options.encoding)[0]
    kind = formats.kind_of(path.name)
    if kind == "ts":
        return _made("classify", "sensors", {}, "a .ts file has sequences of numbers with a class each.")
    if kind in ("conll", "conllu"):
        return _of_words(kind)
    if not kind:
        kind = formats.looks_like(reading.decoded(reading.contents(path), path, options.encoding))
        if not kind:
            return _made("lm", "", {}, "it is plain text.")
        if kind in ("conll", "conllu"):
            return _of_words(kind)
    return of_table(formats.read(sources, kind, options), str(path))


def of_table(table: Table, name: str = "the data") -> Guess:
    """The task that a table looks like; ``name`` is what messages call it.

    Raises:
        DataError: it looks like none, or like several; says what to type.
    """
    x = table.columns.get("x")
    if isinstance(x, Ragged):
        return _of_sequences(table, x, name)
    words, tags = _named(table, "words"), _named(table, "tags")
    if words and tags:
        return _made("tag", "words", {"words": words, "label": tags}, "each row has words and their tags.")
    texts, labels = texts_of(table), labels_of(table)
    numbers = [column for column in features.numeric(table, Roles()) if column not in labels[:1]]
    if len(numbers) >= MANY:
        return _of_wide(table, name, labels)
    if texts:
        return _of_texts(table, name, texts, [label for label in labels if label not in texts])
    if not numbers:
        raise _unknown(name, f"columns {listed(table.columns)}")
    return _of_numbers(table, name, numbers, labels[0] if labels else "")


def _of_folder(folder: Path, options: Options) -> Guess:
    columns = {"text": "text", "label": "label"}
    if folders.has_classes(folder):
        return _made("classify", "text", columns, "it has a folder for each class.")
    table = folders.lines(folder, options)
    texts = [cell for cell in table["text"] if isinstance(cell, str)]
    if len(table.places.names) > 1 and statistics.median(map(len, texts)) <= MANY:
        return _made("classify", "text", columns, "it has a file of short lines for each class.")
    return _made("lm", "", {}, "it is a folder of plain text.")


def _of_words(kind: str) -> Guess:
    columns = {"words": "form", "label": "upos"} if kind == "conllu" else {}
    return _made("tag", "words", columns, "it has a word a line, with its tags in columns.")


def _of_sequences(table: Table, x: Ragged, name: str) -> Guess:
    if x.values.dtype == np.uint8 and x.values.ndim == 2:
        return _made("notes", "", {}, "it has pieces of music, the notes of each step.")
    if "label" not in table.columns:
        raise _unknown(name, "sequences of numbers without labels")
    if any(isinstance(label, list) for label in table["label"]):
        return _made("tag", "frames", {}, "each step of its sequences has a label.")
    return _made("classify", "sensors", {}, "it has sequences of numbers with a label each.")


def _of_texts(table: Table, name: str, texts: Sequence[str], labels: Sequence[str]) -> Guess:
    if labels:
        text, label = texts[0], labels[0]
        why = f'"{text}" has texts, and "{label}" {_different(table, label)} different values.'
        return _made("classify", "text", {"text": text, "label": label}, why)
    if len(texts) == 2:
        columns = {"source": texts[0], "target": texts[1]}
        why = f'"{texts[0]}" and "{texts[1]}" have texts, and nothing else is there.'
        return _made("translate", "", columns, why)
    raise _unknown(name, f"texts in {listed(texts)}, and no column of few different values")


def _of_wide(table: Table, name: str, labels: Sequence[str]) -> Guess:
    why = f"each row has a sequence of numbers in {len(table.columns)} columns"
    if labels:
        return _made("classify", "sensors", {"label": labels[0]}, f'{why}, and "{labels[0]}" has few values.')
    ids = [column for column in table.columns if _different(table, column) == len(table)]
    if ids and not features.numeric(table.with_columns({ids[0]: table[ids[0]]}), Roles()):
        return _made("forecast", "", {"by": ids[0]}, f'{why}, named by "{ids[0]}".')
    raise _unknown(name, f"{why}, and none of names or labels")


def _of_numbers(table: Table, name: str, numbers: Sequence[str], label: str) -> Guess:
    """Rows that are steps: a label for those of a sequence, several series, one, or a label each."""
    time = next((column for column in table.columns if _is_times(table, column)), "")
    columns = {"label": label} | ({"time": time} if time else {})
    sequence = sequence_of(table, label) if label else ""
    if sequence:
        why = f'all rows with the same "{sequence}" have the same "{label}".'
        return _made("classify", "sensors", {"sequence": sequence, **columns}, why)
    if time:
        columns = {"time": time, "target": numbers[-1]}
        series = _series_of(table, time)
        if series:
            why = f'"{time}" has each time once for every "{series}".'
            return _made("forecast", "", {**columns, "by": series}, why)
        if not label or (label.lower() not in NAMES["label"] and not _is_text(table[label])):
            why = f'"{time}" has times, and {listed(numbers)} numbers.'
            return _made("forecast", "", columns, why)
    elif not label or not _in_runs(table, label):
        raise _unknown(name, f"columns {listed(table.columns)}")
    columns = {"label": label} | ({"time": time} if time else {})
    return _made("tag", "frames", columns, f'each row is a step, and "{label}" has its label.')


def _made(task: str, kind: str, columns: dict[str, str], why: str) -> Guess:
    others = [other for other in ("classify", "tag", "translate", "forecast", "lm") if other != task]
    options = "".join(f" --{role} COLUMN" for role in columns)
    same = f"name other columns with{options}, or " if options else ""
    return Guess(task, kind, columns, why, f"{same}type unrolled train {'|'.join(others)} DATA.")


def _unknown(name: str, got: str) -> DataError:
    fix = "Say which: unrolled train classify|tag|translate|forecast|lm DATA, and name its columns."
    return DataError(name, "look like one of the tasks", got, fix)


def _named(table: Table, role: str) -> str:
    """The column of lists that has one of the usual names of a role."""
    for column in table.columns:
        cells = table[column]
        if column.lower() in NAMES[role] and isinstance(cells, list) and isinstance(cells[0], list):
            return column
    return ""


def texts_of(table: Table) -> list[str]:
    """The columns of texts of several words, or if there are none, those of words that mostly differ."""
    words: dict[str, float] = {}
    for column, cells in table.columns.items():
        if _is_text(cells) and not _is_times(table, column):
            words[column] = statistics.fmean(len(str(cell).split()) for cell in cells)
    several = [column for column, mean in words.items() if mean > 1.5]
    return several or [column for column in words if _different(table, column) > max(FEW, len(table) / 2)]


def _is_text(cells: Any) -> bool:
    if not isinstance(cells, list) or not all(isinstance(cell, str) for cell in cells):
        return False
    return sum(as_number(cell) is None for cell in cells) > len(cells) / 2


def labels_of(table: Table) -> list[str]:
    """The columns of few different values, those first that are called as labels often are.

    A measurement may have few values too, so numbers are labels only if they are whole, and ten at most or in
    a column of such a name.
    """
    found: list[tuple[bool, int, str]] = []
    for column, cells in table.columns.items():
        if not isinstance(cells, list | np.ndarray) or not _may_be_label(cells) or _is_times(table, column):
            continue
        different, unusual = _different(table, column), column.lower() not in NAMES["label"]
        most = 10 if unusual and not _is_text(cells) else FEW
        if 2 <= different <= min(most, max(2, len(table) // 2)):
            found.append((unusual, different, column))
    return [column for _, _, column in sorted(found)]


def _may_be_label(cells: Any) -> bool:
    """Whether the cells are whole numbers or texts of three words at most."""
    return not any(
        isinstance(cell, list) or len(str(cell).split()) > 3 or (as_number(cell) or 0) % 1 > 0
        for cell in cells
    )


def _different(table: Table, column: str) -> int:
    cells = table[column]
    return len({str(cell) for cell in cells if not is_missing(cell)})


def _is_times(table: Table, column: str) -> bool:
    cells = list(table[column])[:100] if not isinstance(table[column], Ragged) else []
    return bool(cells) and all(is_time(cell) for cell in cells)


def _in_runs(table: Table, label: str) -> bool:
    cells = [str(cell) for cell in table[label]]
    return sum(a == b for a, b in zip(cells[1:], cells[:-1], strict=True)) > RUNS * len(cells)


def sequence_of(table: Table, label: str) -> str:
    """The column that is called as ids often are, all rows of an id having one label; or nothing."""
    return next(
        (
            column
            for column in table.columns
            if column != label and column.lower() in NAMES["sequence"] and _is_constant(table, label, column)
        ),
        "",
    )


def _series_of(table: Table, time: str) -> str:
    """The column that tells series apart: each has a time once, and several have the same; or nothing."""
    moments = [str(cell) for cell in table[time]]
    if len(set(moments)) == len(moments):
        return ""
    for column, cells in table.columns.items():
        pairs = set(zip(moments, map(str, cells), strict=True))
        if (
            column != time
            and len(pairs) == len(moments)
            and (_is_text(cells) or column.lower() in NAMES["sequence"])
        ):
            return column
    return ""


def _is_constant(table: Table, label: str, sequence: str) -> bool:
    """Whether the rows of each sequence, several in all, have one label."""
    pairs = set(zip(map(str, table[sequence]), map(str, table[label]), strict=True))
    return len(pairs) == _different(table, sequence) < len(table)
