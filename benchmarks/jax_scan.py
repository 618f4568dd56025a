"""The same layers in JAX: `lax.scan` under `jit`, written as its own users write it fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Pass, Run

Array = NDArray[np.float32]
Weights = dict[str, Any]

WAYS = {"scan": (True, 1), "scan, unrolled 8": (True, 8), "scan, x W in the step": (False, 1)}
"""Whether the input's product is taken before the loop as one, and how many steps a turn of the loop has."""


def runs(cell: str, state_dict: Mapping[str, Any], which: Pass, x: Array, dh: Array) -> dict[str, Run]:
    """One contestant a way; arrays of NumPy go in and come out.

    Shapes:
        state_dict: torch's, of one layer in one direction; x: ``[T, B, I]``; dh: ``[T, B, H]``.
    """
    weights = _weights(cell, {name: weight.numpy() for name, weight in state_dict.items()})
    return {f"jax {name}": _run(_layer(cell, *way), weights, which, x, dh) for name, way in WAYS.items()}


def _weights(cell: str, torchs: dict[str, Array]) -> Weights:
    """Transposed, so that rows are multiplied from the right; biases added up where the cell lets them."""
    b_xh, b_hh = torchs["bias_ih_l0"], torchs["bias_hh_l0"]
    weights = {"W_x": torchs["weight_ih_l0"].T, "W_h": torchs["weight_hh_l0"].T, "b": b_xh + b_hh}
    if cell == "gru":  # r multiplies the recurrent product of n, its bias included
        H = weights["W_h"].shape[0]
        weights["b_n"] = b_hh[2 * H :]
        weights["b"][2 * H :] = b_xh[2 * H :]
    return {name: jnp.array(np.ascontiguousarray(weight)) for name, weight in weights.items()}


def _rnn(weights: Weights, xw: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    return (jnp.tanh(xw + state[0] @ weights["W_h"]),)


def _gru(weights: Weights, xw: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    (h,) = state
    H = h.shape[1]
    hw = h @ weights["W_h"]
    rz = jax.nn.sigmoid(xw[:, : 2 * H] + hw[:, : 2 * H])
    r, z = rz[:, :H], rz[:, H:]
    n = jnp.tanh(xw[:, 2 * H :] + r * (hw[:, 2 * H :] + weights["b_n"]))
    return (n + z * (h - n),)


def _lstm(weights: Weights, xw: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    h, c = state
    i, f, g, o = jnp.split(xw + h @ weights["W_h"], 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


STEPS = {"rnn": (_rnn, 1), "gru": (_gru, 1), "lstm": (_lstm, 2)}
"""The step of a cell and how many states it has; h is the first."""


def _layer(cell: str, before: bool, unroll: int) -> Callable[[Weights, Any], Any]:
    step, states = STEPS[cell]

    def layer(weights: Weights, x: Any) -> Any:
        def product(rows: Any) -> Any:
            return rows @ weights["W_x"] + weights["b"]

        def body(state: tuple[Any, ...], rows: Any) -> tuple[tuple[Any, ...], Any]:
            state = step(weights, rows if before else product(rows), state)
            return state, state[0]

        zeros = jnp.zeros((x.shape[1], weights["W_h"].shape[0]), x.dtype)
        _, h = jax.lax.scan(body, (zeros,) * states, product(x) if before else x, unroll=unroll)
        return h

    return layer


def _run(layer: Callable[[Weights, Any], Any], weights: Weights, which: Pass, x: Array, dh: Array) -> Run:
    if not which.training:
        forward = jax.jit(layer)
        return lambda: [np.asarray(forward(weights, x))]

    def with_gradients(weights: Weights, x: Any, dh: Any) -> tuple[Any, Any]:
        if which.dx:
            h, pull = jax.vjp(layer, weights, x)
        else:
            h, pull = jax.vjp(lambda weights: layer(weights, x), weights)
        return h, pull(dh)

    train = jax.jit(with_gradients)

    def run() -> list[Array]:
        h, (dW, *dx) = jax.block_until_ready(train(weights, x, dh))
        return [np.asarray(array) for array in (h, *dx, dW["W_x"].T, dW["W_h"].T)]

    return run
