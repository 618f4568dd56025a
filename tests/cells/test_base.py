"""The functions that cells are written with."""

import numpy as np
import pytest

from unrolled import cells
from unrolled.cells import by_gate, sigmoid
from unrolled.errors import OptionError


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_is_exact_in_both_tails_and_keeps_its_dtype(dtype: str):
    """σ(ln k) = k / (k + 1); far down it is eᵃ itself, and it never overflows."""
    k = np.array([1e-30, 1e-3, 1 / 3, 1, 3, 1e3, 1e30])
    values = sigmoid(np.log(k).astype(dtype))
    assert values.dtype == dtype
    np.testing.assert_allclose(values, k / (k + 1), rtol=20 * float(np.finfo(dtype).eps))
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        ends = sigmoid(np.array([-np.inf, -1e30, 1e30, np.inf], dtype))
    assert ends.tolist() == [0, 0, 1, 1]
    assert np.isnan(sigmoid(np.array(np.nan, dtype)))


def test_by_gate_gives_views():
    a = np.arange(12.0).reshape(2, 3, 2)
    first, _, third = by_gate(a)
    assert np.shares_memory(first, a)
    assert third.tolist() == [[4, 5], [10, 11]]


def test_get_finds_cells_by_name():
    assert cells.get("gru") is cells.GRU
    with pytest.raises(OptionError, match=r"got 'LSTM'. Offered: rnn_tanh, .*"):
        cells.get("LSTM")


@pytest.mark.parametrize("cell", cells.CELLS.values(), ids=cells.CELLS)
def test_every_cell_says_where_its_equations_stand(cell: cells.Cell):
    assert cell.source
    assert cell.states[0] == "h"
    assert set(cell.kept(projected=False)) <= set(cell.recordable(projected=False))
