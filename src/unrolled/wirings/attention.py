"""Which steps matter, and how much: weighted means whose weights are computed from what is read.

Scores of padding are so low that its weights are zero; a sequence without a real step gives zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.wirings.stack import Lengths, real_steps


class AttentionOverSteps(torch.nn.Module):
    """One weighted mean of all steps, by what each is in itself.

    Maths:
        e_t = uᵀ tanh(W h_t + b);  a = softmax over real steps of e;  c = Σ_t a_t h_t

    Shapes:
        ``[T, B, H]`` to c ``[B, H]`` and weights ``[T, B]``.

    Source: Yang et al. 2016, Hierarchical Attention Networks for Document Classification, equations 5 to 7.

    Example:
        >>> c, weights = AttentionOverSteps(4)(torch.randn(5, 2, 4), lengths=[5, 2])
        >>> weights.sum(0)
        tensor([1., 1.], grad_fn=<SumBackward1>)
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(size, size)
        self.score = torch.nn.Linear(size, 1, bias=False)

    def forward(self, h: Tensor, lengths: Lengths = None) -> tuple[Tensor, Tensor]:
        """The mean and its weights.

        Shapes:
            h: ``[T, B, H]``; lengths: ``[B]``; gives ``[B, H]`` and ``[T, B]``.
        """
        scores = self.score(torch.tanh(self.hidden(h)))[..., 0]
        weights = _softmax(scores, real_steps(lengths, len(h), h), 0)
        return torch.einsum("tb,tbh->bh", weights, h), weights


def _softmax(scores: Tensor, real: Tensor | None, dim: int) -> Tensor:
    """Softmax over what is real; zero elsewhere."""
    if real is None:
        return scores.softmax(dim)
    # The lowest finite number and not -inf, whose softmax over padding alone would be NaN.
    scores = scores.masked_fill(~real, torch.finfo(scores.dtype).min)
    return scores.softmax(dim) * real
