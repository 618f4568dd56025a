"""How much of a long run is held at once: from ``memory=`` to the steps of a stretch."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from unrolled.errors import OptionError

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


class Needs(NamedTuple):
    """What the backward pass of a run holds besides input, outputs and their gradients.

    Attributes:
        steps: of the longest sequence.
        block: steps whose gradients are summed up at a time; a stretch is a whole number of blocks.
        whole: bytes of all steps' gates, cell states and the like, of all layers.
        step: bytes of one step of one layer while its stretch goes back.
        mark: bytes of the states that enter a stretch, of all layers.
    """

    steps: int
    block: int
    whole: int
    step: int
    mark: int


def read(subject: str, memory: object) -> int:
    """Bytes; 0 for ``"sqrt"``.

    Raises:
        OptionError: neither ``"sqrt"`` nor an amount of memory.

    Example:
        >>> read("LSTM: memory", "1.5 MB"), read("LSTM: memory", 2000), read("LSTM: memory", "sqrt")
        (1500000, 2000, 0)
    """
    if memory == "sqrt":
        return 0
    if isinstance(memory, int) and not isinstance(memory, bool) and memory > 0:
        return memory
    found = _AMOUNT.fullmatch(memory) if isinstance(memory, str) else None
    if found and found[2].upper() in UNITS and float(found[1]) > 0:
        return math.ceil(float(found[1]) * UNITS[found[2].upper()])
    fix = 'Give e.g. "200MB" or "1.5GiB", or "sqrt" for about √T steps at a time.'
    raise OptionError(subject, 'be None, "sqrt" or an amount of memory', repr(memory), fix)


def stretch(subject: str, memory: object, needs: Needs) -> int:
    """How many steps are held at a time; all of them where that is within the budget, or saves nothing.

    With ``"sqrt"`` about √T. With an amount of memory as many as it has room for, beside the states at the
    beginnings of all stretches.

    Raises:
        OptionError: ``memory`` is none, or less than any length of stretches needs.

    Example:
        >>> needs = Needs(steps=1000, block=8, whole=100_000, step=100, mark=20)
        >>> [stretch("LSTM: memory", memory, needs) for memory in ("sqrt", "3KB", "1MB")]
        [32, 16, 1000]
    """
    limit, (steps, block, whole, step, mark) = read(subject, memory), needs
    if limit == 0:
        return min(steps, block * math.ceil(math.isqrt(steps) / block))
    if whole <= limit:
        return steps
    lengths = block * np.arange(1, math.ceil(steps / block))
    needed = step * lengths + mark * -(-steps // lengths)
    fitting = lengths[needed <= limit]
    if len(fitting):
        return int(fitting[-1])
    least = int(min(needed.min(), whole))
    rule = f"be at least {least} bytes for {steps} steps, in stretches of whole blocks of {block}"
    raise OptionError(subject, rule, repr(memory), f'Give memory={least}, or "sqrt".')
