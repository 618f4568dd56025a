"""The card of notation as data: every axis, every named array, its axes and what it means.

``docs/notation.md`` prints these tables and a test holds the two together. Shapes in error messages come
from here, so that a message and the card cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

AXES = {
    "T": "steps (S on the source side of a pair)",
    "B": "batch: sequences side by side",
    "I": "size of the input",
    "H": "hidden size",
    "G": "gates of the cell",
    "P": "size of the projection",
    "R": "size of h: P with a projection, else H",
    "k": "order: how many of the last h enter a step, newest first; 1 but for cells of higher order",
    "L": "layers",
    "D": "directions",
    "K": "outputs: classes or vocabulary",
}


class Entry(NamedTuple):
    """One named array: its axes, in the letters of `AXES`, and what it means."""

    axes: tuple[str, ...]
    meaning: str


ARRAYS = {
    # what goes in
    "x": Entry(("T", "B", "I"), "input"),
    "lengths": Entry(("B",), "real steps of each sequence; padding stands only at the end"),
    "reset": Entry(("T", "B"), "where true, the states are cleared before the step"),
    "h_0": Entry(("B", "k*R"), "initial hidden state"),
    "c_0": Entry(("B", "H"), "initial cell state"),
    # parameters
    "W_xh": Entry(("G*H", "I"), "input weights, gate by gate"),
    "W_hh": Entry(("G*H", "k*R"), "recurrent weights, gate by gate"),
    "b_xh": Entry(("G*H",), "bias of the input product"),
    "b_hh": Entry(("G*H",), "bias of the recurrent product"),
    "W_hr": Entry(("P", "H"), "projection of the hidden state"),
    # what a step computes
    "h": Entry(("T+k", "B", "R"), "hidden state; rows t … t+k-1 enter step t, row t+k leaves it"),
    "c": Entry(("T+1", "B", "H"), "cell state, in rows like h"),
    "gates": Entry(("T", "B", "G", "H"), "activated gates"),
    "hw_n": Entry(("T", "B", "H"), "GRU: recurrent half of the candidate, h W_hnᵀ + b_hn"),
    "rh": Entry(("T", "B", "H"), "GRU that resets before: r * h, what enters the candidate's product"),
    "m": Entry(("T", "B", "H"), "with a projection: the hidden state before it, o * tanh(c)"),
    "h_n": Entry(("B", "k*R"), "final hidden state, gathered at each sequence's end"),
    "c_n": Entry(("B", "H"), "final cell state"),
    # gradients of the loss; for every v above, dv has the shape of v
    "dh_out": Entry(("T", "B", "R"), "gradient of h from this step's output"),
    "dh_carry": Entry(("T", "B", "R"), "gradient of h from the future"),
    "dh": Entry(("T", "B", "R"), "their sum, dL/dh of the state that leaves step t"),
    "dc": Entry(("T", "B", "H"), "dL/dc of the state that leaves step t, whole"),
    "da": Entry(("T", "B", "G", "H"), "gradient of the pre-activations x W_xhᵀ + b_xh"),
}


def axes(name: str) -> tuple[str, ...]:
    """The axes of a named array, in letters; a gradient ``dv`` has those of ``v``.

    Example:
        >>> axes("dW_hh")
        ('G*H', 'k*R')
    """
    entry = ARRAYS.get(name) or ARRAYS[name.removeprefix("d")]
    return entry.axes


def shape_text(letters: Sequence[str], sizes: Sequence[int]) -> str:
    """Axes and their sizes as messages write them.

    Example:
        >>> shape_text(("T", "B", "I"), (5, 2, 3))
        '[T, B, I] = [5, 2, 3]'
    """
    return f"[{', '.join(letters)}] = [{', '.join(map(str, sizes))}]"
