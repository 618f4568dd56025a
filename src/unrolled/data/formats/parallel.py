"""Two files whose lines go together: texts and their labels, or sentences and their translations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unrolled.data import reading
from unrolled.data.formats.options import Options
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError


def read(paths: Sequence[str | Path], options: Options) -> Table:
    """The lines of each file as a column, by the names of the options or by 1, 2, ....

    Places are lines of the first file; the others have theirs in the same lines.

    Raises:
        DataError: files of different length, or without a line, or another number of names than of files.
    """
    names = options.names or tuple(str(i) for i in range(1, len(paths) + 1))
    if len(names) != len(paths):
        got = f"{len(names)} for {len(paths)} files"
        raise DataError("parallel files", "have a name each", got, "Name as many: --names.")
    columns: dict[str, Column] = {}
    for name, path in zip(names, map(Path, paths), strict=True):
        text = reading.decoded(reading.contents(path), path, options.encoding)
        columns[name] = text.removesuffix("\n").split("\n") if text else []
    lengths = [len(column) for column in columns.values()]
    for path, length in zip(paths[1:], lengths[1:], strict=True):
        if length != lengths[0]:
            rule = f"have {lengths[0]} lines, as {paths[0]}"
            last = min(length, lengths[0])
            fix = f"Look where they part: line {last} is the last that both have."
            raise DataError(str(path), rule, length, fix)
    if not lengths or not lengths[0]:
        raise DataError("parallel files", "have lines", "none", "Name files with data in them.")
    return Table(columns, Places.of(f"{paths[0]}: line", range(1, 1 + lengths[0])))
