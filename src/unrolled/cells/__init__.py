"""The cells: NumPy definitions of every recurrence, which are also the oracle for anything faster."""

from __future__ import annotations

from unrolled.cells.base import (
    Array,
    Cell,
    Gradients,
    Stage,
    Values,
    by_gate,
    check_finite,
    sigmoid,
)
from unrolled.cells.gru import GRU, GRU_RESET_BEFORE
from unrolled.cells.higher_order import higher_order_rnn, named
from unrolled.cells.lstm import LSTM
from unrolled.cells.rnn import RNN_IDENTITY, RNN_RELU, RNN_SIGMOID, RNN_TANH
from unrolled.errors import OptionError, nearest

CELLS: dict[str, Cell] = {
    cell.name: cell for cell in (RNN_TANH, RNN_RELU, RNN_SIGMOID, RNN_IDENTITY, LSTM, GRU, GRU_RESET_BEFORE)
}


def get(name: str) -> Cell:
    """The cell of that name: one of `CELLS`, or of any order, as ``hornn_tanh_3``.

    Raises:
        OptionError: there is none; the message names the nearest.

    Example:
        >>> get("lstm").gates
        ('i', 'f', 'g', 'o')
    """
    cell = find(name)
    if cell is None:
        raise OptionError("cells.get: name", "be the name of a cell", repr(name), nearest(name, CELLS))
    return cell


def find(name: str) -> Cell | None:
    """The cell of that name, None where there is none.

    Example:
        >>> find("gru") is GRU, find("hornn_tanh_3") is higher_order_rnn("tanh", 3), find("tanh")
        (True, True, None)
    """
    return CELLS.get(name) or named(name)


__all__ = [
    "CELLS",
    "GRU",
    "GRU_RESET_BEFORE",
    "LSTM",
    "RNN_IDENTITY",
    "RNN_RELU",
    "RNN_SIGMOID",
    "RNN_TANH",
    "Array",
    "Cell",
    "Gradients",
    "Stage",
    "Values",
    "by_gate",
    "check_finite",
    "find",
    "get",
    "higher_order_rnn",
    "sigmoid",
]
