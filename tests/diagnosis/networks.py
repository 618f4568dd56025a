"""Networks that have an illness, and ones that do not; and remedies, applied as they stand written."""

from __future__ import annotations

import shlex
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

import unrolled
from unrolled.config import LanguageModelConfig, override
from unrolled.data import Streams
from unrolled.losses import cross_entropy
from unrolled.tasks import lm
from unrolled.tasks.language_model import NextToken
from unrolled.traces import Trace
from unrolled.traces.diagnosis import Diagnosis, Finding, Remedy
from unrolled.training.learner import Learner
from unrolled.wirings import TokenModel

T, B, I, H = 100, 2, 4, 24
VOCABULARY = 8

KINDS: dict[str, Any] = {
    "tanh": unrolled.nn.RNN,
    "relu": lambda *sizes, **more: unrolled.nn.RNN(*sizes, nonlinearity="relu", **more),
    "identity": lambda *sizes, **more: unrolled.nn.RNN(*sizes, nonlinearity="identity", **more),
    "lstm": unrolled.nn.LSTM,
    "gru": unrolled.nn.GRU,
}


def layer(kind: str, seed: int, **more: Any) -> Any:
    """A layer as torch starts it."""
    torch.manual_seed(seed)
    return KINDS[kind](I, H, **more)


def noise(seed: int = 0, steps: int = T) -> Tensor:
    """Shapes: gives ``[T, B, I]``."""
    return torch.randn(steps, B, I, generator=torch.Generator().manual_seed(seed))


def traced(module: torch.nn.Module, x: Tensor | None = None) -> Trace:
    """A trace back from a drawn number made of every output."""
    x = noise() if x is None else x
    u = torch.randn(2 * H, generator=torch.Generator().manual_seed(7))
    return unrolled.trace(module, x, loss=lambda out: (out[0] @ u[: out[0].shape[2]]).sum())


def only(diagnosis: Diagnosis, name: str) -> Finding:
    """The one finding of that name."""
    (found,) = diagnosis.named(name)
    return found


def names(diagnosis: Diagnosis) -> set[str]:
    return {finding.name for finding in diagnosis.findings}


def ids(seed: int = 0, steps: int = T) -> Tensor:
    """Random tokens; shapes: ``[steps + 1, B]``."""
    return torch.randint(0, VOCABULARY, (steps + 1, B), generator=torch.Generator().manual_seed(seed))


def traced_model(model: TokenModel, text: Tensor | None = None) -> Trace:
    """A language model over tokens, as one that was trained by ``unrolled train``."""
    text = ids() if text is None else text
    return of_lm(unrolled.trace(model, text[:-1], loss=lambda out: cross_entropy(out[0], text[1:])))


def of_lm(trace: Trace) -> Trace:
    """The same trace, its model as one that was trained by ``unrolled train``."""
    trace.facts["training"] = {"task": "lm", "sources": []}
    return trace


def in_python(remedy: Remedy, model: torch.nn.Module, **more: Any) -> dict[str, Any]:
    """Runs a remedy's Python; gives what it defined, ``layer`` the one that it made or changed."""
    space: dict[str, Any] = {"model": model, "unrolled": unrolled, **more}
    torch.manual_seed(5)
    exec(remedy.python, space)
    return space


def by_python(remedy: Remedy, config: LanguageModelConfig) -> LanguageModelConfig:
    """The config that the same training has with the fields that a remedy's Python gives."""
    asked: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def train(*words: str, **fields: Any) -> None:
        asked.append((words, fields))

    exec(remedy.python, {"unrolled": SimpleNamespace(train=train)})
    [(words, fields)] = asked
    assert words == ("lm", "TEXT")
    return override(config, fields)


def by_command(remedy: Remedy, config: LanguageModelConfig) -> LanguageModelConfig:
    """The config that the same training has with the options of a remedy's command."""
    program, verb, task, text, *options = shlex.split(remedy.command)
    assert (program, verb, task, text) == ("unrolled", "train", "lm", "TEXT")
    fields = {
        name.removeprefix("--").replace("-", "_"): value
        for name, value in zip(options[::2], options[1::2], strict=True)
    }
    return override(config, fields)


def model_of(config: LanguageModelConfig) -> TokenModel:
    return lm.model(config, VOCABULARY)


def echo(length: int, back: int = 2, seed: int = 0) -> np.ndarray:
    """Tokens of which 9 in 10 are the one ``back + 1`` before, so that the last one alone says nothing."""
    rng = np.random.default_rng(seed)
    text = rng.integers(0, VOCABULARY, length)
    for t in range(back + 1, length):
        if rng.random() < 0.9:
            text[t] = text[t - back - 1]
    return text.astype(np.uint8)


def learned(config: LanguageModelConfig, updates: int) -> Learner[TokenModel]:
    """A language model after some updates on `echo`."""
    streams = Streams(echo(20_000), config.batch, config.length, config.carry, config.seed)
    learner = Learner(NextToken(config, VOCABULARY, streams))
    learner.position.updates = updates
    for _ in range(updates):
        learner.step()
    return learner
