"""What may come into `unroll`: every argument is looked at here, before anything is computed.

Each function takes ``where``, the public function that speaks, and raises one of `unrolled.errors`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from unrolled import cells, native, notation
from unrolled.cells import Array, Cell
from unrolled.errors import (
    DtypeError,
    LengthsError,
    NotKeptError,
    OptionError,
    ShapeError,
    UnavailableError,
    nearest,
    note,
)
from unrolled.tape import Engine, Tape, Walk

DType: TypeAlias = "np.dtype[Any]"
Sizes: TypeAlias = dict[str, int]
"""The axes of a call by their letters; ``P`` only with a projection."""

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
ENGINES = ("auto", "native", "reference")


def shape(letters: Sequence[str], sizes: Sizes) -> tuple[int, ...]:
    """The sizes behind the letters of an array's axes."""
    return tuple(sizes[letter] for letter in letters)


def has_rank(subject: str, value: object, letters: Sequence[str]) -> None:
    """``value`` is a NumPy array with as many axes as there are ``letters``."""
    if not isinstance(value, np.ndarray):
        raise DtypeError(subject, "be a NumPy array", type(value).__name__, "Convert it: np.asarray(…).")
    if value.ndim != len(letters):
        few = value.ndim < len(letters)
        fix = "Add the missing one, as x[:, None] does." if few else "Index or merge the superfluous ones."
        rule = f"have {len(letters)} axes, [{', '.join(letters)}]"
        raise ShapeError(subject, rule, f"{value.ndim}: {list(value.shape)}", fix)


def fits(subject: str, value: Array, letters: Sequence[str], sizes: Sizes, dtype: DType) -> None:
    """``value`` is an array with the sizes behind ``letters`` and of that dtype."""
    has_rank(subject, value, letters)
    wanted = shape(letters, sizes)
    if value.shape != wanted:
        name = subject.rpartition(" ")[2]
        rule = f"have shape {notation.shape_text(letters, wanted)}"
        raise ShapeError(subject, rule, list(value.shape), _remedy(name, value.shape, letters, wanted))
    if value.dtype != dtype:
        fix = f"Nothing is cast silently; convert: .astype(np.{dtype})."
        raise DtypeError(subject, f"be {dtype}, as the parameters are", value.dtype, fix)


def _remedy(name: str, got: tuple[int, ...], letters: Sequence[str], wanted: tuple[int, ...]) -> str:
    """Two axes that stand the wrong way round, or the first axis of another size."""
    for i, j in itertools.combinations(range(len(got)), 2):
        swapped = list(got)
        swapped[i], swapped[j] = got[j], got[i]
        if tuple(swapped) == wanted:
            return f"Swap axes {i} and {j}: {name}.swapaxes({i}, {j})."
    k = next(k for k in range(len(got)) if got[k] != wanted[k])
    return f"Axis {k} is {letters[k]} and must be {wanted[k]}."


