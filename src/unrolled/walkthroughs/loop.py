"""The recurrence as a bare loop in Python, beside the same by a layer."""

from __future__ import annotations

import inspect
from typing import cast

import numpy as np

from unrolled.errors import OptionError
from unrolled.walkthroughs.network import Array, Parameters
from unrolled.walkthroughs.page import (
    Block,
    Cell,
    Section,
    Walkthrough,
    command,
    left_out,
    lines,
    shown,
    table,
    tables,
)

I, H = 32, 64
"""Features of a step, hidden units."""

UNITS = 4
"""Units shown of each state."""


SIZES = {"W_xh": (H, I), "W_hh": (H, H), "b": (H,)}


def bare_loop(x: Array, W_xh: Array, W_hh: Array, b: Array) -> Array:
    """All states of a sequence x [T, I], stacked to [T, H]."""
    h_t = np.zeros(len(W_hh))
    outputs: list[Array] = []
    for x_t in x:
        h_t = np.tanh(W_xh @ x_t + W_hh @ h_t + b)
        outputs.append(h_t)
    return np.stack(outputs)


def layer(x: Array, weights: Parameters) -> Array:
    """The same by `unrolled.nn.RNN`, in float64.

    Shapes:
        x: ``[T, I]``; the result ``[T, H]``.
    """
    import torch

    from unrolled.nn import RNN

    rnn = RNN(I, H, dtype=torch.float64)
    torchs = {"weight_ih_l0": "W_xh", "weight_hh_l0": "W_hh", "bias_ih_l0": "b"}
    state = {name: torch.from_numpy(weights[ours]) for name, ours in torchs.items()}
    rnn.load_state_dict(state | {"bias_hh_l0": torch.zeros(H, dtype=torch.float64)})
    with torch.inference_mode():
        output, _ = rnn(torch.from_numpy(x))
    return cast(Array, output.numpy())


def walk(steps: int = 100, seed: int = 0, every_step: bool = False) -> Walkthrough:
    """A sequence through a bare loop, the outputs stacked, and through a layer.

    Raises:
        OptionError: ``steps`` is not 1 to 10,000.
    """
    if not 1 <= steps <= 10_000:
        raise OptionError("walkthrough loop: steps", "be 1 to 10,000", steps, "Leave it out for 100.")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(steps, I))
    weights = {name: rng.uniform(-1, 1, size) / np.sqrt(H) for name, size in SIZES.items()}
    loop, by_layer = bare_loop(x, **weights), layer(x, weights)
    difference = float(np.abs(loop - by_layer).max())
    sections = [
        _recurrence(steps),
        _first(x, weights, loop),
        _states(loop, every_step),
        *([_all(x, weights, loop)] if every_step else []),
        _beside(loop, by_layer, difference),
    ]
    numbers = {"x": x, **weights, "loop": loop, "layer": by_layer, "difference": difference}
    line = command("loop", steps=(steps, 100), seed=(seed, 0), every_step=(every_step, False))
    return Walkthrough(line, "A recurrent network is a loop", sections, numbers)


def _recurrence(steps: int) -> Section:
    return Section(
        "The loop",
        (
            "A state h, zero at first. Each step makes the next state from the input and the state before:",
            lines("h_t = tanh(W_xh x_t + W_hh h_{t-1} + b)"),
            "That is all of it, and this is the code that ran for this page:",
            Block(tuple(inspect.getsource(bare_loop).splitlines()), "py"),
            table(
                ["", "", "shape", "numbers"],
                [
                    ["x", f"{steps} steps of {I} features", f"[{steps}, {I}]", f"{steps * I:,}"],
                    ["W_xh", "weights of the input", f"[{H}, {I}]", f"{H * I:,}"],
                    ["W_hh", "weights of the state", f"[{H}, {H}]", f"{H * H:,}"],
                    ["b", "bias", f"[{H}]", f"{H:,}"],
                    ["output", "every state, stacked", f"[{steps}, {H}]", f"{steps * H:,}"],
                ],
                left=3,
            ),
            f"""
            The {H * I + H * H + H:,} weights are the same at each step: a longer sequence needs no more of
            them.
            """,
        ),
    )


