"""How a token is drawn from what a model says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.errors import OptionError

Array = NDArray[Any]

COLDEST, HOTTEST = 1e-6, 1e6
"""Temperatures below and above which float32 tells no more: always the likeliest, and all alike."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How the next token is drawn from the logits.

    ``temperature`` divides them (0: always the likeliest); ``top_k`` leaves the k likeliest (0: all);
    ``top_p`` leaves the fewest that hold so much of the probability (1: all).

    Raises:
        OptionError: a number out of its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        for name, rule, good, fix in (
            (
                "temperature",
                f"be 0 or more, and at most {HOTTEST:,.0f}",
                0 <= self.temperature <= HOTTEST,
                "1 keeps the model's own probabilities.",
            ),
            ("top_k", "be 0 or more", self.top_k >= 0, "0 leaves all tokens."),
            ("top_p", "lie above 0 and not above 1", 0 < self.top_p <= 1, "1 leaves all tokens."),
        ):
            if not good:
                raise OptionError(f"generate: {name}", rule, getattr(self, name), fix)

    def draw(self, logits: Array, random: np.random.Generator) -> int:
        """One token.

        Shapes:
            logits: ``[V]``.
        """
        if self.temperature < COLDEST:
            return int(logits.argmax())
        if self.top_k or self.top_p < 1:
            return self._draw_among_some(logits, random)
        weights = logits - np.maximum.reduce(logits)
        if self.temperature != 1:
            weights /= self.temperature
        return _at_random(np.exp(weights, out=weights), random)

    def _draw_among_some(self, logits: Array, random: np.random.Generator) -> int:
        order = np.argsort(-logits, kind="stable")
        if self.top_k:
            order = order[: self.top_k]
        weights = np.exp((logits[order] - logits[order[0]]) / self.temperature)
        if self.top_p < 1:
            kept = int(np.searchsorted(weights.cumsum(), self.top_p * weights.sum())) + 1
            weights = weights[:kept]
        return int(order[_at_random(weights, random)])


def _at_random(weights: Array, random: np.random.Generator) -> int:
    """A place, each as likely as its weight is of their sum."""
    cumulative = np.add.accumulate(weights)
    return min(int(cumulative.searchsorted(random.random() * cumulative[-1], "right")), len(weights) - 1)
