"""The factors of the weights' gradients, beside the gradients themselves; gradients that are left out."""

import numpy as np
import pytest

from tests.battery.own_cells import LEAKY, PEEPHOLE_LSTM, SECOND_ORDER_LSTM
from tests.battery.problems import ENGINES, FORMS
from unrolled import unroll
from unrolled.cells import Cell
from unrolled.checks import Size, draw
from unrolled.errors import NotKeptError, OptionError
from unrolled.tape import Engine

engines = pytest.mark.parametrize("engine", ENGINES)
forms = pytest.mark.parametrize(("cell", "P"), FORMS)


@engines
@forms
@pytest.mark.parametrize("reverse", [False, True])
def test_factors_add_up_to_the_gradients(cell: Cell, P: int, engine: Engine, reverse: bool):
    problem = draw(cell, Size(T=6, B=4, P=P), ragged=True, resets=True, reverse=reverse, seed=5)
    tape = problem.solve(engine)
    for of in unroll.factors(tape):
        for name, left, right in (("W_xh", of.dxw, of.x), ("W_hh", of.dhw, of.entering)):
            total = np.einsum("tbi,tbj->ij", left, right)
            np.testing.assert_allclose(total, tape.arrays[f"d{name}"][of.rows], rtol=1e-11, atol=1e-13)
        for name, left in (("b_xh", of.dxw), ("b_hh", of.dhw)):
            total = left.sum(axis=(0, 1))
            np.testing.assert_allclose(total, tape.arrays[f"d{name}"][of.rows], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("cell", [PEEPHOLE_LSTM, LEAKY, SECOND_ORDER_LSTM], ids=lambda cell: cell.name)
def test_factors_of_cells_from_outside(cell: Cell):
    tape = draw(cell, Size(T=6, B=4), seed=5).solve(Engine("reference"))
    (of,) = unroll.factors(tape)
    np.testing.assert_allclose(np.einsum("tbi,tbj->ij", of.dhw, of.entering), tape.dW_hh, rtol=1e-11)


@engines
@forms
def test_what_is_left_out_changes_nothing_else(cell: Cell, P: int, engine: Engine):
    problem = draw(cell, Size(P=P), ragged=True)
    whole, less = problem.solve(engine), problem.forward(engine)
    left_out = ("dx", "dW_hh", "db_xh")
    unroll.backward(less, problem.dh_out, problem.final, keep=("dh",), without=left_out)
    assert not set(left_out) & less.arrays.keys()
    for name in ("dh", "dW_xh", "db_hh", "dh_0"):
        np.testing.assert_array_equal(less.arrays[name], whole.arrays[name])


def test_unknown_gradient_is_refused_with_the_nearest():
    tape = draw("gru", Size()).forward(Engine("reference"))
    with pytest.raises(OptionError, match=r"without must name arrays.*Did you mean dW_hh"):
        unroll.backward(tape, without=("W_hh",))


def test_factors_need_the_gradients_of_steps():
    tape = draw("gru", Size()).forward(Engine("reference"))
    with pytest.raises(NotKeptError, match=r"must hold da"):
        unroll.factors(tape)
