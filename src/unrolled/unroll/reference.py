"""The loop over time, both ways, in NumPy: what every other engine is compared with.

Both directions of time and sequences of any length run through the same few lines: a row of the batch
takes part in the steps it has and keeps its state in all others. So it starts from its initial state at
whichever end it starts, and what it holds after the loop is its final state.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from unrolled.cells import Array, Cell, Stage, Values, by_gate
from unrolled.tape import Tape, Walk

BLOCK = 32
"""Steps whose rows go into one product of the weight gradients, counted from the one that runs first. Fixed,
so that a gradient's bits do not depend on how a sequence was cut into runs."""


def block_steps(B: int, H: int) -> int:
    """`BLOCK`, whatever the sizes."""
    del B, H
    return BLOCK


def forward(tape: Tape[Cell]) -> None:
    """Runs all steps and writes what they give to those arrays of the tape that are kept."""
    cell, params, arrays = tape.cell, tape.params, tape.arrays
    stages = [*zip(cell.stages, cell.by_stage(params), strict=True)]
    state = {name: arrays[f"{name}_0"].copy() for name in cell.states}
    for t in tape.steps():
        rows = tape.rows(t)
        v: Values = {name: params[name] for name in cell.parameters}
        v |= {f"{name}_prev": tape.cleared(state[name][rows], t, rows) for name in cell.states}
        for stage, weights in stages:
            xw, hw = halves(weights, tape.x[t, rows], v[stage.enters], len(stage.gates))
            v |= stage.point(xw, hw, v)
        if "W_hr" in params:
            v["m"] = v["h"]
            v["h"] = v["m"] @ params["W_hr"].T
        for name in cell.states:
            state[name][rows] = _in_reach(v[name], v[f"{name}_prev"])
        _record(tape, t, rows, v)
    arrays |= {f"{name}_n": value for name, value in state.items()}


def _in_reach(new: Array, before: Array) -> Array:
    """What the next step is given of a state: the new one, and of those before it all but the oldest."""
    return np.concatenate([new, before[:, : before.shape[1] - new.shape[1]]], axis=1)


