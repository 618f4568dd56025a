"""The journal of a run: ``metrics.jsonl``, a row of numbers a line, added to and rewritten only by `cut`.

Every line ends with a ``check``, the CRC-32 of the row's text before it, so that a damaged number is noticed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unrolled import storage
from unrolled.errors import RunError

_CHECKED = re.compile(rb'(?P<row>\{.*), "check": "(?P<check>[0-9a-f]{8})"\}')


class Journal:
    """The rows of one file; it need not be there yet.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     journal = Journal(Path(folder) / "metrics.jsonl")
        ...     for update in (10, 20, 30):
        ...         journal.append({"update": update, "loss": 1 / update})
        ...     journal.cut(after=20)
        ...     journal.rows()
        [{'update': 10, 'loss': 0.1}, {'update': 20, 'loss': 0.05}]
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, Any]) -> None:
        """Adds a row, for others to read at once; NaN and infinity, which JSON has not, become null.

        Raises:
            StorageError: the disk is full, or will not take it; no part of the row is left.
        """
        text = json.dumps({name: _finite(value) for name, value in row.items()}, allow_nan=False)
        line = f'{text[:-1]}, "check": "{zlib.crc32(text[:-1].encode()):08x}"}}\n'.encode()
        size = self.path.stat().st_size if self.path.exists() else None
        try:
            with self.path.open("ab") as file:
                file.write(line)
        except OSError as error:
            with contextlib.suppress(OSError):
                self.path.unlink() if size is None else os.truncate(self.path, size)
            raise storage.refusal(self.path, error) from error

    def sync(self) -> None:
        """Has all rows on the disk, not only in the system's memory; before a checkpoint that follows them.

        Raises:
            StorageError: the disk will not take them.
        """
        try:
            with contextlib.suppress(FileNotFoundError), self.path.open("rb+") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise storage.refusal(self.path, error) from error

    def cut(self, after: int) -> None:
        """Takes away what is later than an update: rows of a larger ``update``, and one cut short by a kill.

        With them go rows that are ``passing``: of an evaluation where it was stopped, which is not repeated.

        Raises:
            RunError: a row is damaged.
            StorageError: the disk is full, or will not take it; all rows are there still.
        """
        contents = self._contents()
        rows = self._lines(contents)
        kept = b"".join(
            line + b"\n" for line, row in rows if row.get("update", after) <= after and not row.get("passing")
        )
        if kept != contents:
            with storage.replacing(self.path) as file:
                file.write(kept)

    def rows(self) -> list[dict[str, Any]]:
        """All rows, first to last, without one that a kill cut short.

        Raises:
            RunError: a row is damaged.
        """
        return [row for _, row in self._lines(self._contents())]

    def _contents(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""

    def _lines(self, contents: bytes) -> list[tuple[bytes, dict[str, Any]]]:
        """Every line without its end, and its row without the check."""
        *lines, last = contents.split(b"\n")
        rows = [(line, _row(line)) for line in lines]
        if _row(last) is not None or _row(last[:-1]) is not None:  # whole, or whole but for a damaged end
            rows.append((last, _row(last)))
        for number, (line, row) in enumerate(rows, 1):
            if row is None:
                rule, got = "be as it was written", f"{line[:60].decode(errors='replace')!r}"
                fix = "Put back a copy of the file, or delete that line."
                raise RunError(f"journal: line {number} of {self.path}", rule, got, fix)
        return [(line, row) for line, row in rows if row is not None]


def _row(line: bytes) -> dict[str, Any] | None:
    """The row of a line, None if that is damaged."""
    found = _CHECKED.fullmatch(line)
    if not found or int(found["check"], 16) != zlib.crc32(found["row"]):
        return None
    return json.loads(found["row"] + b"}")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
