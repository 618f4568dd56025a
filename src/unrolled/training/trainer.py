"""A training from its config to its result: the data made ready, the loop, the judgement."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from msgspec import structs

from unrolled import config as configs
from unrolled.config import Config
from unrolled.data import reading
from unrolled.errors import RunError
from unrolled.report import card, finished
from unrolled.report.training import Display
from unrolled.report.wording import clock
from unrolled.tasks import TASKS
from unrolled.tasks.base import Measure, Row, Task, parameters, unheard
from unrolled.training import room
from unrolled.training.interruption import terminable
from unrolled.training.keeping import MEMORYLESS, MODEL, Keeping
from unrolled.training.learner import Learner
from unrolled.training.loop import UNKNOWN, Ending, Loop, planned
from unrolled.training.run_folder import RunFolder

TRIAL_UPDATES = 4
"""Updates on a copy of the model, to say beforehand how long a training takes."""


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Units: seconds of training; ``rows`` are the model and what it is compared with, in the ``measures``; they
    are missing where the training was stopped, and where it was asked for none.
    """

    run: str | None
    reason: str
    finished: bool
    updates: int
    seconds: float
    valid_loss: float
    best_update: int
    unit: str
    measures: tuple[Measure, ...]
    rows: tuple[Row, ...]


class Trainer:
    """All that belongs to one training: task, learner, and where it is kept.

    Raises:
        UnavailableError: it cannot fit into this machine; nothing was allocated yet.
    """

    def __init__(self, task: Task[Any], folder: RunFolder | None) -> None:
        self.task, self.config, self.folder = task, task.config, folder
        with torch.device("meta"):  # a model of sizes without numbers
            self.memory = task.memory(task.objective.model())
        room.check(f"train {self.config.task}", self.memory)
        self.learner = Learner(task.objective)
        self.keeping = Keeping(folder, task)

    def about(self) -> list[tuple[str, str]]:
        """What is learned, from what and by what, line by line."""
        return self.task.about(self.learner.main.model)

    def facts(self) -> list[tuple[str, str]]:
        """`about`, and what it will take."""
        saved = [("saved in", str(self.folder.path))] if self.folder else []
        return [
            *self.about(),
            ("memory", f"about {self.memory / 1e6:,.0f} MB, besides torch itself"),
            ("time", self._expected()),
            *saved,
        ]

    def begin(self, display: Display) -> None:
        """Shows the box before the start."""
        title, seconds = f"unrolled train {self.config.task}", self.learner.position.seconds
        display.begin(self.facts(), self.task.terms, title, seconds)

    def _expected(self) -> str:
        """How long the training takes at the pace of a few updates on a copy."""
        config, at = self.config, self.learner.position
        if config.budget:
            left = clock(max(0.0, config.budget - at.seconds))
            return f"{left}, what is left of the budget" if at.update else f"{left}, as the budget says"
        trial = Learner(self.task.objective)
        trial.position.updates = UNKNOWN
        seconds: list[float] = []
        for _ in range(TRIAL_UPDATES):
            begun = perf_counter()
            trial.step()
            seconds.append(perf_counter() - begun)
        updates = planned(config, self.task.objective.updates_per_epoch) - at.update
        return f"about {clock(updates * median(seconds[1:]))} for {updates:,} updates"

    def run(self, display: Display) -> Outcome:
        """Trains, and judges what was best."""
        ending = Loop(self.learner, self.task, self.keeping, display).run()
        rows = self.judged(display) if ending.finished and self.task.has("test") else []
        outcome = self._outcome(ending, rows)
        if self.folder and rows:
            at = self.learner.position
            words = f"{at.update:,} updates in {clock(at.seconds)}, weights of update {at.best_update:,}"
            result = card.Result(self.task.measures, tuple(rows), words)
            self.keeping.describe(self.learner.model, result)
            journal, about = self.folder.journal.rows(), self.about()
            self.folder.write_report(
                *finished.report(self.folder.name, about, result, journal, self.task.terms)
            )
            self.folder.write_result({**asdict(outcome), "parameters": parameters(self.learner.model)})
        return outcome

    def judged(self, display: Display) -> list[Row]:
        """The best weights on the judged data, beside the baselines."""
        learner, task = self.learner, self.task
        display.note("judging on what it has not seen, beside the baselines")
        model = deepcopy(learner.model)
        self.keeping.load_best(MODEL, model)
        rows = [Row("this model", {**task.judge(model, "test").values})]
        if learner.twin:
            twin = deepcopy(learner.twin.judged)
            self.keeping.load_best(MEMORYLESS, twin)
            values = task.judge(twin, "test", memoryless=True).values
            rows.append(Row("the same without memory", {**values}, "reset at every step, trained equally"))
        rows += task.baselines()
        for finding in task.findings(rows):
            display.note(finding)
        return rows

    def _outcome(self, ending: Ending, rows: list[Row]) -> Outcome:
        at = self.learner.position
        return Outcome(
            run=str(self.folder.path) if self.folder else None,
            reason=ending.reason,
            finished=ending.finished,
            updates=at.update,
            seconds=at.seconds,
            valid_loss=at.valid_loss,
            best_update=at.best_update,
            unit=self.task.terms.unit,
            measures=self.task.measures,
            rows=tuple(rows),
        )


