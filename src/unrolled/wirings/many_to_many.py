"""Many to many, aligned: every step reads, and every step gives an answer."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import OptionError
from unrolled.wirings.inputs import Inputs
from unrolled.wirings.stack import NO_DROPOUTS, Dropouts, Lengths, Recurrence, Stack, State, dropped
from unrolled.wirings.streaming import ModelStream, SoFar


class ManyToMany(torch.nn.Module):
    """A row of logits for every step of every sequence.

    Args:
        inputs: what is read.
        recurrence: which layers; in both directions where a step may know what comes after it.
        outputs: K, logits of a step.
        dropouts: in training.

    Shapes:
        what ``inputs`` reads, of T steps and B sequences, to logits ``[T, B, K]``.

    Raises:
        OptionError: a cell that is not offered.

    Example:
        >>> from unrolled.wirings import Features
        >>> model = ManyToMany(Features(3), Recurrence(layers=2, hidden=16), outputs=4)
        >>> model(torch.zeros(5, 2, 3), lengths=[5, 2]).shape
        torch.Size([5, 2, 4])
    """

    def __init__(
        self, inputs: Inputs, recurrence: Recurrence, outputs: int, dropouts: Dropouts = NO_DROPOUTS
    ) -> None:
        super().__init__()
        self.inputs, self.dropouts = inputs, dropouts
        self.layers = Stack(inputs.source, recurrence, dropouts)
        self.head = torch.nn.Linear(recurrence.size, outputs)

    def forward(
        self,
        batch: Any,
        *,
        lengths: Lengths = None,
        reset: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The logits of each step; what stands past a sequence's end means nothing.

        Shapes:
            batch: what ``inputs`` reads; lengths: ``[B]``; reset: bool ``[T, B]``, all true for a network
            without memory. Gives ``[T, B, K]``.

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
        """The logits of each step of a part, and the states then.

        Shapes:
            as of `forward`; state: as this returns it, None at the beginning.

        Raises:
            OptionError: a state where the network reads in both directions.
        """
        if state is not None and self.layers.recurrence.bidirectional:
            fix = "Build it with bidirectional=False."
            raise OptionError(
                "ManyToMany.go_on: the network", "read from first to last step", "bidirectional layers", fix
            )
        x = self.inputs.steps(batch, generator)
        h, after = self.layers(x, state, lengths=lengths, reset=reset, generator=generator)
        return self.head(dropped(h, self.dropouts.output, self.training, generator)), after

    def stream(self, batch: int = 1) -> ModelStream:
        """A `ModelStream`, whose answers are those of the steps it is given.

        Raises:
            OptionError: the network reads in both directions, or ``batch`` is less than 1.
        """
        model = deepcopy(self).eval()

        def answer(h: Tensor, so_far: SoFar) -> tuple[Tensor, SoFar]:
            return model.head(h), so_far

        return ModelStream(model.inputs, model.layers.stream(batch), answer)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a `TokenModel` is built from.

    Units: ``vocabulary`` in tokens; ``embedding`` and ``hidden`` in features; ``order`` as of `Recurrence`.
    """

    vocabulary: int
    cell: str = "gru"
    layers: int = 1
    hidden: int = 256
    embedding: int = 256
    tied: bool = False
    order: int = 2


class TokenModel(torch.nn.Module):
    """Embedding, recurrent layers, and one logit for every token that may come next: a language model.

    Shapes:
        ids ``[T, B]`` to logits ``[T, B, V]``.

    Raises:
        OptionError: a cell that is not offered, or tied weights of unequal size.

    Example:
        >>> model = TokenModel(Sizes(vocabulary=5, hidden=8, embedding=8))
        >>> logits, state = model(torch.zeros(3, 2, dtype=torch.int64))
        >>> logits.shape
        torch.Size([3, 2, 5])
    """

    def __init__(self, sizes: Sizes, dropouts: Dropouts = NO_DROPOUTS) -> None:
        super().__init__()
        if sizes.tied and sizes.embedding != sizes.hidden:
            raise OptionError(
                "TokenModel: tied weights", "have embedding = hidden",
                f"embedding={sizes.embedding}, hidden={sizes.hidden}", f"Set embedding={sizes.hidden}.",
            )  # fmt: skip
        self.sizes, self.dropouts = sizes, dropouts
        self.embedding = torch.nn.Embedding(sizes.vocabulary, sizes.embedding)
        recurrence = Recurrence(sizes.cell, sizes.layers, sizes.hidden, order=sizes.order)
        self.layers = Stack(self.embedding, recurrence, dropouts)
        self.head = torch.nn.Linear(sizes.hidden, sizes.vocabulary)
        if sizes.tied:
            self.head.weight = self.embedding.weight

    def forward(
        self,
        ids: Tensor,
        state: State = None,
        *,
        reset: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """Logits of the token after each, and the states to go on from.

        Shapes:
            ids: int64 ``[T, B]``; state: as this returns it; reset: bool ``[T, B]``, where true, the states
            are cleared before the step. Gives logits ``[T, B, V]`` and for each layer ``(h,)`` or
            ``(h, c)``, each ``[1, B, H]``.
        """
        h, state = self.hidden(ids, state, reset=reset, generator=generator)
        return self.head(h), state

    def hidden(
        self,
        ids: Tensor,
        state: State = None,
        *,
        reset: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """The last layer's output, which `head` reads.

        Shapes:
            as of `forward`; gives ``[T, B, H]`` and the states.
        """
        h, after = self.layers(ids, state, reset=reset, generator=generator)
        return dropped(h, self.dropouts.output, self.training, generator), after

    def stream(self, batch: int = 1) -> list[Any]:
        """A stream of each layer, the first over tokens; each reads what the one before it gives."""
        return self.layers.stream(batch)
