"""Traces to draw: of every cell, both directions, ragged, a window, some units, no loss, one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import unrolled
from unrolled import nn
from unrolled.traces import Trace
from unrolled.tracing.keep import Keep

ALL = ("forward", "backward", "itemised")
T, B, I, H = 12, 3, 4, 5


def loss(output: Any) -> torch.Tensor:
    return output[0].square().sum()


def traced(model: torch.nn.Module, steps: int = T, keep: Any = ALL, loss: Callable[..., Any] | None = loss):
    torch.manual_seed(3)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return unrolled.trace(model, torch.randn(steps, B, I), loss=loss, keep=keep)


class Ragged(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(I, H)

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x, lengths=torch.tensor([7, 12, 1]))


class Translator(torch.nn.Module):
    """Reads T steps, and writes fewer from where that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.GRU(I, H), nn.GRU(I, H)

    def forward(self, x: torch.Tensor) -> Any:
        return self.decoder(x[: T // 2], self.encoder(x)[1])


def cases() -> dict[str, Callable[[], Trace]]:
    return {
        "lstm of two layers": lambda: traced(nn.LSTM(I, H, num_layers=2)),
        "gru": lambda: traced(nn.GRU(I, H)),
        "rnn": lambda: traced(nn.RNN(I, H)),
        "relu": lambda: traced(nn.RNN(I, H, nonlinearity="relu")),
        "both directions": lambda: traced(nn.LSTM(I, H, bidirectional=True)),
        "projection": lambda: traced(nn.LSTM(I, H, proj_size=2)),
        "ragged": lambda: traced(Ragged()),
        "window": lambda: traced(nn.GRU(I, H), keep=Keep(ALL, steps=range(4, 9))),
        "window of both directions": lambda: traced(
            nn.GRU(I, H, bidirectional=True), keep=Keep(ALL, steps=range(4, 9))
        ),
        "one step": lambda: traced(nn.GRU(I, H), steps=1),
        "loss at the end": lambda: traced(nn.GRU(I, H), loss=lambda output: output[1].sum()),
        "not itemised": lambda: traced(nn.GRU(I, H), keep=("forward", "backward")),
        "some units": lambda: traced(nn.GRU(I, H), keep=Keep(("h", "gates", "dh", "G"), units=[0, 3])),
        "no loss": lambda: traced(nn.LSTM(I, H), keep="forward", loss=None),
        "states alone": lambda: traced(nn.LSTM(I, H), keep="h", loss=None),
    }


def translated() -> Trace:
    """Of an encoder whose steps are not those of the losses."""
    return traced(Translator())


def fading(rate: float, steps: int = T) -> Trace:
    """Of a network whose every gradient falls by the same factor a step: h_t = rate h_{t-1} + x_t."""
    layer = nn.RNN(2, 2, nonlinearity="relu")
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        weights = dict(layer.named_parameters())
        weights["weight_ih_l0"].copy_(torch.eye(2))
        weights["weight_hh_l0"].copy_(rate * torch.eye(2))
    return unrolled.trace(layer, torch.ones(steps, 1, 2), loss=lambda output: output[0].sum(), keep=ALL)


def changed(trace: Trace, arrays: dict[str, Any] | None = None, **facts: Any) -> Trace:
    """The same trace with other arrays and facts."""
    copied = {name: np.array(value) for name, value in trace.arrays.items()}
    return Trace(copied | (arrays or {}), trace.facts | facts)
