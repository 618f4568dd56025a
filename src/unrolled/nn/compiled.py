"""The seam to the compiled core: a stack of layers as one function that torch can differentiate.

One autograd node for the whole stack, because a node costs as much as a small layer. Inside, one call of
`native.forward` for each layer and direction, and one of `native.backward` going back. Callers have checked
everything: shapes, one dtype, plain memory on the CPU, contiguous weights and states, and the features of the
input side by side.

The input may be ids, int64 and within range. The first layer's weights then have a table ``[N, G*H]`` in the
place of W_xh, whose row id is ``x W_xhᵀ + b_xh``, and want no gradient of b_xh, which is in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import Module

from unrolled import native
from unrolled.nn import again, gradient
from unrolled.nn.kept import addresses
from unrolled.nn.memory import room
from unrolled.nn.plan import Plan, at, five

Tape = tuple[Tensor | None, Tensor | None, Tensor | None]


class Call(NamedTuple):
    """Everything about one call that is no tensor of torch's graph; ``p`` is the dropout between layers.

    Packed weights may stay with the ``owner`` of the weights, if it is named.

    Shapes:
        lengths: ``[B]`` int64; reset: ``[T, B]`` uint8 contiguous, both the call's own; rows: ``[N]``, the
        real rows of a packed batch; each may be None.
    """

    plan: Plan
    code: int
    batch_first: bool
    p: float
    lengths: Tensor | None
    reset: Tensor | None
    rows: Tensor | None
    owner: Module | None = None


def run(
    call: Call, x: Tensor, h_0: Tensor | None, c_0: Tensor | None, weights: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Output and final states of a stack; recorded by autograd where something asks for a gradient.

    Shapes:
        x: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ids the same without I; h_0: ``[L*D, B, k*R]``; c_0:
        ``[L*D, B, H]``; weights: in torch's order. Gives output ``[T, B, D*R]`` in the layout of x, h_n and,
        for an LSTM, c_n.
    """
    if gradient.wanted(*weights, x, h_0, c_0):
        return _record(call, x, h_0, c_0, *weights)
    return _forward(call, x, h_0, c_0, weights, None)


class Stack(Function):
    """A stack of recurrent layers."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, x: Tensor, h_0: Tensor | None, c_0: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        """Output and final states.

        Shapes:
            those of `run`.
        """
        kept: list[Tensor | None] = []
        result = _forward(call, x, h_0, c_0, weights, kept)
        ctx.save_for_backward(h_0, c_0, *weights, *kept)
        ctx.set_materialize_grads(False)
        ctx.call = call
        return result

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of x, h_0, c_0 and every weight.

        Shapes:
            upstream: those of output, h_n and c_n.
        """
        arguments = ctx.call, ctx.needs_input_grad, ctx.saved_tensors, upstream
        return gradient.once(_backward, partial(_again, ctx.call), *arguments)


_record: Callable[..., tuple[Tensor, ...]] = super(Function, Stack).apply  # pyright: ignore
"""`Stack.apply` without its preparation for the transforms of torch.func, which `route.choose` keeps away."""


