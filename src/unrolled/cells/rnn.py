"""The simple recurrent network (Elman), with four non-linearities.

    h_t = f(W_xh x_t + b_xh + W_hh h_{t-1} + b_hh)        f = tanh, relu, sigmoid, identity

The derivation of the backward pass: ``docs/cells/rnn.md``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unrolled.cells.base import Array, Cell, Gradients, Point, PointBackward, Stage, Values, sigmoid


def _point(f: Callable[[Array], Array]) -> Point:
    def point(xw: Array, hw: Array, v: Values) -> Values:  # noqa: ARG001  (this cell reads no value)
        return {"h": f(xw + hw)[:, 0]}

    return point


def _point_backward(df: Callable[[Array], Array]) -> PointBackward:
    def point_backward(v: Values, d: Values) -> Gradients:
        da = (d["h"] * df(v["h"]))[:, None]
        return Gradients(xw=da, hw=da, read={})

    return point_backward


def _rnn(name: str, f: Callable[[Array], Array], df: Callable[[Array], Array]) -> Cell:
    """The cell of the non-linearity ``f``, whose derivative ``df`` is written in terms of h = f(a)."""
    source = "Elman 1990, Finding structure in time, Cognitive Science 14(2); two biases as in cuDNN"
    return Cell(name, stages=(Stage(("h",), _point(f), _point_backward(df)),), source=source)


RNN_TANH = _rnn("rnn_tanh", np.tanh, lambda h: 1 - h**2)
RNN_RELU = _rnn("rnn_relu", lambda a: np.maximum(a, 0), lambda h: (h > 0).astype(h.dtype))
RNN_SIGMOID = _rnn("rnn_sigmoid", sigmoid, lambda h: h * (1 - h))
RNN_IDENTITY = _rnn("rnn_identity", lambda a: a, np.ones_like)
