"""Recurrent layers one above the other, with dropouts whose masks last for all steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call  # pyright: ignore[reportUnknownVariableType]

from unrolled import nn
from unrolled.errors import DtypeError, OptionError

State: TypeAlias = "list[tuple[Tensor, ...]] | None"
"""The states of each layer, ``(h,)`` or ``(h, c)``, h ``[D, B, k*H]``, c ``[D, B, H]``; None: zeros."""

Lengths: TypeAlias = "Tensor | NDArray[Any] | Sequence[int] | None"
"""Real steps of each sequence, ``[B]``, in any order; None: all are real."""

CELLS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU, "hornn": nn.HigherOrderRNN}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Which layers: so many of one cell, one above the other.

    Units: ``hidden`` in features, of each direction; ``order`` in states that a step of ``hornn`` reads.
    """

    cell: str = "gru"
    layers: int = 1
    hidden: int = 256
    bidirectional: bool = False
    order: int = 2

    @property
    def size(self) -> int:
        """Features of what leaves a step: those of all directions, D*H."""
        return self.hidden * (2 if self.bidirectional else 1)


class Dropouts(NamedTuple):
    """Shares of features set to zero in training, each mask drawn once a call and the same at every step.

    ``steps`` acts on what the recurrent product reads, between one step and the next; its mask is shared by
    the sequences of a batch, so that it is a mask of W_hh's columns and costs nothing. ``output`` acts on
    what the head of a model reads.

    Source: Gal and Ghahramani 2016, A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks; there every sequence has a mask of its own between steps too.
    """

    input: float = 0.0
    layers: float = 0.0
    steps: float = 0.0
    output: float = 0.0


NO_DROPOUTS = Dropouts()


