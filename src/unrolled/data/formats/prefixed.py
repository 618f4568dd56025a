"""Lines that begin with their label: ``LOC:city What county is Modesto in ?``."""

from __future__ import annotations

import re

from unrolled.data.formats.options import Options
from unrolled.data.tables import Places, Table
from unrolled.errors import DataError

LINE = re.compile(r"(?P<label>[A-Z]+):(?P<fine>\w+)\s+(?P<text>\S.*)")


def read(text: str, name: str, options: Options) -> Table:
    """The lines as columns text, label (what stands before the colon) and fine (both, with the colon).

    Raises:
        DataError: no line, or one that does not begin so.
    """
    del options
    lines = [(i, line.strip()) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
    matches = [LINE.fullmatch(line) for _, line in lines]
    for (number, line), match in zip(lines, matches, strict=True):
        if not match:
            fix = "Write COARSE:fine, a blank, and the text."
            raise DataError(f"{name}: line {number}", "begin with its label", repr(line[:40]), fix)
    found = [match for match in matches if match]
    if not found:
        raise DataError(name, "have lines", "an empty file", "Name a file with data in it.")
    columns = {
        "text": [match["text"] for match in found],
        "label": [match["label"] for match in found],
        "fine": [f"{match['label']}:{match['fine']}" for match in found],
    }
    return Table(columns, Places.of(f"{name}: line", (number for number, _ in lines)))
