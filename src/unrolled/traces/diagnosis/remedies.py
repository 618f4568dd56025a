"""Changes to try. Each is tested: it is applied to a network that has the illness, and the figure moves.

Of a model that ``unrolled train`` made, the command begins its training anew, on its data and with its other
fields. A module of one's own has no command: there the Python says what to change in its layer, or around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np

from unrolled.errors import NotKeptError
from unrolled.traces import through_time
from unrolled.traces.diagnosis.figures import KEEPS, edge
from unrolled.traces.diagnosis.finding import Remedy, number
from unrolled.traces.diagnosis.training import Training, Value
from unrolled.traces.layer import LayerTrace

CALM = 0.5
"""How far 9 in 10 pre-activations are to lie from 0, as a share of where the function becomes flat."""

GENTLE = 2e-3
"""A learning rate that seldom pushes units to where they stay, for lack of a smaller one."""


def remember(layer: LayerTrace, steps: int, training: Training, module: Sequence[LayerTrace]) -> Remedy:
    """Gates that begin by keeping their state.

    Args:
        module: all layers and directions of the layer's module.
    """
    steps, moves = max(2, steps), "half-life and reach become longer"
    set_up = f"unrolled.nn.remember(layer, {steps})"
    if layer.cell.name in KEEPS:
        words = f"begin with gates that keep their state for up to {steps} steps."
        return Remedy(words, training.command(remember=steps), f"{found(layer)}\n{set_up}", moves)
    words = f"put a GRU in its place, whose gates begin by keeping their state for up to {steps} steps."
    python = training.python(cell="gru", remember=steps) or f"{_gru(module)}\n{set_up}"
    return Remedy(words, training.command(cell="gru", remember=steps), python, moves)


def shorten(layer: LayerTrace, training: Training) -> Remedy:
    """Recurrent weights that lengthen nothing."""
    norm = through_time.norm(layer.W_hh.T) if "W_hh" in layer.arrays else np.inf
    command = training.command(init=_usual(layer), clip=1)
    moves = "the most that is left at any distance becomes less"
    if not np.isfinite(norm):  # weights that are no numbers, or are not there, cannot be scaled
        usual = number(_usual(layer))
        python = (
            f"{found(layer)}\nfor weight in layer.parameters():\n    weight.data.uniform_(-{usual}, {usual})"
        )
        return Remedy("begin anew, with smaller weights.", command, python, moves)
    scale = min(1.0, 1 / norm)
    words = (
        f"begin with smaller weights; or scale W_hh by {number(scale)}, so that it lengthens nothing. "
        "Clipping keeps the updates short meanwhile, but not the gradient even over time."
    )
    python = f"{found(layer)}\nlayer.weight_hh_l{layer.number}{_suffix(layer)}.data.mul_({scale:.4g})"
    return Remedy(words, command, python, moves)


def calm(layer: LayerTrace, training: Training) -> Remedy:
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
    command = training.command(init=_usual(layer))
    return Remedy(words, command, python, "the share of saturated values becomes less")


def revive(layer: LayerTrace, units: Sequence[int], training: Training) -> Remedy:
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
    rate = min(GENTLE, training.field("learning_rate", 1.0) / 3)
    return Remedy(words, training.command(learning_rate=rate, clip=1), python, "fewer units are silent")


def loosen(norm: float, training: Training) -> Remedy:
    """A limit that guards against outliers alone."""
    limit = float(number(2 * norm))
    words = f"set the limit at twice the usual norm, {number(limit)}. "
    words += "With sgd, lower the rate in proportion first."
    own = f"import torch\ntorch.nn.utils.clip_grad_norm_(model.parameters(), {number(limit)})"
    python = training.python(clip=limit) or f"{own}  # between backward and the optimiser's step"
    return Remedy(words, training.command(clip=limit), python, "fewer updates are clipped")


def lengthen(window: int, moves: str, training: Training) -> Remedy:
    """A longer window, where there is one its state carried on to the next."""
    words = f"let gradients go back through {window} steps"
    if training.task == "forecast":
        fields: dict[str, Value] = {"history": window}
    elif training.task == "lm":
        words += ", and carry the state on"
        fields = {"length": window, "carry": True}
    else:
        fields = {"length": window}
    own = f"windows = x.split({window})  # one after the other, the state handed on and detached in between"
    python = training.python(**fields) or own
    return Remedy(f"{words}.", training.command(**fields), python, moves)


def learn_longer(moves: str, training: Training) -> Remedy:
    """More passes over the data, where gradients go back through whole sequences already."""
    budget, epochs = training.field("budget", 0), training.field("epochs", 10)
    fields: dict[str, Value] = {"budget": ceil(2 * budget)} if budget else {"epochs": 2 * epochs}
    words = "train for twice as long."
    return Remedy(words, training.command(**fields), training.python(**fields), moves)


def found(layer: LayerTrace) -> str:
    """The line of Python that gets the layer's module."""
    return f'layer = model.get_submodule("{layer.module}")'


def _gru(module: Sequence[LayerTrace]) -> str:
    """The line of Python that makes a GRU for a module's place."""
    first, path = module[0], module[0].module
    sizes = [str(first.I), str(first.H)]
    layers = 1 + max(layer.number for layer in module)
    sizes += [f"num_layers={layers}"] * (layers > 1)
    sizes += ["bidirectional=True"] * any(layer.reverse for layer in module)
    where = f"  # in the place of model.{path}, with its other options" if path else ""
    return f"layer = unrolled.nn.GRU({', '.join(sizes)}){where}"


def _suffix(layer: LayerTrace) -> str:
    return "_reverse" if layer.reverse else ""


def _usual(layer: LayerTrace) -> float:
    """Torch's own bound for initial weights."""
    return 1 / sqrt(layer.H)
