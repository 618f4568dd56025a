"""What the figures show of a layer, as numbers by step."""

from __future__ import annotations

import numpy as np

from unrolled.cells import Array
from unrolled.errors import NotKeptError
from unrolled.traces import LayerTrace, Parts, Trace
from unrolled.traces.diagnosis.figures import SIGMOID, TANH, flat

GONE = 0.01
"""The share of a signal under which it counts as vanished; `LayerTrace.reach` is where that is."""

PRODUCTS = 1e9
"""Products of numbers, steps times units cubed, that Jacobians may cost where a figure is drawn: a second."""


def strength(state: Array, b: int) -> Array:
    """The root mean square over units.

    Shapes:
        state: ``[T, B, H]``; gives ``[T]``.
    """
    with np.errstate(over="ignore"):
        return np.sqrt(np.square(state[:, b].astype(np.float64)).mean(axis=1))


def norm(gradient: Array, b: int) -> Array:
    """The length of the gradient of each step.

    Shapes:
        gradient: ``[T, B, H]``; gives ``[T]``.
    """
    with np.errstate(over="ignore"):
        return np.linalg.norm(gradient[:, b].astype(np.float64), axis=1)


def signal(layer: LayerTrace) -> Array:
    """`LayerTrace.signal`, where it is there at once.

    Shapes:
        result: ``[T]``, by distance.

    Raises:
        NotKeptError: no itemised matrix tells it, and there are too many Jacobians, or no way to them.
    """
    at_once(layer)
    return np.asarray(layer.signal(), np.float64)


def at_once(layer: LayerTrace) -> None:
    """Refuses a `LayerTrace.signal` that would take long.

    Raises:
        NotKeptError: no itemised matrix tells it, and there are too many Jacobians.
    """
    if layer.own_losses is None and layer.T * layer.H**3 > PRODUCTS:
        got = f"{layer.T:,} steps of {layer.H} units, whose Jacobians take long"
        fix = 'Trace again with "G" in keep, or call LayerTrace.signal().'
        raise NotKeptError(f"Trace: {layer.name}/G", "be kept to see how far a signal reaches", got, fix)


def losses(trace: Trace, b: int, count: int) -> Array | None:
    """The loss of every step; None where there are none, or they are of other steps than the layers'.

    Shapes:
        result: ``[count]``.
    """
    if "loss_t" not in trace or "output_tokens" in trace.facts or len(trace["loss_t"]) != trace.layers[0].T:
        return None
    return trace["loss_t"][:count, b].astype(np.float64)


def far_loss(layer: LayerTrace, count: int) -> tuple[Array, int]:
    """How much of one step's loss comes to every step: of the last, or in a reverse layer of the first.

    Shapes:
        result: ``[count]``, and where the way begins.

    Raises:
        NotKeptError: there is no itemised matrix of its own steps' losses.
    """
    G, start = layer.own_losses, 0 if layer.reverse else count - 1
    if G is None:
        got, fix = "none", 'Trace again with "G" in keep.'
        raise NotKeptError(f"Trace: {layer.name}/G", "be kept of its own steps' losses", got, fix)
    return G[0 if len(G) == 1 else start, :count].astype(np.float64), start


def vanished(row: Array, start: int) -> int | None:
    """The step nearest to ``start`` that has less than `GONE` of what it has there; None where none has.

    Shapes:
        row: ``[T]``, as `far_loss` gives it.
    """
    under = np.flatnonzero(row < GONE * row[start])
    return int(under[np.argmin(np.abs(under - start))]) if len(under) else None


def has_one_loss(trace: Trace) -> bool:
    """Whether the itemised matrix has one row for all steps: the model answers once for a sequence."""
    return any("G" in layer.arrays and len(layer.G) == 1 < layer.whole_T for layer in trace.layers)


def faded(layer: LayerTrace, norms: Array) -> int | None:
    """Of a single loss, the step on its way back from its strongest one that has less than `GONE` of it.

    Shapes:
        norms: ``[T]``, the lengths of its gradient.
    """
    if "G" not in layer.arrays or len(layer.G) > 1:
        return None
    start = int(norms.argmax())
    way = norms[start:] if layer.reverse else norms[: start + 1]
    under = np.flatnonzero(way < GONE * norms[start])
    if not len(under):
        return None
    return start + int(under[0]) if layer.reverse else int(under[-1])


def shares(parts: Parts) -> Array:
    """Each step's share of a weight's gradient, which add up to 1; below zero where it pulls the other way.

    Maths: ``⟨part_t, dW⟩ / ⟨dW, dW⟩``

    Shapes:
        result: ``[T]``; zeros where there is no gradient.
    """
    along = np.zeros(len(parts.blocks[0][0]))
    whole, first = parts.dense().astype(np.float64), 0
    for left, right in parts.blocks:
        rows = whole[first : first + left.shape[2]]
        first += left.shape[2]
        pulled = left @ rows if right is None else np.einsum("tbj,tbj->tb", left @ rows, right)
        along = along + pulled.sum(axis=1)
    square = float(np.square(whole).sum())
    return along / square if square else along


def bounds(layer: LayerTrace, gate: str) -> tuple[float, float] | None:
    """The range of a gate's values; None where it has no end."""
    if gate in SIGMOID.get(layer.cell.functions, ()):
        return 0.0, 1.0
    return (-1.0, 1.0) if gate in TANH.get(layer.cell.functions, ()) else None


def bounded(layer: LayerTrace) -> bool:
    """Whether every unit's output lies between -1 and 1."""
    return layer.cell.functions not in ("rnn_relu", "rnn_identity") and "W_hr" not in layer.arrays


def saturated(layer: LayerTrace) -> dict[str, float]:
    """By gate, the share of values, of all sequences, where its function is nearly flat.

    Raises:
        NotKeptError: the gates were not kept.
    """
    found = {gate.gate: gate.low + gate.high for gate in flat(layer)}
    return {gate: found[gate] for gate in layer.cell.gates if gate in found}