class Stack(torch.nn.ModuleList):
    """The layers of a `Recurrence`, over features or over tokens, whose first product is then looked up.

    The masks of ``dropouts.output`` are left to who reads what this gives. Indexed, it gives its layers.

    Args:
        source: the number I of input features, or the embedding of the tokens that are read.
        recurrence: which layers.
        dropouts: in training.

    Raises:
        OptionError: a cell that is not offered, or no layer.

    Example:
        >>> layers = Stack(3, Recurrence("lstm", layers=2, hidden=4, bidirectional=True))
        >>> h, state = layers(torch.zeros(5, 2, 3), lengths=[5, 2])
        >>> h.shape, len(state), state[1][0].shape
        (torch.Size([5, 2, 8]), 2, torch.Size([2, 2, 4]))
    """

    def __init__(
        self,
        source: int | torch.nn.Embedding,
        recurrence: Recurrence,
        dropouts: Dropouts = NO_DROPOUTS,
    ) -> None:
        cell, count = recurrence.cell, recurrence.layers
        if cell not in CELLS:
            raise OptionError("Stack: cell", f"be one of {', '.join(CELLS)}", cell, "Choose one.")
        if count < 1:
            raise OptionError("Stack: layers", "be at least 1", count, "Give at least one layer.")
        size = source if isinstance(source, int) else source.embedding_dim
        widths = [size, *[recurrence.size] * (count - 1)]
        options: dict[str, Any] = {"bidirectional": recurrence.bidirectional}
        options |= {"order": recurrence.order} if cell == "hornn" else {}
        super().__init__(CELLS[cell](width, recurrence.hidden, **options) for width in widths)
        self.recurrence, self.dropouts = recurrence, dropouts
        first: Any = self[0]
        # In a tuple, so that it is no module of its own: its parts have their names elsewhere.
        self._tokens = () if isinstance(source, int) else (nn.Embedded(source, first),)

    def forward(
        self,
        x: Tensor,
        state: State = None,
        *,
        lengths: Lengths = None,
        reset: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """What leaves the last layer at every step, and the states to go on from.

        Shapes:
            x: ``[T, B, I]``, or int64 ``[T, B]`` over an embedding; state: as this returns it; lengths:
            ``[B]``; reset: bool ``[T, B]``, where true, the states are cleared before the step. Gives
            ``[T, B, D*H]``, zero past a sequence's end, and for each layer ``(h,)`` or ``(h, c)``, each
            ``[D, B, H]``; of order k h ``[D, B, k*H]``.

        Raises:
            DtypeError: ids where there is no embedding.
            ShapeError, LengthsError: something does not fit.
        """
        drop, after = self.dropouts, list[tuple[Tensor, ...]]()
        lowest: Any = self[0]
        if not x.is_floating_point():
            tokens = self._embedded()
            if self.training and drop.input > 0:
                x = tokens.embedding(x)
            else:
                lowest = tokens
        if x.is_floating_point():
            x = dropped(x, drop.input, self.training, generator)
        for k, layer in enumerate(self):
            x = dropped(x, drop.layers, self.training, generator) if k else x
            before, options = None if state is None else state[k], {"lengths": lengths, "reset": reset}
            x, left = self._run(layer if k else lowest, x, before, options, generator)
            after.append(left)
        return x, after

    def last(self, state: list[tuple[Tensor, ...]]) -> Tensor:
        """What the last layer's directions ended with, side by side, the first at each sequence's true end.

        Shapes:
            state: as `forward` gives it; gives ``[B, D*H]``.
        """
        newest = state[-1][0][:, :, : self.recurrence.hidden]
        return newest.transpose(0, 1).flatten(1)

    def stream(self, batch: int = 1) -> list[Any]:
        """A stream of each layer, the first over tokens if these are; each reads what the one before gives.

        Raises:
            OptionError: the layers are bidirectional, or ``batch`` is less than 1.
        """
        layers: list[Any] = [*self]
        layers[:1] = self._tokens or layers[:1]
        return [layer.stream(batch) for layer in layers]

    def _embedded(self) -> nn.Embedded:
        """The first layer with its embedding.

        Raises:
            DtypeError: there is none.
        """
        if not self._tokens:
            fix = "Convert it, x.float(), or build the stack over a torch.nn.Embedding."
            raise DtypeError("Stack.forward: x", "be of floating point", "whole numbers", fix)
        return self._tokens[0]

    def _run(
        self,
        layer: Any,
        x: Tensor,
        before: tuple[Tensor, ...] | None,
        options: dict[str, Any],
        generator: torch.Generator | None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer, or the first with its embedding, W_hh under the mask between steps."""
        hx = before[0] if before and len(before) == 1 else before
        p = self.dropouts.steps
        if self.training and p > 0:
            masked = {
                name: W_hh * _mask(W_hh, (W_hh.size(1),), p, generator)
                for name, W_hh in layer.named_parameters()
                if name.removeprefix("layer.").startswith("weight_hh")
            }
            output, after = functional_call(layer, masked, (x, hx), options)
        else:
            output, after = layer(x, hx, **options)
        return output, after if isinstance(after, tuple) else (after,)


def dropped(x: Tensor, p: float, training: bool, generator: torch.Generator | None = None) -> Tensor:
    """In training, the features under one mask for all steps: zeros with probability p, else scaled.

    Shapes:
        x: ``[T, B, I]`` or ``[B, I]``; gives the same.
    """
    return x * _mask(x, x.shape[-2:], p, generator) if training and p > 0 else x


def _mask(like: Tensor, shape: Sequence[int], p: float, generator: torch.Generator | None) -> Tensor:
    """Zeros with probability p, else 1 / (1 - p)."""
    kept = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device) >= p
    return kept.to(like.dtype) / (1 - p)


def real_steps(lengths: Lengths, steps: int, like: Tensor) -> Tensor | None:
    """Which steps are real; None where all are.

    Shapes:
        lengths: ``[B]``; gives bool ``[T, B]`` on the device of ``like``.
    """
    if lengths is None:
        return None
    ends = torch.as_tensor(lengths, device=like.device)
    return torch.arange(steps, device=like.device)[:, None] < ends
