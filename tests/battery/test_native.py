"""Compiled = reference: every case of the covering array, every instruction set, 1 to 3 threads.

The reference works in float64 on the same numbers. Going back in float32 it works over the core's own tape,
so that each way is compared by itself.
"""

import functools

import pytest

from tests.battery import kernels, truth
from tests.battery.cases import Case, pairwise
from tests.battery.kernels import WANTED, How, needs_core
from tests.tolerances import limit
from unrolled import native
from unrolled.cells import Cell, Values
from unrolled.checks import Problem
from unrolled.tape import Tape

pytestmark = needs_core

by_isa = pytest.mark.parametrize("isa", native.isas())
by_case = pytest.mark.parametrize("case", pairwise(), ids=str)
UPSTREAM = {"all": ("dh_out", "dh_n", "dc_n"), "output": ("dh_out",), "final": ("dh_n", "dc_n")}


@functools.lru_cache(maxsize=1)
def solved(case: Case) -> tuple[Problem, Tape[Cell], Values]:
    problem = case.problem()
    return problem, *truth.forward(problem)


def initial(case: Case) -> list[str]:
    return [state for state in ("h", "c") if case.starts_with(state)]


def assert_close(values: Values, expected: Values, dtype: str) -> None:
    most = limit("compiled", dtype)
    assert {name: error for name, error in truth.errors(values, expected).items() if not error <= most} == {}


def same_bits(one: Values, other: Values) -> bool:
    return {name: value.tobytes() for name, value in one.items()} == {
        name: value.tobytes() for name, value in other.items()
    }


@by_case
@by_isa
def test_forward_in_training(case: Case, isa: str):
    problem, _, expected = solved(case)
    ours = kernels.forward(problem, How(isa, 1, case.layout), initial(case))
    assert_close(ours, {name: expected[name] for name in ours}, case.dtype)
    for threads in (2, 3):
        assert same_bits(ours, kernels.forward(problem, How(isa, threads, case.layout), initial(case)))


@by_case
@by_isa
def test_forward_in_inference(case: Case, isa: str):
    problem, _, expected = solved(case)
    ours = kernels.forward(problem, How(isa, 1, case.layout), initial(case), train=False)
    assert_close(ours, {name: expected[name] for name in ours}, case.dtype)
    for threads in (2, 3):
        how = How(isa, threads, case.layout)
        assert same_bits(ours, kernels.forward(problem, how, initial(case), train=False))


@by_case
@by_isa
def test_backward(case: Case, isa: str):
    problem, tape, _ = solved(case)
    kept = kernels.forward(problem, How(isa), initial(case))
    over = {name: kept[name] for name in ("h", "c", "gates", "saved") if name in kept}
    expected = truth.backward(problem, tape, over if case.dtype == "float32" else None)
    for wanted in {"all": ["all"]}.get(case.wanted, ["all", case.wanted]):
        given = (initial(case), UPSTREAM[case.upstream], WANTED[wanted])
        ours = kernels.backward(problem, kept, How(isa, 1, case.layout), *given)
        assert_close(ours, {name: expected[name] for name in expected if name in WANTED[wanted]}, case.dtype)
        for threads in (2, 3):
            assert same_bits(ours, kernels.backward(problem, kept, How(isa, threads, case.layout), *given))
