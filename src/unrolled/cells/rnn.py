"""The simple recurrent network (Elman), with four non-linearities.

    h_t = f(W_xh x_t + b_xh + W_hh h_{t-1} + b_hh)        f = tanh, relu, sigmoid, identity

The derivation of the backward pass: ``docs/cells/rnn.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from unrolled.cells.base import Array, Cell, Gradients, Stage, Values, sigmoid

Elementwise: TypeAlias = Callable[[Array], Array]


def point(f: Elementwise, xw: Array, hw: Array, v: Values) -> Values:  # noqa: ARG001  (it reads no value)
    """The new state from the pre-activations.

    Shapes:
        xw, hw: ``[n, 1, H]``; gives ``h [n, H]``.
    """
    return {"h": f(xw + hw)[:, 0]}


def point_backward(slope: Elementwise, v: Values, d: Values) -> Gradients:
    """Gradient of the pre-activations; ``slope`` is f′ in terms of h = f(a).

    Shapes:
        v, d: ``h [n, H]``.
    """
    da = (d["h"] * slope(v["h"]))[:, None]
    return Gradients(xw=da, hw=da, read={})


def relu(a: Array) -> Array:
    """max(a, 0); any shape."""
    return np.maximum(a, 0)


def identity(a: Array) -> Array:
    """The same; any shape."""
    return a


def tanh_slope(h: Array) -> Array:
    """tanh′ in terms of h = tanh(a); any shape."""
    return 1 - h**2


def relu_slope(h: Array) -> Array:
    """relu′ in terms of h = max(a, 0), 0 at the kink as torch's; any shape."""
    return (h > 0).astype(h.dtype)


def sigmoid_slope(h: Array) -> Array:
    """σ′ in terms of h = σ(a); any shape."""
    return h * (1 - h)


def _rnn(name: str, f: Elementwise, slope: Elementwise) -> Cell:
    stage = Stage(("h",), partial(point, f), partial(point_backward, slope))
    source = "Elman 1990, Finding structure in time, Cognitive Science 14(2); two biases as in cuDNN"
    return Cell(name, stages=(stage,), source=source)


RNN_TANH = _rnn("rnn_tanh", np.tanh, tanh_slope)
RNN_RELU = _rnn("rnn_relu", relu, relu_slope)
RNN_SIGMOID = _rnn("rnn_sigmoid", sigmoid, sigmoid_slope)
RNN_IDENTITY = _rnn("rnn_identity", identity, np.ones_like)
