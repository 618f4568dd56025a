"""The worked examples as traces, so that the page has something to show where nothing was trained yet."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import unrolled
from unrolled import unroll
from unrolled.cells import Array
from unrolled.traces import Trace
from unrolled.walkthroughs import hello, two_steps, vanishing
from unrolled.walkthroughs.network import cross_entropy, positions

GRADIENTS = ("dh_out", "dh_carry", "dh", "dc", "da")


def spelled(learned: bool) -> Trace:
    """The walkthrough ``hello``: a word from letter to letter, before and after training."""
    word = "hello"
    letters = "".join(dict.fromkeys(word))
    ids = positions(word, letters)
    training = hello.train(hello.given(), ids, letters)
    parameters = training.last if learned else training.first
    H, W_hy = len(parameters["W_xh"]), parameters["W_hy"]
    weights = {
        "W_xh": parameters["W_xh"],
        "W_hh": parameters["w"] * np.eye(H),
        "b_hh": np.full(H, parameters["b"]),
    }
    x = np.eye(len(letters))[ids[:-1], None]
    y = unroll.forward("rnn_tanh", weights, x).output @ W_hy.T
    loss = cross_entropy(y[:, 0], ids[1:])
    arrays = {
        "ids": ids[:-1, None],
        "targets": ids[1:, None],
        "y": y,
        "p": loss.p[:, None],
        "dy": loss.dy[:, None],
        "loss_t": loss.loss_t[:, None],
    }
    facts = {"tokens": [[*word[:-1]]], "outputs": [*letters], "loss": loss.mean}
    name = f"hello, {'trained' if learned else 'untrained'}"
    return _trace(name, ("rnn_tanh", weights, x), (loss.dy @ W_hy)[:, None], facts, arrays)


def by_hand() -> Trace:
    """The walkthrough ``two-steps``: forward and back with a pencil."""
    one = two_steps.run(two_steps.WEIGHTS, two_steps.X, two_steps.Z)
    weights = {name: two_steps.WEIGHTS[name] for name in ("W_xh", "W_hh")}
    x = two_steps.X[:, None]
    facts = {"loss": float(one.loss_t.sum())}
    return _trace("two steps", ("rnn_sigmoid", weights, x), one.dh_out[:, None, None], facts, {})


def dying(name: str, norm: float, bias: float = 0.0) -> Trace:
    """The walkthrough ``vanishing``: the gradient of the last state, 100 steps back."""
    cell, weights, x, u = vanishing.draw(name, norm, 100, bias=bias)
    dh_out = np.zeros((len(x), 1, u.shape[1]))
    dh_out[-1] = u[:1]
    said = f"vanishing, {name}, |W_hh| = {norm:g}" + (
        f", bias of the gate that keeps {bias:g}" if bias else ""
    )
    return _trace(said, (cell, weights, x[:, :1]), dh_out, {}, {})


EXAMPLES: Mapping[str, tuple[str, Callable[[], Trace]]] = {
    "hello": ("hello: a word spelled by three units, trained", partial(spelled, True)),
    "hello-untrained": ("hello: the same before training", partial(spelled, False)),
    "two-steps": ("two steps: forward and back by hand", by_hand),
    "vanishing": ("vanishing: an RNN forgets, 100 steps", partial(dying, "tanh", 0.8)),
    "keeping": ("vanishing: an LSTM whose gates keep", partial(dying, "LSTM", 1.0, 5.0)),
    "exploding": ("vanishing: the opposite, an RNN that explodes", partial(dying, "identity", 1.2)),
}
"""By name: a title, and what makes the trace."""


def _trace(
    name: str,
    network: tuple[str, Mapping[str, Array], Array],
    dh_out: Array,
    facts: Mapping[str, Any],
    extra: Mapping[str, Array],
) -> Trace:
    """The trace of one layer that the reference ran, and what its outputs' gradients do to it.

    Args:
        network: cell, weights and input.

    Shapes:
        dh_out: ``[T, 1, H]``.
    """
    cell, weights, x = network
    (T, B, I), H = x.shape, dh_out.shape[2]
    tape = unroll.forward(cell, weights, x, engine="reference")
    unroll.backward(tape, dh_out, keep=[name for name in GRADIENTS if name != "dc" or "c" in tape.arrays])
    kept = {key: value for key, value in tape.arrays.items() if not key.endswith("_n")}
    arrays = {f"l0/{key}": np.array(value) for key, value in {**kept, **weights, "x": x}.items()}
    arrays["l0/G"] = _itemised(cell, weights, x, dh_out)
    layer = {"name": "l0", "module": "", "number": 0, "call": 0, "cell": cell, "direction": "forward"}
    layer |= {"T": T, "B": B, "I": I, "H": H, "first_step": 0, "whole_T": T}
    found: dict[str, Any] = {
        "model": {"name": name},
        "weights_sha256": _digest(weights),
        "tokens": [],
        "versions": {
            "unrolled": unrolled.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "seed": 0,
        "keep": {"arrays": ["forward", "backward", "G"], "steps": None, "units": None},
        "left_out": {},
        "loss": None,
        "layers": [layer],
    }
    return Trace(arrays | {key: np.array(value) for key, value in extra.items()}, found | dict(facts))


def _digest(weights: Mapping[str, Array]) -> str:
    hasher = hashlib.sha256()
    for name, array in weights.items():
        hasher.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()


def _itemised(cell: str, weights: Mapping[str, Array], x: Array, dh_out: Array) -> Array:
    """What the part of the loss that is read off each single step does to every state.

    Shapes:
        gives ``[T, T]``.
    """
    G = np.zeros((len(x), len(x)))
    for s in np.flatnonzero(np.abs(dh_out).any(axis=(1, 2))):
        tape = unroll.forward(cell, weights, x[: s + 1], engine="reference")
        alone = np.zeros_like(dh_out[: s + 1])
        alone[s] = dh_out[s]
        unroll.backward(tape, alone, keep=["dh"])
        G[s, : s + 1] = np.linalg.norm(tape.dh[:, 0], axis=1)
    return G
