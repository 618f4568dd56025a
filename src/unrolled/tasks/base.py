"""What a training must know of a task: its data and losses, its judgement, its baselines, its words.

An `Objective` is what a learner follows: a model, batches by number, a loss. A `Task` is all the rest: where
the data come from and how they are kept, how a model is judged and beside what, what is said of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn import Module

from unrolled import nn
from unrolled.config import Config

M = TypeVar("M", bound=Module)
"""A task's model."""

Carried: TypeAlias = list[tuple[Tensor, ...]] | None
"""What an update hands to the next besides weights: the states of each layer; None is the zero state."""


class AbandonedError(Exception):
    """A judgement that was to stop before its end."""


def never() -> bool:
    """Says that nobody asks to stop."""
    return False


def unheard(doing: str, count: int) -> None:
    """Tells nobody how far the reading is."""


class Measure(NamedTuple):
    """A number that a result has, and how it is shown.

    Attributes:
        key: its name in files and JSON.
        heading: its name in a table, at most two lines.
        form: of its digits, as in ``format``.
        higher: whether more is better.
    """

    key: str
    heading: str
    form: str = ".3f"
    higher: bool = False


@dataclass(frozen=True)
class Row:
    """A model or a baseline on the judged data; the first of several is the model in question.

    Attributes:
        values: by the measure's key; None where it does not apply.
    """

    name: str
    values: dict[str, float | None]
    remark: str = ""


@dataclass(frozen=True)
class Score:
    """What judging a model gives.

    Attributes:
        loss: the mean loss, as trained; the least chooses the best weights unless there is a ``choice``.
        values: by the measure's key.
        choice: what chooses the best weights instead; less is better.
    """

    loss: float
    values: dict[str, float] = field(default_factory=dict[str, float])
    choice: float | None = None

    @property
    def criterion(self) -> float:
        """What the best weights have least of."""
        return self.loss if self.choice is None else self.choice


@dataclass(frozen=True)
class Terms:
    """The words of a task.

    Attributes:
        unit: what the loss is a mean over: ``character``, ``example``, ``word``.
        loss: what the loss is in, such as ``nats a char``.
        count: what the speed counts.
        shown: the measure that stands beside the loss while a model trains.
    """

    unit: str
    loss: str
    count: str
    shown: Measure


class Step(NamedTuple):
    """What the loss of a batch gives.

    Attributes:
        loss: a scalar with its graph.
        seen: how much was read, in what `Terms.count` says.
        carried: what the next batch begins with, where it goes on; the gradient does not go back through it.
    """

    loss: Tensor
    seen: int
    carried: Carried = None


class Watched(NamedTuple):
    """A fixed batch on which the gradients of a model in training are looked at.

    Attributes:
        x: what the model is called with, or a tuple of it.
        loss: from what the model gives to a number.
    """

    x: Any
    loss: Callable[[Any], Tensor]


class Objective(ABC, Generic[M]):
    """What a learner follows: a model, and batches with their losses.

    Attributes:
        updates_per_epoch: how many batches the data have.
    """

    config: Any
    updates_per_epoch: int

    @abstractmethod
    def model(self) -> M:
        """A new model, drawn from the config's seed alone."""

    @abstractmethod
    def batch(self, update: int) -> Any:
        """What update number ``update``, from 0, reads; it follows from the number alone.

        Its ``begins`` says whether states start at zero; else they are those that the update before left.
        """

    @abstractmethod
    def loss(self, model: M, batch: Any, carried: Carried, generator: torch.Generator) -> Step:
        """The loss of a batch from the ``carried`` states on; ``generator`` draws the dropout."""

    @abstractmethod
    def memoryless_loss(self, model: M, batch: Any, generator: torch.Generator) -> Tensor:
        """The loss where the network is reset before every step."""


class Kept(NamedTuple):
    """A run's model as it is used.

    Attributes:
        model: with its best weights.
        reader: what turns data into numbers: a tokenizer, and for other tasks columns, labels, scales.
        config: of the training.
        facts: what was written beside the weights.
    """

    model: Any
    reader: Any
    config: Any
    facts: dict[str, Any]


class Card(NamedTuple):
    """What a run's card says of its task.

    Attributes:
        pipeline: the name that model hubs have for the task.
        tag: the task in a word.
        sentence: what the model is; ``{cell}`` is replaced.
        commands: what to type with it; ``{run}`` is replaced.
        python: how to use it in Python; ``{run}`` is replaced.
        limits: what not to expect of it.
    """

    pipeline: str
    tag: str
    sentence: str
    commands: str
    python: str
    limits: str


