"""What a trained tagger is given on a command line: files, standard input, or the words themselves."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unrolled.data import formats, reading
from unrolled.data.formats import Options, delimited
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Table, as_number, listed
from unrolled.errors import DataError, nearest
from unrolled.tasks.base import Kept
from unrolled.tasks.tag import sources
from unrolled.tasks.tag.frames import Frames
from unrolled.tasks.tag.network import Reader
from unrolled.tasks.tag.words import Words


def labelled(kept: Kept, files: Sequence[str]) -> Table:
    """The sentences or sequences of files, with their labels, as the model was trained on.

    Raises:
        DataError: data that cannot be read, or a column that is not there.
    """
    table = sources.read(kept.config, files)
    return sources.labelled(table, kept.reader.columns, kept.config.drop_missing)


def steps(kept: Kept, source: str) -> list[list[str]] | Ragged:
    """The sentences or sequences of a file or of standard input, or the words that the source itself is.

    Plain text is a sentence a line, its words parted by blanks.

    Raises:
        DataError: a file that cannot be read, or what is not as the model needs it.
    """
    is_file = source == "-" or reading.is_file(source) or reading.is_folder(Path(source))
    if isinstance(kept.reader, Frames):
        if not is_file:
            raise DataError(
                source, "be a file of measurements", "no file", "Name one, or - for standard input."
            )
        return checked(
            kept.reader, sources.steps_of(sources.read(kept.config, [source]), kept.reader.columns)
        )
    if not is_file:
        return checked(kept.reader, [source.split()])
    text = reading.decoded(reading.contents(Path(source)), Path(source), kept.config.encoding)
    kind = kept.config.format or formats.kind_of(source) or formats.looks_like(text)
    if kind in ("", "csv", "tsv", "prefixed"):
        lines = [line.split() for line in text.split("\n")]
        return checked(kept.reader, [words for words in lines if words])
    options = Options(kept.config.encoding, names=kept.config.names, delimiter=kept.config.delimiter)
    table = formats.FORMATS[kind].read(text, source, options)
    return checked(kept.reader, sources.steps_of(table, kept.reader.columns))


def checked(reader: Reader, x: list[list[str]] | Ragged) -> list[list[str]] | Ragged:
    """The sentences or sequences, if they are what a reader reads.

    Raises:
        DataError: words for frames or the other way, another number of features, infinity, or nothing at all.
    """
    reads = "sentences, lists of words" if isinstance(reader, Words) else "sequences of numbers"
    if isinstance(x, Ragged) == isinstance(reader, Words):
        got = "numbers" if isinstance(x, Ragged) else "words"
        raise DataError("the data", f"be {reads}, as in training", got, "Give what it was trained on.")
    lengths = [len(one) for one in x]
    if not lengths or not all(lengths):
        got = f"length 0 of number {lengths.index(0) + 1}" if lengths else "none"
        raise DataError("the data", "have steps in each sequence", got, "Leave such ones out.")
    if isinstance(x, Ragged) and isinstance(reader, Frames):
        size = int(np.prod(x.values.shape[1:]))
        if size != len(reader.mean):
            of = f": {listed(reader.features)}" if reader.features else ""
            fix = "Give those that it was trained on, in their order."
            raise DataError("the data", f"have {len(reader.mean)} features{of}", size, fix)
        if np.isinf(x.values).any():
            step = int(np.argwhere(np.isinf(x.values.reshape(len(x.values), -1)))[0][0])
            row = int(np.searchsorted(x.starts, step, side="right"))
            place = f"sequence {row}, frame {step - int(x.starts[row - 1]) + 1}"
            raise DataError(place, "be a number", "infinity", "Write nothing where a number is missing.")
    return x


def can_stream(kept: Kept) -> bool:
    """Whether frames can be labelled as they come."""
    reader = kept.reader
    return (
        isinstance(reader, Frames)
        and not (reader.bidirectional or reader.own or reader.sequence or reader.time)
        and kept.config.format in ("", "csv", "tsv")
    )


def frames(kept: Kept) -> Iterator[list[float]]:
    """The measurements of each row of standard input as it comes, of columns by name or in their order.

    Raises:
        DataError: a line that is not as the others, or as in training.
    """
    reader, text = kept.reader, (line for line in sys.stdin if line.strip())
    first = next(text, "")
    delimiter = kept.config.delimiter or delimited.sniffed(first) or ","
    size = len(reader.mean)
    names = next(csv.reader([first], delimiter=delimiter), [])
    places = [names.index(name) for name in reader.features if name in names]
    if not places and len(names) == size and all(as_number(cell) is not None for cell in names):
        places = list(range(size))
        yield _row(names, places, 1)
    elif len(places) < size:
        absent = next((name for name in reader.features if name not in names), f"{size} numbers a line")
        raise DataError(
            "standard input: line 1", f'have a column "{absent}"', listed(names), nearest(absent, names)
        )
    for number, cells in enumerate(csv.reader(text, delimiter=delimiter), 2):
        yield _row(cells, places, number)


def _row(cells: Sequence[str], places: Sequence[int], line: int) -> list[float]:
    found: list[float] = []
    for place in places:
        number = as_number(cells[place]) if place < len(cells) else None
        if number is None or np.isinf(number):
            got = repr(cells[place]) if place < len(cells) else f"{len(cells)} cells"
            fix = "Write a number, or nothing where one is missing."
            raise DataError(f"standard input: line {line}, column {place + 1}", "hold a number", got, fix)
        found.append(number)
    return found
