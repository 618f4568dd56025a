"""Trainings of a small text, each in a process of its own, that can be killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from unrolled import storage
from unrolled.training.run_folder import PARENT, RunFolder

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

    def ask(self, name: str, number: signal.Signals) -> tuple[float, int]:
        """Begins a run and sends it a signal after its first checkpoint.

        Gives the seconds it took to end, and its exit code.
        """
        folder = RunFolder(self.runs / name)
        with self.start(name, 0) as process:
            while not folder.has_checkpoint and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(number)
            asked = time.monotonic()
            process.communicate()
        return time.monotonic() - asked, process.returncode

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
