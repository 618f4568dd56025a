"""What tasks that learn from examples have in common: parts, batches of similar length, how they are kept."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from torch import Tensor
from torch.nn import Module

from unrolled import storage
from unrolled.config.examples import ExamplesConfig
from unrolled.data import buckets
from unrolled.data.ragged import Ragged, packed, unpacked
from unrolled.tasks.base import (
    AbandonedError,
    Carried,
    Objective,
    Score,
    Step,
    Task,
    judging,
    never,
    parameters,
    seeded,
    unheard,
)  # fmt: skip

M = TypeVar("M", bound=Module)

Examples = Mapping[str, "Ragged | NDArray[Any]"]
"""Columns of a part: `Ragged` for what has steps, ``[E, ...]`` for what an example has once."""

JUDGED = 4
"""How many times as many examples are judged side by side as are learned from."""

BY_HEART = 0.05
"""The loss at which a batch counts as learned by heart."""

FIRST = 0
"""The epoch whose batches are those of every epoch where they are read in windows."""


class Batch(NamedTuple):
    """Some examples side by side.

    Shapes:
        columns: those with steps ``[T, B, ...]``, zero past each end; others ``[B, ...]``.
        lengths: int64 ``[B]``, the steps of the column that is read.
        reset: bool ``[T, B]``, all true for a network without memory; else None.

    Attributes:
        rows: the numbers of the examples in their part.
        begins: the states are to start at zero; otherwise they are those that the window before left.
    """

    rows: NDArray[np.int64]
    columns: dict[str, Tensor]
    lengths: Tensor
    begins: bool = True
    reset: Tensor | None = None

    def without_memory(self) -> Batch:
        """The same for a network that is reset before every step."""
        shape = int(self.lengths.max()), len(self.lengths)
        return self._replace(reset=torch.ones(shape, dtype=torch.bool))


class Prepared(NamedTuple):
    """What a task makes of its sources: parts by name, what reads data, and the data report."""

    parts: dict[str, Examples]
    reader: Any
    report: dict[str, Any]


def batch_of(examples: Examples, rows: NDArray[np.int64], read: str) -> Batch:
    """The examples of these rows; the length of column ``read`` is theirs."""
    source = examples[read]
    assert isinstance(source, Ragged)
    columns = {
        name: _tensor(column.padded(rows)[0] if isinstance(column, Ragged) else column[rows])
        for name, column in examples.items()
    }
    return Batch(rows, columns, torch.from_numpy(source.lengths[rows]))


def windows(whole: Batch, length: int, aligned: Iterable[str]) -> Iterator[Batch]:
    """A batch in stretches of ``length`` steps; the columns ``aligned`` with what is read are cut along."""
    for begin in range(0, int(whole.lengths.max()), length):
        cut = {name: whole.columns[name][begin : begin + length] for name in aligned}
        left = (whole.lengths - begin).clamp(0, length)
        reset = None if whole.reset is None else whole.reset[begin : begin + length]
        yield Batch(whole.rows, whole.columns | cut, left, begin == 0, reset)


class OverExamples(Objective[M]):
    """Every example once an epoch, in batches of similar length, drawn anew each epoch.

    With ``config.length`` and ``aligned`` columns, a batch is read in windows, each an update: the state goes
    on from one to the next, its history does not. Batches then keep their members, and change their order.

    Args:
        build: makes the model.
        loss: of a model on a batch, from the carried state.
        read: the column whose steps are read.
        aligned: the columns with a value for each of these steps, ``read`` among them.
    """

    def __init__(
        self,
        config: ExamplesConfig,
        examples: Examples,
        build: Callable[[], M],
        loss: Callable[[M, Batch, Carried, torch.Generator], Step],
        read: str = "x",
        aligned: Sequence[str] = (),
    ) -> None:
        self.config, self.examples, self._build, self._loss, self._read = config, examples, build, loss, read
        self._aligned = aligned if config.length else ()
        column = examples[read]
        assert isinstance(column, Ragged)
        self._lengths = column.lengths
        self._drawn: tuple[int, list[tuple[NDArray[np.int64], int]]] = -1, []
        self._whole: tuple[NDArray[np.int64], list[Batch]] | None = None
        self.updates_per_epoch = len(self._places(FIRST))

    def model(self) -> M:
        """A new model, drawn from the config's seed alone."""
        return self._build()

    def batch(self, update: int) -> Batch:
        """The batch, or the window of one, that an update reads."""
        epoch, number = divmod(update, self.updates_per_epoch)
        rows, window = self._places(epoch)[number]
        if not self._aligned:
            return batch_of(self.examples, rows, self._read)
        if self._whole is None or self._whole[0] is not rows:
            whole = batch_of(self.examples, rows, self._read)
            self._whole = rows, list(windows(whole, self.config.length, self._aligned))
        return self._whole[1][window]

    def loss(self, model: M, batch: Batch, carried: Carried, generator: torch.Generator) -> Step:
        """The task's loss."""
        return self._loss(model, batch, carried, generator)

    def memoryless_loss(self, model: M, batch: Batch, generator: torch.Generator) -> Tensor:
        """The task's loss where the network is reset before every step."""
        return self._loss(model, batch.without_memory(), None, generator).loss

    def _places(self, epoch: int) -> list[tuple[NDArray[np.int64], int]]:
        """The rows of each update of an epoch, and which window of them it reads."""
        if self._drawn[0] != epoch:
            seed, size = self.config.seed, self.config.batch
            batches = buckets.shuffled(self._lengths, size, seed, FIRST if self._aligned else epoch)
            if self._aligned:
                order = np.random.default_rng([seed, epoch]).permutation(len(batches))
                batches = [batches[k] for k in order]
            self._drawn = epoch, [(rows, k) for rows in batches for k in range(self._windows(rows))]
        return self._drawn[1]

    def _windows(self, rows: NDArray[np.int64]) -> int:
        longest = int(self._lengths[rows].max())
        return max(1, -(-longest // self.config.length)) if self._aligned else 1


class ExamplesTask(Task[M]):
    """A task whose data are examples. Abstract.

    Attributes:
        READ: the column whose steps are read.
        ALIGNED: the columns with a value for each of these steps.
        parts: ``train``, ``valid`` and ``test``.
    """

    READ: ClassVar[str] = "x"
    ALIGNED: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Any, prepared: Prepared) -> None:
        self.config, self.reader, self._report = config, prepared.reader, prepared.report
        self.parts = prepared.parts
        self.objective = self._objective(self.parts["train"])

    @classmethod
    @abstractmethod
    def prepare(cls, config: Any, heard: Callable[[str, int], None], given: Any) -> Prepared:
        """Reads the config's sources, or what was ``given`` in Python, and makes numbers of it.

        Raises:
            DataError: data that cannot be read, or cannot be learned from.
        """

    @abstractmethod
    def loss(self, model: M, batch: Batch, carried: Carried, generator: torch.Generator) -> Step:
        """The mean loss of a batch over its real targets; without memory where the batch has ``reset``."""

    @abstractmethod
    def answers(self, model: M, batch: Batch) -> Any:
        """What the model says of a batch, for `score`; called without dropout and gradients."""

    @abstractmethod
    def score(self, part: str, answered: list[tuple[Batch, Any]]) -> Score:
        """How good the answers to a whole part are."""

    @classmethod
    def begin(
        cls, config: Any, data: Path, heard: Callable[[str, int], None] = unheard, given: Any = None
    ) -> ExamplesTask[M]:
        """Reads the data and writes them as numbers.

        Raises:
            DataError: data that cannot be read, or cannot be learned from.
            StorageError: the file cannot be written.
        """
        prepared = cls.prepare(config, heard, given)
        with storage.replacing(data) as file:
            file.write(save(packed(prepared.parts), {"report": json.dumps(prepared.report)}))
        return cls(config, prepared)

    @classmethod
    def reopen(cls, config: Any, data: Path, reader: Path) -> ExamplesTask[M]:
        """From the numbers that were written."""
        with safe_open(data, "np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            report = json.loads(file.metadata()["report"])
        return cls(config, Prepared({**unpacked(tensors)}, cls.load_reader(reader), report))

    @property
    def bidirectional(self) -> bool:
        """Whether the network reads in both directions."""
        return self.config.bidirectional

    def data_report(self) -> dict[str, Any]:
        """What the data are."""
        return self._report

    def has(self, part: str) -> bool:
        """Whether there are examples of a part."""
        return part in self.parts

    def judge(
        self, model: M, part: str, to_stop: Callable[[], bool] = never, memoryless: bool = False
    ) -> Score:
        """Judges a model on a part, many examples at a time.

        Raises:
            AbandonedError: it was to stop.
        """
        return self.score(part, self.answered(model, part, to_stop, memoryless))

    def answered(
        self, model: M, part: str, to_stop: Callable[[], bool] = never, memoryless: bool = False
    ) -> list[tuple[Batch, Any]]:
        """What the model says of a part, batch by batch, the longest examples first.

        Raises:
            AbandonedError: it was to stop.
        """
        examples, answered = self.parts[part], list[tuple[Batch, Any]]()
        source = examples[self.READ]
        assert isinstance(source, Ragged)
        with judging(model):
            for rows in buckets.longest_first(source.lengths, JUDGED * self.config.batch):
                batch = batch_of(examples, rows, self.READ)
                batch = batch.without_memory() if memoryless else batch
                answered.append((batch, self.answers(model, batch)))
                if to_stop():
                    raise AbandonedError
        return answered

    def memory(self, model: M) -> int:
        """Weights, gradients and optimiser; the tapes of a batch of the longest examples."""
        config = self.config
        gates = {"rnn": 1, "hornn": 1, "lstm": 6, "gru": 5}[config.cell] + 3
        source = self.parts["train"][self.READ]
        assert isinstance(source, Ragged)
        longest = np.sort(source.lengths)[-config.batch :]
        steps = int(np.minimum(longest, config.length or longest).sum())
        tape = steps * config.layers * config.hidden * (1 + self.bidirectional) * gates
        copies = (4 if config.optimiser != "sgd" else 2) * (2 if config.memoryless else 1)
        return 4 * (tape + copies * parameters(model))

    def by_heart(self) -> tuple[OverExamples[M], float]:
        """The first examples, as many as a batch has."""
        train = self.parts["train"]
        some = {name: column[: self.config.batch] for name, column in train.items()}
        return self._objective(some), BY_HEART

    def _objective(self, examples: Examples) -> OverExamples[M]:
        def build() -> M:
            return seeded(self.config, lambda: self.build(self.config, self.reader))

        return OverExamples(self.config, examples, build, self.loss, self.READ, self.ALIGNED)


def _tensor(values: NDArray[Any]) -> Tensor:
    """As torch reads it: whole numbers as int64, others in float32."""
    kind = np.int64 if values.dtype.kind in "iu" else np.bool_ if values.dtype.kind == "b" else np.float32
    return torch.from_numpy(np.ascontiguousarray(values, kind))
