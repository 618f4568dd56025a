"""What learns: a model, its optimiser, the state it carries, its twin without memory, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.utils import clip_grad_norm_

from unrolled.config import Config
from unrolled.tasks.base import Carried, Objective
from unrolled.training.optimisation import optimiser, rate

M = TypeVar("M", bound=Module)


@dataclass(slots=True)
class Sums:
    """What was added up over some updates.

    Units: loss as the task has it, summed over updates.
    """

    updates: int = 0
    loss: float = 0.0
    norm: float = 0.0
    clipped: int = 0

    def add(self, loss: float, norm: float, clipped: bool) -> None:
        """Adds an update."""
        self.updates += 1
        self.loss += loss
        self.norm += norm
        self.clipped += clipped

    def means(self) -> dict[str, float]:
        """The mean loss and gradient norm, and the share of updates whose gradient was clipped."""
        n = max(1, self.updates)
        return {"loss": self.loss / n, "gradient_norm": self.norm / n, "clipped": self.clipped / n}


@dataclass(slots=True)
class Position:
    """Where a training stands; with the tensors of a `Learner`, all there is to go on from.

    Units: seconds of training, over all sittings; losses as the task has them.

    Attributes:
        best, memoryless_best: the least criterion so far.
        valid_loss: the held-out loss of the best weights.
    """

    update: int = 0
    updates: int = 0
    seconds: float = 0.0
    best: float = inf
    valid_loss: float = inf
    best_update: int = 0
    memoryless_best: float = inf
    evaluations_since_best: int = 0
    evaluation_due: bool = False
    plateau: float = 1.0
    since_row: Sums = field(default_factory=Sums)
    since_evaluation: Sums = field(default_factory=Sums)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """A position from what `dataclasses.asdict` made of it."""
        sums: dict[str, Any] = {name: Sums(**facts[name]) for name in ("since_row", "since_evaluation")}
        return cls(**{**facts, **sums})


class TrainState(Generic[M]):
    """A model, its optimiser, the moving average of its weights if there is one, and its random numbers."""

    def __init__(self, model: M, config: Config, seed: int) -> None:
        self.model, self.clip = model, config.clip or inf
        self.optimiser = optimiser(config, model.parameters())
        self.generator = torch.Generator().manual_seed(seed)
        self.decay = config.average
        self.average = deepcopy(model) if config.average else None

    @property
    def judged(self) -> M:
        """The model that is judged and kept: the average where there is one."""
        return self.average or self.model

    def learn(self, loss: Tensor, rate: float, update: int) -> float:
        """One update down the gradient of the loss; gives the norm that the gradient had before clipping."""
        self.optimiser.zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        norm = clip_grad_norm_(self.model.parameters(), self.clip, foreach=True)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        if self.average:
            self._follow(self.average, update + 1)
        return float(norm)

    @torch.no_grad()
    def _follow(self, average: M, seen: int) -> None:
        """Moves the average toward the weights; at first quicker, so that it forgets the first ones."""
        decay = min(self.decay, seen / (seen + 9))
        for mean, weight in zip(average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """Weights, average, what the optimiser remembers of each, and where the random numbers stand."""
        named = {f"{prefix}.{name}": weight.detach() for name, weight in self.model.named_parameters()}
        if self.average:
            averages = self.average.named_parameters()
            named |= {f"{prefix}.average.{name}": weight.detach() for name, weight in averages}
        for k, memory in self.optimiser.state_dict()["state"].items():
            named |= {f"{prefix}.optimiser.{k}.{name}": t for name, t in memory.items() if t is not None}
        return named | {f"{prefix}.generator": self.generator.get_state()}

    def restore(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Takes back what `tensors` gave."""
        self.generator.set_state(tensors[f"{prefix}.generator"])
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                weight.copy_(tensors[f"{prefix}.{name}"])
            for name, weight in self.average.named_parameters() if self.average else ():
                weight.copy_(tensors[f"{prefix}.average.{name}"])
        whole = self.optimiser.state_dict()
        begin = f"{prefix}.optimiser."
        for key, tensor in tensors.items():
            if key.startswith(begin):
                k, name = key.removeprefix(begin).split(".")
                whole["state"].setdefault(int(k), {})[name] = tensor
        self.optimiser.load_state_dict(whole)


class Learner(Generic[M]):
    """Follows an objective, update by update: a model, and where asked for its twin without memory."""

    def __init__(self, objective: Objective[M]) -> None:
        self.objective, self.config = objective, objective.config
        model, config = objective.model(), self.config
        self.twin = TrainState(deepcopy(model), config, config.seed + 1) if config.memoryless else None
        self.main = TrainState(model, config, config.seed)
        self.state: Carried = None
        self.count, self.rate = 0, 0.0  # of the last update
        self.position = Position()

    @property
    def model(self) -> M:
        """The model that is judged and kept."""
        return self.main.judged

    def step(self) -> Sums:
        """One update on the next batch; gives its loss and gradient norm.

        This is truncated backpropagation through time: a batch may be a window of longer sequences, which
        begins with the state that the window before it left. Its gradient goes back to its own first step.
        """
        at, main, twin, objective = self.position, self.main, self.twin, self.objective
        batch = objective.batch(at.update)
        self.rate = at.plateau * rate(self.config, at.update, at.updates, objective.updates_per_epoch)
        before = None if batch.begins else self.state
        loss, self.count, after = objective.loss(main.model, batch, before, main.generator)
        norm = main.learn(loss, self.rate, at.update)
        self.state = [tuple(part.detach() for part in layer) for layer in after or ()] or None

        if twin:
            without = objective.memoryless_loss(twin.model, batch, twin.generator)
            twin.learn(without, self.rate, at.update)
        at.update += 1
        this = Sums()
        for sums in (this, at.since_row, at.since_evaluation):
            sums.add(loss.item(), norm, norm > main.clip)
        return this

    def tensors(self) -> dict[str, Tensor]:
        """All that changes from update to update and is no plain number."""
        tensors = self.main.tensors("model")
        if self.twin:
            tensors |= self.twin.tensors("memoryless")
        for k, layer in enumerate(self.state or ()):
            tensors |= {f"state.{k}.{part}": tensor for part, tensor in enumerate(layer)}
        return tensors

    def facts(self) -> dict[str, Any]:
        """The plain numbers."""
        return {"position": asdict(self.position)}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Goes back to where `tensors` and `facts` were taken."""
        self.position = Position.of(facts["position"])
        self.main.restore("model", tensors)
        if self.twin:
            self.twin.restore("memoryless", tensors)
        kept = sorted(name for name in tensors if name.startswith("state."))
        layers = sorted({int(name.split(".")[1]) for name in kept})
        self.state = [
            tuple(tensors[name] for name in kept if name.split(".")[1] == str(k)) for k in layers
        ] or None
