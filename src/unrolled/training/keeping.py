"""What a training leaves in its run's folder as it goes, and how that is read again."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from unrolled import config as configs
from unrolled.errors import RunError, note
from unrolled.report import card
from unrolled.tasks import TASKS
from unrolled.tasks.base import Kept, Task
from unrolled.training import checkpoint
from unrolled.training.learner import Learner
from unrolled.training.run_folder import RunFolder

MODEL, MEMORYLESS = "model.safetensors", "memoryless.safetensors"
"""The best weights of a run: of its model, and of the twin without memory."""


class Keeping:
    """Keeps journal, best weights and checkpoints in a folder; without one, the best weights in memory."""

    def __init__(self, folder: RunFolder | None, task: Task[Any]) -> None:
        self.folder, self.task = folder, task
        self._weights: dict[str, dict[str, Tensor]] = {}

    def row(self, row: Mapping[str, Any]) -> None:
        """Adds a row to the journal."""
        if self.folder:
            self.folder.journal.append(row)

    def best(self, name: str, model: Module, facts: Mapping[str, Any], passing: bool = False) -> None:
        """Keeps the weights of `MODEL` or `MEMORYLESS` as its best so far.

        Those of a ``passing`` evaluation, which a training that goes on shall know nothing of, leave what
        they replace to `restore`.
        """
        if self.folder:
            before = self.folder.last / name if passing else None
            path, sealed = self.folder.path / name, self.folder.sealed
            checkpoint.write(path, weights_of(model), facts, sealed, previous=before)
            if name == MODEL:
                self._describe(model, facts)
        else:
            self._weights[name] = {key: weight.clone() for key, weight in weights_of(model).items()}

    def describe(self, model: Module, result: card.Result) -> None:
        """Writes the card of the weights that are kept."""
        if self.folder:
            task, about = self.task, self.task.about(model)
            self.folder.write_card(card.card(self.folder.name, task.config, task.CARD, about, result))

    def _describe(self, model: Module, facts: Mapping[str, Any]) -> None:
        """The card while it trains, so that what is stopped has one."""
        loss = f"held-out loss {facts['valid_loss']:.4f} {self.task.terms.loss}"
        ending = f"not at its end; weights of update {facts['update']:,}, {loss}"
        self.describe(model, card.Result(ending=ending))

    def save(self, learner: Learner[Any]) -> None:
        """Writes a checkpoint that the training can go on from."""
        if self.folder:
            self.folder.journal.sync()
            tensors, facts = learner.tensors(), learner.facts()
            checkpoint.write_newest(self.folder.last, tensors, facts, self.folder.sealed_with_data)

    def restore(self, learner: Learner[Any]) -> None:
        """Brings learner, best weights and journal to where the newest good checkpoint was written.

        Best weights that are lost or damaged are made up for: the learner's own count as the best.

        Raises:
            RunError: there is no good checkpoint.
        """
        assert self.folder
        tensors, facts = checkpoint.read_newest(self.folder.last, self.folder.covers_with_data)
        learner.restore(tensors, facts)
        at = learner.position
        for name in (MODEL, MEMORYLESS):
            before = self.folder.last / name
            if before.exists():
                before.replace(self.folder.path / name)
                if name == MODEL:
                    self._describe(learner.model, {"update": at.best_update, "valid_loss": at.valid_loss})
        if isfinite(at.best) and self._lost(MODEL):
            at.best, at.evaluation_due = inf, True
        if isfinite(at.memoryless_best) and self._lost(MEMORYLESS):
            at.memoryless_best, at.evaluation_due = inf, True
        self.folder.journal.cut(after=at.update)

    def _lost(self, name: str) -> bool:
        """Whether best weights that there were cannot be read; says so."""
        assert self.folder
        try:
            checkpoint.read(self.folder.path / name, self.folder.covers)
        except RunError as error:
            note(f"{error.subject}: {error.got}; the newest weights are judged and kept in its place")
            return True
        return False

    def load_best(self, name: str, model: Module) -> None:
        """Puts the best weights of `MODEL` or `MEMORYLESS` into a model."""
        if self.folder:
            put(checkpoint.read(self.folder.path / name, self.folder.covers).tensors, model)
        else:
            put(self._weights[name], model)


def load(folder: RunFolder) -> Kept:
    """The best weights of a run, checked together with its config and what reads its data.

    Raises:
        RunError: a file is missing, damaged, or of another run.
    """
    try:
        weights, facts = checkpoint.read(folder.model, folder.covers)
    except RunError as error:
        raise _without_weights(folder, error) from error
    config = configs.load(folder.config)
    task = TASKS[config.task]
    reader = task.load_reader(folder.path / task.READER)
    model = task.build(config, reader)
    put(weights, model)
    return Kept(model.eval(), reader, config, facts)


def _without_weights(folder: RunFolder, error: RunError) -> RunError:
    """The error of a run whose best weights cannot be read, with a way to go on where there is one."""
    had, resume = folder.card.exists(), f"unrolled resume {folder.path}"
    try:
        checkpoint.read_newest(folder.last, folder.covers_with_data)
        fix = (
            f"The newest ones, in {folder.last}, are whole; have them judged and kept in its place: {resume}"
        )
    except RunError:
        if folder.model.exists():
            return error
        again = f"unrolled train {configs.load(folder.config).task} --config {folder.config}"
        fix = f"Put model.safetensors back, or train anew: {again}"
    if folder.model.exists():
        return RunError(error.subject, error.rule, error.got, fix)
    got, fix = ("none any more", fix) if had else ("none yet", f"Train to the first evaluation: {resume}")
    return RunError(f"run: {folder.path}", "have weights", got, fix)


def write(folder: RunFolder, kept: Kept) -> None:
    """Writes a model into a new folder, for `load`."""
    task = TASKS[kept.config.task]
    kept.reader.save(folder.path / task.READER)
    folder.write_config_json(task.description(kept.config, kept.reader, kept.model))
    folder.write_env()
    checkpoint.write(folder.model, weights_of(kept.model), kept.facts, folder.sealed)


def weights_of(model: Module) -> dict[str, Tensor]:
    """Every weight by its name, shared ones once, and the buffers."""
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    return weights | dict(model.named_buffers())


@torch.no_grad()
def put(weights: Mapping[str, Tensor], model: Module) -> None:
    """Copies weights into a model by name."""
    for name, weight in weights_of(model).items():
        weight.copy_(weights[name])
