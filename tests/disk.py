"""A disk that refuses: one call at a time, or all that goes beyond a size."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Self

import pytest


class Faults:
    """The calls that change a disk, of which one fails."""

    def __init__(self, failing: int) -> None:
        self.failing, self.names = failing, list[str]()

    def count(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.count(name)
            return function(*arguments, **options)

        return counted


class Disk:
    """A file whose writes count."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._file, name)
        return self._faults.wrap(name, method) if name in ("write", "flush", "seek") else method


@contextlib.contextmanager
def faulty(failing: int) -> Generator[Faults]:
    """The disk refuses one call, counted from 1, of those by which `unrolled.storage` changes it."""
    faults = Faults(failing)
    opened = Path.open

    def opening(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = opened(path, mode, *arguments, **options)
        return file if mode in ("r", "rb") else Disk(file, faults)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", opening)
        patch.setattr(Path, "replace", faults.wrap("replace", Path.replace))
        patch.setattr(os, "fsync", faults.wrap("fsync", os.fsync))
        patch.setattr(os, "link", faults.wrap("link", os.link))
        yield faults


@contextlib.contextmanager
def limited(size: int) -> Generator[None]:
    """Files take no more than so many bytes: the system itself refuses a write, after a part of it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
