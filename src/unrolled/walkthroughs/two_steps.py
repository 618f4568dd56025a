"""Three inputs, one hidden unit, one output, two time steps: all there is to backpropagation through time.

h_t = σ(W_xh x_t + W_hh h_{t-1})        o_t = σ(W_hy h_t)        L = ½ (o_1 - z_1)² + ½ (o_2 - z_2)²
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled import unroll
from unrolled.cells.base import sigmoid
from unrolled.tape import Tape
from unrolled.walkthroughs.network import Array, Parameters
from unrolled.walkthroughs.page import Block, Section, Walkthrough, lines, table

WEIGHTS = {"W_xh": np.array([[0.5, -0.3, 0.2]]), "W_hh": np.array([[0.8]]), "W_hy": np.array([[1.2]])}
X = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
Z = np.array([0.0, 1.0])
"""Weights, inputs ``[T, 3]`` and targets ``[T]``, simple enough for a pencil."""

RATE = 0.5
"""What an update multiplies the gradient with."""

SMALL = 1e-4
"""A rate so small that an update hardly moves the weights."""

NAMES = [f"W_xh[{k + 1}]" for k in range(3)] + ["W_hh", "W_hy"]
"""The five weights."""


class Pass(NamedTuple):
    """Forward and back over one step or more.

    Shapes:
        h: ``[T+1]``; a, y, o, loss_t, dy, dh_out, dh_carry, dh, da: ``[T]``.
        parts: ``[T, 5]``, what each step adds to the gradients of the weights, in the order of `NAMES`.
    """

    h: Array
    a: Array
    y: Array
    o: Array
    loss_t: Array
    dy: Array
    dh_out: Array
    dh_carry: Array
    dh: Array
    da: Array
    parts: Array
    tape: Tape[unroll.Cell]

    @property
    def gradient(self) -> Array:
        """Of all five weights, ``[5]``; the recurrent ones as the backward pass summed them."""
        dW_hy = (self.dy * self.h[1:]).sum()
        return np.concatenate([self.tape.dW_xh[0], self.tape.dW_hh[0], [dW_hy]])


def run(weights: Parameters, x: Array, z: Array, h_0: float = 0.0) -> Pass:
    """Runs the network over inputs and back.

    Shapes:
        x: ``[T, 3]``; z: ``[T]``.
    """
    recurrent = {name: weights[name] for name in ("W_xh", "W_hh")}
    tape = unroll.forward("rnn_sigmoid", recurrent, x[:, None], {"h": np.array([[h_0]])})
    h, W_hy = tape.h[:, 0, 0], weights["W_hy"].item()
    y = W_hy * h[1:]
    o = sigmoid(y)
    dy = (o - z) * o * (1 - o)
    unroll.backward(tape, (W_hy * dy)[:, None, None], keep=["dh_out", "dh_carry", "dh", "da"])
    dh_out, dh_carry, dh, da = (
        value.reshape(len(x)) for value in (tape.dh_out, tape.dh_carry, tape.dh, tape.da)
    )
    parts = np.column_stack([da[:, None] * x, da * h[:-1], dy * h[1:]])
    xw, hw = unroll.preactivations(tape)
    a = (xw + hw).reshape(len(x))
    return Pass(h, a, y, o, (o - z) ** 2 / 2, dy, dh_out, dh_carry, dh, da, parts, tape)


def flat(weights: Parameters) -> Array:
    """The five weights as one row, in the order of `NAMES`."""
    return np.concatenate([value.ravel() for value in weights.values()])


def moved(weights: Parameters, gradient: Array, rate: float = RATE) -> Parameters:
    """The weights after one update."""
    row = flat(weights) - rate * gradient
    return {"W_xh": row[None, :3], "W_hh": row[None, 3:4], "W_hy": row[None, 4:]}


class Online(NamedTuple):
    """Two updates, one at each step, beside the one update with the sum.

    Each step goes back through itself alone: the state that came in is a number, because the weights that
    made it are no more.
    """

    steps: tuple[Pass, Pass]
    weights: Parameters


def online(rate: float = RATE) -> Online:
    """Runs step 1, updates, runs step 2 with the new weights, updates again."""
    first = run(WEIGHTS, X[:1], Z[:1])
    between = moved(WEIGHTS, first.gradient, rate)
    second = run(between, X[1:], Z[1:], first.h[1].item())
    return Online((first, second), moved(between, second.gradient, rate))


def walk() -> Walkthrough:
    """Forward at t = 1 and t = 2 with the same weights, then back: what is added up, what is handed on."""
    both, each = run(WEIGHTS, X, Z), online()
    summed = moved(WEIGHTS, both.gradient)
    sections = [
        _network(),
        _forward(both),
        _backward(both),
        _updates(both, summed),
        _one_at_a_time(both, summed, each),
        _feed_forward(run(WEIGHTS, X[1:], Z[1:]), both),
        _how_gradients_flow(both),
        _how_weights_are_updated(both),
        _what_is_kept_forward(both),
        _what_is_kept_back(both),
        _source(),
    ]
    numbers: dict[str, object] = {"names": NAMES, "weights": flat(WEIGHTS), "x": X, "z": Z}
    alone = run(WEIGHTS, X[1:], Z[1:])
    for name, one in (("both", both), ("first", each.steps[0]), ("second", each.steps[1]), ("alone", alone)):
        numbers |= {f"{name}/{key}": value for key, value in one._asdict().items() if key != "tape"}
        numbers |= {f"{name}/gradient": one.gradient, f"{name}/loss": one.loss_t.sum()}
    numbers |= {"summed/weights": flat(summed), "online/weights": flat(each.weights)}
    numbers |= {
        "summed/loss": run(summed, X, Z).loss_t.sum(),
        "online/loss": run(each.weights, X, Z).loss_t.sum(),
    }
    return Walkthrough("two-steps", "Two steps of time, forward and back", sections, numbers)


def _network() -> Section:
    return Section(
        "The network",
        (
            """
            Three inputs, one hidden unit, one output; the sigmoid σ(a) = 1 / (1 + e^-a) everywhere; no
            biases:
            """,
            lines(
                """
                h_t = σ(a_t)    a_t = W_xh x_t + W_hh h_{t-1}    h_0 = 0
                o_t = σ(y_t)    y_t = W_hy h_t
                L_t = ½ (o_t - z_t)²                             L = L_1 + L_2

                W_xh = (0.5, -0.3, 0.2)    W_hh = 0.8    W_hy = 1.2

                t = 1    x_1 = (1, 0, 1)    wanted: z_1 = 0
                t = 2    x_2 = (0, 1, 1)    wanted: z_2 = 1
                """
            ),
        ),
    )


def _forward(one: Pass) -> Section:
    h, y, o, a = one.h, one.y, one.o, one.a
    return Section(
        "Forward, t = 1 then t = 2",
        (
            "The same five weights at both steps. The only thing that passes from one to the other is h_1:",
            lines(
                f"""
                a_1 = 0.5*1 - 0.3*0 + 0.2*1 + 0.8*{h[0]:.6f} = {a[0]:.6f}
                h_1 = σ(a_1) = {h[1]:.6f}
                y_1 = 1.2*{h[1]:.6f} = {y[0]:.6f}
                o_1 = σ(y_1) = {o[0]:.6f}
                L_1 = ½ ({o[0]:.6f} - 0)² = {one.loss_t[0]:.6f}

                a_2 = 0.5*0 - 0.3*1 + 0.2*1 + 0.8*{h[1]:.6f} = {a[1]:.6f}
                h_2 = σ(a_2) = {h[2]:.6f}
                y_2 = 1.2*{h[2]:.6f} = {y[1]:.6f}
                o_2 = σ(y_2) = {o[1]:.6f}
                L_2 = ½ ({o[1]:.6f} - 1)² = {one.loss_t[1]:.6f}

                L   = {one.loss_t[0]:.6f} + {one.loss_t[1]:.6f} = {one.loss_t.sum():.6f}
                """
            ),
        ),
    )


def _back_lines(one: Pass, t: int) -> str:
    """Step t + 1 on the way back, with its arithmetic."""
    n, last = t + 1, t + 1 == len(one.o)
    carry = (
        "0, there is no later step"
        if last
        else f"W_hh da_{n + 1} = 0.8*{one.da[t + 1]:+.6f} = {one.dh_carry[t]:+.6f}"
    )
    o, h, z = one.o[t], one.h[t + 1], Z[t]
    return f"""\
