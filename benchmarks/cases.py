"""What is run: the shapes, our layer and torch's with the same weights, and passes as a user calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from unrolled.speed import LAYERS, Shape

GRID = [
    (1000, 1, 64, 64),
    (100, 1, 32, 64),
    (100, 8, 64, 64),
    (100, 32, 64, 64),
    (100, 32, 128, 128),
    (1000, 16, 128, 128),
    (100, 64, 256, 256),
    (50, 64, 512, 512),
    (50, 64, 1024, 1024),
    (35, 20, 650, 640),
    (784, 32, 1, 128),
    (2000, 4, 16, 32),
    (1, 1, 64, 64),
    (1, 1, 256, 256),
]
"""T, B, I, H: from one step of one sequence to batches that fill the machine."""

CELLS = ("rnn", "gru", "lstm")

Run = Callable[[], Sequence[Any]]
"""One pass of a contestant; gives the output, then the input's gradient where there is one, then others."""


@dataclass(frozen=True)
class Pass:
    """Forward alone or with backward; ``dx``: with a gradient of the input, as in any layer but the first."""

    name: str
    training: bool = False
    dx: bool = False


PASSES = (
    Pass("forward"),
    Pass("forward + backward", training=True),
    Pass("forward + backward + dx", training=True, dx=True),
)


def tiny(shape: Shape) -> Shape:
    """The same kind of shape, small enough for a test of the benchmark itself."""
    sizes = {name: min(getattr(shape, name), most) for name, most in {"T": 6, "B": 3, "I": 5, "H": 8}.items()}
    return replace(shape, **sizes)


def size_of(shape: Shape) -> str:
    """A shape without its cell, as results are listed."""
    return str(shape).removeprefix(f"{shape.cell} ")


def ours_and_torchs(
    shape: Shape, dtype: torch.dtype = torch.float32
) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Both layers, with the same random weights."""
    ours, theirs = (
        layer(shape.I, shape.H, shape.layers, bidirectional=shape.bidirectional, dtype=dtype)
        for layer in LAYERS[shape.cell]
    )
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def make_run(
    layer: torch.nn.Module, which: Pass, x: Tensor, dh: Tensor, call: Callable[[Tensor], Tensor] | None = None
) -> Run:
    """One pass of ``layer``; ``call`` is how a user gets from input to output where not by ``layer(x)[0]``.

    Shapes:
        x: ``[T, B, I]``; dh: that of the output, whose gradient it is.
    """
    call = call or (lambda x: layer(x)[0])
    if not which.training:
        layer.eval()

        def infer() -> Sequence[Any]:
            with torch.no_grad():
                return [call(x)]

        return infer

    x = x.detach().requires_grad_(which.dx)
    leaves = [x, *layer.parameters()] if which.dx else list(layer.parameters())

    def train() -> Sequence[Any]:
        for leaf in leaves:
            leaf.grad = None
        output = call(x)
        output.backward(dh)
        return [output.detach(), *(leaf.grad for leaf in leaves)]

    return train


def draw(shape: Shape, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """An input and the gradient of an output.

    Shapes:
        Gives ``[T, B, I]`` and ``[T, B, D*H]``.
    """
    width = shape.H * (2 if shape.bidirectional else 1)
    x, dh = torch.randn(shape.T, shape.B, shape.I), torch.randn(shape.T, shape.B, width)
    return x.to(dtype), dh.to(dtype)
