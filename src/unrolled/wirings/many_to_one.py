"""Many to one: every step reads, and one answer is given for all of them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import OptionError, nearest
from unrolled.wirings.attention import AttentionOverSteps
from unrolled.wirings.inputs import Inputs
from unrolled.wirings.stack import (
    NO_DROPOUTS,
    Dropouts,
    Lengths,
    Recurrence,
    Stack,
    State,
    dropped,
    real_steps,
)
from unrolled.wirings.streaming import ModelStream, SoFar

READ = ("last", "mean", "max", "attention")
"""What stands for a sequence: how each direction ended; mean, maximum or a weighted mean of its steps."""


class ManyToOne(torch.nn.Module):
    """One row of logits for each sequence.

    ``last`` is each direction's final state: the forward one at the sequence's true end, the backward one at
    its beginning. Padding counts in none; a sequence without a step reads as zeros.

    Args:
        inputs: what is read.
        recurrence: which layers.
        outputs: K, logits of a sequence.
        read: ``last``, ``mean``, ``max`` or ``attention``.
        dropouts: in training.

    Shapes:
        what ``inputs`` reads, of T steps and B sequences, to logits ``[B, K]``.

    Raises:
        OptionError: a cell or a way to read that is not offered.

    Example:
        >>> from unrolled.wirings import Tokens
        >>> model = ManyToOne(Tokens(65, 8), Recurrence("lstm", hidden=16, bidirectional=True), outputs=3)
        >>> model(torch.zeros(5, 2, dtype=torch.int64), lengths=[5, 2]).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        inputs: Inputs,
        recurrence: Recurrence,
        outputs: int,
        read: str = "last",
        dropouts: Dropouts = NO_DROPOUTS,
    ) -> None:
        super().__init__()
        if read not in READ:
            raise OptionError("ManyToOne: read", f"be one of {', '.join(READ)}", read, nearest(read, READ))
        self.inputs, self.read, self.dropouts = inputs, read, dropouts
        self.layers = Stack(inputs.source, recurrence, dropouts)
        self.attention = AttentionOverSteps(recurrence.size) if read == "attention" else None
        self.head = torch.nn.Linear(recurrence.size, outputs)

    def forward(
        self,
        batch: Any,
        *,
        lengths: Lengths = None,
        reset: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The logits of each sequence.

        Shapes:
            batch: what ``inputs`` reads; lengths: ``[B]``; reset: bool ``[T, B]``, all true for a network
            without memory. Gives ``[B, K]``.

        Raises:
            ShapeError, DtypeError, LengthsError: something does not fit.
        """
        return self.go_on(batch, lengths=lengths, reset=reset, generator=generator)[0]

    def go_on(
        self,
        batch: Any,
        state: State = None,
        *,
        lengths: Lengths = None,
        reset: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """The logits of all that was read from the beginning to the end of this part, and the state then.

        Shapes:
            as of `forward`; state: as this returns it, None at the beginning: that of each layer and behind
            them, of what is read from all steps, ``(sum [B, H], count [B])`` or ``(maximum [B, H],)``.

        Raises:
            OptionError: a state where the network reads in both directions, or by attention.
        """
        if state is not None:
            self._check_one_way("go_on")
        x = self.inputs.steps(batch, generator)
        h, after = self.layers(x, state, lengths=lengths, reset=reset, generator=generator)
        summary, so_far = self._summary(h, self.layers.last(after), lengths, (state or [])[len(after) :])
        summary = dropped(summary, self.dropouts.output, self.training, generator)
        return self.head(summary), [*after, *so_far]

    def stream(self, batch: int = 1) -> ModelStream:
        """A `ModelStream`, whose answer is of all it has read so far.

        Raises:
            OptionError: the network reads in both directions, or by attention; ``batch`` is less than 1.
        """
        self._check_one_way("stream")
        model = deepcopy(self).eval()

        def answer(h: Tensor, so_far: SoFar) -> tuple[Tensor, SoFar]:
            summary, so_far = model._summary(h, h[-1], None, so_far)
            return model.head(summary), so_far

        return ModelStream(model.inputs, model.layers.stream(batch), answer)

    def _summary(self, h: Tensor, end: Tensor, lengths: Lengths, before: SoFar) -> tuple[Tensor, SoFar]:
        """What stands for the sequences, and what a later part needs of these steps.

        Shapes:
            h: ``[T, B, D*H]``; end: ``[B, D*H]``, how they ended. Gives ``[B, D*H]``.
        """
        if self.read == "last":
            return end, ()
        if self.attention is not None:
            return self.attention(h, lengths)[0], ()
        real = real_steps(lengths, len(h), h)
        if self.read == "mean":
            total = h.sum(0)  # zero past a sequence's end
            count = h.new_full((h.size(1),), len(h)) if real is None else real.sum(0).to(h.dtype)
            if before:
                total, count = total + before[0][0], count + before[0][1]
            return total / count.clamp(min=1)[:, None], [(total, count)]
        highest = (h if real is None else h.masked_fill(~real[..., None], -torch.inf)).amax(0)
        if before:
            highest = torch.maximum(highest, before[0][0])
        return highest.masked_fill(highest == -torch.inf, 0), [(highest,)]

    def _check_one_way(self, verb: str) -> None:
        """Refuses what needs all steps at once.

        Raises:
            OptionError: as `go_on` says.
        """
        two, fix = self.layers.recurrence.bidirectional, "Build it with read='last', 'mean' or 'max'."
        if two or self.attention is not None:
            got = "bidirectional layers" if two else "read='attention'"
            fix = "Build it with bidirectional=False." if two else fix
            raise OptionError(f"ManyToOne.{verb}: the network", "read from first to last step", got, fix)
