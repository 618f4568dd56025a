"""Calls of the compiled core by the names of its arguments, and everything it gives for a problem.

Nothing here goes through `unrolled.unroll`: the battery calls the core itself, with every array where it
wants it. Each output lies in memory filled with NaN, in its layout, so that an element not written shows as
NaN and one written beside the array as a number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import pytest

from tests.battery.tokens import Tokens
from unrolled import native
from unrolled.cells import Array, Values
from unrolled.checks import Problem
from unrolled.tape import Stretch

Layout: TypeAlias = Literal["plain", "batch_first", "half"]
"""How ``[T, B, features]`` lies in memory; ``half``: beside another direction's features."""

_SIZES = ("code", "threads", "T", "B", "I", "H", "P", "reverse", "lengths", "reset")
_WEIGHTS = ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr")
_STATES = ("x", "x_step", "x_row", "h_0", "c_0", "h", "h_step", "h_row")
_IDS = ("ids", "ids_step", "ids_row")
FORWARD = (
    *_SIZES,
    *_WEIGHTS,
    *_STATES,
    "h_n",
    "c_n",
    "gates",
    "saved",
    "c",
    *_IDS,
    "table",
    "kept",
    "whole",
    "order",
)
BACKWARD = (
    *(*_SIZES, "tape_batch", *_WEIGHTS, *_STATES, "gates", "saved", "c"),
    *("dh_out", "dh_out_step", "dh_out_row", "dh_n", "dc_n", "dx", "dx_step", "dx_row"),
    *("dW_xh", "dW_hh", "db_xh", "db_hh", "dW_hr", "dh_0", "dc_0", "dh", "dh_carry", "dc", "da"),
    *(*_IDS, "dtable", "whole", "add", "order"),
)
"""The arguments of `native.forward` and `native.backward` in order."""

KEPT = ("dh", "dh_carry", "dc", "da")
WANTED: dict[str, tuple[str, ...]] = {
    "weights": ("dW_xh", "dW_hh", "db_xh", "db_hh", "dW_hr"),
    "x": ("dx",),
    "initial": ("dh_0", "dc_0"),
    "kept": KEPT,
}
WANTED["all"] = tuple(name for names in WANTED.values() for name in names)

needs_core = pytest.mark.skipif(not native.available(), reason=f"no compiled core: {native.why_not()}")


@dataclasses.dataclass(frozen=True)
class How:
    """Circumstances of a call that must not change a number beyond rounding; the threads not even a bit."""

    isa: str
    threads: int = 1
    layout: Layout = "plain"


