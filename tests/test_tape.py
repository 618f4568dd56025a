"""The tape as plain data: names, views, order, and what may not be done to it."""

import copy
import itertools
import pickle

import numpy as np
import pytest

from unrolled import unroll
from unrolled.cells import CELLS, Cell
from unrolled.checks import Size, draw
from unrolled.errors import NotKeptError
from unrolled.tape import Tape, Walk


@pytest.fixture
def tape() -> Tape[Cell]:
    return draw("gru", Size(T=3, B=2, I=4, H=5), ragged=True).solve()


def test_every_array_is_an_attribute(tape: Tape[Cell]):
    assert tape.hw_n is tape.arrays["hw_n"]
    assert set(tape.arrays) <= set(dir(tape))
    np.testing.assert_array_equal(tape.gate("z"), tape.gates[:, :, 1])


def test_an_absent_array_names_the_nearest(tape: Tape[Cell]):
    with pytest.raises(
        NotKeptError, match=r"Tape: dh_cary must be kept to be read; got .* Did you mean dh_carry\?"
    ):
        _ = tape.dh_cary
    with pytest.raises(NotKeptError, match=r"name must be a gate of gru; got 'i'. Offered: r, z, n."):
        tape.gate("i")
    assert not hasattr(tape, "c")


@pytest.mark.parametrize("reverse", [False, True])
def test_output_is_a_view_that_cannot_be_edited(reverse: bool):
    tape = draw("gru", reverse=reverse).forward()
    assert np.shares_memory(tape.output, tape.h)
    with pytest.raises(ValueError, match="read-only"):
        tape.output[0] = 0
    tape.h[0] = 0  # whoever asks for the state itself may


@pytest.mark.parametrize("reverse", [False, True])
def test_one_row_enters_and_the_next_leaves(reverse: bool):
    tape = draw("lstm", reverse=reverse).forward()
    steps = tape.steps()
    assert list(steps) == ([4, 3, 2, 1, 0] if reverse else [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(tape.entering("c", steps[0]), tape.c_0)
    np.testing.assert_array_equal(tape.leaving("c", steps[-1]), tape.c_n)
    for now, then in itertools.pairwise(steps):
        np.testing.assert_array_equal(tape.entering("h", then), tape.leaving("h", now))


def test_what_enters_a_reset_is_cleared_and_what_left_before_stays():
    reset = np.array([[False], [True]])
    weights = {"W_xh": np.eye(1), "W_hh": np.eye(1)}
    tape = unroll.forward("rnn_tanh", weights, np.ones((2, 1, 1)), walk=Walk(reset=reset))
    assert tape.entering("h", 1).item() == 0
    assert tape.h[1].item() == np.tanh(1)


@pytest.mark.parametrize("cell", CELLS)
def test_copies_and_pickles(cell: str):
    tape = draw(cell).solve()
    for other in (copy.copy(tape), copy.deepcopy(tape), pickle.loads(pickle.dumps(tape))):
        assert other.cell.name == cell
        np.testing.assert_array_equal(other.dx, tape.dx)


def test_repr_says_what_is_there():
    tape = draw("gru", Size(T=3, B=2, I=4, H=5), reverse=True).forward(keep=())
    assert repr(tape) == "Tape(gru, reference, reverse: h_0 [2, 5], h [4, 2, 5], h_n [2, 5])"
