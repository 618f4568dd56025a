"""One step worked on paper; σ(ln 3) = 3/4, σ(-ln 3) = 1/4, σ(ln 4) = 4/5, tanh(ln 2) = 3/5.

With x = 1 and h_0 = 1 each pre-activation is W_x + W_h, three quarters from W_x, one from W_h:

    i = σ(ln 3) = 3/4    f = σ(-ln 3) = 1/4    g = tanh(ln 2) = 3/5    o = σ(ln 4) = 4/5
    c_0 = 4 (ln 2 - 9/20)   so that   c = f c_0 + i g = ln 2,   tanh(c) = 3/5,   h = o tanh(c) = 12/25
"""

import numpy as np

from unrolled import unroll
from unrolled.tape import Tape

ln2, ln3, ln4 = np.log([2, 3, 4])
A = np.array([ln3, -ln3, ln2, ln4])[:, None]  # pre-activations of i f g o
C_0 = 4 * (ln2 - 9 / 20)


def one_step() -> Tape:
    params = {"W_xh": 0.75 * A, "W_hh": 0.25 * A}
    initial = {"h": np.ones((1, 1)), "c": np.full((1, 1), C_0)}
    return unroll.forward("lstm", params, np.ones((1, 1, 1)), initial, engine="reference")


def test_one_step():
    tape = one_step()
    np.testing.assert_allclose(tape.gates.ravel(), [3 / 4, 1 / 4, 3 / 5, 4 / 5], rtol=1e-15)
    np.testing.assert_allclose(tape.c.ravel(), [C_0, ln2], rtol=1e-15)
    np.testing.assert_allclose(tape.h.ravel(), [1, 12 / 25], rtol=1e-15)
    np.testing.assert_allclose([tape.h_n.item(), tape.c_n.item()], [12 / 25, ln2], rtol=1e-15)


def test_gradient_of_h():
    """L = h: do = 3/5; dc = o (1 - 9/25) = 0.512; di = dc g, df = dc c_0, dg = dc i."""
    tape = one_step()
    unroll.backward(tape, np.ones((1, 1, 1)), keep=["dc", "da"])
    da = [0.512 * 0.6 * 3 / 16, 0.512 * C_0 * 3 / 16, 0.512 * 0.75 * 16 / 25, 0.6 * 4 / 25]
    np.testing.assert_allclose(tape.dc.item(), 0.512, rtol=1e-15)
    np.testing.assert_allclose(tape.da.ravel(), da, rtol=1e-15)
    np.testing.assert_allclose(tape.dW_hh.ravel(), da, rtol=1e-15)  # h_0 = 1
    np.testing.assert_allclose(tape.dc_0.item(), 0.512 / 4, rtol=1e-15)  # dc f
    np.testing.assert_allclose(tape.dh_0.item(), da @ A.ravel() / 4, rtol=1e-15)


def test_gradient_of_c_passes_the_output_gate_by():
    """L = c_n: dc = 1, so dc_0 = f = 1/4 and nothing reaches o."""
    tape = one_step()
    unroll.backward(tape, final={"c": np.ones((1, 1))}, keep=["da"])
    np.testing.assert_allclose(tape.dc_0.item(), 1 / 4, rtol=1e-15)
    np.testing.assert_allclose(tape.da.ravel(), [0.6 * 3 / 16, C_0 * 3 / 16, 0.75 * 16 / 25, 0], rtol=1e-15)


def test_projection_stands_behind_the_output_gate():
    """m = o tanh(c) = 12/25 as above, h = W_hr m = (2, -1) 12/25; L = h_1 + h_2 gives dm = 2 - 1 = 1."""
    params = {"W_xh": 0.75 * A, "W_hh": 0.25 * A * [[1, 0]], "W_hr": np.array([[2.0], [-1.0]])}
    initial = {"h": np.array([[1.0, 5.0]]), "c": np.full((1, 1), C_0)}
    tape = unroll.forward("lstm", params, np.ones((1, 1, 1)), initial, engine="reference")
    np.testing.assert_allclose(tape.output.ravel(), [24 / 25, -12 / 25], rtol=1e-15)
    unroll.backward(tape, np.ones((1, 1, 2)))
    np.testing.assert_allclose(tape.dW_hr, [[12 / 25], [12 / 25]], rtol=1e-15)
    np.testing.assert_allclose(tape.dc_0.item(), 0.512 / 4, rtol=1e-15)
