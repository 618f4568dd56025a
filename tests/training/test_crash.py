"""A training killed at random moments and resumed each time ends as one that was never killed, to the bit.

``make crash`` kills 50 times. Half of the kills fall into the writing of a file.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.training.runs import same
from unrolled import storage
from unrolled.training import checkpoint
from unrolled.training.run_folder import PARENT, RunFolder

KILLS = int(os.environ.get("UNROLLED_KILLS", "3"))
A_RUN = 5
"""Kills that one run survives before it is compared."""

OPTIONS = (
    "hidden=12 layers=2 batch=8 length=16 epochs=1 evaluate_every=40 sample=0 threads=1 seed=3 average=0.9 "
    "dropout_layers=0.2 dropout_steps=0.1 checkpoint_every=0.001"
)


class Trainer:
    """Starts trainings of one text, in processes of their own, and kills them."""

    def __init__(self, folder: Path) -> None:
        self.runs, self.text = folder / "runs", folder / "text.txt"
        draw = random.Random(1)
        words = ["".join(draw.choices("abcdefgh", k=draw.randint(2, 6))) for _ in range(50)]
        self.text.write_text(" ".join(draw.choices(words, k=4000)))

    def start(self, name: str, kills: int) -> subprocess.Popen[str]:
        """Begins a run, or goes on with it if it was killed."""
        begin = ["train", "lm", str(self.text), "--name", name, *OPTIONS.split()]
        command = [sys.executable, "-m", "unrolled", *(["resume", name] if kills else begin)]
        environment = {**os.environ, PARENT: str(self.runs), "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment)

    def finish(self, name: str, kills: int) -> RunFolder:
        """The run, trained to its end."""
        with self.start(name, kills) as process:
            words, _ = process.communicate()
            assert process.returncode == 0, words
        return RunFolder(self.runs / name)

    def kill(self, name: str, kills: int, moment: float, at_a_write: bool) -> bool | None:
        """Kills a run a moment after it has begun, or at the next write after that.

        Gives whether a file was half-written, or None where the run came to its end before.
        """
        folder = self.runs / name
        with self.start(name, kills) as process:
            while not RunFolder(folder).training() and process.poll() is None:
                time.sleep(0.005)
            time.sleep(moment)
            while at_a_write and not half_written(folder) and process.poll() is None:
                pass
            ended = process.poll()
            process.kill()
            words, _ = process.communicate()
        assert ended in (None, 0), words
        return None if ended == 0 else half_written(folder)


def half_written(folder: Path) -> bool:
    return any(list(place.glob("*" + storage.ASIDE)) for place in (folder, folder / "last"))


def timeless(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a run tells of itself, but for the time it took."""
    return {
        key: timeless(value) if isinstance(value, Mapping) else value
        for key, value in row.items()
        if key != "seconds"
    }


def names(folder: RunFolder) -> Sequence[str]:
    return sorted(path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*"))


def agree(killed: RunFolder, never: RunFolder) -> None:
    """Whether two runs left the same weights, numbers and state, bit for bit, and no file more."""
    assert names(killed) == names(never)
    for path in sorted(never.path.glob("*.safetensors")):
        assert (killed.path / path.name).read_bytes() == path.read_bytes(), path.name
    rows = [[timeless(row) for row in run.journal.rows()] for run in (killed, never)]
    assert rows[0] == rows[1]
    mine, other = (checkpoint.read_newest(run.last, run.covers_with_data) for run in (killed, never))
    assert same(mine.tensors, other.tensors)
    assert timeless(mine.facts) == timeless(other.facts)


def test_killed_and_resumed_is_never_killed(tmp_path: Path):
    trainer, draw = Trainer(tmp_path), random.Random(0)
    never = trainer.finish("never", 0)
    seconds = never.last.joinpath(checkpoint.NEWEST).stat().st_mtime - never.config.stat().st_mtime
    kills = halves = runs = 0
    while kills < KILLS:
        name, survived = f"killed-{runs}", 0
        while survived < min(A_RUN, KILLS - kills):
            moment = draw.uniform(0, 2 * seconds / A_RUN)
            half = trainer.kill(name, survived, moment, at_a_write=2 * halves <= kills + survived)
            if half is None:
                break
            survived, halves = survived + 1, halves + half
        agree(trainer.finish(name, survived), never)
        kills, runs = kills + survived, runs + 1
    print(f"{kills} kills of {runs} runs, {halves} inside a write")
    assert halves >= KILLS // 2
