"""A wiring that is fed as its input comes: it remembers where it stands, however long that goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import torch
from torch import Tensor

from unrolled.wirings.inputs import Inputs

SoFar: TypeAlias = "Sequence[tuple[Tensor, ...]]"
"""What an answer needs to know of the steps before; empty at the beginning."""

Answer: TypeAlias = "Callable[[Tensor, SoFar], tuple[Tensor, SoFar]]"
"""From what leaves the layers, ``[T, B, H]``, to logits."""


@final
class ModelStream:
    """A model over ``batch`` sequences in constant memory; made by a wiring's ``stream``.

    The weights are a snapshot, in evaluation: no dropout, no gradient.

    Example:
        >>> from unrolled.wirings import Features, ManyToOne, Recurrence
        >>> model = ManyToOne(Features(3), Recurrence(hidden=4), outputs=2, read="mean")
        >>> stream, x = model.stream(), torch.randn(500, 1, 3)
        >>> for part in x.split(100):
        ...     logits = stream.chunk(part)
        >>> torch.allclose(logits, model(x), atol=1e-6)
        True
    """

    def __init__(self, inputs: Inputs, layers: Sequence[Any], answer: Answer) -> None:
        self._inputs, self._layers, self._answer = inputs, layers, answer
        self._so_far: SoFar = ()

    def chunk(self, batch: Any) -> Tensor:
        """Reads some steps.

        Shapes:
            batch: what the wiring's inputs read, of T steps. Gives logits: of every step ``[T, B, K]`` where
            each has an answer, of all that was read up to here ``[B, K]`` where one stands for all.

        Raises:
            ShapeError, DtypeError: it does not fit.
        """
        with torch.inference_mode():
            h = self._inputs.steps(batch)
            for layer in self._layers:
                h = layer.chunk(h)
            logits, self._so_far = self._answer(h, self._so_far)
        return logits

    def step(self, x: Tensor) -> Tensor:
        """Reads one step.

        Shapes:
            x: ``[B, I]`` or ids ``[B]``; gives ``[B, K]``.

        Raises:
            ShapeError, DtypeError: it does not fit.
        """
        logits = self.chunk(x[None])
        return logits[0] if logits.dim() == 3 else logits

    def reset(self) -> None:
        """Begins anew."""
        self._so_far = ()
        for layer in self._layers:
            layer.reset()
