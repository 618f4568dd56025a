"""The seam to the compiled core for the cells: one step as a function that torch can differentiate.

A sequence of one step, without what a whole layer needs around it. Callers have checked everything, as for
`unrolled.nn.compiled`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import Module

from unrolled import native
from unrolled.nn import again, gradient
from unrolled.nn.kept import addresses
from unrolled.nn.plan import Plan, at, five


def run(
    owner: Module,
    plan: Plan,
    code: int,
    x: Tensor,
    h: Tensor | None,
    c: Tensor | None,
    weights: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    """The states that leave one step; recorded by autograd where something asks for a gradient.

    Packed weights may stay with their ``owner``.

    Shapes:
        x: ``[B, I]``; h, c: ``[B, H]``; weights: in torch's order. Gives the new h and, for an LSTM, c.
    """
    if gradient.wanted(*weights, x, h, c):
        return _record(plan, code, x, h, c, *weights)
    B, H = x.size(0), plan.H
    new_h, new_c = x.new_empty(B, H), x.new_empty(B, H) if plan.c else None
    (packed,) = addresses(owner, 1, B, weights[1])
    _forward(plan, code, x, (h, c), weights, (new_h, new_c), (None, None, None), packed)
    return (new_h,) if new_c is None else (new_h, new_c)


class Step(Function):
    """One step of a recurrent cell."""

    @staticmethod
    def forward(
        ctx: Any, plan: Plan, code: int, x: Tensor, h: Tensor | None, c: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        """The states that leave the step.

        Shapes:
            those of `run`.
        """
        B, H, empty = x.size(0), plan.H, x.new_empty
        gates = empty(B, plan.gates, H) if plan.gates else None
        saved = empty(B, H) if plan.saved else None
        new_h, new_c = empty(B, H), empty(B, H) if plan.c else None
        _forward(plan, code, x, (h, c), weights, (new_h, None), (gates, saved, new_c))
        ctx.save_for_backward(x, h, c, new_h, gates, saved, new_c, *weights)
        ctx.set_materialize_grads(False)
        ctx.plan, ctx.code = plan, code
        return (new_h,) if new_c is None else (new_h, new_c)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of x, h, c and every weight.

        Shapes:
            upstream: those of the new h and c.
        """
        arguments = ctx.plan, ctx.code, ctx.needs_input_grad, ctx.saved_tensors, upstream
        return gradient.once(_backward, partial(_again, ctx.plan, ctx.code), *arguments)


_record: Callable[..., tuple[Tensor, ...]] = super(Function, Step).apply  # pyright: ignore
"""`Step.apply`, shortened as in `unrolled.nn.compiled`."""


def _forward(
    plan: Plan,
    code: int,
    x: Tensor,
    states: tuple[Tensor | None, Tensor | None],
    weights: Sequence[Tensor],
    left: tuple[Tensor, Tensor | None],
    tape: tuple[Tensor | None, Tensor | None, Tensor | None],
    packed: int = 0,
) -> None:
    """Fills the states that leave the step, and the tape where there is one, whose c is such a state."""
    (B, I), H = x.shape, plan.H
    W_at = five([weight.data_ptr() for weight in weights], 0, plan, 0)
    native.forward(
        code, torch.get_num_threads(), 1, B, I, H, 0, 0, 0, 0, *W_at, x.data_ptr(), B * I, I,
        at(states[0]), at(states[1]), left[0].data_ptr(), B * H, H, 0, at(left[1]), *map(at, tape),
        *native.NO_IDS, packed, *native.WHOLE[0], plan.order,
    )  # fmt: skip


def _backward(
    plan: Plan, code: int, needs: Sequence[bool], tensors: Sequence[Any], upstream: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The gradients of what `Step.forward` takes, plan and code included; None where ``needs`` says so."""
    x, h, c, new_h, gates, saved, new_c, *weights = tensors
    (B, I), H, like = x.shape, plan.H, torch.empty_like
    dx, dh_0, dc_0, *dW = (
        like(t) if need else None for t, need in zip((x, h, c, *weights), needs[2:], strict=True)
    )
    dh, dc = (*(None if d is None else d.resolve_neg().contiguous() for d in upstream), None)[:2]
    W_at = five([weight.data_ptr() for weight in weights], 0, plan, 0)
    dW_at = five([at(d) for d in dW], 0, plan, 0)
    native.backward(
        code, torch.get_num_threads(), 1, B, I, H, 0, 0, 0, 0, B, *W_at, x.data_ptr(), B * I, I, at(h), at(c),
        new_h.data_ptr(), B * H, H, at(gates), at(saved), at(new_c), at(dh), B * H, H, 0, at(dc),
        at(dx), B * I, I, *dW_at, at(dh_0), at(dc_0), 0, 0, 0, 0,
        *native.NO_IDS, *native.WHOLE[1], plan.order,
    )  # fmt: skip
    return None, None, dx, dh_0, dc_0, *dW


def _again(plan: Plan, code: int, tensors: Sequence[Any]) -> tuple[Sequence[Tensor | None], Sequence[Tensor]]:
    """The same step in torch's operations: what `_backward` takes gradients of, and the new states."""
    x, h, c, _, _, _, _, *weights = tensors
    return (None, None, x, h, c, *weights), again.step(plan, code, x, (h, c), weights)
