"""Text whose label is a name: of the folder that it lies in, or of the file that it is a line of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unrolled.data import reading
from unrolled.data.formats.options import Options
from unrolled.data.tables import Places, Table
from unrolled.errors import DataError


def classes(folder: Path, options: Options) -> Table:
    """A folder a class, ``pos/*.txt`` and ``neg/*.txt``: each file is a text, its folder the label.

    Raises:
        DataError: no folders with text in it, or a file that cannot be read.
    """
    folders = [path for path in _inside(folder) if reading.is_folder(path)]
    if not folders:
        raise DataError(str(folder), "have a folder for each class", "none", "Make one, with texts as files.")
    texts: list[str] = []
    labels: list[str] = []
    names: list[str] = []
    for one in folders:
        for path in reading.files([one], options.encoding):
            texts.append(reading.decoded(reading.contents(path), path, options.encoding))
            labels.append(one.name)
            names.append(f"{path}: line")
    return Table({"text": texts, "label": labels}, _places(names, [1] * len(names)))


def lines(folder: Path, options: Options) -> Table:
    """A file a class, ``Greek.txt`` and ``Irish.txt``: each line is a text, the file's name the label.

    Raises:
        DataError: no file of text in the folder, or one that cannot be read.
    """
    texts: list[str] = []
    labels: list[str] = []
    numbers: list[int] = []
    names: list[str] = []
    sources: list[int] = []
    for i, path in enumerate(reading.files([folder], options.encoding)):
        names.append(f"{path}: line")
        text = reading.decoded(reading.contents(path), path, options.encoding)
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                texts.append(line.strip())
                labels.append(path.name.removesuffix(".gz").removesuffix(".txt"))
                numbers.append(number)
                sources.append(i)
    if not texts:
        raise DataError(str(folder), "have lines in its files", "none", "Write an example a line.")
    places = Places(tuple(names), np.array(sources, np.int32), np.array(numbers, np.int64))
    return Table({"text": texts, "label": labels}, places)


def has_classes(folder: Path) -> bool:
    """Whether there are folders in a folder."""
    return any(map(reading.is_folder, _inside(folder)))


def _inside(folder: Path) -> list[Path]:
    return sorted(folder / name for name in reading.entries(folder) if not name.startswith("."))


def _places(names: Sequence[str], numbers: Sequence[int]) -> Places:
    return Places(tuple(names), np.arange(len(names), dtype=np.int32), np.array(numbers, np.int64))
