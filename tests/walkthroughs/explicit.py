"""Recurrences as explicit loops in torch, written out here for the worked examples to be compared with."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from unrolled.cells import Array


def tensors(arrays: Mapping[str, Array]) -> dict[str, Tensor]:
    """Float64 leaves with gradients, by name."""
    return {name: torch.tensor(np.array(value), requires_grad=True) for name, value in arrays.items()}


def step(cell: str, W: Mapping[str, Tensor], x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One step of a cell; ``W`` has W_xh, W_hh and b_hh."""
    h = states[0]
    from_input, from_state = x @ W["W_xh"].T, h @ W["W_hh"].T + W["b_hh"]
    if cell == "lstm":
        i, f, g, o = (from_input + from_state).chunk(4, dim=-1)
        c = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c.clone()  # what is handed on apart from what h is made of
    if cell == "gru":
        (xr, xz, xn), (hr, hz, hn) = from_input.chunk(3, dim=-1), from_state.chunk(3, dim=-1)
        z, n = (xz + hz).sigmoid(), (xn + (xr + hr).sigmoid() * hn).tanh()
        return ((1 - z) * n + z * h,)
    f = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda a: a}
    return (f[cell.removeprefix("rnn_")](from_input + from_state),)


def run(cell: str, W: Mapping[str, Tensor], x: Tensor) -> list[tuple[Tensor, ...]]:
    """The states before and after each step, each with its gradient kept."""
    H = W["W_hh"].shape[1]
    zeros = torch.zeros(x.shape[1], H, dtype=x.dtype, requires_grad=True)
    first = (zeros,) if cell != "lstm" else (zeros, torch.zeros_like(zeros, requires_grad=True))
    states: list[tuple[Tensor, ...]] = [first]
    for x_t in x:
        states.append(step(cell, W, x_t, states[-1]))
        for state in states[-1]:
            state.retain_grad()
    return states
