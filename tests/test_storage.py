"""A file is the old one or the new at every moment, and a disk that refuses leaves nothing half-written."""

import errno
import itertools
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unrolled import storage
from unrolled.errors import OptionError, StorageError


class Faults:
    """Counts the calls that change a disk, and lets one of them fail."""

    def __init__(self) -> None:
        self.calls, self.failing, self.names = 0, 0, list[str]()

    def arm(self, failing: int) -> None:
        self.calls, self.failing = 0, failing
        self.names.clear()

    def count(self, name: str) -> None:
        self.calls += 1
        self.names.append(name)
        if self.calls == self.failing:
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

    def __enter__(self) -> "Disk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._file, name)
        return self._faults.wrap(name, method) if name in ("write", "flush", "seek") else method


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Every call of `storage` that the system may refuse, counted."""
    faults = Faults()
    opened = Path.open

    def opening(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = opened(path, mode, *arguments, **options)
        return file if mode in ("r", "rb") else Disk(file, faults)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opening)
        patch.setattr(Path, "replace", faults.wrap("replace", Path.replace))
        patch.setattr(os, "fsync", faults.wrap("fsync", os.fsync))
        patch.setattr(os, "link", faults.wrap("link", os.link))
        yield faults


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def outcome(path: Path, previous: Path, contents: str) -> str:
    """What came of an attempt to write: nothing, or the error's words."""
    try:
        with storage.replacing(path, previous) as file:
            file.write(contents.encode())
    except StorageError as error:
        return str(error)
    return ""


def test_every_call_may_fail(tmp_path: Path, faults: Faults):
    path, previous = tmp_path / "file", tmp_path / "before"
    storage.write(path, "0")
    spared: list[str] = []
    for failing in itertools.count(1):
        old, new = path.read_text(), str(failing)
        faults.arm(failing)
        words = outcome(path, previous, new)
        assert names(tmp_path) <= {"file", "before"}
        if not words:
            assert path.read_text() == new
            assert previous.read_text() == old
            spared += faults.names[failing - 1 :]
        else:
            assert "file must be written; got no space left on device. Make room there" in words
            assert path.read_text() in (old, new)
        if faults.calls < failing:
            break
    assert faults.names == ["write", "flush", "fsync", "link", "replace", "replace", "fsync"]
    assert spared == ["link", "replace", "replace", "fsync"]  # a copy did for the link


def test_without_links_the_one_before_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_links(*_: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    for contents in ("1", "2", "3"):
        with storage.replacing(tmp_path / "file", tmp_path / "before") as file:
            file.write(contents.encode())
    assert (tmp_path / "before").read_text() == "2"
    assert names(tmp_path) == {"file", "before"}


@pytest.mark.parametrize("limit", [0, 1, 4095, 4096, 99_999])
def test_a_disk_that_takes_no_more(tmp_path: Path, limit: int):
    storage.write(tmp_path / "file", "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(StorageError, match=r"got file too large\. Make room there"):
            storage.write(tmp_path / "file", "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == {"file"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OptionError("a", "b", "c", "d"), SystemExit()])
def test_what_ends_the_block_goes_on_and_leaves_nothing(tmp_path: Path, error: BaseException):
    def interrupted() -> None:
        with storage.replacing(tmp_path / "file") as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)) as caught:
        interrupted()
    assert caught.value is error
    assert names(tmp_path) == set()


def test_what_a_kill_left_is_swept_away(tmp_path: Path):
    storage.write(tmp_path / "file", "whole")
    storage.beside(tmp_path / "file").write_text("half")
    storage.write(tmp_path / "file", "new")
    storage.beside(tmp_path / "other").write_text("half")
    storage.sweep(tmp_path)
    assert names(tmp_path) == {"file"}
