"""A long run in stretches: held are the states that enter each, and its tape only while it goes back.

Going back, the last stretch comes first: it runs again from the states that entered it, on a tape that all
stretches share, and goes back from there. The gradient of its initial states is that of the final states of
the stretch before it, and what its steps give to the weights' gradients is added to what later ones gave. A
stretch is a whole number of the blocks in which those are summed anyway; so every bit is that of a whole run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from unrolled.cells import Array, Cell
from unrolled.tape import Stretch, Tape
from unrolled.unroll import compiled, reference

ENGINES = {"native": compiled, "reference": reference}


def cut(steps: int, length: int, reverse: bool) -> list[slice]:
    """The stretches of so many steps, in the order they run; the last may be shorter.

    Example:
        >>> cut(7, 3, reverse=True)
        [slice(4, 7, None), slice(1, 4, None), slice(0, 1, None)]
    """
    if reverse:
        return [slice(max(0, end - length), end) for end in range(steps, 0, -length)]
    return [slice(first, min(steps, first + length)) for first in range(0, steps, length)]


def forward(tape: Tape[Cell]) -> None:
    """Runs all steps and puts down the tape's marks; of what a step gives only h is kept."""
    assert tape.marks is not None
    states = {name: tape.arrays[f"{name}_0"] for name in tape.cell.states}
    for part in cut(tape.walk.longest(tape.T), tape.marks.steps, tape.walk.reverse):
        tape.marks.states.append(states)
        piece = _piece(tape, part, states, {"h": tape.h[part.start : part.stop + tape.cell.order]})
        ENGINES[tape.engine.name].forward(piece)
        states = {name: piece.arrays[f"{name}_n"] for name in tape.cell.states}
    tape.arrays.update((f"{name}_n", value) for name, value in states.items())


def backward(tape: Tape[Cell], dh_out: Array, out: dict[str, Array], window: slice) -> None:
    """Runs every stretch again, the last first, and back from there; fills the gradients of ``out``.

    Shapes:
        dh_out, out: as for the engine; but what is kept of single steps has those of the window alone.
    """
    assert tape.marks is not None
    engine = ENGINES[tape.engine.name]
    parts = cut(tape.walk.longest(tape.T), tape.marks.steps, tape.walk.reverse)
    needed = tape.cell.kept("W_hr" in tape.params)
    room = {name: np.zeros(_shape(tape, name, tape.marks.steps), tape.x.dtype) for name in needed}
    of_all = {f"d{name}" for name in (*tape.params, *(f"{state}_0" for state in tape.cell.states))}
    seen = out.keys() - of_all - {"dx"}
    for number, part in reversed([*enumerate(parts)]):
        states = tape.marks.states[number]
        rows = part.stop - part.start
        arrays = {name: value[: rows + tape.cell.delay(name)] for name, value in room.items()}
        piece = _piece(tape, part, states, arrays)
        for name, value in states.items():
            piece.begin(name, value)
        engine.forward(piece)
        into = {name: out[name] for name in of_all & out.keys()}
        into |= {name: out[name][part] for name in {"dx"} & out.keys()}
        here = slice(max(window.start, part.start), min(window.stop, part.stop))
        if here.start < here.stop:
            into |= {name: np.zeros((rows, *out[name].shape[1:]), tape.x.dtype) for name in seen}
        engine.backward(piece, dh_out[part], into, add=number < len(parts) - 1)
        for name in seen & into.keys():
            own = into[name][here.start - part.start : here.stop - part.start]
            out[name][here.start - window.start : here.stop - window.start] = own


def recall(tape: Tape[Cell], first: int, end: int, names: Sequence[str]) -> dict[str, Array]:
    """What steps first … end - 1 recorded, or would have in a whole run, whose stretches then run again.

    Shapes:
        gives ``[end - first, B, ...]``, a state with a row more for each step that it is read back.
    """
    states, ahead = tape.cell.states, not tape.walk.reverse
    there = {"h"} if tape.marks else {*names}  # h is on every tape
    found = {name: tape.arrays[name][first : end + tape.cell.delay(name)] for name in there & {*names}}
    again = {name: np.zeros(_shape(tape, name, end - first), tape.x.dtype) for name in {*names} - there}
    if not again or tape.marks is None:
        return found
    for name in again.keys() & {*states}:
        if (first == 0) if ahead else (end == tape.T):
            again[name][0 if ahead else -1] = tape.arrays[f"{name}_0"]
    # The state that enters the first of the steps is what left the one before.
    to_begin, to_end = (max(0, first - 1), end) if ahead else (first, end + 1)
    parts = cut(tape.walk.longest(tape.T), tape.marks.steps, tape.walk.reverse)
    for number, part in enumerate(parts):
        if max(to_begin, part.start) >= min(to_end, part.stop):
            continue
        steps = part.stop - part.start
        room = {name: np.zeros(_shape(tape, name, steps), tape.x.dtype) for name in {"h", *again}}
        ENGINES[tape.engine.name].forward(_piece(tape, part, tape.marks.states[number], room))
        for name, value in again.items():
            row = int(ahead and name in states)  # of a step that leaves a state, from the step
            a, b = (to_begin, to_end) if name in states else (first, end)
            a, b = max(a, part.start) + row, min(b, part.stop) + row
            if a < b:
                value[a - first : b - first] = room[name][a - part.start : b - part.start]
    return found | again


def _piece(tape: Tape[Cell], part: slice, states: dict[str, Array], arrays: dict[str, Array]) -> Tape[Cell]:
    """Some steps of a tape as one of their own, which begins with those states and keeps those arrays."""
    lengths, reset, reverse = tape.walk.lengths, tape.walk.reset, tape.walk.reverse
    here = None if lengths is None else np.clip(lengths - part.start, 0, part.stop - part.start)
    walk = Stretch(here, None if reset is None else reset[part], reverse, whole=lengths)
    arrays = arrays | {f"{name}_0": value for name, value in states.items()}
    return dataclasses.replace(tape, x=tape.x[part], walk=walk, arrays=arrays, marks=None)


def _shape(tape: Tape[Cell], name: str, steps: int) -> tuple[int, ...]:
    """The shape of an array of so many steps."""
    G, H = len(tape.cell.gates), tape.params["W_hh"].shape[0] // len(tape.cell.gates)
    features = (tape.h.shape[2],) if name == "h" else (G, H) if name == "gates" else (H,)
    return (steps + tape.cell.delay(name), tape.B, *features)
