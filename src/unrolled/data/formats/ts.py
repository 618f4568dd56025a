"""The ``.ts`` files of the archives of time series: a sequence a line, its channels parted by colons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.formats.options import Options
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError


def read(text: str, name: str, options: Options) -> Table:
    """The sequences as column x, a `Ragged` ``[N, I]``, and where the file has labels, these as column label.

    What is missing (``?``) is NaN.

    Source: the format's description at timeseriesclassification.com; time stamps are not read.

    Raises:
        DataError: no ``@data``, time stamps, a number or a label that cannot be one, or channels of different
            number or length.
    """
    del options
    lines = text.split("\n")
    facts, begin = _header(lines, name)
    kind = _kind_of_label(facts)
    rows = [(i, line) for i, line in enumerate(lines[begin:], begin + 1) if line.strip() and line[0] != "#"]
    if not rows:
        raise DataError(name, "have a sequence after @data", "none", "Name a file with data in it.")
    sequences: list[NDArray[np.float64]] = []
    labels: list[Any] = []
    allowed = facts.get("@classlabel", [])[1:]
    for number, line in rows:
        place = f"{name}: line {number}"
        channels = line.strip().split(":")
        if kind:
            labels.append(_label(channels.pop().strip(), kind, allowed, place))
        sequence = _sequence(channels, place)
        if sequences and sequence.shape[1] != sequences[0].shape[1]:
            rule = f"have {sequences[0].shape[1]} channels, as the sequences before it"
            raise DataError(place, rule, sequence.shape[1], "Part the channels by colons.")
        sequences.append(sequence)
    columns: dict[str, Column] = {"x": Ragged.of(sequences)}
    if kind:
        columns["label"] = labels
    return Table(columns, Places.of(f"{name}: line", (number for number, _ in rows)))


def _header(lines: Sequence[str], name: str) -> tuple[dict[str, list[str]], int]:
    """What the lines with @ say, by their first words in small letters; and where the data begin."""
    facts: dict[str, list[str]] = {}
    for i, line in enumerate(lines):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].lower() == "@data":
            if facts.get("@timestamps", ["false"])[:1] == ["true"]:
                fix = "Save the values alone, one after the other."
                raise DataError(name, "have values without time stamps", "@timeStamps true", fix)
            return facts, i + 1
        if not words[0].startswith("@"):
            fix = "Name a .ts file; one begins with @problemName and has @data before its sequences."
            raise DataError(f"{name}: line {i + 1}", "begin with # or @ before @data", line[:40], fix)
        facts[words[0].lower()] = words[1:]
    raise DataError(name, "have a line @data", "none", "Name a .ts file, or fetch it again.")


def _kind_of_label(facts: dict[str, list[str]]) -> str:
    for kind in ("class", "target"):
        if [word.lower() for word in facts.get(f"@{kind}label", [])[:1]] == ["true"]:
            return kind
    return ""


def _label(text: str, kind: str, allowed: Sequence[str], place: str) -> Any:
    if kind == "target":
        numbers = _values(text, f"{place}, target")
        if len(numbers) != 1:
            raise DataError(place, "end with one number", len(numbers), "Write a colon before the target.")
        return float(numbers[0])
    if not text or (allowed and text not in allowed):
        rule = f"end with one of the labels {', '.join(allowed)}" if allowed else "end with a label"
        raise DataError(place, rule, repr(text[:40]), "Correct it, or name the label in @classLabel.")
    return text


def _sequence(channels: Sequence[str], place: str) -> NDArray[np.float64]:
    """``[T, I]`` of the lists of its channels."""
    if not channels:
        fix = "Write the values, a colon, and the label."
        raise DataError(place, "have values before its label", "a label alone", fix)
    arrays = [_values(channel, f"{place}, channel {i}") for i, channel in enumerate(channels, 1)]
    for i, array in enumerate(arrays, 1):
        if len(array) != len(arrays[0]):
            rule = f"have {len(arrays[0])} values, as the first channel"
            fix = "Fill in what is missing with a question mark."
            raise DataError(f"{place}, channel {i}", rule, len(array), fix)
    return np.stack(arrays, axis=1)


def _values(channel: str, place: str) -> NDArray[np.float64]:
    cells = channel.replace("?", "nan").split(",") if channel.strip() else []
    try:
        return np.array(list(map(float, cells)), np.float64)
    except ValueError as error:
        got = f"{error}"[-50:]
        raise DataError(place, "hold numbers", got, "Write ? where one is missing.") from error
