"""Music as lists of lists of notes: what sounds at each step of each piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError

LOWEST, KEYS = 21, 88
"""MIDI numbers of the piano's lowest key, and how many keys it has."""


def are_in(whole: Any) -> TypeGuard[Mapping[str, Any] | Sequence[Any]]:
    """Whether a JSON value is pieces, lists of steps, each a list; or such pieces in parts with names."""
    parts = list(whole.values()) if isinstance(whole, dict) else [whole]
    if not all(isinstance(part, list) for part in parts):
        return False
    pieces = [piece for part in parts for piece in part]
    steps = [step for piece in pieces if isinstance(piece, list) for step in piece]
    return bool(steps) and all(isinstance(piece, list) for piece in pieces) and isinstance(steps[0], list)


def table(whole: Mapping[str, Any] | Sequence[Any], name: str) -> Table:
    """A row a piece: column x, a `Ragged` uint8 ``[N, 88]``, 1 where a key sounds; and if named, its part.

    A note may be -1, for silence.

    Raises:
        DataError: a step that is no list of notes, or a note that a piano does not have.
    """
    parts = whole if isinstance(whole, Mapping) else {"": whole}
    arrays: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    names: list[str] = []
    numbers: list[int] = []
    for part, pieces in parts.items():
        for number, piece in enumerate(pieces, 1):
            inside = f"{name}: {part} piece" if part else f"{name}: piece"
            arrays.append(_keys(piece, f"{inside} {number}"))
            labels.append(part)
            names.append(inside)
            numbers.append(number)
    known = {inside: i for i, inside in enumerate(dict.fromkeys(names))}
    source = np.array([known[inside] for inside in names], np.int32)
    columns: dict[str, Column] = {"x": Ragged.of(arrays)}
    if isinstance(whole, Mapping):
        columns["part"] = labels
    return Table(columns, Places(tuple(known), source, np.array(numbers, np.int64)))


def _keys(piece: Sequence[Any], place: str) -> NDArray[np.uint8]:
    """``[T, 88]`` of the notes of a piece."""
    roll = np.zeros((len(piece), KEYS), np.uint8)
    for step, notes in enumerate(piece):
        for note in notes if isinstance(notes, list) else [notes]:
            if note == -1:
                continue
            if type(note) is not int or not LOWEST <= note < LOWEST + KEYS:
                rule = f"be lists of MIDI notes from {LOWEST} to {LOWEST + KEYS - 1}"
                fix = "Correct it; a step without a note is []."
                raise DataError(f"{place}, step {step + 1}", rule, str(note)[:40], fix)
            roll[step, note - LOWEST] = 1
    return roll
