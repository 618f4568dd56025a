"""The seam to the compiled core: a stack of layers as one function that torch can differentiate.

One autograd node for the whole stack, because a node costs as much as a small layer. Inside, one call of
`native.forward` for each layer and direction, and one of `native.backward` going back. Callers have checked
everything: shapes, one dtype, plain memory on the CPU, contiguous weights and states, and the features of the
input side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from unrolled import native
from unrolled.nn import gradient
from unrolled.nn.plan import Plan, at, fives


class Call(NamedTuple):
    """Everything about one call that is no tensor of torch's graph.

    Shapes:
        lengths: ``[B]`` int64; reset: ``[T, B]`` uint8 contiguous, both the call's own; rows: ``[N]``, the real rows
        of a packed batch; each may be None. p: dropout between layers.
    """

    plan: Plan
    code: int
    batch_first: bool
    p: float
    lengths: Tensor | None
    reset: Tensor | None
    rows: Tensor | None


def run(
    call: Call, x: Tensor, h_0: Tensor | None, c_0: Tensor | None, weights: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Output and final states of a stack; recorded by autograd where something asks for a gradient.

    Shapes:
        x: ``[T, B, I]``, ``[B, T, I]`` with batch_first; h_0: ``[L*D, B, R]``; c_0: ``[L*D, B, H]``; weights: in
        torch's order. Gives output ``[T, B, D*R]`` in the layout of x, h_n and, for an LSTM, c_n.
    """
    if gradient.wanted(x, h_0, c_0, *weights):
        return Stack.apply(call, x, h_0, c_0, *weights)
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
        with torch.no_grad():
            gradients = _backward(ctx.call, ctx.needs_input_grad, ctx.saved_tensors, upstream)
        return (None, *gradient.once(gradients))


def _forward(
    call: Call,
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: Sequence[Tensor],
    kept: list[Tensor | None] | None,
) -> tuple[Tensor, ...]:
    """Runs the stack; appends to ``kept`` what `_backward` reads, or keeps nothing where it is None.

    Of each layer: its input, its output, the factors of dropout, and for each direction gates, saved, c.
    """
    plan, code, batch_first, p, lengths, reset, rows = call
    L, D, H, P, R = plan.layers, plan.directions, plan.H, plan.P, plan.R
    T, B, step, row = _layout(x, batch_first)
    empty, size, threads = x.new_empty, x.itemsize, torch.get_num_threads()
    h_n, c_n = empty(L * D, B, R), empty(L * D, B, H) if plan.c else None
    h_0_at, c_0_at, h_n_at, c_n_at, lengths_at, reset_at = map(at, (h_0, c_0, h_n, c_n, lengths, reset))
    W_at = fives([weight.data_ptr() for weight in weights], plan, 0)
    gates = saved = c = None
    for layer in range(L):
        last = layer == L - 1
        h = empty(B, T, D * R) if last and batch_first else empty(T, B, D * R)
        h_step, h_row = (D * R, T * D * R) if last and batch_first else (B * D * R, D * R)
        noise = _noise(h, p, rows) if p and not last else None
        if kept is not None:
            kept += (x, h, noise)
        for d in range(D):
            if kept is not None:
                gates = empty(T, B, plan.gates, H) if plan.gates else None
                saved = empty(T, B, H) if plan.saved else None
                c = empty(T, B, H) if plan.c else None
                kept += (gates, saved, c)
            k = layer * D + d
            to_h, to_c = k * B * R * size, k * B * H * size
            native.forward(
                code, threads, T, B, x.size(2), H, P, d, lengths_at, reset_at, *W_at[k], x.data_ptr(), step, row,
                h_0_at and h_0_at + to_h, c_0_at and c_0_at + to_c, h.data_ptr() + d * R * size, h_step, h_row,
                h_n_at + to_h, c_n_at and c_n_at + to_c, at(gates), at(saved), at(c),
            )  # fmt: skip
        x, step, row = (h if noise is None else h * noise), h_step, h_row
    return (x, h_n) if c_n is None else (x, h_n, c_n)


