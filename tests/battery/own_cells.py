"""Cells from outside the package: what a user may write without touching it."""

import dataclasses

import numpy as np

from unrolled.cells import Array, Cell, Gradients, Stage, Values, by_gate, sigmoid


def peephole(xw: Array, hw: Array, v: Values) -> Values:
    """Gers and Schmidhuber 2000: the gates i and f see c_{t-1}, the gate o sees c_t."""
    a_i, a_f, a_g, a_o = by_gate(xw + hw)
    c_prev = v["c_prev"]
    i, f = sigmoid(a_i + v["w_ci"] * c_prev), sigmoid(a_f + v["w_cf"] * c_prev)
    g = np.tanh(a_g)
    c = f * c_prev + i * g
    o = sigmoid(a_o + v["w_co"] * c)
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": o * np.tanh(c)}


def peephole_backward(v: Values, d: Values) -> Gradients:
    i, f, g, o, c_prev = v["i"], v["f"], v["g"], v["o"], v["c_prev"]
    tanh_c = np.tanh(v["c"])
    da_o = d["h"] * tanh_c * o * (1 - o)
    dc = d["c"] + d["h"] * o * (1 - tanh_c**2) + da_o * v["w_co"]
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da = np.stack([da_i, da_f, da_g, da_o], axis=1)
    read = {
        "c_prev": dc * f + da_i * v["w_ci"] + da_f * v["w_cf"],
        "w_ci": (da_i * c_prev).sum(axis=0),
        "w_cf": (da_f * c_prev).sum(axis=0),
        "w_co": (da_o * v["c"]).sum(axis=0),
    }
    return Gradients(xw=da, hw=da, read=read, whole={"c": dc})


PEEPHOLE_LSTM = Cell(
    "peephole_lstm",
    stages=(Stage(("i", "f", "g", "o"), peephole, peephole_backward),),
    states=("h", "c"),
    parameters={"w_ci": ("H",), "w_cf": ("H",), "w_co": ("H",)},
    projects=True,
    source="Gers and Schmidhuber 2000, Recurrent nets that time and count, IJCNN",
)

SECOND_ORDER_LSTM = dataclasses.replace(PEEPHOLE_LSTM, name="second_order_lstm", order=2, source="a test")
"""Its gates see h_{t-1} and h_{t-2}."""


def leaky(xw: Array, hw: Array, v: Values) -> Values:
    """A leaky unit with a running mean beside it: three states, of which two pass the product by."""
    u = np.tanh(xw + hw)[:, 0]
    s = 0.75 * v["s_prev"] + 0.25 * u
    q = 0.5 * v["q_prev"] + 0.5 * s * s
    return {"u": u, "s": s, "q": q, "h": s + q}


def leaky_backward(v: Values, d: Values) -> Gradients:
    dq = d["q"] + d["h"]
    ds = d["s"] + d["h"] + dq * v["s"]
    da = (0.25 * ds * (1 - v["u"] ** 2))[:, None]
    return Gradients(xw=da, hw=da, read={"s_prev": 0.75 * ds, "q_prev": 0.5 * dq}, whole={"s": ds, "q": dq})


LEAKY = Cell("leaky", (Stage(("u",), leaky, leaky_backward),), source="a test", states=("h", "s", "q"))
