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
    """Hands gradients on, and refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, root: Tensor, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients as they are; ``root`` is there to ask for a gradient, so that the node is recorded.

        Shapes:
            any.
        """
        return tuple(None if d is None else d.view_as(d) for d in gradients)

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

    Shapes:
        any.
    """
    if not torch.is_grad_enabled():
        return backward(*arguments)
    with torch.no_grad():
        gradients = backward(*arguments)
    return Once.apply(torch.zeros((), requires_grad=True), *gradients)
