"""One case through the core and against the truth, for the battery, the fuzzer and the planted faults."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from tests.battery import kernels, truth
from tests.battery.cases import Case
from tests.battery.kernels import WANTED, How
from tests.tolerances import limit
from unrolled.cells import Cell, Values
from unrolled.checks import Problem
from unrolled.tape import Tape

UPSTREAM = {"all": ("dh_out", "dh_n", "dc_n"), "output": ("dh_out",), "final": ("dh_n", "dc_n")}


@functools.lru_cache(maxsize=1)
def solved(case: Case) -> tuple[Problem, Tape[Cell], Values]:
    """The problem, the reference's tape, and what the core should give going forward."""
    problem = case.problem()
    return problem, *truth.forward(problem)


def initial(case: Case) -> list[str]:
    """The states whose initial value is given."""
    return [state for state in ("h", "c") if case.starts_with(state)]


def forward(case: Case, isa: str, threads: Iterable[int], *, train: bool) -> None:
    """Fails unless the core goes forward as the reference does, with the same bits for all ``threads``."""
    problem, _, expected = solved(case)
    runs = [kernels.forward(problem, How(isa, n, case.layout), initial(case), train=train) for n in threads]
    assert_close(runs[0], expected, case.dtype)
    assert_same_bits(runs)


def backward(case: Case, isa: str, threads: Iterable[int]) -> None:
    """Fails unless the core goes back as the reference does, whether all gradients are wanted or some.

    In float32 the reference goes back over the core's own tape, so that each way is compared by itself.
    """
    problem, tape, _ = solved(case)
    kept = kernels.forward(problem, How(isa), initial(case))
    over = {name: kept[name] for name in ("h", "c", "gates", "saved") if name in kept}
    expected = truth.backward(problem, tape, over if case.dtype == "float32" else None)
    for wanted in dict.fromkeys(("all", case.wanted)):
        given = (initial(case), UPSTREAM[case.upstream], WANTED[wanted])
        runs = [kernels.backward(problem, kept, How(isa, n, case.layout), *given) for n in threads]
        assert runs[0].keys() == expected.keys() & {*WANTED[wanted]}
        assert_close(runs[0], expected, case.dtype)
        assert_same_bits(runs)


def assert_close(values: Values, expected: Values, dtype: str) -> None:
    """Fails with the arrays that are off, and by how much."""
    errors = truth.errors(values, {name: expected[name] for name in values})
    off = {name: error for name, error in errors.items() if not error <= limit("compiled", dtype)}
    assert not off, off


def assert_same_bits(runs: list[Values]) -> None:
    """Fails unless all runs are one."""
    for run in runs[1:]:
        differ = [name for name in run if run[name].tobytes() != runs[0][name].tobytes()]
        assert not differ, differ
