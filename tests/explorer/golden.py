"""Small traces of every cell that the page's own tests read; numbers that the reference computed.

``python -m tests.explorer.golden`` writes them anew, for a new version of the format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import unrolled
from unrolled import nn, unroll
from unrolled.cells import Array
from unrolled.config import LanguageModelConfig
from unrolled.data.tokenizers import CharTokenizer
from unrolled.explorer import carried
from unrolled.tasks.base import Kept
from unrolled.traces import Trace
from unrolled.tracing import trace_run
from unrolled.tracing.keep import Keep
from unrolled.wirings import Sizes, TokenModel

FOLDER = Path(__file__).parents[1] / "golden" / "explorer"
ALL = ("forward", "backward", "itemised")
T, B, I, H = 6, 2, 3, 4


def square(output: Any) -> torch.Tensor:
    return output[0].square().sum()


def traced(model: torch.nn.Module, keep: Any = ALL, loss: Callable[..., Any] | None = square) -> Trace:
    torch.manual_seed(3)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.6)
    return unrolled.trace(model, torch.randn(T, B, I), loss=loss, keep=keep)


class Given(torch.nn.Module):
    """A layer that is called with lengths or resets."""

    def __init__(self, layer: torch.nn.Module, **given: Any) -> None:
        super().__init__()
        self.layer, self.given = layer, given

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x, **self.given)


def reading(cell: str, layers: int) -> Kept:
    """A language model of a few characters, untrained."""
    torch.manual_seed(5)
    reader = CharTokenizer.fit(["to be, or not to be"])
    model = TokenModel(Sizes(reader.size, cell, layers, hidden=5, embedding=3))
    return Kept(model.eval(), reader, LanguageModelConfig(), {})


READING = {"text-lstm": ("lstm", 2), "text-gru": ("gru", 1)}
"""Language models, with their weights beside their traces."""


def read(name: str) -> Trace:
    """The trace of one of them."""
    return trace_run(reading(*READING[name]), "to be, or not", keep=ALL)


def by_hand(cell: str, gates: int) -> Trace:
    """Of a cell that no layer of torch's names, from its tape."""
    rng = np.random.default_rng(4)
    sizes = {"W_xh": (gates * H, I), "W_hh": (gates * H, H), "b_xh": (gates * H,), "b_hh": (gates * H,)}
    params: Mapping[str, Array] = {name: 0.6 * rng.normal(size=size) for name, size in sizes.items()}
    tape = unroll.forward(cell, params, rng.normal(size=(T, B, I)), engine="reference")
    unroll.backward(tape, rng.normal(size=(T, B, H)), keep=("dh_out", "dh_carry", "dh", "da"))
    arrays = {f"l0/{name}": np.array(value) for name, value in (tape.arrays | dict(tape.params)).items()}
    arrays = {name: value for name, value in arrays.items() if not name.endswith("h_n")} | {"l0/x": tape.x}
    about = {"name": "l0", "module": "", "number": 0, "call": 0, "cell": cell, "direction": "forward"}
    about |= {"T": T, "B": B, "I": I, "H": H, "first_step": 0, "whole_T": T}
    facts = {"model": {"name": cell}, "weights_sha256": "0" * 64, "tokens": [], "versions": {}, "seed": 4}
    facts |= {"keep": {"arrays": [], "steps": None, "units": None}, "left_out": {}, "loss": None}
    return Trace(arrays, facts | {"layers": [about]})


def cases() -> dict[str, Callable[[], Trace]]:
    lengths, reset = torch.tensor([4, 6]), torch.zeros(T, B, dtype=torch.bool)
    reset[3, 0] = True
    return {
        "lstm-stacked": lambda: traced(nn.LSTM(I, H, num_layers=2)),
        "lstm-both-directions": lambda: traced(Given(nn.LSTM(I, H, 2, bidirectional=True), lengths=lengths)),
        "lstm-projected": lambda: traced(nn.LSTM(I, H, proj_size=2)),
        "gru-ragged": lambda: traced(Given(nn.GRU(I, H), lengths=lengths)),
        "gru-reset": lambda: traced(Given(nn.GRU(I, H), reset=reset)),
        "gru-reset-before": lambda: by_hand("gru_reset_before", 3),
        "gru-loss-at-end": lambda: traced(nn.GRU(I, H), loss=lambda output: output[1].sum()),
        "gru-window": lambda: traced(nn.GRU(I, H), keep=Keep(ALL, steps=range(2, 5))),
        "gru-some-units": lambda: traced(nn.GRU(I, H), keep=Keep(("h", "gates", "dh", "G"), units=[0, 3])),
        "rnn-tanh": lambda: traced(nn.RNN(I, H)),
        "rnn-relu": lambda: traced(nn.RNN(I, H, nonlinearity="relu")),
        "rnn-identity": lambda: by_hand("rnn_identity", 1),
        **{name: partial(read, name) for name in READING},
        "states-alone": lambda: traced(nn.LSTM(I, H), keep="h", loss=None),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, build in cases().items():
        build().save(FOLDER / f"{name}.safetensors")
    for name, model in READING.items():
        (FOLDER / f"weights-{name}.safetensors").write_bytes(carried.weights(reading(*model)) or b"")
