"""Optimisers, and the learning rate of every update as a function of its number."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi

import torch
from torch.nn import Parameter

from unrolled.config import Config


def optimiser(config: Config, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
    """The optimiser that the config names; its learning rate is set anew at every update."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimiser == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=config.momentum, weight_decay=decay, fused=True)
    kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
    return kind(parameters, rate, weight_decay=decay, fused=True)


def rate(config: Config, update: int, updates: int, per_epoch: int) -> float:
    """The learning rate of an update, numbered from 0, of so many in all and in an epoch.

    ``plateau`` is ``constant`` here: what became of the held-out loss is the loop's to know.

    Example:
        >>> from unrolled.config import LanguageModelConfig
        >>> config = LanguageModelConfig(schedule="linear", learning_rate=1.0, final_rate=0.0, warmup=2)
        >>> [rate(config, update, 6, 6) for update in range(6)]
        [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    full = config.learning_rate
    if update < config.warmup:
        return full * (update + 1) / config.warmup
    done = (update - config.warmup) / max(1, updates - config.warmup)
    final = config.final_rate
    match config.schedule:
        case "cosine":
            return full * (final + (1 - final) * (1 + cos(pi * done)) / 2)
        case "linear":
            return full * (final + (1 - final) * (1 - done))
        case "decay":
            return full * config.decay ** max(0, update // per_epoch + 1 - config.decay_from)
        case _:
            return full
