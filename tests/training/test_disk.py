"""A disk that is full or fails while a run is kept: a clear error, the old state whole, no stray file."""

from pathlib import Path

import pytest

from tests.disk import faulty, limited
from tests.training.runs import a_run, files, newest, tensors
from unrolled.errors import RunError, StorageError
from unrolled.training import checkpoint
from unrolled.training.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return a_run(tmp_path)


def attempt(run: RunFolder, n: int) -> str:
    """What came of writing checkpoint n: nothing, or the error's words."""
    try:
        checkpoint.write_newest(run.last, tensors(n), {"update": n}, run.sealed_with_data)
    except StorageError as error:
        return str(error)
    return ""


def test_every_call_may_fail(run: RunFolder):
    there = files(run)
    with faulty(0) as faults:
        assert attempt(run, 3) == ""
    assert faults.names.count("write") == 2 + len(tensors(0))  # header, tensors, digest
    for failing, call in enumerate(faults.names, 1):
        old, new = newest(run), 3 + failing
        with faulty(failing):
            words = attempt(run, new)
        assert files(run) == there
        if call == "link":  # a copy does for it
            assert (words, newest(run)) == ("", new)
        else:
            assert "checkpoint.safetensors must be written; got no space left" in words
            assert newest(run) in (old, new)


def test_the_disk_may_be_full_at_any_byte(run: RunFolder):
    there, size = files(run), (run.last / checkpoint.NEWEST).stat().st_size
    for limit in range(size):
        with limited(limit):
            words = attempt(run, 3)
        assert "checkpoint.safetensors must be written; got file too large. Make room there" in words
        assert files(run) == there
        assert newest(run) == 2
    with limited(size):
        assert attempt(run, 3) == ""
    assert newest(run) == 3


def test_the_first_checkpoint_may_fail_too(tmp_path: Path):
    calls = ["write"] * 5 + ["seek", "write", "flush", "fsync", "replace"]
    for failing in range(1, len(calls) + 1):
        with faulty(failing) as faults, pytest.raises(StorageError, match="best must be written"):
            checkpoint.write(tmp_path / "best", tensors(1), {}, {})
        assert faults.names == calls[:failing]
        assert list(tmp_path.iterdir()) == []


def test_rows_and_small_files_may_fail(run: RunFolder):
    there, rows = files(run), run.journal.rows()
    before = [path.read_bytes() for path in there]
    for limit in range(run.metrics.stat().st_size + 20):
        with limited(limit), pytest.raises(StorageError, match=r"metrics\.jsonl must be written"):
            run.journal.append({"update": 3, "train_loss": 0.1})
        with limited(limit % 40), pytest.raises(StorageError, match=r"metrics\.jsonl must be written"):
            run.journal.cut(after=1)
        with limited(limit % 40), pytest.raises(StorageError, match=r"README\.md must be written"):
            run.write_card("# A model of the small text, in some words\n")
    assert files(run) == there
    assert [path.read_bytes() for path in there] == before
    assert run.journal.rows() == rows


def test_rows_that_do_not_reach_the_disk(run: RunFolder):
    with faulty(1) as faults, pytest.raises(StorageError, match=r"metrics\.jsonl must be written"):
        run.journal.sync()
    assert faults.names == ["fsync"]


def test_a_run_is_locked_on_a_full_disk_too(run: RunFolder):
    with limited(0), run.lock():
        assert run.training()
        with pytest.raises(RunError, match=r"must be trained by one process; got process …"), run.lock():
            pass
    assert not run.training()


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path):
    for limit in range(20):
        with limited(limit), pytest.raises(StorageError, match=r"config\.toml must be written"):
            RunFolder.create("schema = 1\nhidden = 5\n", "new", tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="new must be written; got not a directory"):
        RunFolder.create("schema = 1\n", "new", tmp_path / "file")
