"""A training killed at random moments and resumed each time ends as one that was never killed, to the bit.

``make crash`` kills 50 times. Half of the kills fall into the writing of a file.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.training.runs import same
from tests.training.trainer import Trainer
from unrolled.training import checkpoint
from unrolled.training.run_folder import RunFolder

KILLS = int(os.environ.get("UNROLLED_KILLS", "3"))
A_RUN = 5
"""Kills that one run survives before it is compared."""


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


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    return Trainer(tmp_path_factory.mktemp("crash"))


@pytest.fixture(scope="module")
def never(trainer: Trainer) -> RunFolder:
    return trainer.finish("never", 0)


def test_killed_and_resumed_is_never_killed(trainer: Trainer, never: RunFolder):
    draw = random.Random(0)
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


def test_terminated_and_resumed_is_never_terminated(trainer: Trainer, never: RunFolder):
    seconds, code = trainer.ask("terminated", signal.SIGTERM)
    assert (seconds < 5, code) == (True, 0)
    agree(trainer.finish("terminated", 1), never)