def _forward(
    call: Call,
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: Sequence[Tensor],
    kept: list[Tensor | None] | None,
) -> tuple[Tensor, ...]:
    """Runs the stack; appends to ``kept`` what `_backward` reads, or keeps nothing where it is None.

    Of each layer: its input, its output, the factors of the dropout behind it, and for each direction gates,
    saved and c.
    """
    plan, code, batch_first, p, lengths, reset, rows, owner = call
    L, D, H, P, R = plan.layers, plan.directions, plan.H, plan.P, plan.R
    B, T = x.shape[:2] if batch_first else x.shape[1::-1]
    like, looks_up = weights[1], not x.is_floating_point()
    empty, size, threads = like.new_empty, like.itemsize, torch.get_num_threads()
    h_n = empty(L * D, B, plan.kR)
    c_n = empty(L * D, B, H) if plan.c else None
    of_h, of_c = B * plan.kR * size, B * H * size
    h_0_at, c_0_at, h_n_at, c_n_at = at(h_0), at(c_0), at(h_n), at(c_n)
    lengths_at, reset_at = at(lengths), at(reset)
    W_at = [weight.data_ptr() for weight in weights]
    step, row = _step_and_row(x, batch_first)
    tape: Tape = (None, None, None)
    packed = addresses(owner, L * D, T * B, like) if kept is None else [0] * (L * D)
    for layer in range(L):
        swapped = batch_first and layer == L - 1
        h = empty(B, T, D * R) if swapped else empty(T, B, D * R)
        h_step, h_row = _step_and_row(h, swapped)
        x_at, h_at, width = x.data_ptr(), h.data_ptr(), len(weights[0]) if looks_up else x.size(2)
        noise = noise_of(h, p, rows) if p and layer < L - 1 else None
        if kept is not None:
            kept += (x, h, noise)
        for d in range(D):
            if kept is not None:
                tape = new_tape(plan, like, T, B)
                kept += tape
            k = layer * D + d
            W = five(W_at, k, plan, 0)
            ids = (x_at, step, row, W[0]) if looks_up else native.NO_IDS
            native.forward(
                code, threads, T, B, width, H, P, d, lengths_at, reset_at, *W,
                x_at, step, row, h_0_at and h_0_at + k * of_h, c_0_at and c_0_at + k * of_c,
                h_at + d * R * size, h_step, h_row, h_n_at + k * of_h, c_n_at and c_n_at + k * of_c,
                at(tape[0]), at(tape[1]), at(tape[2]), *ids, packed[k], *native.WHOLE[0],
                plan.order,
            )  # fmt: skip
        x, step, row, looks_up = (h if noise is None else h * noise), h_step, h_row, False
    return (x, h_n) if c_n is None else (x, h_n, c_n)


