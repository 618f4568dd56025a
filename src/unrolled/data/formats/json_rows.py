"""Rows as JSON: an object a line, or one list of objects, or one object of columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from unrolled.data.formats import notes
from unrolled.data.formats.options import Options
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError


def read_lines(text: str, name: str, options: Options) -> Table:
    """The objects of the lines; a row without one of the keys has None there.

    Raises:
        DataError: no rows, a line that is no JSON, or one that is no object.
    """
    del options
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            rows.append(_object(parsed(line, f"{name}: line {number}"), f"{name}: line {number}"))
            lines.append(number)
    return Table(_columns(rows, name), Places.of(f"{name}: line", lines))


def read_whole(text: str, name: str, options: Options) -> Table:
    """The objects of a list as rows; the lists of an object as columns; or pieces of music, see `notes`.

    Raises:
        DataError: no JSON, or neither of the two.
    """
    del options
    whole = parsed(text, name)
    if notes.are_in(whole):
        return notes.table(whole, name)
    if isinstance(whole, dict) and whole and all(isinstance(column, list) for column in whole.values()):
        lengths = {key: len(column) for key, column in whole.items()}
        if len(set(lengths.values())) > 1:
            got = ", ".join(f"{key}: {length}" for key, length in lengths.items())
            raise DataError(
                name, "have columns of one length", got, "Give every column a value for each row."
            )
        return Table(whole, Places.of(f"{name}: row", range(1, 1 + next(iter(lengths.values())))))
    if not isinstance(whole, list):
        fix = "Write [{...}, {...}], or an object a line with the suffix .jsonl."
        raise DataError(name, "be a list of objects or an object of lists", kind(whole), fix)
    rows = [_object(row, f"{name}: row {number}") for number, row in enumerate(whole, 1)]
    return Table(_columns(rows, name), Places.of(f"{name}: row", range(1, 1 + len(rows))))


def parsed(text: str, place: str) -> Any:
    """What a JSON text says.

    Raises:
        DataError: it is none.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{place}: " + (f"line {error.lineno}, " if "\n" in text else "")
        fix = "Look there: a comma, a quotation mark or a bracket may be missing."
        raise DataError(f"{where}column {error.colno}", "be JSON", error.msg, fix) from error
    except (ValueError, RecursionError) as error:
        fix = "Write shorter numbers and fewer brackets."
        raise DataError(place, "be JSON that can be read", type(error).__name__, fix) from error


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _object(row: Any, place: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        fix = 'Write {"text": ..., "label": ...}, with the names of your columns.'
        raise DataError(place, "be an object", kind(row), fix)
    return row


def _columns(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Column]:
    keys = dict.fromkeys(key for row in rows for key in row)
    if not keys:
        raise DataError(name, "have rows", "none" if not rows else "empty objects", "Name a file with data.")
    return {key: [row.get(key) for row in rows] for key in keys}
