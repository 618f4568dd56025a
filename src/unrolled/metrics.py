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


def bits_per_character(nats: float, tokens: int, characters: int, first: int) -> float:
    """The loss of a text in bits, over its characters: that of all tokens but the first, over theirs.

    Nothing stands before the first token, so no model is asked for it, and what it stands for does not count
    either. What compresses a text as a whole is charged for the whole: all of its bits, over all characters.

    Args:
        nats: mean loss of the tokens from the second on.
        tokens, characters: of the text, the first token included.
        first: the characters of that token.

    Example:
        >>> bits_per_character(math.log(2), tokens=3, characters=9, first=5)  # two tokens, four characters
        0.5
    """
    return bits(nats) * (tokens - 1) / (characters - first) if characters > first else math.inf
