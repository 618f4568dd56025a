"""The examinations themselves: what they measure, and that they see what is wrong."""

import dataclasses

import numpy as np
import pytest

from tests.battery.own_cells import LEAKY
from unrolled.cells import LSTM, Cell, Gradients, Values
from unrolled.checks import Problem, Size, draw, gradient, oracle

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("value", "truth", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.5], [1.0, 2.0], 0.25),
        ([1e-9, 2.0], [0.0, 2.0], 5e-10),
        ([0.0], [0.0], 0),
        ([1e-9], [0.0], INF),
        ([NAN, 1.0], [NAN, 1.0], 0),
        ([NAN, 1.0], [1.0, 1.0], INF),
        ([1.0, 1.0], [NAN, 1.0], INF),
        ([INF, 1.0], [INF, 1.0], 0),
        ([INF, 1.0], [-INF, 1.0], INF),
        ([1.0, 2.0], [1.0], INF),
        ([], [], 0),
    ],
)
def test_relative_error(value: list[float], truth: list[float], error: float):
    assert oracle.relative_error(np.array(value), np.array(truth)) == error


def test_a_problem_is_the_same_for_the_same_seed_and_no_other():
    one, again, other = draw("gru", seed=1), draw("gru", seed=1), draw("gru", seed=2)
    np.testing.assert_array_equal(one.x, again.x)
    assert not np.array_equal(one.x, other.x)


def test_ragged_lengths_hold_the_longest_and_an_empty_sequence():
    for seed in range(20):
        lengths = draw("gru", Size(T=4, B=3), seed, ragged=True).walk.lengths
        assert lengths is not None
        assert {0, 4} <= set(lengths.tolist()) <= set(range(5))


@pytest.mark.parametrize("name", ["x", "W_hr", "h_0", "c_0"])
def test_a_problem_moves_along_one_input(name: str):
    problem = draw("lstm", Size(P=2))
    moved = problem.moved(name, np.full(problem.inputs()[name].shape, 0.5))
    for key, value in problem.inputs().items():
        np.testing.assert_array_equal(moved.inputs()[key], value + 0.5 * (key == name))


def wrong(factor: float) -> Problem:
    """A problem of an LSTM whose way back gets the gradient of c wrong by a factor."""
    stage = LSTM.stages[0]

    def point_backward(v: Values, d: Values) -> Gradients:
        got = stage.point_backward(v, d)
        return got._replace(read={"c_prev": factor * got.read["c_prev"]})

    return draw(
        dataclasses.replace(LSTM, stages=(dataclasses.replace(stage, point_backward=point_backward),))
    )


def test_differences_see_a_gradient_that_is_wrong_by_a_millionth():
    assert max(gradient.compare(wrong(1)).values()) < 1e-9
    assert max(gradient.compare(wrong(1 + 1e-6)).values()) > 1e-7
    assert max(gradient.compare(wrong(1 + 1e-6), directions=8).values()) > 1e-8


def test_the_slope_sees_it_too():
    assert abs(gradient.slope(wrong(1)) - 2) < 1e-3
    assert abs(gradient.slope(wrong(1 + 1e-4)) - 2) > 0.1


@pytest.mark.parametrize("cell", [LSTM, LEAKY], ids=lambda cell: cell.name)
def test_the_oracle_compares_every_array_of_the_tape(cell: Cell):
    problem = draw(cell, ragged=True, resets=True)
    errors = oracle.compare(problem.astype(np.float32), "reference", truth=problem)
    assert errors.keys() == problem.solve().arrays.keys()
    assert 0 < max(errors.values()) < 1e-5
