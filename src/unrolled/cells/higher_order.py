"""The recurrent network of order k: a step reads the last k states, each through weights of its own.

    h_t = f(W_xh x_t + b_xh + W_1 h_{t-1} + … + W_k h_{t-k} + b_hh)        f = tanh, relu, sigmoid, identity

It is the simple recurrent network with a wider ``h_prev [n, k*H]``, the last k states side by side, newest
first, and ``W_hh [H, k*H]`` = W_1 … W_k in that order. So it has no functions of its own: `unroll` keeps the
k states. The derivation of the backward pass: ``docs/cells/higher_order.md``.
"""

from __future__ import annotations

import dataclasses
from functools import cache

from unrolled.cells.base import Cell
from unrolled.cells.rnn import RNN_IDENTITY, RNN_RELU, RNN_SIGMOID, RNN_TANH
from unrolled.errors import OptionError, nearest

NAME = "hornn"
"""How the cells' names begin: ``hornn_tanh_3`` is of order 3."""

OF_ORDER_ONE = {"tanh": RNN_TANH, "relu": RNN_RELU, "sigmoid": RNN_SIGMOID, "identity": RNN_IDENTITY}


@cache
def higher_order_rnn(nonlinearity: str, order: int) -> Cell:
    """The cell of that order; of order 1, what `RNN_TANH` and the like compute, to the bit.

    Raises:
        OptionError: a nonlinearity that is not offered, or an order below 1.

    Example:
        >>> higher_order_rnn("tanh", 3).name
        'hornn_tanh_3'
    """
    where = "cells.higher_order_rnn"
    if nonlinearity not in OF_ORDER_ONE:
        rule, fix = f"be one of {', '.join(OF_ORDER_ONE)}", nearest(nonlinearity, OF_ORDER_ONE)
        raise OptionError(f"{where}: nonlinearity", rule, repr(nonlinearity), fix)
    if order < 1:
        raise OptionError(f"{where}: order", "be at least 1", order, "1 is the simple recurrent network.")
    simple = OF_ORDER_ONE[nonlinearity]
    source = (
        "Soltani and Jiang 2016, Higher order recurrent neural networks, arXiv:1605.00064, section 3; "
        "two biases as in cuDNN"
    )
    name = f"{NAME}_{nonlinearity}_{order}"
    return dataclasses.replace(simple, name=name, order=order, simple=simple.name, source=source)


def named(name: str) -> Cell | None:
    """The cell of that name; None where it is none of these.

    Example:
        >>> cell = named("hornn_relu_2")
        >>> cell and cell.order
        2
    """
    family, _, rest = name.partition("_")
    nonlinearity, _, order = rest.partition("_")
    if family != NAME or nonlinearity not in OF_ORDER_ONE or not order.isdecimal() or not int(order):
        return None
    return higher_order_rnn(nonlinearity, int(order))
