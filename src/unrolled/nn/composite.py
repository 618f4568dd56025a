"""Any of our cells as one torch operation after the other: what torch itself lacks, where no kernel runs.

Slow and general: every device, dtype and transform that torch has, second derivatives included. Everything
is time-major, ``[T, B, ...]``; a layer's weights come as in torch: ``W_xh, W_hh, (b_xh, b_hh), (W_hr)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from unrolled.nn.plan import Plan, five

_NONLINEAR = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda a: a}

State = tuple[Tensor, ...]


def step(cell: str, xw: Tensor, state: State, weights: Sequence[Tensor | None]) -> State:
    """One step of a cell.

    Shapes:
        xw: ``[B, G*H]``, the finished input product; state: h ``[B, k*R]`` and, for an LSTM, c ``[B, H]``;
        weights: ``W_hh [G*H, k*R]``, b_hh ``[G*H]`` or None, W_hr ``[P, H]`` or None. Gives the new h
        ``[B, R]`` and c.

    Raises:
        KeyError: a cell that is none of ours.
    """
    W_hh, b_hh, W_hr = weights
    assert W_hh is not None
    h = state[0]
    if cell == "lstm":
        i, f, g, o = (xw + linear(h, W_hh, b_hh)).chunk(4, 1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return (h if W_hr is None else linear(h, W_hr)), c
    if cell == "gru":
        xw_r, xw_z, xw_n = xw.chunk(3, 1)
        hw_r, hw_z, hw_n = linear(h, W_hh, b_hh).chunk(3, 1)
        r, z = torch.sigmoid(xw_r + hw_r), torch.sigmoid(xw_z + hw_z)
        return ((1 - z) * torch.tanh(xw_n + r * hw_n) + z * h,)
    if cell == "gru_reset_before":
        H = h.size(1)
        xw_r, xw_z, xw_n = xw.chunk(3, 1)
        hw_r, hw_z = linear(h, W_hh[: 2 * H], None if b_hh is None else b_hh[: 2 * H]).chunk(2, 1)
        r, z = torch.sigmoid(xw_r + hw_r), torch.sigmoid(xw_z + hw_z)
        hw_n = linear(r * h, W_hh[2 * H :], None if b_hh is None else b_hh[2 * H :])
        return ((1 - z) * torch.tanh(xw_n + hw_n) + z * h,)
    return (_NONLINEAR[cell.split("_")[1]](xw + linear(h, W_hh, b_hh)),)


def one_step(plan: Plan, cell: str, x: Tensor, states: State, weights: Sequence[Tensor]) -> State:
    """One step of a cell from its input.

    Shapes:
        x: ``[B, I]``; states: ``[B, H]`` each, or none for zeros; weights: in torch's order.

    Raises:
        KeyError: a cell that is none of ours.
    """
    W_xh, W_hh, b_xh, b_hh, _ = five(weights, 0, plan, None)
    assert W_xh is not None
    states = states or (x.new_zeros((x.size(0), plan.H)),) * (1 + plan.c)
    return step(cell, linear(x, W_xh, b_xh), states, (W_hh, b_hh, None))


def direction(
    cell: str,
    x: Tensor,
    state: State,
    weights: Sequence[Tensor | None],
    lengths: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, State]:
    """One layer in one direction over a whole sequence: its output and final states.

    Shapes:
        x: ``[T, B, I]``; state: h ``[B, k*R]``, c ``[B, H]``; lengths: ``[B]``; reset: ``[T, B]`` bool;
        weights: W_xh, W_hh, b_xh, b_hh, W_hr. Output: ``[T, B, R]``, zero past a sequence's end.

    Raises:
        KeyError: a cell that is none of ours.
    """
    W_xh, W_hh, b_xh, b_hh, W_hr = weights
    assert W_xh is not None
    xw = linear(x, W_xh, b_xh)
    output: list[Tensor] = [x.new_empty(0)] * x.size(0)
    for t in reversed(range(x.size(0))) if reverse else range(x.size(0)):
        entering = state
        if reset is not None:
            entering = tuple(s.masked_fill(reset[t, :, None], 0) for s in state)
        left = step(cell, xw[t], entering, (W_hh, b_hh, W_hr))
        output[t] = left[0]
        left = tuple(_in_reach(new, before) for new, before in zip(left, entering, strict=True))
        if lengths is not None:
            real = (t < lengths)[:, None]
            left = tuple(torch.where(real, new, old) for new, old in zip(left, state, strict=True))
            output[t] = output[t].masked_fill(~real, 0)
        state = left
    return torch.stack(output), state


def _in_reach(new: Tensor, before: Tensor) -> Tensor:
    """What the next step is given of a state: the new one, and of those before it all but the oldest."""
    earlier = before.size(1) - new.size(1)
    return torch.cat([new, before[:, :earlier]], 1) if earlier else new


def stack(
    cell: str,
    x: Tensor,
    states: State,
    weights: Sequence[Sequence[Sequence[Tensor | None]]],
    lengths: Tensor | None,
    reset: Tensor | None,
    drop: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, State]:
    """All layers and directions of a stack: output and final states, as torch.nn gives them.

    ``drop`` is the dropout between layers.

    Shapes:
        x: ``[T, B, I]``; states: h ``[L*D, B, k*R]`` and, for an LSTM, c ``[L*D, B, H]``; weights: for each
        layer and direction W_xh, W_hh, b_xh, b_hh, W_hr; lengths: ``[B]``; reset: ``[T, B]`` bool. Output:
        ``[T, B, D*R]``.

    Raises:
        KeyError: a cell that is none of ours.
    """
    if lengths is not None:
        lengths = lengths.to(x.device)
        past = torch.arange(x.size(0), device=x.device)[:, None] >= lengths
        x = x.masked_fill(past[:, :, None], 0)  # so that NaN in the padding reaches no gradient
    final: list[State] = []
    for number, layer in enumerate(weights):
        if number and drop is not None:
            x = drop(x)
        outputs: list[Tensor] = []
        for d, tensors in enumerate(layer):
            state = tuple(s[len(final)] for s in states)
            output, state = direction(cell, x, state, tensors, lengths, reset, reverse=bool(d))
            outputs.append(output)
            final.append(state)
        x = torch.cat(outputs, 2)
    return x, tuple(torch.stack(states) for states in zip(*final, strict=True))
