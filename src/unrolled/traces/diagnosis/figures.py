"""What the rules look at, measured on one layer of a trace: its signal, flat gates and silent units."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from unrolled import unroll
from unrolled.cells import Array, Cell
from unrolled.errors import NotKeptError
from unrolled.tape import Tape, Walk
from unrolled.traces import through_time
from unrolled.traces.diagnosis.thresholds import limit
from unrolled.traces.layer import LayerTrace

PROBES, SEQUENCES = 16, 4
"""Loss steps of a sequence that are followed back, and sequences, at most."""

KEEPS = {"lstm": "f", "gru": "z", "gru_reset_before": "z"}
"""The gate that keeps the state; where it is near 1 it does its work."""

TANH = {"rnn_tanh": ("h",), "lstm": ("g",), "gru": ("n",), "gru_reset_before": ("n",)}
SIGMOID = {"rnn_sigmoid": ("h",), "lstm": ("i", "f", "o"), "gru": ("r", "z"), "gru_reset_before": ("r", "z")}


@dataclass(frozen=True, eq=False)
class Signal:
    """What is left of a gradient by distance, 1 at distance 0.

    Attributes:
        of: what fades, in words: ``gradient of c``.

    Shapes:
        left: ``[D]``, by how many steps lie between; NaN where none was seen.
    """

    left: Array
    of: str

    @property
    def there(self) -> bool:
        """Whether any gradient was seen; else there are no figures."""
        return bool(np.isfinite(self.left).any())

    @property
    def seen(self) -> int:
        """The longest distance that there is a figure for, if it is there."""
        return int(np.flatnonzero(np.isfinite(self.left))[-1])

    @property
    def half_life(self) -> float:
        """Steps after which half is left; infinite where that was not seen."""
        return through_time.falls_below(self.left, limit("half"))

    @property
    def reach(self) -> float:
        """Steps after which a hundredth is left; infinite where that was not seen."""
        return through_time.falls_below(self.left, limit("gone"))

    @property
    def farthest(self) -> int:
        """The distance at which most is left."""
        return int(np.nanargmax(self.left))

    def at(self, distance: int) -> float:
        """What is left at a distance that was seen."""
        return float(self.left[distance])


def signal(layer: LayerTrace) -> Signal:
    """How the gradient that a step's loss sends into a layer fades on its way back through the layer's state.

    Some loss steps s are followed back, each alone; m is what the cell remembers by, c where there is one,
    else h. What is given is the median of ``|dL_s / dm_t| / |dL_s / dm_s|`` over them. Of a loss that reads
    the final state alone, what comes into the last step, ``dh``, is followed. Where ``dh_out`` was not kept,
    or the layer cannot run again, it is `LayerTrace.signal`, of the itemised matrix or of Jacobians.

    Raises:
        NotKeptError: what ran was not kept whole.

    Cost: 16 gradients of each of up to 4 sequences side by side, some two passes back over them.
    """
    has_matrix = layer.own_losses is not None
    if "dh_out" not in layer.arrays or (has_matrix and not _runs_again(layer)):
        of = "gradient of h" if has_matrix else f"Jacobian of {' and '.join(layer.cell.states)}"
        return Signal(np.asarray(layer.signal(), np.float64), of)
    of = f"gradient of {'c' if 'c' in layer.cell.states else 'h'}"
    rows = [row for b in _longest(layer) for row in _followed(layer, b)]
    if not rows:
        return Signal(np.array([np.nan]), of)
    stacked = np.full((len(rows), max(map(len, rows))), np.nan)
    for k, row in enumerate(rows):
        stacked[k, : len(row)] = row
    return Signal(np.nanmedian(stacked, axis=0), of)


def _runs_again(layer: LayerTrace) -> bool:
    """Whether all was kept that it takes to go back over the layer once more."""
    try:
        _ = layer.tape
    except NotKeptError:
        return False
    return True


def _longest(layer: LayerTrace) -> list[int]:
    """The sequences to follow."""
    lengths = layer.arrays.get("lengths")
    order = np.arange(layer.B) if lengths is None else np.argsort(-lengths, kind="stable")
    return [int(b) for b in order[:SEQUENCES]]


def _followed(layer: LayerTrace, b: int) -> list[Array]:
    """Sequence b's probes, each by distance, as far as the state was not reset in between."""
    tape = through_time.alone(layer.tape, b)
    entering = _entering(layer, tape.T, b)[:: -1 if layer.reverse else 1]
    there = np.flatnonzero(np.any(entering != 0, axis=1))
    if not len(there):
        return []
    late = there[there >= min(tape.T // 2, there[-1])]  # those that have something to look back on
    probes = late[np.unique(np.linspace(0, len(late) - 1, PROBES).astype(int))]
    pieces = np.zeros((tape.T, len(probes), entering.shape[1]), entering.dtype)
    for k, s in enumerate(probes):  # of length 1, so that nothing underflows sooner than it must
        pieces[s, k] = entering[s] / np.abs(entering[s]).max()
    walk = Walk(probes + 1, _repeated(tape, len(probes)))
    back = dataclasses.replace(tape, walk=walk, arrays=dict(tape.arrays))
    without = ("dx", *(f"d{name}" for name in tape.params))
    kept = ("dh", "dc") if "c" in tape.cell.states else ("dh",)
    unroll.backward(back, pieces, keep=kept, without=without)
    lengths = _lengths(back)
    reset = tape.walk.reset
    found: list[Array] = []
    for k, s in enumerate(probes):
        cleared = 0 if reset is None else max([0, *np.flatnonzero(reset[: s + 1, 0])])
        row = lengths[cleared : s + 1, k][::-1]
        if row[0] > 0:
            found.append(row / row[0])
    return found


def _entering(layer: LayerTrace, T: int, b: int) -> Array:
    """What the loss sends into each of the T steps of sequence b, or if nothing, what comes into the last.

    Shapes:
        result: ``[T, R]``.
    """
    entering = layer.dh_out[:T, b]
    last = 0 if layer.reverse else T - 1
    if T and not entering.any() and "dh" in layer.arrays and np.isfinite(layer.dh[last, b]).all():
        entering = np.zeros_like(entering)
        entering[last] = layer.dh[last, b]
    return entering


def _repeated(tape: Tape[Cell], n: int) -> Array | None:
    """The resets for n gradients side by side."""
    return None if tape.walk.reset is None else np.repeat(tape.walk.reset, n, axis=1)


def _lengths(tape: Tape[Cell]) -> Array:
    """The length of the gradient of what leaves each step: of c where there is one, else of h.

    The tape's ``dc`` is whole, with the way through h in it, so it is in the same unit at every distance; in
    (h, c) the loss would enter by h and go on by c, and that change of unit would look like a loss of signal.

    Shapes:
        result: ``[T, n]``.
    """
    dm = tape.dc if "c" in tape.cell.states else tape.dh
    lengths = np.linalg.norm(dm.astype(np.float64), axis=2)  # whose squares float32 could not hold
    return np.where(np.isfinite(lengths), lengths, np.finfo(np.float32).max)


# ------------------------------------------------------------------------------------- gates and units


def real(layer: LayerTrace) -> Array:
    """Which steps are no padding, ``[T, B]``."""
    lengths = layer.arrays.get("lengths")
    steps = np.arange(layer.first_step, layer.first_step + layer.T)[:, None]
    return np.broadcast_to(True if lengths is None else steps < lengths, (layer.T, layer.B))


def edge() -> float:
    """The pre-activation from which tanh is flat: its slope is 1 - tanh²."""
    return float(np.arctanh(np.sqrt(1 - limit("flat"))))


@dataclass(frozen=True)
class Flat:
    """Of one gate, the shares of its values that lie where its function is flat."""

    gate: str
    low: float
    high: float
    keeps: bool

    @property
    def harmful(self) -> float:
        """Without the side on which a gate that keeps the state does just that."""
        return self.low if self.keeps else self.low + self.high


def flat(layer: LayerTrace) -> list[Flat]:
    """How much of each gate is saturated; empty for cells whose functions are nowhere flat.

    Raises:
        NotKeptError: the gates were not kept.
    """
    there, name = real(layer), layer.cell.functions
    tanh_edge = np.tanh(edge())
    sigmoid_edge = (1 + tanh_edge) / 2  # σ(2a) = (1 + tanh a) / 2, and the slopes have the same shape
    edges = dict.fromkeys(TANH.get(name, ()), (-tanh_edge, tanh_edge))
    edges |= dict.fromkeys(SIGMOID.get(name, ()), (1 - sigmoid_edge, sigmoid_edge))
    found: list[Flat] = []
    for gate, (low, high) in edges.items():
        values = layer.gate(gate)[there] if gate != "h" else layer.output[there]
        keeps = KEEPS.get(name) == gate
        found.append(Flat(gate, float((values <= low).mean()), float((values >= high).mean()), keeps))
    return found


def still(layer: LayerTrace) -> list[int]:
    """The units whose output never changed; a relu unit that is always off is one.

    Raises:
        NotKeptError: ``h`` was not kept.
    """
    output = layer.output[real(layer)]
    unbounded = layer.cell.functions in ("rnn_relu", "rnn_identity") or "W_hr" in layer.arrays
    scale = float(np.abs(output).max(initial=0)) if unbounded else 1.0
    return [int(k) for k in np.flatnonzero(np.ptp(output, axis=0) <= limit("still") * scale)]
