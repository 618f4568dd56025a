"""Changes to try. Each is tested: it is applied to a network that has the illness, and the figure moves."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from unrolled.errors import NotKeptError
from unrolled.traces import through_time
from unrolled.traces.diagnosis.figures import KEEPS, edge
from unrolled.traces.diagnosis.finding import Remedy, number
from unrolled.traces.layer import LayerTrace

CALM = 0.5
"""How far 9 in 10 pre-activations are to lie from 0, as a share of where the function becomes flat."""


def remember(layer: LayerTrace, steps: int) -> Remedy:
    """Gates that begin by keeping their state."""
    moves = "half-life and reach become longer"
    if layer.cell.name in KEEPS:
        words = f"begin with gates that keep their state for up to {steps} steps."
        command = f"unrolled train lm TEXT --remember {steps}"
        return Remedy(words, command, f"{found(layer)}\nunrolled.nn.remember(layer, {steps})", moves)
    words = f"put a GRU in its place, whose gates begin by keeping their state for up to {steps} steps."
    command = f"unrolled train lm TEXT --cell gru --remember {steps}"
    python = f"layer = unrolled.nn.GRU({layer.I}, {layer.H})\nunrolled.nn.remember(layer, {steps})"
    return Remedy(words, command, python, moves)


def shorten(layer: LayerTrace) -> Remedy:
    """Recurrent weights that lengthen nothing."""
    norm = through_time.norm(layer.W_hh.T) if "W_hh" in layer.arrays else np.inf
    command = f"unrolled train lm TEXT --init {_usual(layer)} --clip 1"
    moves = "the most that is left at any distance becomes less"
    if not np.isfinite(norm):  # weights that are no numbers, or are not there, cannot be scaled
        python = f'unrolled.train("lm", "TEXT", init={_usual(layer)}, clip=1.0)'
        return Remedy("begin with smaller weights.", command, python, moves)
    scale = min(1.0, 1 / norm)
    words = (
        f"begin with smaller weights; or scale W_hh by {number(scale)}, so that it lengthens nothing. "
        "Clipping keeps the updates short meanwhile, but not the gradient even over time."
    )
    python = f"{found(layer)}\nlayer.weight_hh_l{layer.number}{_suffix(layer)}.data.mul_({scale:.4g})"
    return Remedy(words, command, python, moves)


def calm(layer: LayerTrace) -> Remedy:
    """Weights small enough that gates are where they have a slope."""
    try:
        size = float(np.quantile(np.abs(sum(layer.preactivations())), 0.9))
        scale = min(1.0, CALM * edge() / size) if size else 1.0
    except NotKeptError:
        scale = 0.25
    words = (
        f"begin with smaller weights; or scale the layer's by {number(scale)}. "
        "Where the input is features and not tokens, bring them to mean 0 and deviation 1 first."
    )
    python = (
        f"{found(layer)}\nfor name, weight in layer.named_parameters():\n"
        f'    if name.endswith("_l{layer.number}{_suffix(layer)}"):\n        weight.data.mul_({scale:.4g})'
    )
    command = f"unrolled train lm TEXT --init {_usual(layer)}"
    return Remedy(words, command, python, "the share of saturated values becomes less")


def revive(layer: LayerTrace, units: Sequence[int]) -> Remedy:
    """New weights for units that are silent."""
    gates = len(layer.cell.gates)
    rows = [gate * layer.H + unit for gate in range(gates) for unit in units]
    python = (
        f"{found(layer)}\nrows = {rows}\n"
        "for name, weight in layer.named_parameters():\n"
        f'    if name.endswith("_l{layer.number}{_suffix(layer)}"):\n'
        "        fresh = weight.data[rows].uniform_(-1, 1)\n"
        f"        weight.data[rows] = fresh * {1 / sqrt(layer.H):.4g}"
    )
    words = "train again at a gentler rate; or draw the silent units' weights anew and train on."
    command = "unrolled train lm TEXT --learning-rate 0.002 --clip 1"
    return Remedy(words, command, python, "fewer units are silent")


def loosen(norm: float) -> Remedy:
    """A limit that guards against outliers alone."""
    limit = number(2 * norm)
    words = f"set the limit at twice the usual norm, {limit}. With sgd, lower the rate in proportion first."
    python = f'unrolled.train("lm", "TEXT", clip={limit})'
    return Remedy(words, f"unrolled train lm TEXT --clip {limit}", python, "fewer updates are clipped")


def lengthen(window: int, moves: str) -> Remedy:
    """A longer window, its state carried on from one to the next."""
    words = f"let gradients go back through {window} steps, and carry the state on."
    python = f'unrolled.train("lm", "TEXT", length={window}, carry=True)'
    return Remedy(words, f"unrolled train lm TEXT --length {window} --carry on", python, moves)


def found(layer: LayerTrace) -> str:
    """The line of Python that gets the layer's module."""
    return f'layer = model.get_submodule("{layer.module}")'


def _suffix(layer: LayerTrace) -> str:
    return "_reverse" if layer.reverse else ""


def _usual(layer: LayerTrace) -> str:
    """Torch's own bound for initial weights."""
    return number(1 / sqrt(layer.H))