dy_{n}       = (o_{n} - z_{n}) o_{n} (1 - o_{n}) = {o - z:+.6f} * {o * (1 - o):.6f} = {one.dy[t]:+.6f}
dh_out_{n}   = W_hy dy_{n} = 1.2*{one.dy[t]:+.6f} = {one.dh_out[t]:+.6f}
dh_carry_{n} = {carry}
dh_{n}       = dh_out_{n} + dh_carry_{n} = {one.dh[t]:+.6f}
da_{n}       = dh_{n} h_{n} (1 - h_{n}) = {one.dh[t]:+.6f} * {h * (1 - h):.6f} = {one.da[t]:+.6f}"""


def _backward(one: Pass) -> Section:
    return Section(
        "Back, t = 2 then t = 1",
        (
            "dv is dL/dv. h_2 acts on the loss through o_2 alone:",
            lines(_back_lines(one, 1)),
            """
            da_2 goes two ways: into the weights that made a_2, and through W_hh to the state that came in.
            h_1 acted on the loss through o_1 and through step 2, so its gradient is the sum of the two:
            """,
            lines(_back_lines(one, 0)),
        ),
    )


def _updates(one: Pass, summed: Parameters) -> Section:
    formulas = [f"da_t x_t[{k + 1}]" for k in range(3)] + ["da_t h_{t-1}", "dy_t h_t"]
    columns = (one.parts[1], one.parts[0], one.gradient, flat(WEIGHTS), flat(summed))
    rows = [[name, f, *map(float, row)] for name, f, *row in zip(NAMES, formulas, *columns, strict=True)]
    return Section(
        "The weights",
        (
            f"""
            Each weight was used twice, so the loss depends on it twice, and its gradient is the sum of the
            two steps' parts. One update, old - {RATE} * sum, when both are known:
            """,
            table(["", "part of t", "t = 2", "t = 1", "sum", "old", "new"], rows, left=2),
            "The part of W_hh at t = 1 is nothing because h_0 is: no state came in.",
        ),
    )


def _one_at_a_time(one: Pass, summed: Parameters, each: Online) -> Section:
    first, second = each.steps
    columns = (
        first.gradient,
        second.gradient,
        flat(each.weights),
        flat(summed),
        flat(each.weights) - flat(summed),
    )
    rows = [[name, *map(float, row)] for name, *row in zip(NAMES, *columns, strict=True)]
    handed = one.dh_carry[0] * one.h[1] * (1 - one.h[1])
    before, after = one.loss_t.sum(), [run(w, X, Z).loss_t.sum() for w in (summed, each.weights)]
    apart = (flat(online(SMALL).weights) - flat(moved(WEIGHTS, one.gradient, SMALL))) / SMALL
    return Section(
        "An update at every step instead",
        (
            """
            Step 1, back through step 1, update; then step 2 with the new weights, back through step 2,
            update:
            """,
            table(["", "step 1", "step 2", "new", "new, summed", "differs by"], rows),
            f"""
            Two things make the difference. Step 2 ran with weights that step 1 had moved already. And its
            gradient ended at h_1, which is now a mere number: the weights that made it are gone. So what
            step 2 would have handed to step 1 is lost. Of da_1 = {one.da[0]:+.6f} above that was dh_carry_1
            h_1 (1 - h_1) = {handed:+.6f}, that is {abs(handed / one.da[0]):.0%} of its size.
            """,
            f"""
            The first reason disappears with the rate, the second stays: at a rate of {SMALL}, W_xh[1]
            differs by {apart[0]:+.6f} times the rate: just what was lost.
            """,
            table(
                ["loss over both steps", ""],
                [
                    ["before any update", float(before)],
                    ["after one update with the sum", float(after[0])],
                    ["after an update at every step", float(after[1])],
                ],
            ),
            """
            The sum is the direction in which the loss of both steps falls most steeply. An update at every
            step takes another one; that it came out a little lower here is chance, of one update with these
            numbers.
            """,
        ),
    )


def _feed_forward(alone: Pass, both: Pass) -> Section:
    rows = [
        ["state that comes in", f"{both.h[1]:.6f}", "none (0)"],
        ["h", f"{both.h[2]:.6f}", f"{alone.h[1]:.6f}"],
        ["o", f"{both.o[1]:.6f}", f"{alone.o[0]:.6f}"],
        ["dh from its own output", f"{both.dh_out[1]:+.6f}", f"{alone.dh_out[0]:+.6f}"],
        ["dh from a later step", "none (0)", "none (0)"],
        ["da", f"{both.da[1]:+.6f}", f"{alone.da[0]:+.6f}"],
        ["part of dW_hh", f"{both.parts[1, 3]:+.6f}", f"{alone.parts[0, 3]:+.6f}"],
        ["handed to a step before", f"{both.dh_carry[0]:+.6f}", "nothing"],
        ["weights' gradients", "a sum over 2 steps", "this step's"],
    ]
    return Section(
        "Cut to one step: a feed-forward network",
        (
            """
            Give the same network x_2 alone. No state comes in, W_hh multiplies nothing and gets no
            gradient; there is nothing to add up over steps and no one to hand a gradient to. What is left
            is an ordinary network with one hidden layer:
            """,
            table(["at x_2", "second of two steps", "only step"], rows),
        ),
    )


def _how_gradients_flow(one: Pass) -> Section:
    down = one.h[2] * (1 - one.h[2])
    return Section(
        "How do gradients flow backwards through time?",
        (
            f"""
            Along the state, the other way round, one step at a time. dh_2 = {one.dh[1]:+.6f} is
            multiplied by the slope h_2 (1 - h_2) = {down:.6f} and by W_hh = 0.8 and arrives at h_1 as
            {one.dh_carry[0]:+.6f}: a factor of {0.8 * down:.6f}. There it is added to what h_1 got from
            its own output: {one.dh_out[0]:+.6f} {one.dh_carry[0]:+.6f} = {one.dh[0]:+.6f}. Over k steps
            that is k such factors: see `unrolled walkthrough vanishing`.
            """,
        ),
    )


def _how_weights_are_updated(one: Pass) -> Section:
    return Section(
        "How are the weights updated?",
        (
            f"""
            Once, with the sum of what all steps want. W_xh[3] saw x = 1 at both steps: step 2 adds
            {one.parts[1, 2]:+.6f} to its gradient, step 1 adds {one.parts[0, 2]:+.6f}, and the update
            is -{RATE} times the sum: -{RATE} * {one.gradient[2]:+.6f} = {-RATE * one.gradient[2]:+.6f}.
            """,
        ),
    )


def _what_is_kept_forward(one: Pass) -> Section:
    return Section(
        "What is kept going forward?",
        (
            "What the way back will read: every input, every state and every output, of every step.",
            _kept(one),
            f"""
            So the memory grows with the length: 8 bytes a number, for T steps of B sequences, I inputs,
            H units and K outputs 8 T B (I + H + K), and h_0 besides. T = 1,000, B = 32, I = H = 256 and
            K = 100 take {8 * 1000 * 32 * 612 / 2**20:,.0f} MiB, in float32 half of it. The a_t are not
            kept: the slope σ'(a) = h (1 - h) needs h alone.
            """,
        ),
    )


def _what_is_kept_back(one: Pass) -> Section:
    sums = one.tape.dW_xh.nbytes + one.tape.dW_hh.nbytes + 8
    return Section(
        "What is kept going back?",
        (
            f"""
            Only the gradient of the state between two steps, handed on and then overwritten:
            {one.tape.dh_0.nbytes} bytes here, 8 B H whatever the length. And one sum for each weight,
            to which every step adds: {sums} bytes for these five. This page shows dh and da of each
            step because it asked for them to be kept.
            """,
        ),
    )


def _source() -> Section:
    return Section(
        "How it was computed",
        (
            """
            `unrolled.unroll` ran forward and backward, with the cell `rnn_sigmoid`. The tests compare
            the numbers with torch's autograd on an explicit loop, and the gradients with central
            differences of the loss.
            """,
        ),
    )


def _kept(one: Pass) -> Block:
    rows = [
        [name, meaning, shape, str(array.nbytes)]
        for name, meaning, shape, array in (
            ("x", "inputs [T, B, I]", "2 x 1 x 3", one.tape.x),
            ("h", "states [T+1, B, H]", "3 x 1 x 1", one.h),
            ("y", "outputs [T, B, K]", "2 x 1 x 1", one.y),
        )
    ]
    total = sum(int(bytes_) for *_, bytes_ in rows)
    return table(["", "", "", "bytes"], [*rows, ["", "", "", str(total)]], left=2)
