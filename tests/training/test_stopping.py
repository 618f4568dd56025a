"""What is stopped where nothing trains, while it reads or judges, leaves nothing half-done and goes on."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.trainer import half_written
from unrolled import config as configs
from unrolled.config import LanguageModelConfig, override
from unrolled.data import reading
from unrolled.errors import RunError
from unrolled.tasks.language_model import LanguageModelling
from unrolled.training import checkpoint, keeping
from unrolled.training import trainer as trainers
from unrolled.training.interruption import TERMINATED, terminable
from unrolled.training.loop import Loop
from unrolled.training.run_folder import PARENT, RunFolder

SMALL = LanguageModelConfig(hidden=8, batch=4, length=16, epochs=0.5, evaluate_every=7, sample=0)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    words = np.random.default_rng(0).choice(["sea", "wind", "sail", "harbour", "gull"], 900)
    path = tmp_path / "sea.txt"
    path.write_text(" ".join(words.tolist()))
    return path


def created(tmp_path: Path, name: str, **fields: str) -> tuple[LanguageModelConfig, RunFolder]:
    config = override(SMALL, fields)
    return config, RunFolder.create(configs.dumps(config), name, tmp_path / "runs")


def test_sigterm_is_an_exception_only_where_nobody_handles_it():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, terminable():
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == TERMINATED == 143
    came: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with terminable():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == before


def test_sigterm_while_it_reads_leaves_nothing(tmp_path: Path):
    """In a process of its own: while it waits for standard input, of which it keeps a copy."""
    command = [sys.executable, "-m", "unrolled", "train", "lm", "-", "--name", "reading"]
    environment = {**os.environ, PARENT: str(tmp_path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, env=environment) as process:
        while not list(tmp_path.glob("*/once-*")) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == TERMINATED
        assert process.stdin
        process.stdin.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_what_is_stopped_while_it_judges_is_judged_by_resume(
    tmp_path: Path, text: Path, which: signal.Signals, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    config, folder = created(tmp_path, f"judged-{which.name}", sources=str(text))

    def stopped(*_: Any) -> Any:
        os.kill(os.getpid(), which)
        time.sleep(1)

    with monkeypatch.context() as patched:
        patched.setattr(LanguageModelling, "baselines", stopped)
        with pytest.raises(SystemExit if which == signal.SIGTERM else KeyboardInterrupt):
            trainers.train(config, folder)
    assert not folder.finished
    assert not folder.training()
    assert not half_written(folder.path)
    assert f"stopped; go on with it: unrolled resume {folder.name}" in caplog.text
    assert trainers.resume(folder).finished
    assert folder.finished


def test_sigterm_at_the_last_update_leaves_the_judging_to_resume(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder = created(tmp_path, "at-the-end", sources=str(text))
    evaluate = Loop._evaluate

    def at_the_end(self: Loop, *given: Any, **options: Any) -> None:
        evaluate(self, *given, **options)
        if self.learner.position.update == self.learner.position.updates:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_evaluate", at_the_end)
        outcome = trainers.train(config, folder)
    assert (outcome.finished, outcome.rows, folder.finished) == (False, (), False)
    assert trainers.resume(folder).finished


def test_a_run_begun_elsewhere_finds_its_texts(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    config, folder = created(tmp_path, "moved", sources=text.name)
    begin = LanguageModelling.begin

    def killed(*given: Any) -> Any:
        shutil.copytree(folder.path, tmp_path / "killed")  # as a kill while it reads would leave it
        return begin(*given)

    monkeypatch.setattr(LanguageModelling, "begin", killed)
    whole = trainers.train(config, folder)
    monkeypatch.setattr(LanguageModelling, "begin", begin)
    monkeypatch.chdir(tmp_path / "other")
    assert trainers.resume(RunFolder(tmp_path / "killed")).rows == whole.rows


def test_what_came_by_standard_input_is_taken_from_what_was_kept(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give() -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.read_bytes())))

    _, folder = created(tmp_path, "early", sources="-")
    with pytest.raises(
        RunError, match=r"early must have its data, which came by standard input; got no more"
    ):
        trainers.resume(folder)
    config, never = created(tmp_path, "never", sources="-")
    give()
    whole = trainers.train(config, never)
    config, folder = created(tmp_path, "killed", sources="-")
    give()
    with trainers.begun(config, folder):
        shutil.copytree(folder.path, tmp_path / "copy")  # as a kill would leave it
    again = RunFolder(tmp_path / "copy")
    assert not again.has_checkpoint
    outcome = trainers.resume(again)
    assert outcome.rows == whole.rows
    assert again.data.read_bytes() == never.data.read_bytes()


def test_best_weights_that_are_lost_are_made_up_for(
    tmp_path: Path, text: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, folder = created(tmp_path, "lost", sources=str(text))
    trainers.train(config, folder)
    contents = folder.model.read_bytes()
    folder.model.write_bytes(contents[:-1])
    with pytest.raises(
        RunError, match=r"model\.safetensors .* The newest ones, in .*last, are whole.*resume"
    ):
        keeping.load(folder)
    outcome = trainers.resume(folder)
    assert outcome.finished
    assert "model.safetensors" in caplog.text
    assert "the newest weights are judged and kept in its place" in caplog.text
    newest = checkpoint.read_newest(folder.last, folder.covers_with_data)
    weights = keeping.weights_of(keeping.load(folder).model)
    assert all(torch.equal(weight, newest.tensors[f"model.{name}"]) for name, weight in weights.items())
    (folder.path / keeping.MEMORYLESS).unlink()
    assert trainers.resume(folder).finished
    for path in folder.last.glob("*.safetensors"):
        path.unlink()
    folder.model.write_bytes(contents[:-1])
    with pytest.raises(RunError, match=r"model\.safetensors must be as unrolled wrote it.*Put back a copy"):
        keeping.load(folder)


def test_a_source_of_its_own_is_read_again(tmp_path: Path, text: Path) -> None:
    """Nothing but standard input is taken from what was kept: what is killed while it reads reads anew."""
    config, folder = created(tmp_path, "anew", sources=str(text))
    folder.write_env()
    folder.data.write_bytes(b"half")
    assert not trainers._comes_once(config)
    assert trainers.resume(folder).finished
    assert reading.digest(text) in folder.data_report.read_text()
