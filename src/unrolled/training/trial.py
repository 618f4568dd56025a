"""Trials before a training: a few updates of everything, or one batch learned by heart. Nothing is kept."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from math import log
from pathlib import Path
from time import perf_counter

from msgspec import structs

from unrolled import config as configs
from unrolled.config import LanguageModelConfig
from unrolled.data import Streams
from unrolled.errors import UnrolledError
from unrolled.report.training import Display, Progress
from unrolled.tasks import sampling
from unrolled.training import keeping, language_model
from unrolled.training.learner import Learner
from unrolled.training.run_folder import RunFolder

DRY_UPDATES = 4
"""Updates of a dry run."""

BY_HEART, MOST_UPDATES = 0.1, 3000
"""Loss in nats a token at which a batch counts as learned, and updates after which it counts as not."""


@dataclass(frozen=True)
class Trial:
    """What a trial showed.

    Units: ``loss`` in nats a token; of a dry run, on the held-out slice.
    """

    updates: int
    loss: float
    shown: str

    def __str__(self) -> str:
        return self.shown


def dry_run(config: LanguageModelConfig, display: Display) -> Trial:
    """Reads all the text, trains a few updates, evaluates, saves, loads and writes, in a folder that goes.

    Raises:
        UnrolledError: whatever a training would raise.
    """
    with tempfile.TemporaryDirectory() as parent, display:
        brief = structs.replace(config, budget=0.0, patience=0)
        folder = RunFolder.create(configs.dumps(brief), "dry-run", Path(parent))
        with language_model.begun(brief, folder, heard=display.reading) as course:
            facts = [fact for fact in course.facts() if fact[0] != "saved in"]
            display.begin(facts, unit=language_model.unit_of(config))
            course.learner.position.updates = DRY_UPDATES
            outcome = course.run(display)
        kept = keeping.load(folder)
        sampling.sample(kept.model, kept.tokenizer, 20, config.seed)
    shown = "The dry run is through: training, evaluating, judging, saving, loading and writing work."
    return Trial(outcome.updates, outcome.valid_loss, shown)


def overfit(config: LanguageModelConfig, display: Display) -> Trial:
    """Learns one batch by heart, without dropout and at a constant rate: what cannot do that has a mistake.

    Which stream it is cannot be known from its first tokens: the loss may stay at log(batch) / T.

    Raises:
        UnrolledError: the loss stays above `BY_HEART` and what cannot be known.
    """
    off = {name: 0.0 for name in config.fields() if name.startswith("dropout_")}
    plain = structs.replace(
        config, **off, weight_decay=0.0, average=0.0, warmup=0, schedule="constant", memoryless=False
    )
    with language_model.begun(plain, None) as course, display:
        whole = course.learner.streams
        one = course.corpus.train[: whole.batch * whole.length + 1]
        streams = Streams(one, whole.batch, whole.length)
        learner = Learner(plain, course.tokenizer.size, streams)
        learner.position.updates = MOST_UPDATES
        enough = BY_HEART + log(whole.batch) / whole.length
        display.begin(
            [("task", "one batch by heart"), ("batch", f"{whole.batch} x {whole.length} tokens")],
            "unrolled train lm --overfit",
        )
        loss = _learned(learner, enough, display)
    if loss > enough:
        raise UnrolledError(
            "train lm --overfit: the loss of one batch",
            f"fall below {enough:.3f} nats a token within {MOST_UPDATES:,} updates",
            f"{loss:.3f}",
            f"Try another rate: --learning-rate {config.learning_rate * 2:g}, or more units: "
            f"--hidden {config.hidden * 2}.",
        )
    updates = learner.position.update
    return Trial(
        updates, loss, f"One batch is known by heart after {updates:,} updates: {loss:.3f} nats a token."
    )


def _learned(learner: Learner, enough: float, display: Display) -> float:
    """Trains until the loss is low enough, or never; gives it."""
    at, begun, loss = learner.position, perf_counter(), float("inf")
    while loss > enough and at.update < MOST_UPDATES:
        means = learner.step().means()
        loss, pace = means["loss"], (perf_counter() - begun) / at.update
        display.progress(
            Progress(
                at.update, MOST_UPDATES, at.update, MOST_UPDATES, learner.tokens / pace,
                rate=learner.rate, seconds_left=(MOST_UPDATES - at.update) * pace, **means,
            )
        )  # fmt: skip
    return loss
