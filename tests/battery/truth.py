"""What a problem should give, under the names of the core: from the reference in float64."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.battery.kernels import KEPT
from unrolled import unroll
from unrolled.cells import Array, Cell, Values
from unrolled.checks import Problem
from unrolled.tape import Tape


def error(value: Array, truth: Array) -> float:
    """The largest difference, in units of the largest true number or of 1, as all that goes in is of order 1.

    Infinite where only one of the two is NaN, or where they are not the same infinity.
    """
    if value.shape != truth.shape:
        return np.inf
    differ = ~((value == truth) | (np.isnan(value) & np.isnan(truth)))
    finite = np.isfinite(truth)
    if not np.isfinite(value[differ]).all() or not finite[differ].all():
        return np.inf
    scale = max(1.0, np.abs(truth[finite]).max(initial=0))
    return float(np.abs(value[differ] - truth[differ].astype(np.float64)).max(initial=0) / scale)


def errors(values: Values, truth: Values) -> dict[str, float]:
    """The error of each array by name; both must have the same."""
    assert values.keys() == truth.keys()
    return {name: error(values[name], truth[name]) for name in truth}


def forward(problem: Problem) -> tuple[Tape[Cell], Values]:
    """The reference's tape, and from it ``h h_n c_n gates saved c``; NaN where the core writes nothing."""
    exact = problem.astype(np.float64)
    tape = exact.forward("reference", exact.cell.recordable("W_hr" in exact.params))
    names = saved(tape)
    values = {"h": _leaving(tape, "h"), "h_n": tape.h_n}
    if "c" in tape.cell.states:
        values |= {"c": _leaving(tape, "c"), "c_n": tape.c_n}
    if set(tape.cell.gates) - set(tape.cell.states):
        values |= {"gates": tape.gates}
    values |= {"saved": tape.arrays[names[0]]} if names else {}
    for name in values.keys() & {"gates", "saved", "c"}:
        values[name] = values[name].copy()
        values[name][~tape.real()] = np.nan
    return tape, values


def backward(problem: Problem, tape: Tape[Cell], over: Values | None = None) -> Values:
    """Every gradient that the core gives, by the reference, over its own tape or over the core's.

    Over the core's, what is compared is the way back alone: a relu that rounding put on the other side of its
    kink is no error there.
    """
    if over is not None:
        tape = dataclasses.replace(tape, arrays=dict(tape.arrays))
        for name, value in over.items():
            name = saved(tape)[0] if name == "saved" else name  # noqa: PLW2901
            tape.arrays[name] = tape.arrays[name].copy()
            _leaving(tape, name)[...] = value
    exact = problem.astype(np.float64)
    keep = [name for name in KEPT if name != "dc" or "c" in tape.cell.states]
    unroll.backward(tape, exact.dh_out, exact.final, keep=keep, engine="reference")
    inputs = [*tape.params, "x", *(f"{state}_0" for state in tape.cell.states)]
    return {name: tape.arrays[name] for name in (*(f"d{name}" for name in inputs), *keep)}


def _leaving(tape: Tape[Cell], name: str) -> Array:
    """The rows of an array that the steps wrote, ``[T, B, ...]``."""
    first = 0 if tape.walk.reverse else tape.cell.delay(name)
    return tape.arrays[name][first : first + tape.T]


def saved(tape: Tape[Cell]) -> tuple[str, ...]:
    """What the tape calls the array that the core calls ``saved``."""
    return ("m",) if "W_hr" in tape.params else tape.cell.saved
