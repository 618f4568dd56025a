"""What a layer's options fix once and for all: the shapes of its weights and what its backward pass keeps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from torch import Tensor

from unrolled import cells

Item = TypeVar("Item")


class Plan(NamedTuple):
    """A stack of layers of one cell.

    ``gates``, ``saved`` and ``c`` say how many times ``[T, B, H]`` the backward pass needs of each besides
    the output: see the table in csrc/kernels.h. ``width`` is how many weights a layer has in one direction,
    ``shapes`` are the shapes of all in torch's order. ``order``: see `unrolled.cells.Cell`.
    """

    layers: int
    directions: int
    H: int
    P: int
    R: int
    bias: bool
    width: int
    gates: int
    saved: int
    c: int
    shapes: list[tuple[int, ...]]
    order: int

    @property
    def kR(self) -> int:  # noqa: N802
        """The size of what is carried of h from step to step."""
        return self.order * self.R


@lru_cache
def plan(cell: str, input_size: int, H: int, P: int, layers: int, directions: int, bias: bool) -> Plan:
    """The plan of a stack; the same object for the same options.

    Example:
        >>> plan("lstm", input_size=3, H=4, P=2, layers=1, directions=1, bias=False).shapes
        [(16, 3), (16, 2), (2, 4)]
    """
    gru, lstm, order = cell.startswith("gru"), cell == "lstm", cells.get(cell).order
    rows, R = (4 if lstm else 3 if gru else 1) * H, P or H
    shapes: list[tuple[int, ...]] = []
    for layer in range(layers):
        columns = directions * R if layer else input_size
        projection = [(P, H)] if P else []
        shapes += [(rows, columns), (rows, order * R), *[(rows,)] * (2 * bias), *projection] * directions
    width = 2 + 2 * bias + bool(P)
    kept = (4, int(P > 0), 1) if lstm else (3, 1, 0) if gru else (0, 0, 0)
    return Plan(layers, directions, H, P, R, bias, width, *kept, shapes, order)


def five(flat: Sequence[Item], k: int, plan: Plan, absent: Item) -> tuple[Item, ...]:
    """The weights of layer and direction k, or anything in their order, out of those of the whole stack.

    They are W_xh, W_hh, b_xh, b_hh, W_hr, with ``absent`` in the place of those the layer has not.

    Example:
        >>> five(["W_xh", "W_hh", "b_xh", "b_hh"], 0, plan("gru", 3, 4, 0, 1, 1, True), absent="")
        ('W_xh', 'W_hh', 'b_xh', 'b_hh', '')
    """
    first = k * plan.width
    if plan.width == 4:
        return *flat[first : first + 4], absent
    biases = flat[first + 2 : first + 4] if plan.bias else (absent, absent)
    return *flat[first : first + 2], *biases, flat[first + plan.width - 1] if plan.P else absent


def at(tensor: Tensor | None) -> int:
    """The address of a tensor's first element; 0 for None, which the core reads as absent."""
    return 0 if tensor is None else tensor.data_ptr()
