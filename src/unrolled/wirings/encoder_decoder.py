"""Encoder and decoder: every step of a source is read before the first of its target is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unrolled.wirings.inputs import Inputs, Tokens
from unrolled.wirings.one_to_many import DecoderState, OneToMany
from unrolled.wirings.stack import NO_DROPOUTS, Dropouts, Lengths, Recurrence, Stack


class EncoderDecoder(torch.nn.Module):
    """Logits of each token of a target from a source of another length and the tokens before it.

    The encoder's last state is the vector from which a `OneToMany` starts, and the encoder's steps are the
    regions that it attends to.

    Args:
        inputs: what is read of the source.
        tokens: what is written, V of them.
        recurrence: which layers; in both directions, the encoder's alone are.
        attention: ``none``, ``additive`` or ``dot``.
        dropouts: in training, of encoder and decoder each; ``output`` of the decoder's head.
        tied: the head's weights are those of the target tokens' vectors.
        memoryless: every step of both is reset.

    Shapes:
        what ``inputs`` reads, of S steps and B sequences, and ids ``[T, B]`` to logits ``[T, B, V]``.

    Raises:
        OptionError: tied weights of unequal size, an attention or a cell that is not offered.

    Source: Sutskever, Vinyals, Le 2014; Cho et al. 2014; for the attentions see their classes.

    Example:
        >>> model = EncoderDecoder(Tokens(30, 8), Tokens(65, 8), Recurrence(hidden=16, bidirectional=True))
        >>> source, target = torch.zeros(7, 2, dtype=torch.int64), torch.zeros(5, 2, dtype=torch.int64)
        >>> model(source, target, lengths=[7, 3]).shape
        torch.Size([5, 2, 65])
    """

    def __init__(
        self,
        inputs: Inputs,
        tokens: Tokens,
        recurrence: Recurrence,
        attention: str = "dot",
        dropouts: Dropouts = NO_DROPOUTS,
        tied: bool = False,
        memoryless: bool = False,
    ) -> None:
        super().__init__()
        self.inputs, self.memoryless = inputs, memoryless
        self.encoder = Stack(inputs.source, recurrence, dropouts)
        one_way = replace(recurrence, bidirectional=False)
        self.decoder = OneToMany(recurrence.size, tokens, one_way, attention, dropouts, tied, memoryless)

    def forward(
        self,
        source: Any,
        ids: Tensor,
        *,
        lengths: Lengths = None,
        target_lengths: Lengths = None,
        teacher: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The logits of the token after each of the target; ``teacher`` as in `OneToMany.forward`.

        Shapes:
            source: what ``inputs`` reads, of S steps; ids: int64 ``[T, B]``, beginning with the token that
            begins all; lengths: ``[B]``, of the source; target_lengths: ``[B]``. Gives ``[T, B, V]``; what
            stands past a target's end means nothing.

        Raises:
            ShapeError, DtypeError, LengthsError: something does not fit.
        """
        h = self.before_head(
            source, ids, lengths=lengths, target_lengths=target_lengths, teacher=teacher, generator=generator
        )
        return self.head(h)

    @property
    def head(self) -> torch.nn.Linear:
        """From what `before_head` gives to logits."""
        return self.decoder.head

    def before_head(
        self,
        source: Any,
        ids: Tensor,
        *,
        lengths: Lengths = None,
        target_lengths: Lengths = None,
        teacher: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """What ``head`` makes the logits of: a loss over real steps alone spares it the others.

        Shapes:
            as of `forward`; gives ``[T, B, H]``.

        Raises:
            ShapeError, DtypeError, LengthsError: as `forward`.
        """
        end, regions = self._encoded(source, lengths, generator)
        return self.decoder.before_head(
            end, ids, regions=regions, lengths=lengths, target_lengths=target_lengths,
            teacher=teacher, generator=generator,
        )  # fmt: skip

    def weights(self, source: Any, ids: Tensor, *, lengths: Lengths = None) -> Tensor:
        """Where each step of a known target looks in its source.

        Shapes:
            as of `forward`; gives ``[T, S, B]``, which sum to 1 over the real steps of S.

        Raises:
            OptionError: there is no attention.
        """
        end, regions = self._encoded(source, lengths, None)
        return self.decoder.weights(end, ids, regions=regions, lengths=lengths)

    def start(self, source: Any, lengths: Lengths = None) -> DecoderState:
        """Where the decoder stands before its first step: see `unrolled.wirings.decoding`.

        Shapes:
            source: what ``inputs`` reads; lengths: ``[B]``.
        """
        end, regions = self._encoded(source, lengths, None)
        return self.decoder.start(end, regions, lengths)

    def step(self, ids: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """As `OneToMany.step`.

        Shapes:
            ids: int64 ``[N]``; gives log probabilities ``[N, V]``.
        """
        return self.decoder.step(ids, state)

    def select(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """As `OneToMany.select`.

        Shapes:
            rows: int64 ``[M]``.
        """
        return self.decoder.select(state, rows)

    def _encoded(
        self, source: Any, lengths: Lengths, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor | None]:
        """How the source ended, ``[B, D*H]``, and its steps ``[S, B, D*H]`` where they are attended to."""
        x = self.inputs.steps(source, generator)
        reset = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if self.memoryless else None
        h, state = self.encoder(x, lengths=lengths, reset=reset, generator=generator)
        return self.encoder.last(state), None if self.decoder.attention is None else h