def given(where: str, params: Mapping[str, Array | None]) -> dict[str, Array]:
    """The parameters that are there; biases may be None."""
    if not isinstance(params, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        fix = 'Give them by name: {"W_xh": …, "W_hh": …}.'
        raise OptionError(f"{where}: params", "be a mapping of names to arrays", type(params).__name__, fix)
    return {name: value for name, value in params.items() if value is not None}


def parameters(where: str, cell: Cell, params: Mapping[str, Array]) -> Sizes:
    """Names, shapes and dtype of the parameters; gives the sizes ``G*H G H I R k*R`` (and ``P``)."""
    required, optional = cell.parameter_names()
    for name in params:
        if name not in (offered := (*required, *optional)):
            is_typo = name not in notation.ARRAYS
            fix = nearest(name, offered) if is_typo else f"Its own: {', '.join(offered)}."
            raise OptionError(f"{where}: params", f"hold parameters of {cell.name}", repr(name), fix)
    for name in required:
        if name not in params:
            got = f"only {', '.join(params) or 'nothing'}"
            raise OptionError(f"{where}: params", f"hold {name}", got, f"Add params[{name!r}].")
    for name, value in params.items():
        has_rank(f"{where}: {name}", value, cell.axes(name))
    dtype = params["W_hh"].dtype
    if dtype not in DTYPES:
        raise DtypeError(f"{where}: W_hh", "be float32 or float64", dtype, "Convert the parameters and x.")
    sizes = _sizes(where, cell, params)
    for name, value in params.items():
        fits(f"{where}: {name}", value, cell.axes(name), sizes, dtype)
    return sizes


def _sizes(where: str, cell: Cell, params: Mapping[str, Array]) -> Sizes:
    """The sizes that the weights imply."""
    G, rows = len(cell.gates), params["W_hh"].shape[0]
    if rows == 0 or rows % G:
        rule = f"have G*H rows, G = {G} gates of H >= 1 hidden units"
        fix = f"Are these weights {cell.name}'s?" if rows else "A hidden size of 0 carries nothing."
        raise ShapeError(f"{where}: W_hh", rule, f"{rows} rows", fix)
    sizes = {"G": G, "H": rows // G, "G*H": rows, "I": params["W_xh"].shape[1], "R": rows // G}
    if "W_hr" in params:
        sizes["P"] = sizes["R"] = params["W_hr"].shape[0]
        if sizes["P"] == 0:
            raise ShapeError(
                f"{where}: W_hr", "have P >= 1 rows", "0 rows", "Leave it out for no projection."
            )
    return sizes | {"k*R": cell.order * sizes["R"]}


def batch(where: str, sizes: Sizes, x: Array, dtype: DType) -> Sizes:
    """The input against the parameters; gives ``sizes`` with ``T`` and ``B``."""
    letters = notation.axes("x")
    has_rank(f"{where}: x", x, letters)
    T, B = x.shape[:2]
    sizes = sizes | {"T": T, "B": B, "T+1": T + 1, "T+k": T + sizes["k*R"] // sizes["R"]}
    fits(f"{where}: x", x, letters, sizes, dtype)
    return sizes


def walk(where: str, given: Walk, sizes: Sizes) -> Walk:
    """Lengths and resets against the batch; gives the walk with its lengths in int64."""
    if not isinstance(given, Walk):  # pyright: ignore[reportUnnecessaryIsInstance]
        fix = "Build one: Walk(lengths=…, reset=…, reverse=…)."
        raise OptionError(f"{where}: walk", "be a Walk", type(given).__name__, fix)
    lengths, reset = given.lengths, given.reset
    if reset is not None:
        has_rank(f"{where}: reset", reset, notation.axes("reset"))
        if reset.dtype != bool:
            raise DtypeError(f"{where}: reset", "be bool", reset.dtype, "Compare: reset != 0.")
        fits(f"{where}: reset", reset, notation.axes("reset"), sizes, reset.dtype)
    if lengths is None:
        return given
    subject, T, B = f"{where}: lengths", sizes["T"], sizes["B"]
    has_rank(subject, lengths, notation.axes("lengths"))
    if lengths.dtype.kind not in "iu":
        raise DtypeError(subject, "be integers", lengths.dtype, "Convert them: lengths.astype(np.int64).")
    if len(lengths) != B:
        fix = "Give one for every sequence, in the order of x's axis 1."
        raise LengthsError(subject, f"have shape [B] = [{B}]", list(lengths.shape), fix)
    for b in np.flatnonzero((lengths < 0) | (lengths > T))[:1]:
        fix = "A length counts real steps along x's axis 0."
        raise LengthsError(subject, f"lie in 0 … T = {T}", f"lengths[{b}] = {lengths[b]}", fix)
    return Walk(lengths.astype(np.int64), reset, given.reverse)


def states(
    where: str, cell: Cell, given: Mapping[str, Array | None], called: str, sizes: Sizes, dtype: DType
) -> dict[str, Array]:
    """One array for each state, zeros where none is given; ``called`` is ``"{}_0"`` or ``"d{}_n"``."""
    for name in given:
        if name not in cell.states:
            argument = "initial" if called.endswith("_0") else "final"
            rule, fix = f"be by state of {cell.name}", nearest(name, cell.states)
            raise OptionError(f"{where}: {argument}", rule, repr(name), fix)
    complete: dict[str, Array] = {}
    for state in cell.states:
        letters, value = cell.initial_axes(state), given.get(state)
        if value is not None:
            fits(f"{where}: {called.format(state)}", value, letters, sizes, dtype)
        complete[state] = np.zeros(shape(letters, sizes), dtype) if value is None else value
    return complete


def recorded(where: str, tape: Tape[Cell]) -> None:
    """The tape holds what the backward pass needs."""
    for name in tape.cell.kept("W_hr" in tape.params):
        if name not in tape.arrays:
            fix = "Record it with keep=None, which keeps what the backward pass needs."
            raise NotKeptError(f"{where}: tape", f"hold {name}", f"only {', '.join(tape.arrays)}", fix)


def recorded_backward(where: str, tape: Tape[Cell]) -> None:
    """The tape holds the gradients of single steps."""
    needed = ("da", *(f"d{state}" for state in tape.cell.states))
    for name in needed:
        if name not in tape.arrays:
            fix = f"Run unroll.backward(tape, …, keep={needed}) first."
            raise NotKeptError(f"{where}: tape", f"hold {name}", f"only {', '.join(tape.arrays)}", fix)


def upstream(
    where: str, tape: Tape[Cell], dh_out: Array | None, final: Mapping[str, Array | None]
) -> tuple[Sizes, Array, dict[str, Array]]:
    """The gradients that come in, zeros where none are given; over a tape of batch 1 for any batch."""
    cell, dtype = tape.cell, tape.x.dtype
    sizes = batch(where, parameters(where, cell, tape.params), tape.x, dtype)
    letters = notation.axes("dh_out")
    if dh_out is not None:
        has_rank(f"{where}: dh_out", dh_out, letters)
    if tape.B == 1:
        batches = [] if dh_out is None else [dh_out.shape[1]]
        batches += [len(value) for value in final.values() if value is not None]
        sizes["B"] = next(iter(batches), 1)
    if dh_out is None:
        dh_out = np.zeros(shape(letters, sizes), dtype)
    fits(f"{where}: dh_out", dh_out, letters, sizes, dtype)
    return sizes, dh_out, states(where, cell, final, "d{}_n", sizes, dtype)


def names(
    where: str, given: Iterable[str], offered: Sequence[str], argument: str = "keep"
) -> tuple[str, ...]:
    """The arrays to keep, or to do without, each of them ``offered``."""
    given = (given,) if isinstance(given, str) else tuple(given)
    for name in given:
        if name not in offered:
            fix = nearest(name, offered)
            raise OptionError(f"{where}: {argument}", "name arrays of the tape", repr(name), fix)
    return given


def stretch(where: str, steps: range | None, T: int) -> slice:
    """Some of T steps without gaps, or all."""
    if steps is None:
        return slice(0, T)
    if steps.step != 1 or not 0 <= steps.start < steps.stop <= T:
        fix = "Give e.g. range(0, 2)."
        raise OptionError(f"{where}: steps", f"be a stretch of {T} steps without gaps", repr(steps), fix)
    return slice(steps.start, steps.stop)


def engine(where: str, cell: Cell, dtype: DType, wanted: Engine | str) -> Engine:
    """The engine that runs: ``auto`` is the compiled core where it has this cell, else it says why not."""
    name, threads, memory, share = wanted if isinstance(wanted, Engine) else (wanted, 1, None, 1)
    if name not in ENGINES:
        fix = nearest(str(name), ENGINES)
        raise OptionError(f"{where}: engine", f"be one of {', '.join(ENGINES)}", repr(name), fix)
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:  # pyright: ignore
        rule, got = "be a whole number of at least 1", repr(threads)
        raise OptionError(f"{where}: threads", rule, got, "The calling thread is one of them.")
    supported = cells.find(cell.name) is cell and native.supports(cell.functions, dtype.name)
    if name != "reference" and supported:
        return Engine("native", threads, memory, share)
    reason = native.why_not() or f"{cell.name} has no compiled version for {dtype}"
    if name == "native":
        fix = 'Take engine="reference", or "auto" for the fastest that is there.'
        raise UnavailableError(f"{where}: engine", 'be available to be "native"', f"this: {reason}", fix)
    if name == "auto":
        note(f"unroll runs the reference in NumPy, because {reason}")
    return Engine("reference", memory=memory, share=share)
