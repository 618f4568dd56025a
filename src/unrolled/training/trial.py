"""Trials before a training: a few updates of everything, or one batch learned by heart. Nothing is kept."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from msgspec import structs

from unrolled import config as configs
from unrolled.config import Config
from unrolled.errors import UnrolledError
from unrolled.report.training import Display, Progress
from unrolled.tasks import TASKS
from unrolled.training import keeping
from unrolled.training import trainer as trainers
from unrolled.training.learner import Learner
from unrolled.training.run_folder import RunFolder

DRY_UPDATES, DRY_TOKENS = 4, 4000
"""Updates of a dry run, and tokens of each part that it judges."""

MOST_UPDATES = 3000
"""Updates after which a batch counts as not learned by heart."""


@dataclass(frozen=True)
class Trial:
    """What a trial showed.

    Units: ``loss`` as the task has it; of a dry run, on the held-out slice.
    """

    updates: int
    loss: float
    shown: str

    def __str__(self) -> str:
        return self.shown


def dry_run(config: Config, display: Display) -> Trial:
    """Reads all the data, trains a few updates, judges a little, saves, loads and uses it; nothing stays.

    Raises:
        UnrolledError: whatever a training would raise.
    """
    with tempfile.TemporaryDirectory() as parent, display:
        brief = structs.replace(config, budget=0.0, patience=0)
        folder = RunFolder.create(configs.dumps(brief), "dry-run", Path(parent))
        with trainers.begun(brief, folder, heard=display.reading) as trainer:
            facts = [fact for fact in trainer.facts() if fact[0] != "saved in"]
            display.begin(facts, trainer.task.terms, f"unrolled train {config.task}")
            trainer.task.shorten(DRY_TOKENS)
            trainer.learner.position.updates = DRY_UPDATES
            outcome = trainer.run(display)
        TASKS[config.task].rehearse(keeping.load(folder))
    shown = "The dry run is through: training, evaluating, judging, saving, loading and using it work."
    return Trial(outcome.updates, outcome.valid_loss, shown)


def overfit(config: Config, display: Display) -> Trial:
    """Learns one batch by heart, without dropout and at a constant rate: what cannot do that has a mistake.

    Raises:
        UnrolledError: the loss stays above what the task calls known by heart.
    """
    off = {name: 0.0 for name in config.fields() if name.startswith("dropout_")}
    plain = structs.replace(
        config, **off, weight_decay=0.0, average=0.0, warmup=0, schedule="constant", memoryless=False
    )
    where = f"train {config.task} --overfit"
    with trainers.begun(plain, None) as trainer, display:
        objective, enough = trainer.task.by_heart()
        learner = Learner(objective)
        learner.position.updates = MOST_UPDATES
        of = trainer.task.terms.loss
        display.begin([("task", "one batch by heart")], trainer.task.terms, f"unrolled {where}")
        loss = _learned(learner, enough, display)
    if loss > enough:
        raise UnrolledError(
            f"{where}: the loss of one batch",
            f"fall below {enough:.3f} {of} within {MOST_UPDATES:,} updates",
            f"{loss:.3f}",
            f"Try another rate: --learning-rate {config.learning_rate * 2:g}, or more units: "
            f"--hidden {config.hidden * 2}.",
        )
    updates = learner.position.update
    return Trial(updates, loss, f"One batch is known by heart after {updates:,} updates: {loss:.3f} {of}.")


def _learned(learner: Learner[Any], enough: float, display: Display) -> float:
    """Trains until the loss is low enough, or never; gives it."""
    at, begun, loss = learner.position, perf_counter(), float("inf")
    while loss > enough and at.update < MOST_UPDATES:
        means = learner.step().means()
        loss, pace = means["loss"], (perf_counter() - begun) / at.update
        display.progress(
            Progress(
                at.update, MOST_UPDATES, at.update, MOST_UPDATES, learner.count / pace,
                rate=learner.rate, seconds_left=(MOST_UPDATES - at.update) * pace, **means,
            )
        )  # fmt: skip
    return loss
