"""Many to many, aligned: every step reads a token and says which comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import OptionError
from unrolled.wirings.stack import NO_DROPOUTS, Dropouts, Recurrence, Stack, State, dropped


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a `TokenModel` is built from.

    Units: ``vocabulary`` in tokens; ``embedding`` and ``hidden`` in features.
    """

    vocabulary: int
    cell: str = "gru"
    layers: int = 1
    hidden: int = 256
    embedding: int = 256
    tied: bool = False


class TokenModel(torch.nn.Module):
    """Embedding, recurrent layers, and one logit for every token that may come next.

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
        recurrence = Recurrence(sizes.cell, sizes.layers, sizes.hidden)
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
