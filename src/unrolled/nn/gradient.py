"""Gradients of what the core computed, and the derivatives of these gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

Repeat = Callable[..., tuple[Sequence[Tensor | None], Sequence[Tensor]]]
"""Computes a call once more in torch's operations, from what it saved; gives what its backward pass takes
gradients of, in that order, and the outputs."""


def wanted(*tensors: Tensor | None) -> bool:
    """Whether autograd is to record a call with these tensors.

    Shapes:
        any.
    """
    if torch.is_grad_enabled():
        for tensor in tensors:  # any() over a generator takes three times as long
            if tensor is not None and tensor.requires_grad:
                return True
    return False


class First(Function):
    """Computes gradients by the core, and differentiates them by computing the call once more without it."""

    @staticmethod
    def forward(
        ctx: Any,
        backward: Callable[..., Any],
        repeat: Repeat,
        arguments: tuple[Any, ...],
        *sources: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        """``backward(*arguments)``; ``sources`` are the tensors that its last two arguments hold.

        Shapes:
            any.
        """
        ctx.repeat, ctx.count = repeat, len(arguments[-2])
        ctx.save_for_backward(*sources)
        ctx.set_materialize_grads(False)
        return backward(*arguments)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of the sources.

        Shapes:
            upstream: those of the gradients.
        """
        further = torch.is_grad_enabled()
        with torch.enable_grad():
            sources = [None if source is None else source.view_as(source) for source in ctx.saved_tensors]
            saved, before = sources[: ctx.count], sources[ctx.count :]
            into, outputs = ctx.repeat(saved)
            gradients = _gradients(outputs, into, before, upstream)
            found = _sum_of_products(gradients, upstream, sources, further)
        return None, None, None, *found


def _gradients(
    outputs: Sequence[Tensor],
    into: Sequence[Tensor | None],
    upstream: Sequence[Tensor | None],
    asked: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradients of ``into`` that are ``asked`` about, as autograd records them."""
    by = [x if d is not None else None for x, d in zip(into, asked, strict=True)]
    return _sum_of_products(outputs, upstream, by, further=True)


def _sum_of_products(
    values: Sequence[Tensor | None],
    weights: Sequence[Tensor | None],
    into: Sequence[Tensor | None],
    further: bool,
) -> list[Tensor | None]:
    """The gradients of Σ value · weight by each of ``into``; None where there is none."""
    pairs = [(v, w) for v, w in zip(values, weights, strict=True) if v is not None and w is not None]
    pairs = [(v, w) for v, w in pairs if v.requires_grad]
    by = [x for x in into if x is not None and x.requires_grad]
    if not pairs or not by:
        return [None] * len(into)
    found = torch.autograd.grad(
        [v for v, _ in pairs], by, [w for _, w in pairs], create_graph=further, allow_unused=True
    )
    left = iter(found)
    return [next(left) if x is not None and x.requires_grad else None for x in into]


def once(
    backward: Callable[..., tuple[Tensor | None, ...]], repeat: Repeat, *arguments: Any
) -> tuple[Tensor | None, ...]:
    """What ``backward(*arguments)`` gives; under create_graph it can be differentiated.

    The last two arguments are what forward saved, its differentiable inputs among it, and the upstream
    gradients: whatever the second derivative is asked with respect to, its way leads through `First`.

    Shapes:
        any.
    """
    if not torch.is_grad_enabled():
        return backward(*arguments)
    saved, upstream = arguments[-2:]
    return First.apply(backward, repeat, arguments, *saved, *upstream)