def _first(x: Array, weights: Parameters, loop: Array) -> Section:
    W_xh, W_hh, b = weights["W_xh"], weights["W_hh"], weights["b"]
    before = np.concatenate([np.zeros((1, H)), loop[:-1]])
    rows: list[list[Cell]] = []
    for t in range(min(3, len(x))):
        from_input, from_state = float(W_xh[0] @ x[t]), float(W_hh[0] @ before[t])
        a = from_input + from_state + float(b[0])
        rows.append([str(t + 1), from_input, from_state, float(b[0]), a, float(loop[t, 0])])
    return Section(
        "One unit",
        (
            f"""
            The first unit at the first steps: {I} products with the input, {H} with the state before, and
            the bias, all added up:
            """,
            table(["t", "W_xh x_t", "W_hh h_{t-1}", "b", "a, their sum", "h = tanh(a)"], rows),
        ),
    )


def _states(loop: Array, every_step: bool) -> Section:
    steps, last = shown(len(loop), every_step), -1
    rows: list[list[Cell]] = []
    for t in steps:
        if t != last + 1:
            rows.append([*"…" * (UNITS + 3)])
        norm = float(np.linalg.norm(loop[t]))
        rows.append([str(t + 1), *map(float, loop[t, :UNITS]), float(loop[t, -1]), norm])
        last = t
    header = ["t", *(f"unit {k + 1}" for k in range(UNITS)), f"unit {H}", "|h_t|"]
    prose = (
        f"The stacked outputs, [{len(loop)}, {H}]; of each state the first units, the last, and its length."
    )
    return Section("Every state", (prose + left_out(steps, len(loop)), table(header, rows)))


def _all(x: Array, weights: Parameters, loop: Array) -> Section:
    """Every number of every step, in the order in which they follow from each other."""
    W_xh, W_hh, b = weights["W_xh"], weights["W_hh"], weights["b"]
    from_input = x @ W_xh.T
    from_state = np.concatenate([np.zeros((1, H)), loop[:-1]]) @ W_hh.T
    parts: list[str | Block] = []
    for formula, name, values in (
        ("What is read, x_t:", "x", x),
        ("From the input, W_xh x_t:", "unit", from_input),
        ("From the state before, W_hh h_{t-1}:", "unit", from_state),
        ("The bias, b, the same at each step:", "unit", b[None]),
        ("Their sum, a_t = W_xh x_t + W_hh h_{t-1} + b:", "unit", from_input + from_state + b),
        ("The state, h_t = tanh(a_t):", "unit", loop),
    ):
        rows = [[str(t + 1), *map(float, row)] for t, row in enumerate(values)]
        parts += [formula, *tables(["t", *(f"{name} {k + 1}" for k in range(values.shape[1]))], rows)]
    return Section("Every number of every step", tuple(parts))


def _beside(loop: Array, by_layer: Array, difference: float) -> Section:
    agree = "less than 1e-12" if difference < 1e-12 else f"{difference:.1e}"
    return Section(
        "The same by a layer",
        (
            "The layer has the same weights (torch has two biases where one would do; the second is zero):",
            Block(("rnn = unrolled.nn.RNN(32, 64, dtype=torch.float64)", "output, h_n = rnn(x)"), "py"),
            table(
                ["", "shape", "last state, unit 1", f"unit {H}"],
                [
                    ["bare loop", str(list(loop.shape)), float(loop[-1, 0]), float(loop[-1, -1])],
                    ["layer", str(list(by_layer.shape)), float(by_layer[-1, 0]), float(by_layer[-1, -1])],
                ],
            ),
            f"""
            Number by number, {loop.size:,} of them, the two differ by {agree}. The layer walks the same
            loop, compiled where a compiler was found, for a whole batch, and knows the way back;
            `unrolled bench` measures how fast. The tests compare both with torch's own layer.
            """,
        ),
    )
