"""SIGKILL while checkpoints are written: what is read afterwards is whole, and the last that was kept."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.training.runs import same
from tests.training.writer import state
from unrolled import storage
from unrolled.training import checkpoint

KILLS = int(os.environ.get("UNROLLED_KILLS", "5"))


def killed_while_writing(folder: Path, first: int, moment: float, at_a_write: bool) -> int:
    """Kills a writer a moment after its first checkpoint, or after that in the next one's writing.

    Gives the last number that it said.
    """
    command = [sys.executable, "-m", "tests.training.writer", str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = [process.stdout.readline()]
        time.sleep(moment)
        aside = storage.beside(folder / checkpoint.NEWEST)
        while at_a_write and not aside.exists():
            assert process.poll() is None
        process.kill()
        said += process.stdout.readlines()
    return int(said[-1])


def test_what_is_read_after_a_kill_is_whole(tmp_path: Path):
    draw, first, halves = random.Random(0), 0, 0
    for kill in range(KILLS):
        said = killed_while_writing(tmp_path, first, draw.uniform(0, 0.2), at_a_write=kill % 2 == 0)
        halves += storage.beside(tmp_path / checkpoint.NEWEST).exists()
        found = checkpoint.read(tmp_path / checkpoint.NEWEST, {})
        n = found.facts["n"]
        assert said <= n <= said + 1  # it may be killed after the renaming, before it says so
        assert same(found.tensors, state(n))
        before = checkpoint.read(tmp_path / checkpoint.PREVIOUS, {}) if n else None
        assert before is None or before.facts["n"] in (n - 1, n - 2)
        first = n + 1
    assert halves, "no kill fell into the writing of a checkpoint"
    storage.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {checkpoint.NEWEST, checkpoint.PREVIOUS}
