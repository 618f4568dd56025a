"""The gated recurrent unit in both its forms, gates in the order r z n.

    r_t = σ(W_xr x_t + b_xr + W_hr h_{t-1} + b_hr)        reset gate
    z_t = σ(W_xz x_t + b_xz + W_hz h_{t-1} + b_hz)        update gate
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}

`GRU` resets after the product (torch, cuDNN), `GRU_RESET_BEFORE` before it (Cho et al.; Keras with
``reset_after=False``, ONNX with ``linear_before_reset=0``):

    n_t = tanh(W_xn x_t + b_xn + r_t * (W_hn h_{t-1} + b_hn))        gru
    n_t = tanh(W_xn x_t + b_xn + W_hn (r_t * h_{t-1}) + b_hn)        gru_reset_before

The derivation of the backward pass: ``docs/cells/gru.md``.
"""

from __future__ import annotations

import numpy as np

from unrolled.cells.base import Array, Cell, Gradients, Stage, Values, by_gate, sigmoid


def point(xw: Array, hw: Array, v: Values) -> Values:
    """Gates and the new state, the reset gate acting on the finished recurrent product.

    Shapes:
        xw, hw: ``[n, 3, H]``; v: ``h_prev [n, H]``; gives ``r z n h hw_n``, each ``[n, H]``.
    """
    xw_r, xw_z, xw_n = by_gate(xw)
    hw_r, hw_z, hw_n = by_gate(hw)
    r, z = sigmoid(xw_r + hw_r), sigmoid(xw_z + hw_z)
    n = np.tanh(xw_n + r * hw_n)
    h = (1 - z) * n + z * v["h_prev"]
    return {"r": r, "z": z, "n": n, "h": h, "hw_n": hw_n}


def point_backward(v: Values, d: Values) -> Gradients:
    """Gradients of the two halves of the pre-activations, which part ways at n, and of h_{t-1}.

    Shapes:
        v: ``r z n hw_n h_prev``; d: ``h``; each ``[n, H]``.
    """
    r, z, n = v["r"], v["z"], v["n"]
    dz, dn = d["h"] * (v["h_prev"] - n), d["h"] * (1 - z)
    da_n = dn * (1 - n**2)
    dr = da_n * v["hw_n"]
    da_r, da_z = dr * r * (1 - r), dz * z * (1 - z)
    xw = np.stack([da_r, da_z, da_n], axis=1)
    hw = np.stack([da_r, da_z, da_n * r], axis=1)  # r stands between hw_n and n
    return Gradients(xw=xw, hw=hw, read={"h_prev": d["h"] * z})


def point_gates(xw: Array, hw: Array, v: Values) -> Values:
    """First stage of the form that resets before: both gates, and what enters the candidate's product.

    Shapes:
        xw, hw: ``[n, 2, H]``; v: ``h_prev [n, H]``; gives ``r z rh``, each ``[n, H]``.
    """
    a_r, a_z = by_gate(xw + hw)
    r, z = sigmoid(a_r), sigmoid(a_z)
    return {"r": r, "z": z, "rh": r * v["h_prev"]}


def point_gates_backward(v: Values, d: Values) -> Gradients:
    """Back through the first stage, from the gradients that the second gave z and r * h_{t-1}.

    Shapes:
        v: ``r z h_prev``; d: ``z rh``; each ``[n, H]``.
    """
    r, z = v["r"], v["z"]
    dr = d["rh"] * v["h_prev"]
    da = np.stack([dr * r * (1 - r), d["z"] * z * (1 - z)], axis=1)
    return Gradients(xw=da, hw=da, read={"h_prev": d["rh"] * r})


def point_candidate(xw: Array, hw: Array, v: Values) -> Values:
    """Second stage: the candidate, from the product of r * h_{t-1}, and the new state.

    Shapes:
        xw, hw: ``[n, 1, H]``; v: ``z h_prev``; gives ``n h``; each ``[n, H]``.
    """
    n = np.tanh(xw + hw)[:, 0]
    h = (1 - v["z"]) * n + v["z"] * v["h_prev"]
    return {"n": n, "h": h}


def point_candidate_backward(v: Values, d: Values) -> Gradients:
    """Back through the second stage, to its product, z and h_{t-1}.

    Shapes:
        v: ``z n h_prev``; d: ``h``; each ``[n, H]``.
    """
    z, n = v["z"], v["n"]
    dz, dn = d["h"] * (v["h_prev"] - n), d["h"] * (1 - z)
    da_n = (dn * (1 - n**2))[:, None]
    return Gradients(xw=da_n, hw=da_n, read={"z": dz, "h_prev": d["h"] * z})


GRU = Cell(
    "gru",
    stages=(Stage(("r", "z", "n"), point, point_backward),),
    saved=("hw_n",),
    source="Cho et al. 2014, arXiv:1406.1078, first version; two biases as in cuDNN",
)

GRU_RESET_BEFORE = Cell(
    "gru_reset_before",
    stages=(
        Stage(("r", "z"), point_gates, point_gates_backward),
        Stage(("n",), point_candidate, point_candidate_backward, enters="rh"),
    ),
    saved=("rh",),
    source="Cho et al. 2014, arXiv:1406.1078, third version, equations 5 to 8; two biases as in ONNX",
)
