"""The same two passes as `reference`, in the compiled core. NumPy memory goes in by address.

``csrc/kernels.h`` is the contract of every argument; guards have looked at all of them before.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from unrolled import native
from unrolled.cells import Array, Cell
from unrolled.tape import Stretch, Tape

Arrays: TypeAlias = list[Array | None]


def block_steps(B: int, H: int) -> int:
    """Steps whose rows the core sums up at a time, counted from the one that runs first."""
    return native.block_steps(B, H)


def forward(tape: Tape[Cell]) -> None:
    """Runs all steps and fills those arrays of the tape that are kept."""
    arrays, cell = tape.arrays, tape.cell
    final = {f"{state}_n": np.empty_like(arrays[f"{state}_0"]) for state in cell.states}
    x, h, (*walk, whole), weights, kept = _inputs(tape, tape.B)
    native.forward(
        *_sizes(tape, tape.B),
        *_addresses(*walk, *weights, x),
        *_strides(x),
        *_addresses(arrays["h_0"], arrays.get("c_0"), h),
        *_strides(h),
        *_addresses(final["h_n"], final.get("c_n"), *kept),
        *native.NO_IDS,
        0,
        *_addresses(whole),
        cell.order,
    )
    arrays |= final
    if "gates" in arrays and set(cell.gates) <= set(cell.states):
        arrays["gates"][:, :, 0] = h  # the one gate is the state, which the core writes once


def backward(tape: Tape[Cell], dh_out: Array, out: dict[str, Array], *, add: bool = False) -> None:
    """Runs all steps the other way round and fills the gradients of ``out``; with ``add`` adds the weights'.

    Shapes:
        dh_out, out: as for the reference.
    """
    arrays, B = tape.arrays, dh_out.shape[1]
    x, h, (*walk, whole), weights, kept = _inputs(tape, B)
    dh_out = np.ascontiguousarray(dh_out)
    dh_n, dc_n = (out[name].copy() if name in out else None for name in ("dh_0", "dc_0"))
    dweights = [out.get(f"d{name}") for name in ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr")]
    looked_into = [out.get(name) for name in ("dh", "dh_carry", "dc", "da")]
    native.backward(
        *_sizes(tape, B),
        *_addresses(*walk),
        tape.B,
        *_addresses(*weights, x),
        *_strides(x),
        *_addresses(arrays["h_0"], arrays.get("c_0"), h),
        *_strides(h),
        *_addresses(*kept, dh_out),
        *_strides(dh_out),
        *_addresses(dh_n, dc_n, out.get("dx")),
        *(_strides(out["dx"]) if "dx" in out else (0, 0)),
        *_addresses(*dweights, out["dh_0"], out.get("dc_0"), *looked_into),
        *native.NO_IDS,
        *_addresses(whole),
        int(add),
        tape.cell.order,
    )


def _sizes(tape: Tape[Cell], B: int) -> tuple[int, ...]:
    """What every call begins with: cell, threads, T B I H P and the direction."""
    H = tape.params["W_hh"].shape[0] // len(tape.cell.gates)
    P = tape.params["W_hr"].shape[0] if "W_hr" in tape.params else 0
    code = native.code(tape.cell.functions, tape.x.dtype.name)
    return code, tape.engine.threads, tape.T, B, tape.x.shape[2], H, P, int(tape.walk.reverse)


def _inputs(tape: Tape[Cell], B: int) -> tuple[Array, Array, Arrays, Arrays, Arrays]:
    """All arrays that go in; to be held by a name until the call returns, as the core only sees addresses."""
    return np.ascontiguousarray(tape.x), _leaving(tape, "h"), _walk(tape, B), _weights(tape), _kept(tape)


def _walk(tape: Tape[Cell], B: int) -> Arrays:
    """Lengths ``[B]``, resets ``[T, B]``, and the lengths in the whole of which this is a stretch.

    In memory of their own where one row stands for many.
    """
    lengths, reset = tape.walk.lengths, tape.walk.reset
    whole = tape.walk.whole if isinstance(tape.walk, Stretch) else None
    return [
        None if lengths is None else np.ascontiguousarray(np.broadcast_to(lengths, B)),
        None if reset is None else np.ascontiguousarray(np.broadcast_to(reset, (tape.T, B))),
        None if whole is None else np.ascontiguousarray(np.broadcast_to(whole, B)),
    ]


def _weights(tape: Tape[Cell]) -> Arrays:
    """The five parameters the core knows, contiguous."""
    given = (tape.params.get(name) for name in ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr"))
    return [None if value is None else np.ascontiguousarray(value) for value in given]


def _kept(tape: Tape[Cell]) -> Arrays:
    """Gates, saved and c ``[T, B, ...]`` of the tape: all that the cell has, or for inference none.

    The core writes all of them or none, so what a tape does not keep gets memory that is thrown away.
    """
    cell, arrays = tape.cell, tape.arrays
    needed = cell.kept("W_hr" in tape.params)
    saved = next((name for name in (*cell.saved, "m") if name in needed), "")
    if not arrays.keys() & {"gates", saved, "c"}:
        return [None, None, None]
    H = tape.params["W_hh"].shape[0] // len(cell.gates)
    kept: Arrays = []
    for name in ("gates", saved, "c"):
        if name not in needed:
            kept.append(None)
        elif name in arrays:
            kept.append(_leaving(tape, name) if name in cell.states else arrays[name])
        else:
            features = (len(cell.gates), H) if name == "gates" else (H,)
            kept.append(np.empty((tape.T, tape.B, *features), tape.x.dtype))
    return kept


def _leaving(tape: Tape[Cell], state: str) -> Array:
    """The rows of a state that leave each step, ``[T, B, ...]``, to be written to."""
    return tape.arrays[state][: tape.T] if tape.walk.reverse else tape.arrays[state][tape.cell.delay(state) :]


def _addresses(*arrays: Array | None) -> list[int]:
    """Where each array begins, 0 for none."""
    return [0 if array is None else array.__array_interface__["data"][0] for array in arrays]


def _strides(array: Array) -> tuple[int, int]:
    """Elements from step to step and from row to row of a contiguous ``[T, B, features]``."""
    _, B, features = array.shape
    return B * features, features