class Task(ABC, Generic[M]):
    """A task as a training sees it.

    Attributes:
        READER: the file that says how data become numbers.
        CARD: what the run's card says.
        measures: what a result is given in; the first sorts.
        reader: what turns data into numbers.
    """

    READER: ClassVar[str] = "reader.json"
    CARD: ClassVar[Card]

    config: Any
    terms: Terms
    measures: tuple[Measure, ...]
    objective: Objective[M]
    reader: Any

    @classmethod
    @abstractmethod
    def begin(
        cls, config: Any, data: Path, heard: Callable[[str, int], None] = unheard, given: Any = None
    ) -> Task[M]:
        """Reads what the config names, and writes to the file ``data`` what training needs of it.

        ``heard`` is told how far the reading is. ``given`` is data in Python that stand in for the sources.

        Raises:
            DataError: data that cannot be read, or cannot be learned from.
        """

    @classmethod
    @abstractmethod
    def reopen(cls, config: Any, data: Path, reader: Path) -> Task[M]:
        """What `begin` gave, from the files that it left."""

    @classmethod
    @abstractmethod
    def load_reader(cls, path: Path) -> Any:
        """The reader that was saved."""

    @classmethod
    @abstractmethod
    def build(cls, config: Any, reader: Any) -> M:
        """A model around weights that are put into it later."""

    @classmethod
    @abstractmethod
    def description(cls, config: Any, reader: Any, model: M) -> dict[str, Any]:
        """What ``config.json`` says: enough to build the model around its weights."""

    @classmethod
    @abstractmethod
    def described(cls, kept: Kept) -> list[tuple[str, str]]:
        """What a model is, line by line, where nothing is known of its data."""

    @classmethod
    @abstractmethod
    def rehearse(cls, kept: Kept) -> None:
        """Uses a trained model once, as a dry run's last test."""

    @abstractmethod
    def data_report(self) -> dict[str, Any]:
        """What the data are, for ``data_report.json``."""

    @abstractmethod
    def about(self, model: M) -> list[tuple[str, str]]:
        """What is learned, from what and by what, line by line."""

    @abstractmethod
    def memory(self, model: M) -> int:
        """About what an update takes, in bytes."""

    @abstractmethod
    def judge(
        self, model: M, part: str, to_stop: Callable[[], bool] = never, memoryless: bool = False
    ) -> Score:
        """Judges a model on ``valid`` or ``test``; ``to_stop`` is asked now and then.

        Raises:
            AbandonedError: it was to stop.
        """

    def has(self, part: str) -> bool:
        """Whether there is such a part; data in Python may have none to judge on."""
        del part
        return True

    @abstractmethod
    def baselines(self) -> list[Row]:
        """What needs no network, on the judged data."""

    def findings(self, rows: Sequence[Row]) -> list[str]:
        """What is to be said of a result, a sentence each; ``rows`` are the model and its baselines."""
        del rows
        return []

    def evaluation_interval(self, updates: int) -> int:
        """After how many of so many updates the held-out part is judged: some twenty times, or each epoch."""
        return self.config.evaluate_every or max(1, min(self.objective.updates_per_epoch, updates // 20))

    def watched(self) -> Watched | None:
        """A small batch on which gradients are looked at while a model trains; none where nobody does."""
        return None

    def shorten(self, most: int) -> None:
        """Judges about so many tokens of each part from now on, for a trial; all where that is quick."""
        del most

    def sample(self, model: M, update: int) -> str:
        """Something that the model makes now, as text; nothing where it makes none."""
        del model, update
        return ""

    @abstractmethod
    def by_heart(self) -> tuple[Objective[M], float]:
        """An objective of one batch, and the loss at which it counts as learned by heart."""


def seeded(config: Config, build: Callable[[], M]) -> M:
    """A model whose first weights follow from the config's seed alone, started as the config says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        built = build()
        if config.init:
            for weight in built.parameters():
                torch.nn.init.uniform_(weight, -config.init, config.init)
        for layer in built.modules() if config.remember else ():
            if isinstance(layer, nn.LSTM | nn.GRU):
                nn.remember(layer, config.remember)
    return built


def parameters(model: Module) -> int:
    """How many numbers a model learns, the same at any length of sequence."""
    return sum(weight.numel() for weight in model.parameters())


@contextmanager
def judging(model: Module) -> Generator[None]:
    """Without dropout and without gradients; afterwards the model is in its mode of before."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)
