"""One to one: a step reads and gives an answer, and no step knows of another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import OptionError
from unrolled.wirings.inputs import Inputs
from unrolled.wirings.stack import NO_DROPOUTS, Dropouts, dropped


class OneToOne(torch.nn.Module):
    """A feed-forward network over one step: what can be had without any memory.

    Maths:
        h = relu(W x + b), so many times;  y = W_hy h + b_y

    Args:
        inputs: what is read.
        outputs: K, logits of a step.
        layers: hidden layers; with none, it is a linear model.
        hidden: features of each.
        dropouts: in training; there are no ``steps`` between which one could act.

    Shapes:
        what ``inputs`` reads, of T steps and B sequences, to logits ``[T, B, K]``; features and tokens may
        also come without time.

    Raises:
        OptionError: a dropout between steps, or a negative number of layers.

    Example:
        >>> from unrolled.wirings import Features
        >>> OneToOne(Features(3), outputs=4, hidden=16)(torch.zeros(2, 3)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: int,
        layers: int = 1,
        hidden: int = 256,
        dropouts: Dropouts = NO_DROPOUTS,
    ) -> None:
        super().__init__()
        if dropouts.steps:
            fix = "Leave it out: nothing goes from one step to the next."
            raise OptionError("OneToOne: the dropout of steps", "be 0", dropouts.steps, fix)
        if layers < 0:
            raise OptionError("OneToOne: layers", "be 0 or more", layers, "0 makes it a linear model.")
        self.inputs, self.dropouts = inputs, dropouts
        widths = [inputs.size, *[hidden] * layers]
        self.layers = torch.nn.ModuleList(torch.nn.Linear(*pair) for pair in pairwise(widths))
        self.head = torch.nn.Linear(widths[-1], outputs)

    def forward(self, batch: Any, *, generator: torch.Generator | None = None) -> Tensor:
        """The logits of each step.

        Shapes:
            batch: what ``inputs`` reads; gives ``[T, B, K]``.

        Raises:
            ShapeError: it does not fit.
        """
        drop, training = self.dropouts, self.training
        h = dropped(self.inputs(batch, generator), drop.input, training, generator)
        for k, layer in enumerate(self.layers):
            h = torch.relu(layer(dropped(h, drop.layers, training, generator) if k else h))
        return self.head(dropped(h, drop.output, training, generator))
