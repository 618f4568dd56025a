"""What must not change a bit inside the core: the neighbours in the batch, and where a sequence is cut."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pytest

from tests.battery import compare, kernels, truth
from tests.battery.cases import Case
from tests.battery.kernels import How, needs_core
from tests.tolerances import limit
from unrolled import native
from unrolled.cells import Array, Values
from unrolled.checks import Problem
from unrolled.tape import Walk

pytestmark = needs_core

CELLS = (
    *("rnn_tanh", "rnn_relu", "rnn_sigmoid", "rnn_identity"),
    *("lstm", "lstm P<H", "gru", "gru_reset_before", "hornn_tanh_3"),
)
ROWS = ([0], [13], [4, 2], [0, 1, 2], [9, 3, 7, 1, 12], [*range(13)], [*range(1, 14)])
"""Rows that run without the others, so that they fall into tiles of every height."""

by_isa = pytest.mark.parametrize("isa", native.isas())
by_cell = pytest.mark.parametrize("cell", CELLS)
by_dtype = pytest.mark.parametrize("dtype", native.DTYPES)
by_direction = pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "reverse"])


Way: TypeAlias = Callable[[Problem, str, Sequence[int]], Values]
"""How a sequence is run in pieces, cut before the given steps."""


def of_rows(problem: Problem, rows: Sequence[int]) -> Problem:
    """The same problem for some of the sequences only."""
    lengths, reset, reverse = problem.walk.lengths, problem.walk.reset, problem.walk.reverse
    x, dh_out = (np.ascontiguousarray(array[:, rows]) for array in (problem.x, problem.dh_out))
    reset = None if reset is None else np.ascontiguousarray(reset[:, rows])
    walk = Walk(None if lengths is None else lengths[rows], reset, reverse)
    states = [{name: value[rows] for name, value in of.items()} for of in (problem.initial, problem.final)]
    return dataclasses.replace(problem, x=x, dh_out=dh_out, walk=walk, initial=states[0], final=states[1])


def solve(problem: Problem, how: How) -> dict[str, Values]:
    """Everything the core gives that has rows of the batch, with those as the first axis, pass by pass."""
    kept = kernels.forward(problem, how)
    passes = {
        "training": kept,
        "inference": kernels.forward(problem, how, train=False),
        "backward": kernels.backward(problem, kept, how),
    }
    states = {f"{state}_n" for state in problem.cell.states} | {
        f"d{state}_0" for state in problem.cell.states
    }
    sums = {f"d{name}" for name in problem.params}
    return {
        way: {
            name: value if name in states else value.swapaxes(0, 1)
            for name, value in values.items()
            if name not in sums
        }
        for way, values in passes.items()
    }


def assert_rows_equal(whole: dict[str, Values], part: dict[str, Values], rows: Sequence[int]) -> None:
    for way, values in whole.items():
        for name, value in values.items():
            assert value[rows].tobytes() == part[way][name].tobytes(), f"{name} of {way}, rows {rows}"


@by_isa
@by_cell
@by_dtype
@by_direction
def test_a_row_does_not_depend_on_its_neighbours(isa: str, cell: str, dtype: str, reverse: bool):
    case = Case(cell, dtype, H=37, I=9, T=6, B=14, reverse=reverse)  # type: ignore[arg-type]
    problem = case.problem()
    whole = solve(problem, How(isa))
    for rows in ROWS:
        assert_rows_equal(whole, solve(of_rows(problem, rows), How(isa)), rows)


@by_isa
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru", "gru_reset_before", "hornn_tanh_3"])
def test_a_row_does_not_depend_on_how_the_batch_is_divided(isa: str, cell: str):
    problem = Case(cell, "float32", H=400, I=16, T=4, B=30).problem()
    whole = solve(problem, How(isa, 2))
    for rows in ([28], [7, 3], [*range(17)]):
        assert_rows_equal(whole, solve(of_rows(problem, rows), How(isa, 2)), rows)


def stream(problem: Problem, isa: str, cuts: Sequence[int]) -> Values:
    """The whole sequence through `native.Stream`, cut before the given steps."""
    native.set_isa(isa)
    given = kernels.arguments(problem, How(isa))
    weights = [problem.params.get(name) for name in ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr")]
    sizes = [given[name] for name in ("code", "B", "I", "H", "P", "order")]
    running = native.Stream(*sizes, *(0 if value is None else value.ctypes.data for value in weights))
    T, B, R = problem.dh_out.shape
    h = np.full((T, B, R), np.nan, problem.x.dtype)
    state = {name: value.copy() for name, value in problem.initial.items()}
    addresses = [state[name].ctypes.data if name in state else 0 for name in ("h", "c")]
    x, I = problem.x, problem.x.shape[2]
    for start, stop in zip([0, *cuts], [*cuts, T], strict=True):
        running.forward(
            stop - start, x[start:].ctypes.data, B * I, I, h[start:].ctypes.data, B * R, R, *addresses
        )
    return {"h": h} | {f"{name}_n": value for name, value in state.items()}


def calls(problem: Problem, isa: str, cuts: Sequence[int]) -> Values:
    """The whole sequence through calls of their own, each beginning with the state that the last one left."""
    pieces: list[Array] = []
    values: Values = {}
    for start, stop in itertools.pairwise([0, *cuts, len(problem.x)]):
        piece = dataclasses.replace(problem, x=problem.x[start:stop], dh_out=problem.dh_out[start:stop])
        values = kernels.forward(piece, How(isa), train=False)
        pieces.append(values["h"])
        initial = {state: values[f"{state}_n"] for state in problem.cell.states}
        problem = dataclasses.replace(problem, initial=initial)
    return {**values, "h": np.concatenate(pieces)}


@by_isa
@by_cell
@by_dtype
@pytest.mark.parametrize("B", [1, 3, 14])
@pytest.mark.parametrize("way", [stream, calls])
def test_step_equals_chunk_equals_whole(isa: str, cell: str, dtype: str, B: int, way: Way):
    case = Case(cell, dtype, H=37, I=9, T=12, B=B, lengths="all", reset="none")  # type: ignore[arg-type]
    problem = case.problem()
    whole = kernels.forward(problem, How(isa, 2), train=False)
    for cuts in ([*range(1, 12)], [5, 7], [1], [11], []):
        compare.assert_same_bits([whole, way(problem, isa, cuts)])


def test_stream_keeps_its_own_copy_of_the_weights():
    problem = Case("gru", "float32", H=20, I=5, T=3, B=2, lengths="all", reset="none").problem()
    whole = kernels.forward(problem, How(native.isa()), train=False)
    native_stream, made = native.Stream, []

    def and_forget(*arguments: int) -> object:
        made.append(native_stream(*arguments))
        for value in problem.params.values():
            value[...] = np.nan
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "Stream", and_forget)
        assert stream(problem, native.isa(), [1])["h"].tobytes() == whole["h"].tobytes()


def sharing(problem: Problem, B: int) -> tuple[Problem, Problem]:
    """One sequence with ``B`` upstream gradients: over a tape of batch 1, and repeated B times."""
    one = of_rows(problem, [0])
    repeated = of_rows(problem, [0] * B)
    many = dict(dh_out=problem.dh_out, final=problem.final)
    return dataclasses.replace(one, walk=repeated.walk, **many), dataclasses.replace(repeated, **many)


@by_isa
@by_cell
@by_dtype
@by_direction
def test_many_gradients_over_one_tape(isa: str, cell: str, dtype: str, reverse: bool):
    B = 14
    case = Case(cell, dtype, H=37, I=9, T=6, B=B, lengths="short", reverse=reverse)  # type: ignore[arg-type]
    problem = case.problem()
    assert problem.walk.lengths is not None
    problem.walk.lengths[0] = 4
    one, repeated = sharing(problem, B)
    kept = kernels.forward(of_rows(problem, [0]), How(isa))
    tape, _ = truth.forward(repeated)
    expected = truth.backward(
        repeated, tape, {name: value for name, value in kept.items() if name[1:] != "_n"}
    )
    for threads in (1, 3):
        found = truth.errors(kernels.backward(one, kept, How(isa, threads)), expected)
        assert {name: error for name, error in found.items() if not error <= limit("compiled", dtype)} == {}


def spoilt(problem: Problem, row: int, values: Sequence[tuple[int, float]]) -> Problem:
    """The same problem with some numbers of that row's input replaced, one a step."""
    x = problem.x.copy()
    for t, value in values:
        x[t, row, t % x.shape[2]] = value
    return dataclasses.replace(problem, x=x)


