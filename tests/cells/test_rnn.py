"""Numbers worked on paper: tanh(ln 2) = 3/5, tanh(ln 3) = 4/5, σ(ln 3) = 3/4."""

import numpy as np
import pytest

from unrolled import unroll

ln2, ln3 = np.log(2), np.log(3)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64).reshape(-1, 1, 1)


def test_tanh_two_steps_and_back():
    """h_1 = tanh(ln 2 · 1) = 0.6;  h_2 = tanh(ln 3 / 0.6 · h_1) = 0.8;  L = h_2."""
    params = {"W_xh": np.array([[ln2]]), "W_hh": np.array([[ln3 / 0.6]])}
    tape = unroll.forward("rnn_tanh", params, array(1, 0), engine="reference")
    np.testing.assert_allclose(tape.h.ravel(), [0, 0.6, 0.8], rtol=1e-15)

    unroll.backward(tape, array(0, 1), keep=["dh_carry", "dh", "da"])
    # da_2 = 1 - 0.64; dh_1 = da_2 · ln 3 / 0.6 = 0.6 ln 3; da_1 = (1 - 0.36) · dh_1
    np.testing.assert_allclose(tape.da.ravel(), [0.384 * ln3, 0.36], rtol=1e-15)
    np.testing.assert_allclose(tape.dh.ravel(), [0.6 * ln3, 1], rtol=1e-15)
    np.testing.assert_allclose(tape.dh_carry.ravel(), [0.6 * ln3, 0], rtol=1e-15)
    np.testing.assert_allclose(tape.dW_xh, [[0.384 * ln3]], rtol=1e-15)  # da_1 · x_1
    np.testing.assert_allclose(tape.dW_hh, [[0.36 * 0.6]], rtol=1e-15)  # da_2 · h_1
    np.testing.assert_allclose(tape.dx.ravel(), [0.384 * ln3 * ln2, 0.36 * ln2], rtol=1e-15)


def test_row_of_the_recurrent_weights_is_the_unit_that_hears():
    """Unit 0 hears unit 1 and not the reverse: h_1 = (0, 0.6), h_2 = (tanh(ln 3), 0) = (0.8, 0)."""
    params = {"W_xh": np.array([[0.0], [ln2]]), "W_hh": np.array([[0, ln3 / 0.6], [0, 0]])}
    tape = unroll.forward("rnn_tanh", params, array(1, 0), engine="reference")
    np.testing.assert_allclose(tape.output[:, 0], [[0, 0.6], [0.8, 0]], rtol=1e-15)


def test_both_biases_count():
    """a = ½ ln 3 + ½ ln 3, so h = σ(ln 3) = 0.75 and dL/db = 0.75 · 0.25 for each of them."""
    half = np.array([ln3 / 2])
    params = {"W_xh": np.zeros((1, 1)), "W_hh": np.zeros((1, 1)), "b_xh": half, "b_hh": half}
    tape = unroll.forward("rnn_sigmoid", params, array(1), engine="reference")
    assert tape.output.item() == pytest.approx(0.75, rel=1e-15)
    unroll.backward(tape, array(1))
    assert tape.db_xh.item() == pytest.approx(0.1875, rel=1e-15)
    assert tape.db_hh.item() == pytest.approx(0.1875, rel=1e-15)


def test_relu_passes_and_stops():
    """a_1 = 2 · 3 = 6 → 6;  a_2 = -0.5 · 6 + 2 · 1 = -1 → 0, so no gradient passes step 2."""
    params = {"W_xh": np.array([[2.0]]), "W_hh": np.array([[-0.5]])}
    tape = unroll.forward("rnn_relu", params, array(3, 1), engine="reference")
    assert tape.output.ravel().tolist() == [6, 0]
    unroll.backward(tape, array(1, 1))
    assert tape.dx.ravel().tolist() == [2, 0]
    assert tape.dW_hh.item() == 0


def test_identity_is_a_geometric_series():
    """h_t = x_t + ½ h_{t-1} over x = 1, 1, 1: 1, 1.5, 1.75; dL/dx_t = ½^(3-t) for L = h_3."""
    params = {"W_xh": np.array([[1.0]]), "W_hh": np.array([[0.5]])}
    tape = unroll.forward("rnn_identity", params, array(1, 1, 1), engine="reference")
    assert tape.output.ravel().tolist() == [1, 1.5, 1.75]
    unroll.backward(tape, array(0, 0, 1))
    assert tape.dx.ravel().tolist() == [0.25, 0.5, 1]
    assert tape.dW_hh.item() == 1 * 1.5 + 0.5 * 1  # da_3 h_2 + da_2 h_1
