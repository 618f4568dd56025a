"""One token at a time: the product that enters the first layer is looked up in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear

from unrolled.errors import ShapeError
from unrolled.nn import sequences
from unrolled.nn.held import Call, Five, Held, as_numpy

if TYPE_CHECKING:
    from unrolled.nn.embedded import Embedded


@final
class TokenStream(Held):
    """An `Embedded` that is fed token by token and remembers where it stands; made by its ``stream``.

    The weights are a snapshot, as a `Stream`'s, and from them the table ``[N, G*H]`` of every token's input
    product, computed once: a step costs one row of it, however wide the embedding is.

    Raises:
        OptionError: the layer is bidirectional, or ``batch`` is less than 1.

    Example:
        >>> from unrolled import nn
        >>> stream = nn.Embedded(torch.nn.Embedding(65, 8), nn.GRU(8, 4)).stream()
        >>> stream.step(7).shape
        (4,)
    """

    def __init__(self, embedded: Embedded, batch: int = 1) -> None:
        self._embedding = embedded.embedding
        super().__init__(embedded.layer, batch)

    @torch.no_grad()
    def _enter(self, weights: Five) -> tuple[int, Five]:
        W_xh, W_hh, b_xh, b_hh, W_hr = weights
        assert W_xh is not None
        own = self._embedding.weight
        rows = self._embedding(torch.arange(len(own), device=own.device)).detach()
        self._count = len(rows)
        if not self._compiled:
            self._table = rows.clone()
            return rows.size(1), weights
        self._table = linear(rows, W_xh, b_xh)
        return self._count, (None, W_hh, None, b_hh, W_hr)

    def _connect(self) -> None:
        self._ids = torch.zeros((1, self._batch), dtype=torch.int64, device=self._states[0].device)
        super()._connect()
        self._h = self._outputs[-1][0]
        self._one, self._row, self._below = np.empty(1), np.empty(0), 0
        if self._compiled and self._batch == 1:  # what `step` needs for a number
            self._one, self._row, self._below = self._ids[0].numpy(), self._h[0].numpy(), self._count

    def _entry(self, h: Tensor) -> Call:
        return self._cores[0].look_up, self._look_up(self._ids, h)

    def _look_up(self, ids: Tensor, h: Tensor) -> tuple[int, ...]:
        """What the first layer's core is called with.

        Shapes:
            ids: ``[T, B]``, h: ``[T, B, R]``, both contiguous.
        """
        return len(ids), ids.data_ptr(), self._batch, 1, self._table.data_ptr(), *self._leaving(0, h)

    def _entering(self) -> Tensor:
        return self._table[self._ids]

    def step(self, ids: Any) -> Any:
        """Advances one step.

        Shapes:
            ids: ``[B]``, whole numbers, or one number where batch is 1; gives ``[B, R]`` or ``[R]``, newly
            allocated: a tensor for a tensor, else in NumPy.

        Raises:
            ShapeError, DtypeError, LayerIndexError: it does not fit.
        """
        if type(ids) is int and 0 <= ids < self._below:  # the quick way, ten times so
            self._one[0] = ids
            for forward, arguments in self._calls:
                forward(*arguments)
            return self._row.copy()
        given = sequences.read_ids("TokenStream.step: ids", ids, self._count)
        one = self._batch == 1 and not given.dim()
        if not one and given.shape != (self._batch,):
            fix = f"The stream was made with batch={self._batch}; make another for another batch."
            rule = f"have shape [B] = [{self._batch}]" + " or be one number" * (self._batch == 1)
            raise ShapeError("TokenStream.step: ids", rule, list(given.shape), fix)
        self._ids.copy_(given)
        for forward, arguments in self._calls:
            forward(*arguments)
        return _as_given(ids, (self._h[0] if one else self._h).clone())

    def chunk(self, ids: Any) -> Any:
        """Advances as many steps as there are ids, with the same bits as so many calls of `step`.

        Shapes:
            ids: ``[T, B]`` (``[B, T]`` if the layer is batch_first), or ``[T]`` where batch is 1; gives the
            outputs in the same layout, newly allocated.

        Raises:
            ShapeError, DtypeError, LayerIndexError: it does not fit.
        """
        given = sequences.read_ids("TokenStream.chunk: ids", ids, self._count)
        one, swap = self._batch == 1 and given.dim() == 1, self._layer.batch_first
        rows = given[:, None] if one else given.t() if swap and given.dim() == 2 else given
        if rows.dim() != 2 or rows.size(1) != self._batch:
            shape = f"[B, T] = [{self._batch}, T]" if swap else f"[T, B] = [T, {self._batch}]"
            fix = f"The stream was made with batch={self._batch}; make another for another batch."
            raise ShapeError("TokenStream.chunk: ids", f"have shape {shape}", list(given.shape), fix)
        output = self._chunk(rows.contiguous())
        return _as_given(ids, output[:, 0] if one else output.transpose(0, 1) if swap else output)

    def _chunk(self, ids: Tensor) -> Tensor:
        """The outputs of ids ``[T, B]``, contiguous."""
        h = self._h.new_empty((*ids.shape, self._h.size(1)))
        if not len(ids):
            return h
        if not self._compiled:
            return self._composite(self._table[ids])
        self._cores[0].look_up(*self._look_up(ids, h))
        return self._rest(h)


def _as_given(ids: Any, output: Tensor) -> Any:
    """The output as a tensor if the ids came as one, else in NumPy where that has the dtype."""
    array = None if isinstance(ids, Tensor) else as_numpy(output)
    return output if array is None else array
