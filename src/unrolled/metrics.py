"""What a loss in nats is in other units."""

from __future__ import annotations

import math


def perplexity(nats: float) -> float:
    """Among how many equally likely tokens a loss of so many nats a token would have to choose.

    Example:
        >>> round(perplexity(math.log(65)), 6)
        65.0
    """
    return math.exp(nats) if nats < 709 else math.inf


def bits(nats: float) -> float:
    """Nats in bits.

    Example:
        >>> bits(math.log(2))
        1.0
    """
    return nats / math.log(2)
