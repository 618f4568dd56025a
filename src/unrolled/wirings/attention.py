"""Which steps matter, and how much: weighted means whose weights are computed from what is read.

Scores of padding are so low that its weights are zero; a sequence without a real step gives zeros.
"""

from __future__ import annotations

from typing import NamedTuple

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
        >>> weights[2:, 1].tolist()
        [0.0, 0.0, 0.0]
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


class Memory(NamedTuple):
    """What is attended to, made ready once for all steps that look at it.

    Shapes:
        values: ``[S, B, M]``; keys: ``[S, B, A]``; real: bool ``[S, B]``, None where all are.
    """

    values: Tensor
    keys: Tensor
    real: Tensor | None

    def select(self, rows: Tensor) -> Memory:
        """That of some sequences, in another order, a sequence more than once if need be.

        Shapes:
            rows: int64 ``[N]``, positions on axis B.
        """
        real = None if self.real is None else self.real[:, rows]
        return Memory(self.values[:, rows], self.keys[:, rows], real)


class Attention(torch.nn.Module):
    """At every step of a decoder, a weighted mean of a source's steps. Abstract.

    Args:
        size: H, features of the decoder's steps.
        source: M, features of the source's.

    Shapes:
        h ``[T, B, H]`` and a `Memory` to c ``[T, B, M]`` and weights ``[T, S, B]``.
    """

    keys: torch.nn.Linear

    def memory(self, values: Tensor, lengths: Lengths = None) -> Memory:
        """A source made ready.

        Shapes:
            values: ``[S, B, M]``; lengths: ``[B]``.
        """
        return Memory(values, self.keys(values), real_steps(lengths, len(values), values))

    def forward(self, h: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """The means and their weights.

        Shapes:
            h: ``[T, B, H]``; gives ``[T, B, M]`` and ``[T, S, B]``.
        """
        weights = _softmax(self.scores(h, memory.keys), memory.real, 1)
        return torch.einsum("tsb,sbm->tbm", weights, memory.values), weights

    def scores(self, h: Tensor, keys: Tensor) -> Tensor:
        """How well each step of the source goes with each of the decoder.

        Shapes:
            h: ``[T, B, H]``; keys: ``[S, B, A]``; gives ``[T, S, B]``.
        """
        raise NotImplementedError


class AdditiveAttention(Attention):
    """Scores from a small network.

    Maths:
        e_ts = vᵀ tanh(W h_t + U m_s + b)

    Shapes: as of `Attention`.

    Cost: T*S*B*H numbers in memory, and as many tanh.

    Source: Bahdanau, Cho, Bengio 2015, Neural Machine Translation by Jointly Learning to Align and
    Translate, appendix A.1.2; there h_{t-1} asks, and its answer enters step t.
    """

    def __init__(self, size: int, source: int) -> None:
        super().__init__()
        self.keys = torch.nn.Linear(source, size)
        self.query = torch.nn.Linear(size, size, bias=False)
        self.score = torch.nn.Linear(size, 1, bias=False)

    def scores(self, h: Tensor, keys: Tensor) -> Tensor:
        """As `Attention.scores`.

        Shapes:
            h: ``[T, B, H]``; keys: ``[S, B, H]``; gives ``[T, S, B]``.
        """
        return self.score(torch.tanh(self.query(h)[:, None] + keys))[..., 0]


class DotAttention(Attention):
    """Scores from a product.

    Maths:
        e_ts = h_tᵀ W m_s

    Shapes: as of `Attention`.

    Source: Luong, Pham, Manning 2015, Effective Approaches to Attention-based Neural Machine Translation,
    equation 8, ``general``.
    """

    def __init__(self, size: int, source: int) -> None:
        super().__init__()
        self.keys = torch.nn.Linear(source, size, bias=False)

    def scores(self, h: Tensor, keys: Tensor) -> Tensor:
        """As `Attention.scores`.

        Shapes:
            h: ``[T, B, H]``; keys: ``[S, B, H]``; gives ``[T, S, B]``.
        """
        return torch.einsum("tbh,sbh->tsb", h, keys)


ATTENTIONS: dict[str, type[Attention] | None] = {
    "none": None,
    "additive": AdditiveAttention,
    "dot": DotAttention,
}
"""By name; with ``none``, all that a decoder knows of its source is the state that it starts from."""
