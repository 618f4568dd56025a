"""Many to many, aligned: every step reads a token and says which comes next."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor
from torch.func import functional_call  # pyright: ignore[reportUnknownVariableType]

from unrolled import nn
from unrolled.errors import OptionError

State: TypeAlias = "list[tuple[Tensor, ...]] | None"
"""The states of each layer, ``(h,)`` or ``(h, c)``, each ``[1, B, H]``; None: zeros."""

CELLS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


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


class Dropouts(NamedTuple):
    """Shares of features set to zero in training, each mask drawn once a window and the same at every step.

    ``steps`` acts on what the recurrent product reads, between one step and the next; its mask is shared by
    the sequences of a batch, so that it is a mask of W_hh's columns and costs nothing.

    Source: Gal and Ghahramani 2016, A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks; there every sequence has a mask of its own between steps too.
    """

    input: float = 0.0
    layers: float = 0.0
    steps: float = 0.0
    output: float = 0.0


NO_DROPOUTS = Dropouts()


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
        if sizes.cell not in CELLS:
            raise OptionError("TokenModel: cell", f"be one of {', '.join(CELLS)}", sizes.cell, "Choose one.")
        if sizes.tied and sizes.embedding != sizes.hidden:
            raise OptionError(
                "TokenModel: tied weights", "have embedding = hidden",
                f"embedding={sizes.embedding}, hidden={sizes.hidden}", f"Set embedding={sizes.hidden}.",
            )  # fmt: skip
        self.sizes, self.dropouts = sizes, dropouts
        self.embedding = torch.nn.Embedding(sizes.vocabulary, sizes.embedding)
        widths = [sizes.embedding, *[sizes.hidden] * sizes.layers]
        layer = CELLS[sizes.cell]
        self.layers = torch.nn.ModuleList(layer(*pair) for pair in pairwise(widths))
        # No module of its own: what it is made of are the two above, under their names.
        self._first = (nn.Embedded(self.embedding, cast(Any, self.layers[0])),)
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
        drop, final = self.dropouts, []
        x = self._dropped(self.embedding(ids), drop.input, generator) if self._drops(drop.input) else ids
        for k, layer in enumerate(self.layers):
            x = self._dropped(x, drop.layers, generator) if k else x
            before = None if state is None else state[k]
            x, after = self._run(layer if k or x is not ids else self._first[0], x, before, reset, generator)
            final.append(after)
        return self._dropped(x, drop.output, generator), final

    def stream(self, batch: int = 1) -> list[Any]:
        """A stream of each layer, the first over tokens; each reads what the one before it gives."""
        above = [cast(Any, layer).stream(batch) for layer in self.layers[1:]]
        return [self._first[0].stream(batch), *above]

    def _run(
        self,
        layer: Any,
        x: Tensor,
        before: tuple[Tensor, ...] | None,
        reset: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer, or the first with the embedding, its W_hh under the mask between steps."""
        hx = None if before is None else before if len(before) == 2 else before[0]
        if self._drops(self.dropouts.steps):
            name, own = (
                ("layer.weight_hh_l0", layer.layer) if layer is self._first[0] else ("weight_hh_l0", layer)
            )
            W_hh = own.weight_hh_l0
            mask = _mask(W_hh, (W_hh.size(1),), self.dropouts.steps, generator)
            output, after = functional_call(layer, {name: W_hh * mask}, (x, hx), {"reset": reset})
        else:
            output, after = layer(x, hx, reset=reset)
        return output, after if isinstance(after, tuple) else (after,)

    def _drops(self, p: float) -> bool:
        return self.training and p > 0

    def _dropped(self, x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
        """The features under one mask for all its steps."""
        if not self._drops(p):
            return x
        return x * _mask(x, (x.size(1), x.size(2)), p, generator)


def _mask(like: Tensor, shape: tuple[int, ...], p: float, generator: torch.Generator | None) -> Tensor:
    """Zeros with probability p, else 1 / (1 - p)."""
    kept = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device) >= p
    return kept.to(like.dtype) / (1 - p)
