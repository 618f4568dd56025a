"""A table in place of the input product: compiled = reference on the embedded rows, over the battery."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.battery import kernels, truth
from tests.battery.cases import Case, pairwise
from tests.battery.compare import UPSTREAM, assert_close, assert_same_bits, initial
from tests.battery.kernels import WANTED, How, needs_core
from tests.battery.test_native_divisions import cases as divided
from tests.battery.test_native_rows import of_rows
from tests.battery.tokens import Tokens, tokens
from unrolled import native

pytestmark = needs_core

THREADS = (1, 2, 3)
REPLACED = {"dx", "dW_xh", "db_xh"}

by_isa = pytest.mark.parametrize("isa", native.isas())


@pytest.mark.parametrize("case", [*pairwise(), *divided()], ids=str)
@by_isa
def test_table_equals_product_of_embedded_rows(case: Case, isa: str):
    problem, coded = tokens(case.problem())
    tape, expected = truth.forward(problem)
    ways = [How(isa, threads, case.layout) for threads in THREADS]
    for train in (False, True):
        runs = [kernels.forward(problem, how, initial(case), train=train, tokens=coded) for how in ways]
        assert_close(runs[0], expected, case.dtype)
        assert_same_bits(runs)
    kept = runs[0]
    over = {name: kept[name] for name in ("h", "c", "gates", "saved") if name in kept}
    expected = truth.backward(problem, tape, over if case.dtype == "float32" else None)
    expected["dtable"] = coded.dtable(expected["da"])
    for wanted in dict.fromkeys(("all", case.wanted)):
        names = [*WANTED[wanted], *["dtable"] * (wanted in ("all", "x"))]
        given = (initial(case), UPSTREAM[case.upstream], names, coded)
        runs = [kernels.backward(problem, kept, how, *given) for how in ways]
        assert runs[0].keys() == (expected.keys() & {*names}) - REPLACED
        assert_close(runs[0], expected, case.dtype)
        assert_same_bits(runs)


@by_isa
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm P<H", "gru", "gru_reset_before"])
def test_a_row_of_ids_does_not_depend_on_its_neighbours(isa: str, cell: str):
    problem, coded = tokens(Case(cell, "float32", H=37, I=9, T=6, B=14).problem())
    whole = kernels.forward(problem, How(isa), tokens=coded)
    for rows in ([0], [13], [4, 2], [9, 3, 7, 1, 12]):
        some = Tokens(np.ascontiguousarray(coded.ids[:, rows]), coded.table)
        part = kernels.forward(of_rows(problem, rows), How(isa), tokens=some)
        for name in ("h", "gates", "c"):
            if name in whole:
                assert whole[name][:, rows].tobytes() == part[name].tobytes()


@by_isa
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm P<H", "gru", "gru_reset_before", "hornn_tanh_3"])
@pytest.mark.parametrize("B", [1, 3, 14])
def test_steps_of_a_stream_are_the_whole(isa: str, cell: str, B: int):
    case = Case(cell, "float32", H=37, I=9, T=12, B=B, lengths="all", reset="none")
    problem, coded = tokens(case.problem())
    whole = kernels.forward(problem, How(isa, 2), train=False, tokens=coded)
    given = kernels.arguments(problem, How(isa), coded)
    weights = [problem.params.get(name) for name in ("W_hh", "b_hh", "W_hr")]
    W_hh, b_hh, W_hr = (0 if value is None else value.ctypes.data for value in weights)
    sizes = [given[name] for name in ("code", "B", "I", "H", "P", "order")]
    running = native.Stream(*sizes, 0, W_hh, 0, b_hh, W_hr)
    state = {name: value.copy() for name, value in problem.initial.items()}
    at = [state[name].ctypes.data if name in state else 0 for name in ("h", "c")]
    h = np.full_like(problem.dh_out, np.nan)
    R = h.shape[2]
    for t in range(case.T):
        running.look_up(
            1, coded.ids[t:].ctypes.data, B, 1, coded.table.ctypes.data, h[t:].ctypes.data, B * R, R, *at
        )
    assert_same_bits([whole, {"h": h} | {f"{name}_n": value for name, value in state.items()}])


@by_isa
def test_many_gradients_over_one_tape(isa: str):
    """One sequence of ids, and five upstream gradients."""
    case = Case("gru", "float64", H=21, I=4, T=7, B=1, lengths="all", reset="none")
    problem, coded = tokens(case.problem())
    kept = kernels.forward(problem, How(isa), tokens=coded)
    rng = np.random.default_rng(0)
    many = rng.normal(size=(7, 5, 21))
    final = {"h": rng.normal(size=(5, 21))}
    wanted, upstream = ("dtable", "dW_hh"), ("dh_out", "dh_n")
    whole = dataclasses.replace(problem, dh_out=many, final=final)
    together = kernels.backward(whole, kept, How(isa, 2), ("h",), upstream, wanted, coded)
    alone = [
        kernels.backward(
            dataclasses.replace(problem, dh_out=many[:, [b]], final={"h": final["h"][[b]]}),
            *(kept, How(isa), ("h",), upstream, wanted, coded),
        )
        for b in range(5)
    ]
    expected = {name: np.sum([each[name] for each in alone], axis=0) for name in wanted}
    assert_close(together, expected, "float64")
