"""The reference's backward pass is the derivative of its forward pass."""

import dataclasses

import numpy as np
import pytest

from tests.battery.problems import FORMS, OWN, WALKS, smooth
from tests.tolerances import limit
from unrolled import unroll
from unrolled.cells import Cell
from unrolled.checks import Size, draw, gradient

LARGER = [Size(7, 4, 3, 17), Size(40, 2, 9, 8), Size(3, 1, 1, 33), Size(2, 20, 64, 40)]


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize(("cell", "P"), FORMS + OWN)
def test_every_entry_against_central_differences(cell: Cell, P: int, walk: dict[str, bool]):
    errors = gradient.compare(smooth(cell, P, **walk))
    assert max(errors.values()) < limit("gradient"), errors


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("cell", "P"), FORMS + OWN)
def test_error_falls_with_the_square_of_the_step(cell: Cell, P: int, reverse: bool):
    problem = smooth(cell, P, reverse=reverse)
    assert abs(gradient.slope(problem) - 2) < limit("slope")


def test_smooth_problems_stay_on_one_side_of_relu():
    for reverse in (False, True):
        tape = smooth(draw("rnn_relu").cell, 0, reverse=reverse).forward()
        xw, hw = unroll.preactivations(tape)
        assert np.abs(xw + hw).min() > 0.02  # steps of 2^-9 move no pre-activation so far


@pytest.mark.parametrize("size", LARGER, ids=str)
@pytest.mark.parametrize(("cell", "P"), FORMS + OWN)
def test_random_directions_in_larger_problems(cell: Cell, P: int, size: Size):
    problem = draw(cell, size._replace(P=P), seed=1, ragged=True, reverse=size.T % 2 == 0)
    errors = gradient.compare(problem, directions=8)
    assert max(errors.values()) < limit("gradient directions"), errors


@pytest.mark.parametrize(("cell", "P"), FORMS + OWN)
def test_without_biases(cell: Cell, P: int):
    problem = draw(cell, Size(P=P), seed=3, bias=False)
    errors = gradient.compare(problem)
    assert max(errors.values()) < limit("gradient"), errors


@pytest.mark.parametrize(("cell", "P"), FORMS + OWN)
def test_da_is_the_derivative_of_the_pre_activations(cell: Cell, P: int):
    """With W_xh = 1 a push on x is one on the pre-activation: da must be dx, which differences confirm."""
    problem = draw(cell, Size(T=3, I=5 * len(cell.gates), H=5, P=P), seed=4)
    problem.params["W_xh"] = np.eye(5 * len(cell.gates))
    tape = problem.solve()
    np.testing.assert_array_equal(tape.da.reshape(tape.dx.shape), tape.dx)
    assert gradient.compare(problem)["x"] < limit("gradient")


@pytest.mark.parametrize(("cell", "P"), FORMS + OWN)
def test_dh_carry_is_the_gradient_of_the_state_the_rest_begins_with(cell: Cell, P: int):
    problem = draw(cell, Size(P=P), seed=5)
    tape = problem.solve()
    for t in range(1, tape.T):
        initial = {state: tape.entering(state, t) for state in cell.states}
        rest = dataclasses.replace(problem, x=problem.x[t:], dh_out=problem.dh_out[t:], initial=initial)
        newest = rest.solve().dh_0[:, : tape.h.shape[2]]
        np.testing.assert_allclose(tape.dh_carry[t - 1], newest, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(tape.dh, tape.dh_out + tape.dh_carry)


def test_dc_is_whole():
    """Through f alone c_{t-1} acts on c_t, so dc_{t-1} of the rest's beginning is dc_t f_t."""
    problem = draw("lstm", seed=6)
    tape = problem.solve()
    for t in range(tape.T):
        initial = {"h": tape.h[t], "c": tape.c[t]}
        rest = dataclasses.replace(problem, x=problem.x[t:], dh_out=problem.dh_out[t:], initial=initial)
        np.testing.assert_allclose(tape.dc[t] * tape.gate("f")[t], rest.solve().dc_0, rtol=0, atol=1e-15)
