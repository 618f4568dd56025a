"""What all estimators share: options, fitting, the run they come from, scikit-learn's manners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import deepcopy
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Self

from msgspec import structs

from unrolled import config as configs
from unrolled.config import CONFIGS
from unrolled.errors import NotFittedError, OptionError
from unrolled.estimators.told import told
from unrolled.report import card
from unrolled.report.training import Display
from unrolled.tasks import TASKS
from unrolled.tasks.base import Kept
from unrolled.traces import Trace
from unrolled.tracing import Course, trace_course
from unrolled.training import keeping
from unrolled.training import trainer as trainers
from unrolled.training.keeping import MODEL
from unrolled.training.run_folder import RunFolder
from unrolled.training.trainer import Outcome

ITEMISED = 1000
"""Losses that are followed back one by one at most: their matrix grows with their square."""


class Estimator(ABC):
    """A model with the manners of scikit-learn: made with options, fitted to data, then used. Abstract.

    The options are the fields of the task's config.

    Attributes:
        TASK: its name, as ``train`` takes it.
        config: of the next `fit`, and of the model where there is one.
        outcome: what came of the last `fit`.

    Raises:
        OptionError: a field that does not exist, or a value that cannot be.
    """

    TASK: ClassVar[str]

    def __init__(self, **fields: Any) -> None:
        self.config: Any = configs.override(CONFIGS[self.TASK](), fields, type(self).__name__)
        self.outcome: Outcome | None = None
        self._kept: Kept | None = None
        self._run: RunFolder | None = None

    def __repr__(self) -> str:
        changed = ", ".join(f"{key}={value!r}" for key, value in configs.changes(self.config).items())
        return f"{type(self).__name__}({changed})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The fields of the config, by name, as scikit-learn's tools ask for them."""
        del deep
        return structs.asdict(self.config)

    def set_params(self, **fields: Any) -> Self:
        """Changes fields of the config; a fitted model stays as it is."""
        self.config = configs.override(self.config, fields, type(self).__name__)
        return self

    @classmethod
    def load(cls, run: str | Path = "last") -> Self:
        """The best weights of a run: its folder, its name, or ``last``.

        Raises:
            OptionError: the run is of another task.
            RunError: there is no such run, or a file of it is damaged.
        """
        folder = RunFolder.open(run)
        task = configs.load(folder.config).task
        if task != cls.TASK:
            fix = "Name a run of that task, see `unrolled runs`; this one answers to `unrolled predict`, "
            fix += f"and in Python to unrolled.estimators.load({str(run)!r})."
            raise OptionError(f"{cls.__name__}.load: the run", f"be of the task {cls.TASK}", task, fix)
        kept = keeping.load(folder)
        loaded = cls()
        loaded.config, loaded._kept, loaded._run = kept.config, kept, folder
        return loaded

    def save(self, folder: str | Path) -> None:
        """Writes a folder that `load` reads, with a card that says what the model is.

        Raises:
            RunError: the folder is there.
            StorageError: the disk is full.
        """
        kept, folder = self._fitted(), Path(folder)
        config = structs.replace(kept.config, sources=(), valid_sources=(), test_sources=())
        made = RunFolder.create(configs.dumps(config), folder.name, folder.parent)
        keeping.write(made, kept)
        about = TASKS[self.TASK].described(kept)
        own = TASKS[self.TASK].CARD
        made.write_card(card.card(made.name, config, own, about, self._result(), run=str(folder)))

    @abstractmethod
    def evaluate_sources(self, sources: Sequence[str], run: RunFolder, **options: Any) -> Any:
        """What the command ``evaluate`` answers: judges files, or without any the run's own judged part.

        Args:
            options: those of the command that were given; the task refuses what it does not have.

        Raises:
            DataError: data that cannot be read, or are not as the model needs them.
            OptionError: an option that the task does not have.
        """

    @abstractmethod
    def predict_source(self, source: str, **options: Any) -> Any:
        """What the command ``predict`` answers: for a value itself, a file, or - for standard input.

        The answer has ``__str__``, ``as_data`` for JSON and, where rows are given for rows, ``as_csv``.

        Raises:
            DataError: data that cannot be read, or are not as the model needs them.
            OptionError: an option that the task does not have.
        """

    @abstractmethod
    def explain_source(self, source: str) -> Trace:
        """What the command ``explain`` answers: the trace of one sequence, a value itself or a file with it.

        Raises:
            DataError: it cannot be read, or is too long to be itemised.
        """

    def _fit(self, config: Any, given: Any, verbose: bool) -> Self:
        """Trains by the config, on its sources or on what is given, and keeps the best weights.

        Raises:
            DataError: data that cannot be read, or cannot be learned from.
            NonFiniteError: the loss is no number any more.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; what was best until then can be used, if there was time
                to judge any.
        """
        with trainers.begun(config, None, given=given) as trainer, Display(quiet=not verbose) as display:
            trainer.begin(display)
            self.outcome = trainer.run(display)
            if isfinite(self.outcome.valid_loss):
                model = deepcopy(trainer.learner.model)
                trainer.keeping.load_best(MODEL, model)
                self._kept, self._run = Kept(model.eval(), trainer.task.reader, self.config, {}), None
        if not self.outcome.finished:
            raise KeyboardInterrupt(f"{type(self).__name__}.fit: {self.outcome.reason}")
        return self

    def _traced(self, course: Callable[[], Course], losses: int, **facts: Any) -> Trace:
        """The trace of a course of the model, with what is known of its training.

        Args:
            losses: so many steps have one; of more than `ITEMISED` the itemised matrix is left out.
            facts: of the input.
        """
        kept = self._fitted()
        keep = ("forward", "backward", *(["itemised"] if losses <= ITEMISED else []))
        about = {"seed": kept.config.seed, "window": kept.config.length or None, **facts}
        traced = trace_course(kept.model, course, keep, about)
        if losses > ITEMISED:
            traced.facts["left_out"]["G"] = f"of more than {ITEMISED:,} losses it would be too large"
        return self._told(traced)

    def _told(self, traced: Trace) -> Trace:
        """The same trace, with what is known of the training."""
        traced.facts["training"] = told(self._fitted(), self._run)
        return traced

    def _result(self) -> card.Result:
        """What came of the training and how it ended, where this object has seen it."""
        if self.outcome is None:
            return card.Result()
        made = self.outcome
        ending = f"{made.updates:,} updates, weights of update {made.best_update:,}"
        return card.Result(made.measures, made.rows, ending)

    def _fitted(self) -> Kept:
        if self._kept is None:
            name = type(self).__name__
            fix = f"Call fit first, or {name}.load(run)."
            raise NotFittedError(name, "be fitted before it is used", "no weights yet", fix)
        return self._kept

    def _without(self, verb: str, options: dict[str, Any], *known: str) -> None:
        """Refuses options that the task does not have.

        Raises:
            OptionError: naming the first.
        """
        for option in options.keys() - set(known):
            has = f"It has {', '.join(known)}." if known else "Leave it out."
            raise OptionError(f"{verb}: {option}", f"not be given for the task {self.TASK}", "it", has)
