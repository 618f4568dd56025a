"""Long short-term memory with a forget gate, gates in the order i f g o; a projection may follow.

    i_t = σ(W_xi x_t + b_xi + W_hi h_{t-1} + b_hi)        input gate
    f_t = σ(W_xf x_t + b_xf + W_hf h_{t-1} + b_hf)        forget gate
    g_t = tanh(W_xg x_t + b_xg + W_hg h_{t-1} + b_hg)     candidate
    o_t = σ(W_xo x_t + b_xo + W_ho h_{t-1} + b_ho)        output gate
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)                                 or W_hr (o_t * tanh(c_t))

The derivation of the backward pass: ``docs/cells/lstm.md``.
"""

from __future__ import annotations

import numpy as np

from unrolled.cells.base import Array, Cell, Gradients, Stage, Values, by_gate, sigmoid


def point(xw: Array, hw: Array, v: Values) -> Values:
    """Gates and the two new states from the pre-activations.

    Shapes:
        xw, hw: ``[n, 4, H]``; v: ``c_prev [n, H]``; gives ``i f g o c h``, each ``[n, H]``.
    """
    a_i, a_f, a_g, a_o = by_gate(xw + hw)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    c = f * v["c_prev"] + i * g
    h = o * np.tanh(c)
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


def point_backward(v: Values, d: Values) -> Gradients:
    """Gradients of the pre-activations and of c_{t-1}, from those of h_t and c_t.

    Shapes:
        v: ``i f g o c c_prev``; d: ``h`` and ``c`` from the future; each ``[n, H]``.
    """
    i, f, g, o = v["i"], v["f"], v["g"], v["o"]
    tanh_c = np.tanh(v["c"])
    do = d["h"] * tanh_c
    dc = d["c"] + d["h"] * o * (1 - tanh_c**2)  # c acts on the future and, through h, on now
    di, df, dg = dc * g, dc * v["c_prev"], dc * i
    da = np.stack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1)
    return Gradients(xw=da, hw=da, read={"c_prev": dc * f}, whole={"c": dc})


LSTM = Cell(
    "lstm",
    stages=(Stage(("i", "f", "g", "o"), point, point_backward),),
    states=("h", "c"),
    projects=True,
    source=(
        "Graves 2013, arXiv:1308.0850, equations 7 to 11, without peepholes; two biases as in cuDNN; "
        "projection: Sak, Senior and Beaufays 2014, arXiv:1402.1128, equations 7 to 12"
    ),
)