def call(function: Callable[..., None], names: Iterable[str], given: Mapping[str, Any]) -> None:
    """Calls the core with arrays as addresses, strides where it wants them, and 0 for what is absent."""
    arguments: dict[str, int] = {}
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            arguments[name] = value.__array_interface__["data"][0] if value.size else 0
            if name in ("x", "h", "dh_out", "dx", "ids"):
                step, row, *feature = (stride // value.itemsize for stride in value.strides)
                assert feature in ([], [1]) or value.shape[2] <= 1
                arguments |= {f"{name}_step": step, f"{name}_row": row}
            else:
                assert value.flags.c_contiguous, name
        else:
            arguments[name] = int(value)
    function(*(arguments.get(name, 0) for name in names))


class Output:
    """An array for the core to write, in the midst of NaN."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, layout: Layout = "plain") -> None:
        around, whole = 33, shape  # an odd number, so that nothing is aligned beyond its element
        if layout != "plain":
            T, B, features = shape
            whole = (B, T, features) if layout == "batch_first" else (T, B, 2 * features)
        size = int(np.prod(whole))
        self._memory = np.full(size + 2 * around, np.nan, dtype)
        self.array = self._memory[around : around + size].reshape(whole)
        if layout == "batch_first":
            self.array = self.array.swapaxes(0, 1)
        elif layout == "half":
            self.array = self.array[:, :, shape[2] :]

    def take(self) -> Array:
        """What was written; fails if anything was written beside it."""
        written = self.array.copy()
        self.array[...] = np.nan
        assert np.isnan(self._memory).all(), "written outside the array"
        return written


def placed(array: Array, layout: Layout) -> Array:
    """The same numbers in that layout, NaN around them."""
    output = Output(array.shape, array.dtype, layout)
    output.array[...] = array
    return output.array


def arguments(problem: Problem, how: How, tokens: Tokens | None = None) -> dict[str, Any]:
    """What both ways through time are given: sizes, walk and parameters; ids for x and its weights."""
    (T, B, I), walk = problem.x.shape, problem.walk
    H = problem.params["W_hh"].shape[0] // len(problem.cell.gates)
    P = len(problem.params["W_hr"]) if "W_hr" in problem.params else 0
    code, order = native.code(problem.cell.functions, problem.x.dtype.name), problem.cell.order
    given: dict[str, Any] = dict(code=code, threads=how.threads, T=T, B=B, I=I, H=H, P=P, order=order)
    given |= {"reverse": walk.reverse} | problem.params
    given |= {} if walk.lengths is None else {"lengths": walk.lengths.astype(np.int64)}
    given |= {} if walk.reset is None else {"reset": walk.reset}
    if isinstance(walk, Stretch) and walk.whole is not None:
        given["whole"] = walk.whole.astype(np.int64)
    if tokens is None:
        return given | {"x": placed(problem.x, how.layout)}
    for name in ("W_xh", "b_xh"):
        given.pop(name, None)
    ids = np.full((B, T) if how.layout == "batch_first" else (T, B, 2), -1)
    ids = ids.T if how.layout == "batch_first" else ids[:, :, int(how.layout == "half")]
    ids[...] = tokens.ids
    return given | {"I": len(tokens.table), "ids": ids}


def forward(
    problem: Problem,
    how: How,
    initial: Iterable[str] = ("h", "c"),
    *,
    train: bool = True,
    tokens: Tokens | None = None,
    kept: native.Kept | None = None,
) -> Values:
    """Runs `native.forward`; gives ``h h_n``, of the LSTM ``c_n``, and in training what its tape keeps.

    ``initial`` names the states whose initial values are given; the others are absent. With ``tokens`` the
    input product is looked up. Packed weights stay in ``kept``.
    """
    given = arguments(problem, how, tokens)
    if tokens:
        given["table"] = tokens.table
    if kept:
        given["kept"] = kept.address()
    T, B, H, P = (given[letter] for letter in "TBHP")
    G, R = len(problem.cell.gates), P or H
    shapes: dict[str, tuple[int, ...]] = {"h_n": (B, problem.cell.order * R)}
    if "c" in problem.cell.states:
        shapes |= {"c_n": (B, H)}
    if train and set(problem.cell.gates) - set(problem.cell.states):
        shapes |= {"gates": (T, B, G, H)}
        shapes |= {"c": (T, B, H)} if "c" in problem.cell.states else {}
        shapes |= {"saved": (T, B, H)} if problem.cell.saved or P else {}
    outputs = {name: Output(shape, problem.x.dtype) for name, shape in shapes.items()}
    outputs["h"] = Output((T, B, R), problem.x.dtype, how.layout)
    given |= {f"{state}_0": problem.initial[state] for state in initial if state in problem.initial}
    native.set_isa(how.isa)
    call(native.forward, FORWARD, given | {name: output.array for name, output in outputs.items()})
    return {name: output.take() for name, output in outputs.items()}


def backward(
    problem: Problem,
    tape: Values,
    how: How,
    initial: Iterable[str] = ("h", "c"),
    upstream: Iterable[str] = ("dh_out", "dh_n", "dc_n"),
    wanted: Iterable[str] = WANTED["all"],
    tokens: Tokens | None = None,
) -> Values:
    """Runs `native.backward` over what `forward` gave in training; gives what is ``wanted`` by name.

    ``upstream`` names the gradients that are given; the others are absent. Their batch may be any where
    that of the tape is 1; the walk is theirs. With ``tokens``, dtable stands for dx, dW_xh and db_xh. Where
    ``tape`` holds weights' gradients too, of another call, this one's are added to those.
    """
    B = problem.dh_out.shape[1]
    given = arguments(problem, how, tokens) | {"B": B}
    (T, tape_batch, I), H, P = problem.x.shape, given["H"], given["P"]
    G, R, dtype = len(problem.cell.gates), P or H, problem.x.dtype
    shapes: dict[str, tuple[int, ...]] = {f"d{name}": value.shape for name, value in problem.params.items()}
    shapes |= {
        "dh_0": (B, problem.cell.order * R),
        "dh": (T, B, R),
        "dh_carry": (T, B, R),
        "da": (T, B, G, H),
    }
    shapes |= {"dc_0": (B, H), "dc": (T, B, H)} if "c" in problem.cell.states else {}
    if tokens:
        shapes["dtable"] = tokens.table.shape
        wanted = {*wanted} - {"dx", "dW_xh", "db_xh"}
    outputs = {name: Output(shape, dtype) for name, shape in shapes.items() if name in wanted}
    if "dx" in wanted:
        outputs["dx"] = Output((T, B, I), dtype, how.layout)
    others = outputs.keys() & tape.keys() & {*WANTED["weights"], "dtable"}
    for name in others:
        outputs[name].array[...] = tape[name]
    given["add"] = bool(others)
    given |= {name: value for name, value in tape.items() if name in ("gates", "saved", "c")}
    given |= {"h": placed(tape["h"], how.layout), "tape_batch": tape_batch}
    given |= {f"{state}_0": problem.initial[state] for state in initial if state in problem.initial}
    coming = {"dh_out": placed(problem.dh_out, how.layout)}
    coming |= {f"d{state}_n": value for state, value in problem.final.items()}
    given |= {name: value for name, value in coming.items() if name in upstream}
    native.set_isa(how.isa)
    call(native.backward, BACKWARD, given | {name: output.array for name, output in outputs.items()})
    return {name: output.take() for name, output in outputs.items()}
