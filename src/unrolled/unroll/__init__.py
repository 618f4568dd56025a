"""Forward and backward through time, for any cell: the one recurrence behind every layer.

    reference.py   the loop over time both ways, NumPy and plain: read this one
    compiled.py    the same over the same arrays, in the compiled core
    stretches.py   a long run in little memory: computed again, stretch by stretch, when it goes back
    budget.py      how long a stretch may be
    inside.py      what no tape keeps, had from one: the factors of the weights' gradients
    guards.py      what may come in

A cell brings only its point functions (`unrolled.cells`); products, time, lengths, resets, direction and
recording are written here, once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping

import numpy as np

from unrolled import notation
from unrolled.cells import Array, Cell, get
from unrolled.tape import FORWARDS, Engine, Marks, Tape, Walk
from unrolled.unroll import budget, guards, reference, stretches
from unrolled.unroll.inside import Factors
from unrolled.unroll.inside import factors as _factors
from unrolled.unroll.stretches import ENGINES


def forward(
    cell: Cell | str,
    params: Mapping[str, Array | None],
    x: Array,
    initial: Mapping[str, Array | None] | None = None,
    *,
    walk: Walk = FORWARDS,
    keep: Iterable[str] | None = None,
    engine: Engine | str = "auto",
) -> Tape[Cell]:
    """Runs a cell over a batch of sequences and records it.

    Maths: ``h_t = cell(x_t, h_{t-1})`` for t = 0 … T-1, or the other way round; see `Walk`.

    Shapes:
        params: W_xh ``[G*H, I]``; W_hh ``[G*H, k*R]``; if wanted b_xh, b_hh ``[G*H]`` and W_hr ``[P, H]``;
            the cell's further parameters.
        x: ``[T, B, I]``; T = 0 and B = 0 are fine.
        initial: by state, h ``[B, k*R]``, c ``[B, H]``; what is absent is zero.

    Keeps: output, initial and final states always; of the rest what ``keep`` names, by default all that
    `backward` needs (`Cell.kept`). ``keep=()`` is inference. With ``Engine(memory=…)`` the default of a long
    run is the states at some steps alone, from which `backward` computes the rest again.

    Raises:
        UnrolledError: an argument is not as above; before anything is computed.

    Example:
        >>> W = np.array([[np.log(3)]])
        >>> tape = forward("rnn_sigmoid", {"W_xh": W, "W_hh": W}, np.ones((1, 1, 1)))
        >>> round(tape.output.item(), 12)
        0.75
    """
    where = "unroll.forward"
    cell = get(cell) if isinstance(cell, str) else cell
    weights = guards.given(where, params)
    sizes = guards.parameters(where, cell, weights)
    dtype, projected = weights["W_hh"].dtype, "P" in sizes
    sizes = guards.batch(where, sizes, x, dtype)
    walk = guards.walk(where, walk, sizes)
    states = guards.states(where, cell, initial or {}, "{}_0", sizes, dtype)
    kept = guards.names(where, cell.kept(projected) if keep is None else keep, cell.recordable(projected))
    chosen = guards.engine(where, cell, dtype, engine)
    marks = _marks(cell, sizes, walk, chosen, dtype.itemsize) if keep is None else None
    kept = () if marks else kept

    arrays = {f"{state}_0": value.copy() for state, value in states.items()}
    for name in dict.fromkeys(("h", *kept)):
        arrays[name] = np.zeros(guards.shape(cell.axes(name), sizes), dtype)
    tape = Tape(cell, weights, x, walk, chosen, arrays, marks)
    for name in states.keys() & arrays.keys():
        tape.begin(name, states[name])
    (stretches if marks else ENGINES[chosen.name]).forward(tape)
    return tape


def _marks(cell: Cell, sizes: guards.Sizes, walk: Walk, engine: Engine, itemsize: int) -> Marks | None:
    """Where a run shall begin again when it goes back; None where its tape is kept whole."""
    if engine.memory is None:
        return None

    def held(names: Iterable[str], steps: int) -> int:
        of_steps = {**sizes, "T": steps, "T+1": steps, "T+k": steps}
        return itemsize * sum(math.prod(guards.shape(cell.axes(name), of_steps)) for name in names)

    needed, steps = cell.kept("P" in sizes), walk.longest(sizes["T"])
    block = ENGINES[engine.name].block_steps(sizes["B"], sizes["H"])
    whole = held((name for name in needed if name != "h"), steps)
    mark = itemsize * sum(math.prod(guards.shape(cell.initial_axes(name), sizes)) for name in cell.states)
    needs = budget.Needs(steps, block, engine.share * whole, held(needed, 1), engine.share * mark)
    length = budget.stretch("unroll.forward: memory", engine.memory, needs)
    return Marks(length) if length < steps else None


def backward(
    tape: Tape[Cell],
    dh_out: Array | None = None,
    final: Mapping[str, Array | None] | None = None,
    *,
    keep: Iterable[str] = (),
    without: Iterable[str] = (),
    steps: range | None = None,
    engine: Engine | str | None = None,
) -> None:
    """Backpropagates through time and fills the gradients in on the tape, replacing those of a former call.

    That is: ``dx``, ``dW_xh``, ``dW_hh`` and those of all other parameters, but for what ``without`` names;
    ``dh_0`` and those of all states.

    Maths: ``dh[t] = dh_out[t] + dh_carry[t]``, from this step's output and from the future; then the cell's
    `point_backward`; then the products, transposed.

    Shapes:
        dh_out: ``[T, B, R]``, gradient of the loss with respect to `Tape.output`; ignored past a sequence's
            end. Over a tape of batch 1 any B: many gradients of one run, whose weight gradients add up.
            In little memory those are then summed in other blocks than in a whole run.
        final: by state, gradients with respect to the final states; h ``[B, k*R]``, c ``[B, H]``.

    Keeps: of single steps what ``keep`` names: ``dh_out dh_carry dh [T, B, R]``, ``da [T, B, G, H]``, and for
    further states ``dc [T, B, H]``; with ``steps`` of those alone, T being their count.

    Raises:
        UnrolledError: an argument is not as above, or the tape lacks what the pass needs.

    Example:
        >>> W = np.array([[np.log(3)]])
        >>> tape = forward("rnn_sigmoid", {"W_xh": W, "W_hh": W}, np.ones((1, 1, 1)))
        >>> backward(tape, np.ones((1, 1, 1)))
        >>> round(tape.dW_xh.item(), 12)  # h (1 - h) x
        0.1875
    """
    where = "unroll.backward"
    cell, dtype = tape.cell, tape.x.dtype
    if tape.marks is None:
        guards.recorded(where, tape)
    sizes, dh_out, carry = guards.upstream(where, tape, dh_out, final or {})
    of_states = tuple(f"d{state}" for state in cell.states[1:])
    kept = guards.names(where, keep, ("dh_out", "dh_carry", "dh", "da", *of_states))
    chosen = guards.engine(where, cell, dtype, engine or tape.engine)
    left_out = guards.names(where, without, ("dx", *(f"d{name}" for name in tape.params)), "without")
    window = guards.stretch(where, steps, tape.T)

    sizes["T"] = window.stop - window.start if tape.marks else tape.T
    of_steps = [name for name in kept if name != "dh_out"]
    out = _zeros(tape, left_out, of_steps, sizes) | {f"d{s}_0": value.copy() for s, value in carry.items()}
    over = dataclasses.replace(tape, engine=chosen)
    if tape.marks:
        stretches.backward(over, dh_out, out, window)
    else:
        ENGINES[chosen.name].backward(over, dh_out, out)
        out |= {name: out[name][window] for name in of_steps}
    if "dh_out" in kept:
        out["dh_out"] = np.where(tape.real()[window, :, None], dh_out[window], 0)
    tape.arrays.update(out)


def _zeros(
    tape: Tape[Cell], left_out: Iterable[str], of_steps: Iterable[str], sizes: guards.Sizes
) -> dict[str, Array]:
    """Zeros for the gradients of x and the parameters, and for what is kept of single steps."""
    shapes = {f"d{name}": value.shape for name, value in tape.params.items()}
    shapes["dx"] = (tape.T, sizes["B"], sizes["I"])
    shapes = {name: shape for name, shape in shapes.items() if name not in left_out}
    for name in of_steps:
        letters = ("T", "B", "H") if name[1:] in tape.cell.states[1:] else notation.axes(name)
        shapes[name] = guards.shape(letters, sizes)
    return {name: np.zeros(shape, tape.x.dtype) for name, shape in shapes.items()}


def preactivations(tape: Tape[Cell]) -> tuple[Array, Array]:
    """The two halves of the pre-activations, which no tape keeps, recomputed from one.

    Maths: ``x_t W_xhᵀ + b_xh`` and ``h_{t-1} W_hhᵀ + b_hh``, with what really entered step t: resets applied,
    and r * h where the reset gate stands before the product.

    Shapes:
        result: xw and hw, ``[T, B, G, H]`` each; zero past a sequence's end.

    Raises:
        NotKeptError: the tape was recorded without what the backward pass needs.

    Example:
        >>> tape = forward("rnn_tanh", {"W_xh": np.eye(1), "W_hh": np.eye(1)}, np.ones((1, 1, 1)))
        >>> xw, hw = preactivations(tape)
        >>> xw.item(), hw.item()
        (1.0, 0.0)
    """
    guards.recorded("unroll.preactivations", tape)
    cell, G = tape.cell, len(tape.cell.gates)
    xw = np.zeros((tape.T, tape.B, G, tape.params["W_hh"].shape[0] // G), tape.x.dtype)
    hw = np.zeros_like(xw)
    for t in tape.steps():
        rows = tape.rows(t)
        v = reference.recall(tape, t, rows)
        parts = [
            reference.halves(weights, v["x"], v[stage.enters], len(stage.gates))
            for stage, weights in zip(cell.stages, cell.by_stage(tape.params), strict=True)
        ]
        xw[t, rows], hw[t, rows] = (np.concatenate(half, axis=1) for half in zip(*parts, strict=True))
    return xw, hw


def factors(tape: Tape[Cell]) -> list[Factors]:
    """The weights' gradients as sums of outer products, one for each step and sequence; see `Factors`.

    Raises:
        NotKeptError: the backward pass kept too little; it needs ``keep=("dh", "da")`` and further states'.

    Example:
        >>> tape = forward("rnn_identity", {"W_xh": np.eye(1), "W_hh": np.eye(1)}, np.ones((2, 1, 1)))
        >>> backward(tape, np.ones((2, 1, 1)), keep=("dh", "da"))
        >>> of = factors(tape)[0]
        >>> (of.dxw * of.x).ravel(), tape.dW_xh.item()  # each step's share, and their sum
        (array([2., 1.]), 3.0)
    """
    guards.recorded("unroll.factors", tape)
    guards.recorded_backward("unroll.factors", tape)
    return _factors(tape)


__all__ = ["Engine", "Factors", "Walk", "backward", "factors", "forward", "preactivations"]
