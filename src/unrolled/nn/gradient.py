"""Gradients that can be had once: the compiled backward pass has no derivative of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from unrolled.errors import UnavailableError


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


class Once(Function):
    """Computes gradients, and refuses to be differentiated by anything that they were computed from."""

    @staticmethod
    def forward(
        ctx: Any, backward: Callable[..., Any], arguments: tuple[Any, ...], *sources: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """``backward(*arguments)``; ``sources``, the tensors within, are there to lead back to this node.

        Shapes:
            any.
        """
        return backward(*arguments)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[None, ...]:
        """Refuses.

        Shapes:
            any.

        Raises:
            UnavailableError: always.
        """
        subject, rule = "backward: the gradient of a compiled layer", "be differentiated once"
        fix = "Compute within `with unrolled.nn.torch_path():`, which differentiates as often as you like."
        raise UnavailableError(subject, rule, "a second derivative", fix)


def once(backward: Callable[..., tuple[Tensor | None, ...]], *arguments: Any) -> tuple[Tensor | None, ...]:
    """What ``backward(*arguments)`` gives; under create_graph with an error in wait for a second derivative.

    The last two arguments are what forward saved, its differentiable inputs among it, and the upstream
    gradients: whatever the second derivative is asked with respect to, its way leads through `Once`.

    Shapes:
        any.
    """
    if not torch.is_grad_enabled():
        return backward(*arguments)
    saved, upstream = arguments[-2:]
    return Once.apply(backward, arguments, *saved, *upstream)
