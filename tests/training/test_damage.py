"""Whatever happens to the files of a run, nothing wrong is loaded: each is refused by its name."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.runs import a_run, files, newest, same, tensors
from unrolled.errors import RunError, note
from unrolled.training import checkpoint
from unrolled.training.run_folder import RunFolder

READERS: dict[str, Callable[[RunFolder], object]] = {
    "config.toml": lambda run: checkpoint.read(run.model, run.covers),
    "tokenizer.json": lambda run: checkpoint.read_newest(run.last, run.covers_with_data),
    "data.safetensors": lambda run: checkpoint.read_newest(run.last, run.covers_with_data),
    "metrics.jsonl": lambda run: run.journal.rows(),
    "model.safetensors": lambda run: checkpoint.read(run.model, run.covers),
    "checkpoint.safetensors": lambda run: checkpoint.read(run.last / checkpoint.NEWEST, run.covers_with_data),
    "previous.safetensors": lambda run: checkpoint.read(run.last / checkpoint.PREVIOUS, run.covers_with_data),
}
"""Who reads each file; what of a run is not here is never read to load it."""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    note.cache_clear()
    return a_run(tmp_path)


def file_of(run: RunFolder, name: str) -> Path:
    return next(path for path in files(run) if path.name == name)


def refused(run: RunFolder, name: str) -> bool:
    """Whether reading a file fails with an error of ours that names it."""
    try:
        READERS[name](run)
    except RunError as error:
        return name in str(error).split(" must ")[0]
    return False


def test_every_file_has_a_reader(run: RunFolder):
    assert {path.name for path in files(run)} == READERS.keys()
    assert not any(refused(run, name) for name in READERS)


@pytest.mark.parametrize("name", READERS)
def test_every_flipped_bit_is_refused_by_the_name_of_the_file(run: RunFolder, name: str):
    path = file_of(run, name)
    good = path.read_bytes()
    loaded: list[tuple[int, int]] = []
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(good):
            for bit in range(8):
                file.seek(place)
                file.write(bytes([byte ^ 1 << bit]))
                if not refused(run, name):
                    loaded.append((place, bit))
            file.seek(place)
            file.write(bytes([byte]))
    assert loaded == []
    assert not refused(run, name)


@pytest.mark.parametrize("name", READERS)
def test_a_file_cut_short_or_grown_is_refused(run: RunFolder, name: str):
    path = file_of(run, name)
    good = path.read_bytes()
    lines = {size + 1 for size, byte in enumerate(good) if byte == ord("\n")} if "jsonl" in name else set()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        if "jsonl" in name:  # a row cut short is what a kill leaves: the rows before it count
            whole = sum(size + 1 >= end for end in lines)
            assert [row["update"] for row in run.journal.rows()] == list(range(1, whole + 1))
        else:
            assert refused(run, name), size
    path.write_bytes(good + b"\0")
    assert refused(run, name) or "jsonl" in name
    path.unlink()
    assert refused(run, name) or "jsonl" in name


@pytest.mark.parametrize("name", ["config.toml", "tokenizer.json", "model.safetensors"])
def test_a_file_of_another_run_is_refused(run: RunFolder, name: str, tmp_path: Path):
    other = RunFolder.create("schema = 1\n", "other", tmp_path)
    other.tokenizer.write_text('{"schema": 1, "tokens": ["<unk>", "b", "a"]}\n')
    checkpoint.write(other.model, tensors(3), {}, other.sealed)
    file_of(run, name).write_bytes(file_of(other, name).read_bytes())
    with pytest.raises(RunError, match=r"(config\.toml|tokenizer\.json) that model\.safetensors was written"):
        checkpoint.read(run.model, run.covers)


def test_a_checkpoint_without_its_config_is_refused(run: RunFolder):
    with pytest.raises(RunError, match=r"model\.safetensors must cover nothing; got config\.toml"):
        checkpoint.read(run.model, {})
    checkpoint.write(run.model, tensors(1), {}, {})
    with pytest.raises(RunError, match=r"must cover config\.toml, tokenizer\.json; got nothing"):
        checkpoint.read(run.model, run.covers)


def test_the_one_before_is_used_and_named(run: RunFolder, caplog: pytest.LogCaptureFixture):
    path = run.last / checkpoint.NEWEST
    path.write_bytes(path.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        assert newest(run) == 1
    assert "checkpoint.safetensors" in caplog.text
    assert "previous.safetensors is used" in caplog.text
    checkpoint.write_newest(run.last, tensors(2), {"update": 2}, run.sealed_with_data)
    assert newest(run) == 2


def test_without_a_good_checkpoint_both_are_named(run: RunFolder):
    for name in (checkpoint.NEWEST, checkpoint.PREVIOUS):
        (run.last / name).write_bytes(b"\0" * 1000)
    with pytest.raises(RunError, match=r"checkpoint\.safetensors: 1000 bytes.*previous\.safetensors: 1000"):
        checkpoint.read_newest(run.last, run.covers_with_data)


def test_a_file_of_another_making_is_refused(run: RunFolder):
    from safetensors.torch import save_file

    save_file(tensors(1), run.model)
    assert refused(run, "model.safetensors")
    assert same(checkpoint.read_newest(run.last, run.covers_with_data).tensors, tensors(2))
