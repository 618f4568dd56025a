"""One step of both forms worked on paper; σ(±ln 3) = 3/4, 1/4 and tanh(ln 2) = 3/5.

With x = 1 and h_0 = 1:

    a_r = -2 ln 3 + ln 3   so   r = 1/4        a_z = 2 ln 3 - ln 3   so   z = 3/4
    a_n = ½ ln 2 + ½ ln 2  so   n = 3/5        h = (1 - z) n + z h_0 = 3/20 + 15/20 = 9/10

The second half of a_n is r (W_hn h_0 + b_hn) = ¼ (ln 2 + ln 2) where the reset comes after the product, and
W_hn (r h_0) + b_hn = ln 2 ¼ + ¼ ln 2 where it comes before.
"""

import numpy as np
import pytest

from unrolled import unroll
from unrolled.tape import Tape

ln2, ln3 = np.log([2, 3])
B_HN = {"gru": ln2, "gru_reset_before": ln2 / 4}


def one_step(cell: str) -> Tape:
    params = {
        "W_xh": np.array([[-2 * ln3], [2 * ln3], [ln2 / 2]]),
        "W_hh": np.array([[ln3], [-ln3], [ln2]]),
        "b_xh": np.zeros(3),
        "b_hh": np.array([0, 0, B_HN[cell]]),
    }
    tape = unroll.forward(cell, params, np.ones((1, 1, 1)), {"h": np.ones((1, 1))}, engine="reference")
    unroll.backward(tape, np.ones((1, 1, 1)), keep=["da"])
    return tape


@pytest.mark.parametrize("cell", B_HN)
def test_one_step(cell: str):
    tape = one_step(cell)
    np.testing.assert_allclose(tape.gates.ravel(), [1 / 4, 3 / 4, 3 / 5], rtol=1e-15)
    np.testing.assert_allclose(tape.output.item(), 9 / 10, rtol=1e-15)


def test_gradient_with_the_reset_after_the_product():
    """L = h: dn = 1/4, da_n = 0.16; dz = h_0 - n = 0.4; dr = da_n (ln 2 + ln 2)."""
    tape = one_step("gru")
    da_r, da_z, da_n = 0.32 * ln2 * 3 / 16, 0.4 * 3 / 16, 0.16
    np.testing.assert_allclose(tape.hw_n.item(), 2 * ln2, rtol=1e-15)
    np.testing.assert_allclose(tape.da.ravel(), [da_r, da_z, da_n], rtol=1e-14)
    np.testing.assert_allclose(tape.db_xh, [da_r, da_z, da_n], rtol=1e-14)
    np.testing.assert_allclose(tape.db_hh, [da_r, da_z, da_n / 4], rtol=1e-14)  # r stands in between
    dh_0 = 3 / 4 + da_r * ln3 - da_z * ln3 + da_n / 4 * ln2
    np.testing.assert_allclose(tape.dh_0.item(), dh_0, rtol=1e-15)


def test_gradient_with_the_reset_before_the_product():
    """L = h: d(r h_0) = da_n ln 2 = 0.16 ln 2, which is dr h_0 and, times r, a part of dh_0."""
    tape = one_step("gru_reset_before")
    da_r, da_z, da_n = 0.16 * ln2 * 3 / 16, 0.4 * 3 / 16, 0.16
    np.testing.assert_allclose(tape.rh.item(), 1 / 4, rtol=1e-15)
    np.testing.assert_allclose(tape.da.ravel(), [da_r, da_z, da_n], rtol=1e-14)
    np.testing.assert_allclose(tape.db_hh, [da_r, da_z, da_n], rtol=1e-14)
    np.testing.assert_allclose(tape.dW_hh.ravel(), [da_r, da_z, da_n / 4], rtol=1e-14)  # what enters is r h_0
    dh_0 = 3 / 4 + da_r * ln3 - da_z * ln3 + 0.16 * ln2 / 4
    np.testing.assert_allclose(tape.dh_0.item(), dh_0, rtol=1e-15)
