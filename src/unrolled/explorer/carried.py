"""What goes with a trace into the page: a language model's way to its logits, and the diagnosis in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import save

from unrolled.cells import Array
from unrolled.tasks.base import Kept
from unrolled.traces import Trace, diagnosis
from unrolled.wirings import TokenModel

FORMAT, VERSION = "unrolled-weights", 1

MOST = 4_000_000
"""Bytes that a model's embedding and head may have to travel in a page."""

LARGE = 8_000_000
"""Bytes of a trace beyond which a file leaves out what its screens can do without."""

WEIGHTS = ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr")


def weights(kept: Kept) -> bytes | None:
    """Embedding, head and vocabulary of a language model, as safetensors; None of others and of large ones.

    With the layers' weights, which are in every trace of it, that is the whole model.
    """
    model = kept.model
    if not isinstance(model, TokenModel):
        return None
    arrays = {
        "E": model.embedding.weight.detach().numpy(),
        "W_hy": model.head.weight.detach().numpy(),
        "b_y": model.head.bias.detach().numpy(),
    }
    if sum(array.nbytes for array in arrays.values()) > MOST:
        return None
    reader = kept.reader
    alone = reader.name in ("char", "word")  # a token of bytes may be half a letter
    about = {
        "tokens": reader.name,
        "vocabulary": reader.vocabulary,
        "texts": [reader.decode([token]) for token in range(reader.size)] if alone else None,
        "unknown": reader.unknown,
    }
    facts = {"format": FORMAT, "version": str(VERSION), "about": json.dumps(about)}
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, facts)


def about(trace: Trace, carries: str) -> dict[str, Any]:
    """What is said of a trace besides its numbers: what the page carries, and the diagnosis."""
    said = diagnosis.diagnose(trace).as_data()
    return {"carries": carries, "findings": said["findings"], "untold": said["untold"]}


def smaller(trace: Trace, without_weights: bool = False) -> Trace:
    """The trace without the gradients of weights where it is large, and on request without its weights.

    What is left out is in its facts, with the reason.
    """
    left_out: dict[str, str] = {}
    if sum(array.nbytes for array in trace.arrays.values()) > LARGE:
        left_out |= dict.fromkeys((f"d{name}" for name in WEIGHTS), "the page would be too large with it")
    if without_weights:
        left_out |= dict.fromkeys(
            (*WEIGHTS, *(f"d{name}" for name in WEIGHTS)), "weights were to be left out"
        )
    arrays: Mapping[str, Array] = {
        name: array for name, array in trace.arrays.items() if name.rpartition("/")[2] not in left_out
    }
    facts = {**trace.facts, "left_out": {**trace.facts["left_out"], **left_out}}
    return Trace(arrays, facts)


def size(count: int) -> str:
    """Bytes as a person reads them.

    Example:
        >>> size(312), size(1200), size(2_500_000)
        ('312 B', '1.2 kB', '2.5 MB')
    """
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.3g} kB" if count < 1_000_000 else f"{count / 1_000_000:.3g} MB"
