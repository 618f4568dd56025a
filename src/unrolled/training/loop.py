"""The loop of a training: update, look, judge, keep, until the end or until it is asked to stop."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, nan
from time import perf_counter
from typing import Any

from unrolled.config import Config
from unrolled.errors import NonFiniteError
from unrolled.report.training import Display, Evaluation, Progress
from unrolled.tasks.base import AbandonedError, Task
from unrolled.tracing import figures
from unrolled.training.interruption import Interruption
from unrolled.training.keeping import MEMORYLESS, MODEL, Keeping
from unrolled.training.learner import Learner, Sums

LOOK_EVERY = 0.2
"""Seconds between two reports to the display."""

PACE_AFTER = (2, 5, 20)
"""Updates after which a budget of time becomes a number of updates; every evaluation corrects it."""

UNKNOWN = 10**9
"""More updates than any budget of time has room for."""

ROWS_AN_EVALUATION = 10
"""Rows of the journal from one evaluation to the next."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why and where a sitting ended; ``finished`` where nothing is left to train."""

    reason: str
    finished: bool


def planned(config: Config, per_epoch: int) -> int:
    """How many updates the config asks for; with a budget, a number not yet known."""
    return UNKNOWN if config.budget else max(1, ceil(config.epochs * per_epoch))


class Loop:
    """One sitting of a training: from where the learner stands to the end.

    Raises:
        NonFiniteError: from `run`, when the loss or its gradient is no finite number; what was kept stays.
    """

    def __init__(self, learner: Learner[Any], task: Task[Any], keeping: Keeping, display: Display) -> None:
        self.learner, self.task = learner, task
        self.keeping, self.display, self.config = keeping, display, learner.config
        self._watched = task.watched()
        self._begun = perf_counter() - learner.position.seconds
        self._looked = self._saved = perf_counter()
        self._sitting, self._seen, self._count = perf_counter(), Sums(), 0

    def run(self) -> Ending:
        """Trains to the end; evaluates and saves wherever it stops."""
        learner, at = self.learner, self.learner.position
        at.updates = at.updates or planned(self.config, learner.objective.updates_per_epoch)
        with Interruption() as asked:
            if not at.update:
                self._save()
            if at.evaluation_due:
                self._evaluate(asked)
            while not (ending := self._ending(asked)):
                sums = learner.step()
                at.seconds = perf_counter() - self._begun
                if not isfinite(sums.loss + sums.norm):
                    raise self._diverged()
                if self.config.budget and at.update in PACE_AFTER:
                    self._plan()
                self._look(sums)
                if at.update % self._row_every() == 0:
                    self._row()
                if at.update % self._evaluate_every() == 0 or at.update == at.updates:
                    self._evaluate(asked)
                if perf_counter() - self._saved >= self.config.checkpoint_every:
                    self._save()
            if ending.finished and at.since_evaluation.updates and not at.evaluation_due:
                self._evaluate(asked)
            if at.evaluation_due:
                ending = Ending("asked to end at once", False)
            if asked.deadline and ending.finished:
                ending = Ending("asked to end at once", False)  # to judge it would take too long
            self._save()
            if not ending.finished and at.since_evaluation.updates and not at.evaluation_due:
                self._evaluate(asked, passing=True)
        return ending

    def _ending(self, asked: Interruption) -> Ending | None:
        """Why to stop now, if there is a reason."""
        config, at = self.config, self.learner.position
        if at.update >= at.updates:
            return Ending("all updates done", True)
        if config.budget and at.seconds >= config.budget:
            return Ending("the time is up", True)
        if config.patience and at.evaluations_since_best >= config.patience:
            return Ending(f"no better for {config.patience} evaluations", True)
        return Ending("asked to stop", False) if asked.to_stop else None

    def _plan(self) -> None:
        """Makes updates of the time that is left, at the pace so far, evaluations included."""
        at = self.learner.position
        left = max(0.0, self.config.budget - at.seconds)
        at.updates = at.update + max(1, int(left * at.update / at.seconds))

    def _evaluate_every(self) -> int:
        return self.task.evaluation_interval(self.learner.position.updates)

    def _row_every(self) -> int:
        return max(1, self._evaluate_every() // ROWS_AN_EVALUATION)

    def _epoch(self) -> float:
        return self.learner.position.update / self.learner.objective.updates_per_epoch

    def _look(self, sums: Sums) -> None:
        """Tells the display, a few times a second."""
        at, seen = self.learner.position, self._seen
        seen.add(sums.loss, sums.norm, bool(sums.clipped))
        self._count += self.learner.count
        if perf_counter() - self._looked < LOOK_EVERY:
            return
        self._looked = perf_counter()
        left = (at.updates - at.update) * at.seconds / at.update
        if self.config.budget:
            left = min(left, max(0.0, self.config.budget - at.seconds))
        per_epoch = self.learner.objective.updates_per_epoch
        self.display.progress(
            Progress(
                at.update, at.updates, self._epoch(), at.updates / per_epoch,
                self._count / (perf_counter() - self._sitting), rate=self.learner.rate, seconds_left=left,
                **seen.means(),
            )
        )  # fmt: skip
        self._seen = Sums()

    def _row(self) -> None:
        at = self.learner.position
        self.keeping.row(
            {"update": at.update, "epoch": self._epoch(), **at.since_row.means(), "rate": self.learner.rate}
        )
        at.since_row = Sums()

    def _evaluate(self, asked: Interruption, passing: bool = False) -> None:
        """Judges the weights on the held-out slice, keeps them if they are the best, and shows a sample.

        SIGTERM leaves no time for that: it stays due. A ``passing`` one comes after all is saved, for whoever
        stops here; what goes on from there knows nothing of it.
        """
        learner, at, config, twin = self.learner, self.learner.position, self.config, self.learner.twin
        task, in_haste = self.task, lambda: asked.deadline is not None
        at.evaluation_due = not passing
        try:
            score = task.judge(learner.model, "valid", in_haste)
            without = task.judge(twin.judged, "valid", in_haste, memoryless=True) if twin else None
        except AbandonedError:
            return
        valid = score.loss
        best, since = score.criterion < at.best, at.since_evaluation
        train = since.means()["loss"] if since.updates else nan  # none after best weights were lost
        at.since_evaluation, at.evaluation_due = Sums(), False
        if best:
            at.best, at.valid_loss = score.criterion, valid
            at.best_update, at.evaluations_since_best = at.update, 0
            self.keeping.best(MODEL, learner.model, {"update": at.update, "valid_loss": valid}, passing)
        else:
            at.evaluations_since_best += 1
            if config.schedule == "plateau":
                at.plateau *= config.decay
        if twin and without and without.criterion < at.memoryless_best:
            at.memoryless_best = without.criterion
            facts = {"update": at.update, "valid_loss": without.loss, "unit": task.terms.loss}
            self.keeping.best(MEMORYLESS, twin.judged, facts, passing)
        row = {"train_loss": train, "valid_loss": valid, **score.values, "best": best}
        seen = {"figures": figures(learner.main.model, *self._watched)} if self._watched else {}
        when = {"seconds": round(at.seconds, 3), **({"passing": True} if passing else {})}
        self.keeping.row({"update": at.update, "epoch": self._epoch(), **row, **when, **seen})
        shown = score.values[task.terms.shown.key]
        self.display.evaluation(Evaluation(at.update, self._epoch(), train, valid, shown, best))
        self.display.sample(task.sample(learner.model, at.update))
        at.seconds = perf_counter() - self._begun
        if config.budget and at.update < at.updates:
            self._plan()

    def _save(self) -> None:
        self.keeping.save(self.learner)
        self._saved = perf_counter()

    def _diverged(self) -> NonFiniteError:
        config = self.config
        fix = f"Train with a smaller learning rate (--learning-rate {config.learning_rate / 3:.1g})"
        fix += "." if config.clip else ", or clip the gradient (--clip 1)."
        return NonFiniteError(
            f"train {config.task}: the loss and its gradient at update {self.learner.position.update}",
            "be finite",
            "infinity or no number",
            fix,
        )
