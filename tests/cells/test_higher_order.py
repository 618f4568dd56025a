"""Numbers worked on paper, for a cell that reads several states."""

import numpy as np
import pytest

from unrolled import cells, unroll
from unrolled.cells import higher_order_rnn
from unrolled.checks import Size, draw
from unrolled.errors import OptionError
from unrolled.tape import Walk

ln2, ln3 = np.log(2), np.log(3)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64).reshape(-1, 1, 1)


def test_tanh_reads_the_state_before_the_last():
    """h_1 = tanh(ln 2) = 0.6; h_2 = tanh(0) = 0; h_3 = tanh(ln 3 / 0.6 · h_1) = 0.8; L = h_3."""
    params = {"W_xh": np.array([[ln2]]), "W_hh": np.array([[0, ln3 / 0.6]])}
    tape = unroll.forward("hornn_tanh_2", params, array(1, 0, 0), engine="reference")
    np.testing.assert_allclose(tape.h.ravel(), [0, 0, 0.6, 0, 0.8], rtol=1e-15)
    np.testing.assert_allclose(tape.h_n, [[0.8, 0]], rtol=1e-15)

    unroll.backward(tape, array(0, 0, 1), keep=["dh_carry", "da"])
    # da_3 = 1 - 0.64; dh_1 = da_3 · ln 3 / 0.6 = 0.6 ln 3; da_1 = (1 - 0.36) · dh_1; h_2 is read by nothing
    np.testing.assert_allclose(tape.dh_carry.ravel(), [0.6 * ln3, 0, 0], rtol=1e-15)
    np.testing.assert_allclose(tape.da.ravel(), [0.384 * ln3, 0, 0.36], rtol=1e-15)
    np.testing.assert_allclose(tape.dW_hh, [[0, 0.36 * 0.6]], rtol=1e-15)  # da_3 ⊗ (h_2, h_1)
    np.testing.assert_allclose(tape.dx.ravel(), [0.384 * ln3 * ln2, 0, 0.36 * ln2], rtol=1e-15)


def test_fibonacci_from_two_initial_states_and_back():
    """h_t = h_{t-1} + h_{t-2}; of h_5 = 5 h_{-1} + 3 h_{-2} the gradient are Fibonacci's numbers again."""
    params = {"W_xh": np.zeros((1, 1)), "W_hh": np.ones((1, 2))}
    initial = {"h": np.array([[2.0, 10.0]])}  # h_{-1}, h_{-2}
    tape = unroll.forward("hornn_identity_2", params, array(0, 0, 0, 0), initial, engine="reference")
    assert tape.h.ravel().tolist() == [10, 2, 12, 14, 26, 40]
    assert tape.h_n.tolist() == [[40, 26]]
    unroll.backward(tape, array(0, 0, 0, 1), keep=["dh"])
    assert tape.dh.ravel().tolist() == [3, 2, 1, 1]
    assert tape.dh_0.tolist() == [[5, 3]]
    assert tape.dW_hh.tolist() == [[3 * 2 + 2 * 12 + 14 + 26, 3 * 10 + 2 * 2 + 12 + 14]]


def test_a_reset_clears_all_that_enters_then_and_later():
    """A running sum of two; with a reset before step 2, neither it nor step 3 sees what was before."""
    params = {"W_xh": np.ones((1, 1)), "W_hh": np.ones((1, 2))}
    reset = np.array([[False], [False], [True], [False]])
    tape = unroll.forward("hornn_identity_2", params, array(1, 1, 1, 1), walk=Walk(reset=reset))
    assert tape.output.ravel().tolist() == [1, 2, 1, 2]
    assert tape.entering("h", 3).tolist() == [[1, 0]]
    unroll.backward(tape, array(0, 0, 0, 1))
    assert tape.dx.ravel().tolist() == [0, 0, 1, 1]


def test_in_reverse_each_sequence_begins_with_its_own_states_at_its_own_end():
    params = {"W_xh": np.zeros((1, 1)), "W_hh": np.array([[0.0, 1.0]])}  # h_t = h_{t+2}
    initial = {"h": np.array([[1.0, 2.0], [3.0, 4.0]])}
    walk = Walk(np.array([3, 1]), reverse=True)
    tape = unroll.forward("hornn_identity_2", params, np.zeros((3, 2, 1)), initial, walk=walk)
    assert tape.output[:, :, 0].tolist() == [[2, 4], [1, 0], [2, 0]]
    assert tape.h[3:, :, 0].tolist() == [[1, 3], [2, 4]]
    assert tape.h_n.tolist() == [[2, 1], [4, 3]]


@pytest.mark.parametrize("engine", ["reference", "auto"])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid", "identity"])
def test_of_order_one_it_has_the_bits_of_the_simple_network(nonlinearity: str, engine: str):
    size = Size(T=20, B=3, H=9)
    ours = draw(f"hornn_{nonlinearity}_1", size, ragged=True, resets=True).solve(engine)
    simple = draw(f"rnn_{nonlinearity}", size, ragged=True, resets=True).solve(engine)
    assert ours.arrays.keys() == simple.arrays.keys()
    for name, value in simple.arrays.items():
        assert value.tobytes() == ours.arrays[name].tobytes(), name


def test_weights_of_zero_leave_the_simple_network():
    """Order 3 with W_2 = W_3 = 0."""
    simple = draw("rnn_tanh", Size(T=8), seed=2)
    W_hh = np.concatenate([simple.params["W_hh"], np.zeros((5, 10))], axis=1)
    wide = unroll.forward("hornn_tanh_3", simple.params | {"W_hh": W_hh}, simple.x, engine="reference")
    narrow = unroll.forward("rnn_tanh", simple.params, simple.x, engine="reference")
    np.testing.assert_allclose(wide.output, narrow.output, rtol=0, atol=1e-15)


def test_the_name_says_the_order_and_finds_the_cell():
    cell = higher_order_rnn("relu", 12)
    assert (cell.name, cell.order, cell.functions) == ("hornn_relu_12", 12, "rnn_relu")
    assert cells.get("hornn_relu_12") is cell
    for name in (
        "hornn_relu_0",
        "hornn_relu_",
        "hornn_relu",
        "hornn_elu_2",
        "hornn_relu_-1",
        "hornn_relu_1.5",
    ):
        assert cells.find(name) is None
    with pytest.raises(
        OptionError, match="nonlinearity must be one of tanh, relu, sigmoid, identity; got 'elu'"
    ):
        higher_order_rnn("elu", 2)
    with pytest.raises(OptionError, match="order must be at least 1; got 0"):
        higher_order_rnn("tanh", 0)