def train(
    config: Config,
    folder: RunFolder | None = None,
    display: Display | None = None,
    is_new: bool = True,
) -> Outcome:
    """Trains a model of the config on the data it names and judges it; in a folder, nothing of it is lost.

    Without a folder, the data are written where temporary files are, and the best weights are only in
    memory: take them from the `Trainer`, as the estimators do.

    Raises:
        DataError: data that cannot be read, or are too few.
        NonFiniteError: the loss is no number any more.
        StorageError: the disk is full.
    """
    with display or Display(quiet=True) as shown, begun(config, folder, is_new, shown.reading) as trainer:
        trainer.begin(shown)
        return trainer.run(shown)


@contextmanager
def begun(
    config: Config,
    folder: RunFolder | None,
    is_new: bool = True,
    heard: Callable[[str, int], None] = unheard,
    given: Any = None,
) -> Generator[Trainer]:
    """A trainer at its beginning: the data read, and all of it written in the folder.

    ``given`` is data in Python, in place of the config's sources.

    ``heard`` is told how far the reading is. If something fails, there or in the block, a folder that
    ``is_new`` goes, unless it holds what can be resumed or used.

    Raises:
        DataError: data that cannot be read, are too few, or are to be learned from and judged.
        RunError: another process trains there, or the data came by standard input and were not kept.
        UnavailableError: it cannot fit into this machine.
    """
    with ExitStack() as stack:
        stack.enter_context(_in_order(config, folder))
        place = folder.path if folder else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            kind = TASKS[config.task]
            if folder and is_new:
                folder.write_env()
            if folder and not is_new and _comes_once(config):
                task = _kept(config, folder)
            else:
                task = kind.begin(config, place / "data.safetensors", heard, given)
            trainer = Trainer(task, folder)
            if folder:
                task.reader.save(folder.path / task.READER)
                folder.write_data_report(task.data_report())
                folder.write_config_json(task.description(config, task.reader, trainer.learner.model))
            yield trainer
        except BaseException:
            if folder and is_new:
                folder.discard()
            raise


@contextmanager
def _in_order(config: Config, folder: RunFolder | None) -> Generator[None]:
    """What holds wherever a training is at work: its threads, its lock, and what is said of its end."""
    with room.using(config.threads), room.enough_memory(f"train {config.task}"), terminable():
        if not folder:
            yield
            return
        with folder.resumable(), folder.lock():
            yield


def _comes_once(config: Config) -> bool:
    """Whether the data, or some, came by standard input."""
    return str(reading.STDIN) in (*config.sources, *config.valid_sources, *config.test_sources)


def _kept(config: Config, folder: RunFolder) -> Task[Any]:
    """The task of data that were read and kept, in a run that had no checkpoint yet.

    Raises:
        RunError: they were not read to their end.
    """
    kind = TASKS[config.task]
    reads = folder.path / kind.READER
    if folder.data.exists() and reads.exists():
        return kind.reopen(config, folder.data, reads)
    fix = f"Give them again: unrolled train {config.task} - --config {folder.config}"
    rule = "have its data, which came by standard input"
    raise RunError(f"run: {folder.path}", rule, "no more than a part of them", fix)


def _as_started(config: Config, folder: RunFolder) -> Config:
    """The config with sources named so that they are found from this folder."""
    there = folder.started_in
    if there is None or there == Path.cwd():
        return config
    named = {
        name: tuple(source if source == str(reading.STDIN) else str(there / source) for source in sources)
        for name in ("sources", "valid_sources", "test_sources")
        if (sources := getattr(config, name))
    }
    return structs.replace(config, **named)


def resume(folder: RunFolder, display: Display | None = None) -> Outcome:
    """Goes on with a training where its newest good checkpoint was written; judges it if it was at its end.

    One that was killed before its first checkpoint begins again.

    Raises:
        RunError: no good checkpoint, a damaged file, or another process that trains there.
        UnavailableError: it cannot fit into this machine.
    """
    config = configs.load(folder.config)
    if not folder.has_checkpoint:
        return train(_as_started(config, folder), folder, display, is_new=False)
    with display or Display(quiet=True) as shown, _in_order(config, folder):
        kind = TASKS[config.task]
        trainer = Trainer(kind.reopen(config, folder.data, folder.path / kind.READER), folder)
        trainer.keeping.restore(trainer.learner)
        trainer.begin(shown)
        at = trainer.learner.position
        total = "" if at.updates == UNKNOWN else f" of {at.updates:,}"
        going_on = f"going on after update {at.update:,}{total}"
        anew = f"it had ended, after update {at.update:,}; it is judged anew"
        shown.note(anew if folder.finished else going_on)
        return trainer.run(shown)
