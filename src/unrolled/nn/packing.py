"""Packed sequences to padded ones and back, by one index over the real steps.

A packed batch holds the rows of all sequences step by step, longest sequence first: row (t, b) of the padded
``[T, B]`` stands where it is counted, and sequences that have ended are left out. So the packed rows are the
padded ones in their own order, and one index of them serves both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def real_rows(batch_sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths of the sequences of a packed batch, longest first, and the index of its rows among the padded.

    Shapes:
        batch_sizes: ``[T]``, sequences that have step t; gives lengths ``[B]`` and rows ``[sum of lengths]``.
    """
    real = torch.arange(int(batch_sizes[0]), device=batch_sizes.device) < batch_sizes[:, None]
    return real.sum(0), real.flatten().nonzero().squeeze(1)


class Spread(Function):
    """Rows laid out among others that are zero: ``[N, K]`` to ``[count, K]``, row n to ``rows[n]``."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, rows: Tensor, count: int) -> Tensor:  # noqa: D102
        ctx.save_for_backward(rows)
        return data.new_zeros((count, data.size(1))).index_copy_(0, rows, data)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:  # noqa: D102
        return Gather.apply(upstream[0], *ctx.saved_tensors), None, None


class Gather(Function):
    """The opposite of `Spread`: rows ``rows [N]`` of ``[count, K]``, none named twice."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, rows: Tensor) -> Tensor:  # noqa: D102
        ctx.save_for_backward(rows)
        ctx.count = data.size(0)
        return data.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        return Spread.apply(upstream[0], *ctx.saved_tensors, ctx.count), None


def pad(data: Tensor, rows: Tensor, T: int, B: int) -> Tensor:
    """Packed rows as a padded batch, zero past the sequences' ends; differentiable.

    Shapes:
        data: ``[N, K]``; rows: ``[N]`` of `real_rows`; gives ``[T, B, K]``.
    """
    return Spread.apply(data, rows, T * B).view(T, B, -1)


def unpad(padded: Tensor, rows: Tensor) -> Tensor:
    """The real rows of a padded batch, packed; differentiable.

    Shapes:
        padded: ``[T, B, K]`` contiguous; rows: ``[N]`` of `real_rows`; gives ``[N, K]``.
    """
    return Gather.apply(padded.flatten(0, 1), rows)


def ragged(
    forward: Callable[..., Any], x: Tensor, states: tuple[Tensor, ...], lengths: Tensor
) -> tuple[Tensor, ...]:
    """Sequences of different length, not all empty, through torch's own forward: packed, without the empty.

    Shapes:
        x: ``[T, B, I]``; states: ``[L*D, B, R]`` and, for an LSTM, ``[L*D, B, H]``; lengths: ``[B]`` on the
        CPU. Gives output ``[T, B, D*R]`` and final states.
    """
    some = lengths.nonzero().squeeze(1)
    at = some.to(x.device)
    begin = tuple(state.index_select(1, at) for state in states)
    packed = pack_padded_sequence(x.index_select(1, at), lengths[some], enforce_sorted=False)
    packed, final = forward(packed, begin if len(begin) == 2 else begin[0])
    real, _ = pad_packed_sequence(packed, total_length=x.size(0))
    output = x.new_zeros((x.size(0), x.size(1), real.size(2))).index_copy(1, at, real)
    ends = final if isinstance(final, tuple) else (final,)
    return output, *(state.index_copy(1, at, end) for state, end in zip(states, ends, strict=True))
