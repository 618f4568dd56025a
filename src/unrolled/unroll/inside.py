"""What no tape keeps because it can be had from one: halves of pre-activations, factors of weight gradients.

The cell's own functions are run again over all steps at once, on the values that were recorded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled.cells import Array, Cell, Values
from unrolled.tape import Tape
from unrolled.unroll import reference


class Factors(NamedTuple):
    """A stage's gradients of the weights, as the outer products that they are sums of.

    Maths: ``dW_xh[rows] = Σ_t Σ_b dxw ⊗ x``, ``dW_hh[rows] = Σ_t Σ_b dhw ⊗ entering``; those of the biases
    are the sums of dxw and dhw.

    Shapes:
        rows: g*H of the weights' rows; dxw, dhw: ``[T, B, g*H]``; x: ``[T, B, I]``; entering:
        ``[T, B, k*R]``.
    """

    rows: slice
    dxw: Array
    x: Array
    dhw: Array
    entering: Array


def values(tape: Tape[Cell]) -> Values:
    """The named values of all steps, what entered each and what it gave, one row a step and sequence.

    Shapes:
        gives ``[T*B, ...]``.
    """
    steps = [reference.recall(tape, t, slice(None)) for t in range(tape.T)]
    given: Values = {name: tape.params[name] for name in tape.cell.parameters}
    return given | {name: np.concatenate([v[name] for v in steps]) for name in steps[0] if name not in given}


def factors(tape: Tape[Cell]) -> list[Factors]:
    """The factors of every stage, from a tape that kept ``dh``, ``da`` and the like of further states.

    Shapes:
        those of `Factors`; zero past a sequence's end.
    """
    cell, T, B = tape.cell, tape.T, tape.B
    v = values(tape)
    hidden = _hidden_halves(tape, v)
    da = tape.da.reshape(T, B, -1)
    H, first, found = da.shape[2] // len(cell.gates), 0, []
    for stage, dhw in zip(cell.stages, hidden, strict=True):
        rows = slice(first * H, (first + len(stage.gates)) * H)
        dxw = da[:, :, rows]
        whole = dxw if dhw is None else dhw.reshape(T, B, -1)
        found.append(Factors(rows, dxw, tape.x, whole, v[stage.enters].reshape(T, B, -1)))
        first += len(stage.gates)
    return found


def _hidden_halves(tape: Tape[Cell], v: Values) -> list[Array | None]:
    """By stage, the gradient of hw ``[T*B, g*H]``; None where it is that of xw, which the tape has."""
    whole = {name: tape.arrays[f"d{name}"].reshape(len(v["x"]), -1) for name in tape.cell.states}
    if "W_hr" in tape.params:
        whole["h"], v["h"] = whole["h"] @ tape.params["W_hr"], v["m"]
    hidden, after = _all_back(tape, v, whole)
    if any(half is not None for half in hidden) and len(whole) > 1:
        # The tape has the gradients of further states whole; the cell adds its own share to the future's.
        future = {name: 2 * whole[name] - after[name] for name in tape.cell.states[1:]}
        hidden, _ = _all_back(tape, v, whole | future)
    return hidden


def _all_back(tape: Tape[Cell], v: Values, d: Values) -> tuple[list[Array | None], Values]:
    """Back through the stages of all steps at once: the halves as above, and ``d`` as it is then."""
    d, hidden = dict(d), list[Array | None]()
    stages = [*zip(tape.cell.stages, tape.cell.by_stage(tape.params), strict=True)]
    for stage, weights in reversed(stages):
        dxw, dhw = reference.stage_backward(stage, weights, v, d)
        hidden.append(None if np.shares_memory(dxw, dhw) else dhw)
    return hidden[::-1], d
