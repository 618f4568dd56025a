"""What the facts of a trace tell of its model's training, for whoever is to judge and change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unrolled.tasks.base import Kept
from unrolled.traces.diagnosis import Clipping, Memory
from unrolled.training import checkpoint
from unrolled.training.keeping import MEMORYLESS
from unrolled.training.run_folder import RunFolder

FIELDS = ("epochs", "budget", "learning_rate")
"""The fields of a config from which `unrolled.diagnose` proposes others."""


def told(kept: Kept, run: RunFolder | None) -> dict[str, Any]:
    """The fact ``training``: the task, its data and config, and what the run's journal and weights tell.

    Raises:
        RunError: a file of the run is damaged.
    """
    config = kept.config
    found: dict[str, Any] = {
        "task": config.task,
        "sources": list(config.sources),
        "fields": {name: getattr(config, name) for name in FIELDS},
    }
    if run is None:
        return found
    found["config"] = str(run.config)
    rows = [row for row in run.journal.rows() if "clipped" in row]
    if rows:
        found["clipped"] = Clipping.of(rows)._asdict()
    memory = worth(run, kept.facts)
    return found if memory is None else {**found, "memory": memory._asdict()}


def worth(run: RunFolder, own: Mapping[str, Any]) -> Memory | None:
    """What the network and its twin without memory lost on what was held out; None where there is no twin.

    Args:
        own: what was written beside the network's weights.

    Raises:
        RunError: the twin's weights are damaged.
    """
    if not (run.path / MEMORYLESS).exists():
        return None
    bare = checkpoint.read(run.path / MEMORYLESS, run.covers).facts
    if "unit" not in bare:  # of a version that kept what chose the weights, and not the loss
        return None
    losses = own["valid_loss"], bare["valid_loss"]
    return Memory(*losses, where="on what was held out", unit=bare["unit"])