def halves(weights: Mapping[str, Array], x: Array, entering: Array, g: int) -> tuple[Array, Array]:
    """The two halves of the pre-activations of a stage of g gates.

    Shapes:
        weights: as `Cell.by_stage` gives them; x ``[n, I]``; entering ``[n, k*R]``; gives xw and hw,
        ``[n, g, H]`` each.
    """
    xw, hw = x @ weights["W_xh"].T, entering @ weights["W_hh"].T
    if "b_xh" in weights:
        xw += weights["b_xh"]
    if "b_hh" in weights:
        hw += weights["b_hh"]
    split = (len(x), g, xw.shape[1] // g)
    return xw.reshape(split), hw.reshape(split)


def _record(tape: Tape[Cell], t: int, rows: Any, v: Values) -> None:
    """Writes what step t gave to the rows of the sequences that have it."""
    cell, arrays = tape.cell, tape.arrays
    for name in cell.states:
        if name in arrays:
            tape.leaving(name, t)[rows] = v[name]
    for name in (*cell.saved, "m"):
        if name in arrays:
            arrays[name][t, rows] = v[name]
    if "gates" in arrays:
        arrays["gates"][t, rows] = np.stack([v[gate] for gate in cell.gates], axis=1)


def recall(tape: Tape[Cell], t: int, rows: Any) -> Values:
    """The named values of step t, from the tape: what entered it and what it gave."""
    cell, arrays = tape.cell, tape.arrays
    v: Values = {name: tape.params[name] for name in cell.parameters}
    v |= {"x": tape.x[t, rows]} | {f"{name}_prev": tape.entering(name, t, rows) for name in cell.states}
    v |= {name: arrays[name][t, rows] for name in (*cell.saved, "m") if name in arrays}
    if "gates" in arrays:
        v |= zip(cell.gates, by_gate(arrays["gates"][t, rows]), strict=True)
    v |= {name: tape.leaving(name, t)[rows] for name in cell.states}
    return v


def backward(tape: Tape[Cell], dh_out: Array, out: dict[str, Array], *, add: bool = False) -> None:
    """Runs all steps the other way round and adds up the gradients; those of weights always add to ``out``.

    Shapes:
        dh_out: ``[T, B, R]``, B any where the tape's is 1.
        out: zeros for ``dx``, for every parameter's gradient and for what shall be kept of single steps, as
            far as they are wanted; ``dh_0`` and the like come in as the gradients of the final states and are
            carried to the start.
    """
    del add
    tape = _widened(tape, dh_out.shape[1])
    cell, params, G = tape.cell, tape.params, len(tape.cell.gates)
    H = params["W_hh"].shape[0] // G
    carry = {name: out[f"d{name}_0"] for name in cell.states}
    weights = [*cell.by_stage(params)]
    dparams = {name: out.get(f"d{name}", np.zeros_like(value)) for name, value in params.items()}
    gradients = [*cell.by_stage(dparams)]
    end = tape.walk.longest(tape.T)
    for _, steps in itertools.groupby(
        reversed(tape.steps()), key=lambda t: (end - 1 - t if tape.walk.reverse else t) // BLOCK
    ):
        factors: list[list[tuple[Array, ...]]] = [[] for _ in cell.stages]
        projected: list[tuple[Array, Array]] = []
        for t in steps:
            rows = tape.rows(t)
            v = recall(tape, t, rows)
            coming = {name: np.split(carry[name][rows], [v[name].shape[1]], axis=1) for name in cell.states}
            d = {name: newest for name, (newest, _) in coming.items()}
            kept = {"dh_carry": d["h"], "dh": d["h"] + dh_out[t, rows]}
            d["h"] = kept["dh"]
            if "W_hr" in params:
                projected.append((d["h"], v["m"]))
                d["h"], v["h"] = d["h"] @ params["W_hr"], v["m"]
            for k, stage in reversed([*enumerate(cell.stages)]):
                dxw, dhw = stage_backward(stage, weights[k], v, d)
                factors[k].append((dxw, v["x"], dhw, v[stage.enters]))
            for name in cell.parameters:
                dparams[name] += d[name]
            kept |= {f"d{name}": d[name] for name in (*cell.states[1:], "x")}
            kept["da"] = np.concatenate([stage[-1][0] for stage in factors], axis=1).reshape(-1, G, H)
            for name in kept.keys() & out.keys():
                out[name][t, rows] = kept[name]
            for name in cell.states:
                back, earlier = d[f"{name}_prev"], coming[name][1]  # what states before this step's get
                back[:, : earlier.shape[1]] += earlier
                carry[name][rows] = tape.cleared(back, t, rows)
        for gradient, rows_of_stage in zip(gradients, factors, strict=True):
            _add_products(gradient, *map(np.concatenate, zip(*rows_of_stage, strict=True)))
        if projected:
            dh, m = map(np.concatenate, zip(*projected, strict=True))
            dparams["W_hr"] += dh.T @ m


def _widened(tape: Tape[Cell], B: int) -> Tape[Cell]:
    """A tape of batch 1 seen as one of batch ``B``: every row is the same memory."""
    if tape.B == B:
        return tape

    def wide(array: Array, axis: int) -> Array:
        return np.broadcast_to(array, (*array.shape[:axis], B, *array.shape[axis + 1 :]))

    needed = {name: wide(tape.arrays[name], 1) for name in tape.cell.kept("W_hr" in tape.params)}
    needed |= {f"{state}_0": wide(tape.arrays[f"{state}_0"], 0) for state in tape.cell.states}
    lengths, reset = tape.walk.lengths, tape.walk.reset
    lengths = None if lengths is None else wide(lengths, 0)
    walk = Walk(lengths, None if reset is None else wide(reset, 1), tape.walk.reverse)
    return dataclasses.replace(tape, x=wide(tape.x, 1), walk=walk, arrays=needed)


def stage_backward(stage: Stage, weights: Mapping[str, Array], v: Values, d: Values) -> tuple[Array, Array]:
    """Back through one stage; adds to ``d`` what its inputs get, gives dxw and dhw ``[n, g*H]``."""
    got = stage.point_backward(v, d)
    dxw, dhw = (half.reshape(len(half), half.shape[1] * half.shape[2]) for half in (got.xw, got.hw))
    parts = [*got.read.items(), (stage.enters, dhw @ weights["W_hh"]), ("x", dxw @ weights["W_xh"])]
    for name, part in parts:
        d[name] = d[name] + part if name in d else part
    d.update(got.whole)
    return dxw, dhw


def _add_products(gradient: dict[str, Array], dxw: Array, x: Array, dhw: Array, entering: Array) -> None:
    """The weights' gradients: the sum over all rows of left ⊗ right, as one product."""
    for kind, left, right in (("xh", dxw, x), ("hh", dhw, entering)):
        gradient[f"W_{kind}"] += left.T @ right
        if f"b_{kind}" in gradient:
            gradient[f"b_{kind}"] += left.sum(axis=0)
