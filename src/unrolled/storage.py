"""How a file is written: aside, synced, renamed; its name is that of the old or the new, never of a half."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from unrolled.errors import StorageError

ASIDE = ".part"
"""What ends the name of a file that is being written; only a killed process leaves one behind."""

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


@contextlib.contextmanager
def replacing(path: Path, previous: Path | None = None) -> Generator[BinaryIO]:
    """A file to write into that takes the place of ``path`` once its block ends well.

    After an error, an interrupt or a kill, the file that was there is there still, and complete. It is on the
    disk, not only in the system's memory, before it bears its name. The file that is replaced is kept as
    ``previous``, or thrown away where that is None.

    Raises:
        StorageError: the disk is full, or will not take it; nothing is left of what was written.
    """
    aside = beside(path)
    kept = beside(previous) if previous else None
    try:
        with aside.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if kept and path.exists():
            _duplicate(path, kept)
        aside.replace(path)
        if kept and previous and kept.exists():
            kept.replace(previous)
        _sync(path.parent)
    except BaseException as error:
        for stray in (aside, kept):
            if stray:
                with contextlib.suppress(OSError):
                    stray.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, StorageError):
            raise refusal(path, error) from error
        raise


def write(path: Path, contents: str) -> None:
    """Writes a small file whole, as `replacing` does.

    Raises:
        StorageError: the disk is full, or will not take it.
    """
    with replacing(path) as file:
        file.write(contents.encode())


def mode(path: Path) -> int:
    """What lies at a path, as `os.stat` says it in ``st_mode``; 0 where nothing does, or by its name could.

    Raises:
        OSError: it may not be looked at.
    """
    try:
        return path.stat().st_mode
    except ValueError:  # a zero byte
        return 0
    except OSError as error:
        if error.errno in _ABSENT:
            return 0
        raise


def beside(path: Path) -> Path:
    """The name under which ``path`` is written before it is complete."""
    return path.with_name(path.name + ASIDE)


def sweep(folder: Path) -> None:
    """Removes what a killed process left half-written in a folder; only for who holds its lock."""
    for stray in folder.glob("*" + ASIDE):
        stray.unlink(missing_ok=True)


def refusal(path: Path, error: OSError) -> StorageError:
    """The error that says why a file could not be written, and what to do."""
    fix = "See to the disk and to who may write there"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        fix = "Make room there"
    got = (error.strerror or str(error)).lower()
    return StorageError(f"saving: {path}", "be written", got, f"{fix}; what stood there before is unharmed.")


def _duplicate(path: Path, other: Path) -> None:
    """Gives a file a second name, or where the file system knows no links, a copy."""
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def _sync(folder: Path) -> None:
    """Has the names in a folder on the disk; Windows has them there by itself and opens no folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
