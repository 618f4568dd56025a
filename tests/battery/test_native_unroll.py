"""`unroll` by the compiled core = `unroll` by the reference, every array of the tape, end to end."""

import itertools

import numpy as np
import pytest

from tests.battery.cases import Case, pairwise
from tests.battery.compare import assert_close
from tests.battery.kernels import needs_core
from unrolled.tape import Engine

pytestmark = needs_core

NATIVE = Engine("native", threads=2)


@pytest.mark.parametrize("case", pairwise(), ids=str)
def test_every_array_of_the_tape(case: Case):
    problem = case.problem()
    if problem.cell.functions == "rnn_relu":  # in float32 it may be beyond the kink
        problem = problem.astype(np.float64)
    ours, theirs = problem.solve(NATIVE), problem.astype(np.float64).solve("reference")
    assert ours.arrays.keys() == theirs.arrays.keys()
    assert_close(ours.arrays, theirs.arrays, problem.x.dtype.name)


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "lstm P<H", "gru", "gru_reset_before"])
@pytest.mark.parametrize("reverse", [False, True])
def test_keeping_a_part_changes_nothing(cell: str, reverse: bool):
    problem = Case(cell, "float32", H=37, I=9, T=6, B=5, reverse=reverse).problem()
    recordable = problem.cell.recordable("W_hr" in problem.params)
    whole = problem.forward(NATIVE, recordable)
    for count in range(len(recordable)):
        for keep in itertools.combinations(recordable, count):
            part = problem.forward(NATIVE, keep)
            for name, value in part.arrays.items():
                np.testing.assert_array_equal(value, whole.arrays[name])
