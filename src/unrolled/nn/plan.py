"""What a layer's options fix once and for all: the shapes of its weights and what its backward pass keeps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from torch import Tensor

Item = TypeVar("Item")


class Plan(NamedTuple):
    """A stack of layers of one cell.

    ``gates``, ``saved`` and ``c`` say what the backward pass needs besides the output, as the table in
    csrc/kernels.h has it: gates a step keeps, whether it saves, whether it keeps c. ``shapes`` are those of the
    weights in torch's order.
    """

    layers: int
    directions: int
    H: int
    P: int
    bias: bool
    gates: int
    saved: bool
    c: bool
    shapes: list[tuple[int, ...]]

    @property
    def R(self) -> int:
        """Size of the recurrent state h."""
        return self.P or self.H


@lru_cache
def plan(cell: str, input_size: int, H: int, P: int, layers: int, directions: int, bias: bool) -> Plan:
    """The plan of a stack; the same object for the same options.

    Example:
        >>> plan("lstm", input_size=3, H=4, P=2, layers=1, directions=1, bias=False).shapes
        [(16, 3), (16, 2), (2, 4)]
    """
    gru, lstm = cell.startswith("gru"), cell == "lstm"
    rows, R = (4 if lstm else 3 if gru else 1) * H, P or H
    shapes: list[tuple[int, ...]] = []
    for layer in range(layers):
        columns = directions * R if layer else input_size
        projection = [(P, H)] if P else []
        shapes += [(rows, columns), (rows, R), *[(rows,)] * (2 * bias), *projection] * directions
    kept = (4, P > 0, True) if lstm else (3, True, False) if gru else (0, False, False)
    return Plan(layers, directions, H, P, bias, *kept, shapes)


def fives(flat: Sequence[Item], plan: Plan, absent: Item) -> list[tuple[Item, ...]]:
    """A stack's weights, or anything in their order, cut into five for each layer and direction.

    They are W_xh, W_hh, b_xh, b_hh, W_hr, with ``absent`` in the place of those the layer has not.

    Example:
        >>> fives(["W_xh", "W_hh", "b_xh", "b_hh"], plan("gru", 3, 4, 0, 1, 1, True), absent="")
        [('W_xh', 'W_hh', 'b_xh', 'b_hh', '')]
    """
    bias, P = plan.bias, plan.P
    width = 2 + 2 * bias + bool(P)
    cut: list[tuple[Item, ...]] = []
    for k in range(0, len(flat), width):
        biases = flat[k + 2 : k + 4] if bias else (absent, absent)
        cut.append((flat[k], flat[k + 1], *biases, flat[k + width - 1] if P else absent))
    return cut


def at(tensor: Tensor | None) -> int:
    """The address of a tensor's first element; 0 for None, which the core reads as absent."""
    return 0 if tensor is None else tensor.data_ptr()