def _backward(
    call: Call, needs: Sequence[bool], tensors: Sequence[Any], upstream: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of x, h_0, c_0 and every weight; None where ``needs``, which begins with the call, says so."""
    plan, code, batch_first, _, lengths, reset, _ = call
    L, D, H, P, R = plan.layers, plan.directions, plan.H, plan.P, plan.R
    last = 2 + len(plan.shapes)
    h_0, c_0, weights, kept = tensors[0], tensors[1], tensors[2:last], tensors[last:]
    T, B, _, _ = _layout(kept[0], batch_first)
    empty, size, threads = kept[0].new_empty, kept[0].itemsize, torch.get_num_threads()
    dW = [torch.empty_like(weight) if need else None for weight, need in zip(weights, needs[4:], strict=True)]
    dh_0, dc_0 = torch.empty_like(h_0) if needs[2] else None, torch.empty_like(c_0) if needs[3] else None
    dh, dh_n, dc_n = _side_by_side(upstream[0]), _ready(upstream[1]), _ready(upstream[2]) if plan.c else None
    h_0_at, c_0_at, dh_n_at, dc_n_at, dh_0_at, dc_0_at = map(at, (h_0, c_0, dh_n, dc_n, dh_0, dc_0))
    lengths_at, reset_at = at(lengths), at(reset)
    W_at, dW_at = (
        fives([weight.data_ptr() for weight in weights], plan, 0),
        fives([at(d) for d in dW], plan, 0),
    )
    lowest, dx = _lowest(needs, plan), None
    for layer in reversed(range(lowest, L)):
        x, h, noise, *tape = kept[layer * (3 + 3 * D) : (layer + 1) * (3 + 3 * D)]
        if dh is not None and noise is not None:
            dh = dh * noise
        _, _, step, row = _layout(x, batch_first and layer == 0)
        _, _, h_step, h_row = _layout(h, batch_first and layer == L - 1)
        _, _, dh_step, dh_row = (
            _layout(dh, batch_first and layer == L - 1) if dh is not None else (0, 0, 0, 0)
        )
        dx = None
        for d in range(D):
            part = empty(x.shape) if layer > lowest or needs[1] else None
            _, _, dx_step, dx_row = (
                _layout(part, batch_first and layer == 0) if part is not None else (0, 0, 0, 0)
            )
            k, to_d = layer * D + d, d * R * size
            to_h, to_c = k * B * R * size, k * B * H * size
            native.backward(
                code, threads, T, B, x.size(2), H, P, d, lengths_at, reset_at, B, *W_at[k],
                x.data_ptr(), step, row, h_0_at and h_0_at + to_h, c_0_at and c_0_at + to_c,
                h.data_ptr() + to_d, h_step, h_row, *map(at, tape[3 * d : 3 * d + 3]),
                dh.data_ptr() + to_d if dh is not None else 0, dh_step, dh_row,
                dh_n_at and dh_n_at + to_h, dc_n_at and dc_n_at + to_c, at(part), dx_step, dx_row, *dW_at[k],
                dh_0_at and dh_0_at + to_h, dc_0_at and dc_0_at + to_c, 0, 0, 0, 0,
            )  # fmt: skip
            dx = part if dx is None or part is None else dx.add_(part)
        dh = dx
    return [dx if needs[1] else None, dh_0, dc_0, *dW]


def _lowest(needs: Sequence[bool], plan: Plan) -> int:
    """The lowest layer that somebody wants a gradient of; below it there is nothing to do."""
    if any(needs[1:4]):
        return 0
    return needs[4:].index(True) * plan.layers // len(plan.shapes)


def _noise(h: Tensor, p: float, rows: Tensor | None) -> Tensor:
    """The factors of dropout between two layers, drawn as torch draws them; of a packed batch, for its real rows."""
    drawn = h if rows is None else h.flatten(0, 1)[: len(rows)]
    noise = torch.empty_like(drawn).bernoulli_(1 - p).div_(1 - p) if p < 1 else torch.zeros_like(drawn)
    if rows is None:
        return noise
    return h.new_zeros((h.size(0) * h.size(1), h.size(2))).index_copy_(0, rows, noise).view(h.shape)


def _layout(array: Tensor, batch_first: bool) -> tuple[int, int, int, int]:
    """Steps, rows, and how many elements apart the steps and the rows lie."""
    (first, second, _), (first_stride, second_stride, _) = array.shape, array.stride()
    if batch_first:
        return second, first, second_stride, first_stride
    return first, second, first_stride, second_stride


def _ready(d: Tensor | None) -> Tensor | None:
    """An upstream gradient as the core reads it: contiguous."""
    return None if d is None else d.resolve_neg().contiguous()


def _side_by_side(d: Tensor | None) -> Tensor | None:
    """An upstream gradient with the features of a row in neighbouring memory; steps and rows may lie apart."""
    if d is None or (d.stride(2) == 1 and not d.is_neg()):
        return d
    return d.resolve_neg().contiguous()