@by_isa
@by_cell
@by_dtype
@by_direction
@pytest.mark.parametrize("what", [[(2, np.nan)], [(1, np.inf), (4, -np.inf)]], ids=["nan", "inf"])
@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
def test_nan_and_infinity_stay_in_their_row(
    isa: str, cell: str, dtype: str, reverse: bool, what: list[tuple[int, float]]
):
    case = Case(cell, dtype, H=37, I=9, T=6, B=14, lengths="all", reverse=reverse)  # type: ignore[arg-type]
    clean, row = case.problem(), 5
    bad = spoilt(clean, row, what)
    ours = solve(bad, How(isa))
    others = [b for b in range(14) if b != row]
    assert_rows_equal(
        solve(clean, How(isa)),
        {way: {name: value[others] for name, value in values.items()} for way, values in ours.items()},
        others,
    )
    kept = kernels.forward(bad, How(isa))
    tape, expected = truth.forward(bad)
    expected |= truth.backward(bad, tape, {name: value for name, value in kept.items() if name[1:] != "_n"})
    found = truth.errors(kept | kernels.backward(bad, kept, How(isa)), expected)
    assert {name: error for name, error in found.items() if not error <= limit("compiled", dtype)} == {}


@by_isa
@by_cell
def test_padding_is_never_read(isa: str, cell: str):
    problem = Case(cell, "float32", H=37, I=9, T=6, B=14).problem()
    assert problem.walk.lengths is not None
    beyond = np.arange(6)[:, None] >= problem.walk.lengths
    x, dh_out = (np.where(beyond[:, :, None], np.float32(np.nan), a) for a in (problem.x, problem.dh_out))
    clean = solve(problem, How(isa))
    assert_rows_equal(clean, solve(dataclasses.replace(problem, x=x, dh_out=dh_out), How(isa)), range(14))


def nothing_to_do() -> dict[str, Problem]:
    """Problems without a single step."""
    problem = Case("lstm", "float64", H=9, I=4, T=3, B=2, lengths="all", reset="none").problem()
    no_steps = dataclasses.replace(problem, x=problem.x[:0], dh_out=problem.dh_out[:0])
    all_empty = dataclasses.replace(problem, walk=Walk(np.zeros(2, np.int64)))
    return {"T = 0": no_steps, "B = 0": of_rows(problem, []), "lengths = 0": all_empty}


@by_isa
@pytest.mark.parametrize("problem", nothing_to_do().values(), ids=nothing_to_do().keys())
def test_nothing_to_do(isa: str, problem: Problem):
    tape, expected = truth.forward(problem)
    expected |= truth.backward(problem, tape)
    for threads in (1, 2):
        kept = kernels.forward(problem, How(isa, threads))
        found = truth.errors(kept | kernels.backward(problem, kept, How(isa, threads)), expected)
        assert set(found.values()) == {0.0}
