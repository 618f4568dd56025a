"""The models that traces are tested on: every cell, in every way a layer can run."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled import nn


class Way(NamedTuple):
    """A way to run a layer."""

    name: str
    options: dict[str, Any] = {}  # noqa: RUF012  never changed
    ragged: bool = False
    resets: bool = False


WAYS = (
    Way("plain"),
    Way("stacked, both directions", {"num_layers": 2, "bidirectional": True}),
    Way("ragged, both directions", {"bidirectional": True}, ragged=True),
    Way("resets", resets=True),
    Way("all", {"num_layers": 2, "bidirectional": True}, ragged=True, resets=True),
)

CELLS: dict[str, Any] = {
    "rnn_tanh": nn.RNN,
    "rnn_relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "rnn_sigmoid": lambda *a, **k: nn.RNN(*a, nonlinearity="sigmoid", **k),
    "rnn_identity": lambda *a, **k: nn.RNN(*a, nonlinearity="identity", **k),
    "lstm": nn.LSTM,
    "lstm projected": lambda *a, **k: nn.LSTM(*a, proj_size=3, **k),
    "gru": nn.GRU,
    "gru_reset_before": lambda *a, **k: nn.GRU(*a, reset_after=False, **k),
    "hornn_tanh_3": lambda *a, **k: nn.HigherOrderRNN(*a, order=3, **k),
}

T, B, I, H = 7, 3, 4, 5


def make(
    cell: str, way: Way, dtype: torch.dtype = torch.float64
) -> tuple[Any, Tensor, Tensor, Tensor | None]:
    """A layer, its input ``[T, B, I]``, lengths ``[B]`` and resets ``[T, B]`` or None."""
    generator = torch.Generator().manual_seed(7)
    layer = CELLS[cell](I, H, dtype=dtype, **way.options)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(0.6 * torch.randn(weight.shape, generator=generator, dtype=dtype))
    x = torch.randn(T, B, I, generator=generator, dtype=dtype)
    lengths = torch.tensor([5, 7, 2]) if way.ragged else torch.full((B,), T)
    reset = torch.rand(T, B, generator=generator) < 0.25 if way.resets else None
    return layer, x, lengths, reset


class Called(torch.nn.Module):
    """A layer called with its lengths and resets, and a head behind it."""

    def __init__(self, layer: Any, lengths: Tensor, reset: Tensor | None) -> None:
        super().__init__()
        self.layer, self.lengths, self.reset = layer, lengths, reset
        width = (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)
        generator = torch.Generator().manual_seed(8)
        dtype = next(layer.parameters()).dtype
        self.head = torch.randn(width, 2, generator=generator, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.layer(x, lengths=self.lengths, reset=self.reset)[0])

    def read(self, output: Tensor) -> Tensor:
        """What the head makes of the layer's output."""
        return torch.tanh(output @ self.head)


def loss_of(y: Tensor) -> Tensor:
    """A loss that every step has its own part in, as different ones."""
    weight = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)
    return (weight * y + 0.5 * y.square()).sum()