def _backward(
    call: Call, needs: Sequence[bool], tensors: Sequence[Any], upstream: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The gradients of what `Stack.forward` takes, the call included; None where ``needs`` says so."""
    plan, code, batch_first, _, lengths, reset, *_ = call
    L, D, H, P, R = plan.layers, plan.directions, plan.H, plan.P, plan.R
    end = 2 + len(plan.shapes)
    h_0, c_0, weights, kept = tensors[0], tensors[1], tensors[2:end], tensors[end:]
    T, B = kept[0].shape[1::-1] if batch_first else kept[0].shape[:2]
    size, threads, like = weights[1].itemsize, torch.get_num_threads(), torch.empty_like
    dW = [like(weight) if need else None for weight, need in zip(weights, needs[4:], strict=True)]
    dh_0, dc_0 = like(h_0) if needs[2] else None, like(c_0) if needs[3] else None
    dh, dh_n, dc_n = side_by_side(upstream[0]), ready(upstream[1]), ready(upstream[2]) if plan.c else None
    of_h, of_c = B * plan.kR * size, B * H * size
    h_0_at, c_0_at, dh_0_at, dc_0_at = at(h_0), at(c_0), at(dh_0), at(dc_0)
    dh_n_at, dc_n_at = at(dh_n), at(dc_n)
    lengths_at, reset_at = at(lengths), at(reset)
    W_at, dW_at = [at(weight) for weight in weights], [at(d) for d in dW]
    lowest, dx = lowest_layer(needs, plan), None
    for layer in reversed(range(lowest, L)):
        x, h, noise, *tapes = kept[layer * (3 + 3 * D) : (layer + 1) * (3 + 3 * D)]
        dh = dh * noise if dh is not None and noise is not None else dh
        step, row = _step_and_row(x, batch_first and layer == 0)
        h_step, h_row = _step_and_row(h, batch_first and layer == L - 1)
        dh_step, dh_row = _step_and_row(h if dh is None else dh, batch_first and layer == L - 1)
        looks_up = not x.is_floating_point()
        x_at, h_at, dh_at, width = (
            x.data_ptr(), h.data_ptr(), at(dh), len(weights[0]) if looks_up else x.size(2)
        )  # fmt: skip
        dx = None
        for d in range(D):
            part = room(x, x.numel())(*x.shape) if layer > lowest or needs[1] else None
            dx_step, dx_row = _step_and_row(x if part is None else part, batch_first and layer == 0)
            k, of_d = layer * D + d, d * R * size
            ids, dW_k = native.NO_IDS, five(dW_at, k, plan, 0)
            if looks_up:
                ids, dW_k = (x_at, step, row, dW_k[0]), (0, *dW_k[1:])
            native.backward(
                code, threads, T, B, width, H, P, d, lengths_at, reset_at, B, *five(W_at, k, plan, 0),
                x_at, step, row, h_0_at and h_0_at + k * of_h, c_0_at and c_0_at + k * of_c,
                h_at + of_d, h_step, h_row, at(tapes[3 * d]), at(tapes[3 * d + 1]), at(tapes[3 * d + 2]),
                dh_at and dh_at + of_d, dh_step, dh_row,
                dh_n_at and dh_n_at + k * of_h, dc_n_at and dc_n_at + k * of_c,
                at(part), dx_step, dx_row, *dW_k,
                dh_0_at and dh_0_at + k * of_h, dc_0_at and dc_0_at + k * of_c, 0, 0, 0, 0, *ids,
                *native.WHOLE[1], plan.order,
            )  # fmt: skip
            dx = part if dx is None or part is None else dx.add_(part)
        dh = dx
    return None, (dx if needs[1] else None), dh_0, dc_0, *dW


def _again(call: Call, tensors: Sequence[Any]) -> tuple[Sequence[Tensor | None], Sequence[Tensor]]:
    """The same call in torch's operations: what `_backward` takes gradients of, and the outputs."""
    end = 2 + len(call.plan.shapes)
    (h_0, c_0, *weights), kept = tensors[:end], tensors[end:]
    noises = kept[2 :: 3 + 3 * call.plan.directions]
    return (None, kept[0], h_0, c_0, *weights), again.stack(call, kept[0], h_0, c_0, weights, noises)


def new_tape(plan: Plan, like: Tensor, T: int, B: int) -> Tape:
    """Room for gates, saved and c of one layer and direction."""
    empty = room(like, T * B * plan.H * max(1, plan.gates))
    gates = empty(T, B, plan.gates, plan.H) if plan.gates else None
    saved = empty(T, B, plan.H) if plan.saved else None
    return gates, saved, empty(T, B, plan.H) if plan.c else None


def lowest_layer(needs: Sequence[bool], plan: Plan) -> int:
    """The lowest layer that somebody wants a gradient of; below it there is nothing to do."""
    if any(needs[1:4]):
        return 0
    return needs[4:].index(True) * plan.layers // len(plan.shapes)


def noise_of(h: Tensor, p: float, rows: Tensor | None) -> Tensor:
    """The factors of dropout between two layers, drawn as torch draws them: for the real rows if packed."""
    drawn = h if rows is None else h.flatten(0, 1)[: len(rows)]
    noise = torch.empty_like(drawn).bernoulli_(1 - p).div_(1 - p) if p < 1 else torch.zeros_like(drawn)
    if rows is None:
        return noise
    return h.new_zeros((h.size(0) * h.size(1), h.size(2))).index_copy_(0, rows, noise).view(h.shape)


def _step_and_row(array: Tensor, batch_first: bool) -> tuple[int, int]:
    """How many elements apart the steps lie, and the rows."""
    first, second, *_ = array.stride()
    return (second, first) if batch_first else (first, second)


def ready(d: Tensor | None) -> Tensor | None:
    """An upstream gradient as the core reads it: contiguous."""
    return None if d is None else _positive(d).contiguous()


def side_by_side(d: Tensor | None) -> Tensor | None:
    """An upstream gradient with the features of a row side by side; steps and rows may lie apart."""
    if d is None:
        return None
    d = _positive(d)
    if d.stride(2) == 1:
        return d
    if d.stride() == (0, 0, 0) and d.numel() > d.size(
        2
    ):  # one number for all, of a sum or a mean: one row says it
        return d[0, 0].contiguous().expand(d.shape)
    return d.contiguous()


def _positive(d: Tensor) -> Tensor:
    """Torch may leave a minus sign to be applied on reading, which the core does not do."""
    return d.resolve_neg() if d.is_neg() else d
