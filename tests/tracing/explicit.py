"""A stack of recurrent layers as a bare loop in torch, with weights of its own at every step: what to expect.

Nothing of ours computes here. Autograd gives the gradient of every state and of every pre-activation; and as
each step reads a copy of the weights, each step's part in their gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

NAMES = ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr")
NONLINEAR = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda a: a}


@dataclass
class Loop:
    """One layer in one direction: what each step computed, by step."""

    reverse: bool
    x: Tensor
    h: dict[int, Any] = field(default_factory=dict)
    c: dict[int, Any] = field(default_factory=dict)
    gates: dict[int, list[Any]] = field(default_factory=dict)
    xw: dict[int, Any] = field(default_factory=dict)
    hw: dict[int, Any] = field(default_factory=dict)
    weights: dict[int, dict[str, Any]] = field(default_factory=dict)


def step(cell: str, x: Tensor, state: list[Tensor], w: dict[str, Tensor]) -> tuple:
    """New states, gates and both halves of one step."""
    h = state[0]
    xw = x @ w["W_xh"].T + w.get("b_xh", 0)
    hw = h @ w["W_hh"].T + w.get("b_hh", 0)
    H = w["W_hh"].shape[0] // {"lstm": 4, "gru": 3, "gru_reset_before": 3}.get(cell, 1)
    if cell == "lstm":
        a = (xw + hw).split(H, 1)
        i, f, g, o = torch.sigmoid(a[0]), torch.sigmoid(a[1]), torch.tanh(a[2]), torch.sigmoid(a[3])
        c = f * state[1] + i * g
        h = o * torch.tanh(c)
        return [h @ w["W_hr"].T if "W_hr" in w else h, c], [i, f, g, o], xw, hw
    if cell.startswith("gru"):
        r, z = (torch.sigmoid(xw[:, k * H : k * H + H] + hw[:, k * H : k * H + H]) for k in (0, 1))
        if cell == "gru":
            n = torch.tanh(xw[:, 2 * H :] + r * hw[:, 2 * H :])
        else:
            hw = torch.cat([hw[:, : 2 * H], (r * h) @ w["W_hh"][2 * H :].T + w["b_hh"][2 * H :]], 1)
            n = torch.tanh(xw[:, 2 * H :] + hw[:, 2 * H :])
        return [(1 - z) * n + z * h], [r, z, n], xw, hw
    new = NONLINEAR[cell.split("_")[1]](xw + hw)
    return [new], [new], xw, hw


def direction(cell, x, state, weights, lengths, reset, reverse) -> Loop:
    """One layer in one direction over ``x [T, B, I]``; all that a step gives is kept with its gradient."""
    loop = Loop(reverse, x)
    T = len(x)
    for t in reversed(range(T)) if reverse else range(T):
        own = {name: weight.clone() for name, weight in weights.items()}
        entering = state if reset is None else [torch.where(reset[t, :, None], 0, s) for s in state]
        left, gates, xw, hw = step(cell, x[t], entering, own)
        real = (t < lengths)[:, None]
        for kept in (*left, *own.values(), xw, hw):
            kept.retain_grad() if kept.requires_grad else None
        loop.h[t], loop.gates[t], loop.xw[t], loop.hw[t], loop.weights[t] = left[0], gates, xw, hw, own
        if len(left) > 1:
            loop.c[t] = left[1]
        state = [torch.where(real, new, old) for new, old in zip(carried(left, entering), state, strict=True)]
    return loop


def carried(left: list[Tensor], entering: list[Tensor]) -> list[Tensor]:
    """The states that go on from a step: of higher order, the new one and all but the oldest before it."""
    return [
        torch.cat([new, old[:, : old.shape[1] - new.shape[1]]], 1)
        for new, old in zip(left, entering, strict=True)
    ]


def stack(layer, x: Tensor, lengths: Tensor, reset: Tensor | None = None) -> tuple[Tensor, list[Loop]]:
    """The output ``[T, B, D*R]`` of one of our layers, without any of ours, and a loop for each direction."""
    loops, k = [], 0
    for _ in range(layer.num_layers):
        outputs = []
        for d in range(2 if layer.bidirectional else 1):
            weights = dict(zip(NAMES, layer.all_weights[k], strict=False))
            if not layer.bias:
                weights = {"W_xh": layer.all_weights[k][0], "W_hh": layer.all_weights[k][1]}
            R = layer.proj_size or layer.hidden_size
            states = [x.new_zeros(x.shape[1], R * getattr(layer, "order", 1))]
            if layer.cell == "lstm":
                states.append(x.new_zeros(x.shape[1], layer.hidden_size))
            loops.append(direction(layer.cell, x, states, weights, lengths, reset, bool(d)))
            real = (torch.arange(len(x))[:, None] < lengths)[:, :, None]
            outputs.append(torch.stack([loops[-1].h[t] for t in range(len(x))]) * real)
            k += 1
        x = torch.cat(outputs, 2)
    return x, loops
