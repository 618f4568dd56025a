"""Losses, in nats, over the real targets alone."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy as _cross_entropy


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of -log p(target) over every step of every sequence.

    Shapes:
        logits ``[T, B, K]``, targets int64 ``[T, B]``; gives a scalar.

    Units: nats a target.

    Example:
        >>> import torch
        >>> cross_entropy(torch.zeros(3, 1, 2), torch.ones(3, 1, dtype=torch.int64)).item()  # log 2
        0.6931471824645996
    """
    return _cross_entropy(logits.flatten(0, 1), targets.flatten())


def cross_entropy_t(logits: Tensor, targets: Tensor) -> Tensor:
    """-log p(target) of every step of every sequence.

    Shapes:
        logits ``[T, B, K]``, targets int64 ``[T, B]``; gives ``loss_t [T, B]``.

    Units: nats.
    """
    return _cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
