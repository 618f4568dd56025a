"""What the battery draws from: every form of every cell, every walk, every engine."""

from itertools import product
from typing import Any

import pytest

from tests.battery.own_cells import LEAKY, PEEPHOLE_LSTM, SECOND_ORDER_LSTM
from unrolled import native
from unrolled.cells import CELLS, Cell, higher_order_rnn
from unrolled.checks import Problem, Size, draw
from unrolled.tape import Engine

HIGHER = [higher_order_rnn(*way) for way in (("tanh", 1), ("tanh", 2), ("relu", 3), ("sigmoid", 7))]
"""Of these orders the last is above the number of steps that most problems have."""

FORMS: list[Any] = [
    *(pytest.param(cell, 0, id=name) for name, cell in CELLS.items()),
    *(pytest.param(cell, 0, id=cell.name) for cell in HIGHER),
    *(pytest.param(cell, 3, id=f"{name}-projected") for name, cell in CELLS.items() if cell.projects),
]
"""Each compiled cell (and P), with a projection where it may have one."""

OWN: list[Any] = [
    pytest.param(PEEPHOLE_LSTM, 0, id="peephole_lstm"),
    pytest.param(PEEPHOLE_LSTM, 3, id="peephole_lstm-projected"),
    pytest.param(SECOND_ORDER_LSTM, 0, id="second_order_lstm"),
    pytest.param(SECOND_ORDER_LSTM, 3, id="second_order_lstm-projected"),
    pytest.param(LEAKY, 0, id="leaky"),
]

WALKS: list[Any] = [
    pytest.param(
        {"ragged": ragged, "resets": resets, "reverse": reverse},
        id="-".join(["ragged" if ragged else "full", *["resets"] * resets, *["reverse"] * reverse]),
    )
    for ragged, resets, reverse in product((False, True), repeat=3)
]

NATIVE = pytest.param(
    Engine("native", threads=2),
    id="native",
    marks=pytest.mark.skipif(not native.available(), reason=f"needs the compiled core: {native.why_not()}"),
)
ENGINES: list[Any] = [pytest.param(Engine("reference"), id="reference"), NATIVE]


def smooth(cell: Cell, P: int, **walk: bool) -> Problem:
    """A problem in which no pre-activation lies near 0, where the derivative of relu jumps."""
    return draw(cell, Size(P=P), seed=111, **walk)
