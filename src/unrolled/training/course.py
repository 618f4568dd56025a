"""A training from its config to its result: the data made ready, the loop, the judgement."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from unrolled import config as configs
from unrolled.config import Config
from unrolled.report import card
from unrolled.report.training import Display
from unrolled.report.wording import clock
from unrolled.tasks import TASKS
from unrolled.tasks.base import Measure, Row, Task, parameters, unheard
from unrolled.training import room
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


class Course:
    """All that belongs to one training: task, learner, and where it is kept."""

    def __init__(self, task: Task[Any], folder: RunFolder | None) -> None:
        self.task, self.config, self.folder = task, task.config, folder
        self.learner = Learner(task.objective)
        self.keeping = Keeping(folder)

    def about(self) -> list[tuple[str, str]]:
        """What is learned, from what and by what, line by line."""
        return self.task.about(self.learner.pupil.model)

    def facts(self) -> list[tuple[str, str]]:
        """`about`, and what it will take."""
        saved = [("saved in", str(self.folder.path))] if self.folder else []
        return [
            *self.about(),
            ("memory", f"about {self.memory() / 1e6:,.0f} MB, besides torch itself"),
            ("time", self._expected()),
            *saved,
        ]

    def memory(self) -> int:
        """What an update takes, in bytes."""
        return self.task.memory(self.learner.pupil.model)

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
            text = card.card(self.folder.name, self.config, self.task.CARD, self.about(), result)
            self.folder.write_result({**asdict(outcome), "parameters": parameters(self.learner.model)})
            self.folder.write_card(text)
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
    memory: take them from the `Course`, as the estimators do.

    Raises:
        DataError: data that cannot be read, or are too few.
        NonFiniteError: the loss is no number any more.
        StorageError: the disk is full.
    """
    with display or Display(quiet=True) as shown, begun(config, folder, is_new, shown.reading) as course:
        course.begin(shown)
        with folder.resumable() if folder else nullcontext():
            return course.run(shown)


@contextmanager
def begun(
    config: Config,
    folder: RunFolder | None,
    is_new: bool = True,
    heard: Callable[[str, int], None] = unheard,
    given: Any = None,
) -> Generator[Course]:
    """A course at its beginning: the data read, and all of it written in the folder.

    ``given`` is data in Python, in place of the config's sources.

    ``heard`` is told how far the reading is. If something fails, a folder that ``is_new`` goes.

    Raises:
        DataError: data that cannot be read, are too few, or are to be learned from and judged.
        UnavailableError: it cannot fit into this machine.
    """
    with ExitStack() as stack:
        stack.enter_context(room.using(config.threads))
        if folder:
            stack.enter_context(folder.lock())
        place = folder.path if folder else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            task = TASKS[config.task].begin(config, place / "data.safetensors", heard, given)
            course = Course(task, folder)
            room.check(f"train {config.task}", course.memory())
            if folder:
                task.reader.save(folder.path / task.READER)
                folder.write_data_report(task.data_report())
                folder.write_config_json(task.description(config, task.reader, course.learner.model))
                folder.write_env()
        except BaseException:
            if folder and is_new:
                folder.discard()
            raise
        yield course


def resume(folder: RunFolder, display: Display | None = None) -> Outcome:
    """Goes on with a training where its newest good checkpoint was written; judges it if it was at its end.

    One that was killed before its first checkpoint begins again.

    Raises:
        RunError: no good checkpoint, a damaged file, or another process that trains there.
    """
    if not folder.has_checkpoint:
        return train(configs.load(folder.config), folder, display, is_new=False)
    config = configs.load(folder.config)
    with room.using(config.threads), folder.lock(), display or Display(quiet=True) as shown:
        kind = TASKS[config.task]
        course = Course(kind.reopen(config, folder.data, folder.path / kind.READER), folder)
        course.keeping.restore(course.learner)
        course.begin(shown)
        at = course.learner.position
        total = "" if at.updates == UNKNOWN else f" of {at.updates:,}"
        ended = folder.card.exists()
        going_on = f"going on after update {at.update:,}{total}"
        shown.note(f"it had ended, after update {at.update:,}; it is judged anew" if ended else going_on)
        with folder.resumable():
            return course.run(shown)
