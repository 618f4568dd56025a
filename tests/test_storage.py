"""A file is the old one or the new at every moment, and a disk that refuses leaves nothing half-written."""

import errno
import os
from pathlib import Path

import pytest

from tests.disk import faulty, limited
from unrolled import storage
from unrolled.errors import OptionError, StorageError


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


def test_every_call_may_fail(tmp_path: Path):
    path, previous = tmp_path / "file", tmp_path / "before"
    storage.write(path, "0")
    assert outcome(path, previous, "1") == ""
    with faulty(0) as faults:
        assert outcome(path, previous, "2") == ""
    calls = ["write", "flush", "fsync", "link", "replace", "replace", "fsync"]
    assert faults.names == calls
    for failing, call in enumerate(calls, 1):
        old, new = path.read_text(), f"new {failing}"
        with faulty(failing):
            words = outcome(path, previous, new)
        assert names(tmp_path) == {"file", "before"}
        if call == "link":  # a copy does for it
            assert (words, path.read_text(), previous.read_text()) == ("", new, old)
        else:
            assert "file must be written; got no space left on device. Make room there" in words
            assert path.read_text() == (old if failing <= 5 else new)


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
    with limited(limit), pytest.raises(StorageError, match=r"got file too large\. Make room there"):
        storage.write(tmp_path / "file", "x" * 100_000)
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
