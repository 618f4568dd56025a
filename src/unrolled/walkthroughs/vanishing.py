"""How a gradient lives and dies on its way back through many steps, and what can be done about it.

The loss is a drawn number made of the last state, L = u · h_T with |u| = 1. What arrives k steps before is
|dL/ds|, with s all that a step hands on: h, and c of an LSTM.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from unrolled import unroll
from unrolled.errors import OptionError
from unrolled.tape import Tape
from unrolled.walkthroughs.network import Array, Parameters
from unrolled.walkthroughs.page import (
    Block,
    Cell,
    Section,
    Walkthrough,
    command,
    lines,
    scientific,
    table,
    tables,
)

H, I, BATCH = 32, 4, 16
"""Hidden units, features, and sequences over which squares are averaged."""

NORMS = (0.5, 0.8, 1.0, 1.2, 1.5, 2.0)
"""Of W_hh: the factor by which it lengthens what it lengthens most."""

CELLS = {"identity": "rnn_identity", "tanh": "rnn_tanh", "relu": "rnn_relu", "LSTM": "lstm", "GRU": "gru"}
"""Names in the tables, and those of the cells."""

BIASES = (0.0, 1.0, 2.0, 3.0, 5.0)
"""Of the gate that keeps the state: the LSTM's forget gate, the GRU's update gate."""

DISTANCES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)

CLIP = 1.0
"""The norm beyond which a gradient is shortened."""

Start: TypeAlias = Literal["orthogonal", "drawn"]


class Way(NamedTuple):
    """A gradient's way back.

    Shapes:
        norms: ``[T+1]``, |dL/ds| 0, 1, … T steps before the last state; first: ``[T+1, S]``, dL/ds of the
            first sequence; gradient: ``[G*H, H]``, dW_hh, over all steps, of the mean over the sequences.
    """

    norms: Array
    first: Array
    gradient: Array

    def lost(self) -> str:
        """After how many steps less than 1 % is left."""
        below = np.flatnonzero(self.norms < 0.01)
        return str(below[0]) if len(below) else "-"


def recurrent(G: int, norm: float, start: Start, rng: np.random.Generator) -> Array:
    """``W_hh [G*H, H]``, each gate's part an orthogonal matrix or a drawn one, scaled to ``norm``."""
    drawn = [rng.normal(size=(H, H)) for _ in range(G)]
    if start == "orthogonal":
        drawn = [np.linalg.qr(W)[0] for W in drawn]
    return np.concatenate([norm * W / np.linalg.norm(W, 2) for W in drawn])


class Problem(NamedTuple):
    """A network of one of the `CELLS`, noise to read, and what its last state is multiplied with.

    Shapes:
        weights: W_xh ``[G*H, I]``, W_hh ``[G*H, H]``, b_hh ``[G*H]``; x: ``[T, B, I]``; u: ``[B, H]``.
    """

    cell: str
    weights: Parameters
    x: Array
    u: Array


def draw(
    name: str, norm: float, steps: int, start: Start = "orthogonal", bias: float = 0.0, seed: int = 0
) -> Problem:
    """Draws a network whose W_hh has this norm; ``bias`` is that of the gate which keeps the state."""
    cell, rng = CELLS[name], np.random.default_rng(seed)
    G = {"lstm": 4, "gru": 3}.get(cell, 1)
    weights = {"W_hh": recurrent(G, norm, start, rng), "W_xh": rng.normal(size=(G * H, I)) / np.sqrt(I)}
    weights["b_hh"] = np.zeros(G * H)
    if G > 1:
        weights["b_hh"][H : 2 * H] = bias  # i f g o and r z n: the gate that keeps is the second of both
    x, u = rng.normal(size=(steps, BATCH, I)), rng.normal(size=(BATCH, H))
    return Problem(cell, weights, x, u / np.linalg.norm(u, axis=1, keepdims=True))


def way_back(problem: Problem) -> Way:
    """Runs the network and follows the gradient of its last state back."""
    cell, weights, x, u = problem
    tape = unroll.forward(cell, weights, x)
    unroll.backward(tape, final={"h": u}, keep=["dh", *(["dc"] if cell == "lstm" else [])])
    ds = np.concatenate([tape.dh_0[None], tape.dh])
    if cell == "lstm":
        ds = np.concatenate([ds, np.concatenate([tape.dc_0[None], carried(tape)])], axis=-1)
    return Way(lengths(ds)[::-1], ds[::-1, 0], tape.dW_hh / BATCH)


def lengths(ds: Array) -> Array:
    """The length of each step's gradients, root mean square over the batch; no square over- or underflows.

    Shapes:
        ds: ``[T, B, S]``; the result ``[T]``.

    Example:
        >>> lengths(np.full((1, 2, 4), 1e-200)).tolist()
        [2e-200]
    """
    largest = np.abs(ds).max(axis=(1, 2), keepdims=True)
    largest[largest == 0] = 1
    return largest[:, 0, 0] * np.sqrt(((ds / largest) ** 2).sum(axis=-1).mean(axis=-1))


def carried(tape: Tape[unroll.Cell]) -> Array:
    """The gradient of an LSTM's c from the future alone, without its way through h.

    Maths: h = o tanh(c), so ``dc = dc_carry + dh * o * (1 - tanh²(c))``.

    Shapes:
        result: ``[T, B, H]``.
    """
    return tape.dc - tape.dh * tape.gate("o") * (1 - np.tanh(tape.c[1:]) ** 2)


def walk(steps: int = 100, seed: int = 0, every_step: bool = False) -> Walkthrough:
    """How gradients vanish and explode over many steps, by |W_hh| and cell, and what changes it.

    Raises:
        OptionError: ``steps`` is not 2 to 500.
    """
    if not 2 <= steps <= 500:
        raise OptionError("walkthrough vanishing: steps", "be 2 to 500", steps, "Leave it out for 100.")
    grid = [(cell, norm) for cell in CELLS for norm in NORMS]
    sweep = {(cell, norm): way_back(draw(cell, norm, steps, seed=seed)) for cell, norm in grid}
    drawn = {(cell, norm): way_back(draw(cell, norm, steps, "drawn", seed=seed)) for cell, norm in grid}
    gates = {
        (cell, bias): way_back(draw(cell, 1.0, steps, bias=bias, seed=seed))
        for cell in ("LSTM", "GRU")
        for bias in BIASES
    }
    sections = [
        _question(),
        _sweep(sweep, steps),
        *(_distances(sweep, norm, steps, every_step) for norm in (NORMS if every_step else (0.5, 1.0, 2.0))),
        _starts(sweep, drawn, steps),
        _gates(gates, steps),
        _clipping(sweep),
        _remedies(sweep, drawn, gates, steps),
        *([_all(sweep, drawn, gates)] if every_step else []),
    ]
    numbers = {f"{cell}/{norm}/norms": way.norms for (cell, norm), way in sweep.items()}
    numbers |= {f"{cell}/{norm}/drawn/norms": way.norms for (cell, norm), way in drawn.items()}
    numbers |= {f"{cell}/1.0/bias {bias}/norms": way.norms for (cell, bias), way in gates.items()}
    numbers |= {f"{cell}/{norm}/|dW_hh|": np.linalg.norm(way.gradient) for (cell, norm), way in sweep.items()}
    numbers |= {f"{cell}/1.0/dL/ds of the first sequence": sweep[cell, 1.0].first for cell in CELLS}
    line = command("vanishing", steps=(steps, 100), seed=(seed, 0), every_step=(every_step, False))
    return Walkthrough(line, f"How a gradient dies over {steps} steps", sections, numbers)


def _question() -> Section:
    return Section(
        "What is measured",
        (
            f"""
            A network of {H} units reads noise. The loss is a drawn number made of its last state, L = u ·
            h_T with |u| = 1. Its gradient sets out with length 1 and goes back step by step:
            """,
            lines("dL/dh_{t-1} = W_hhᵀ diag(f'(a_t)) dL/dh_t\n|dL/dh_{t-1}| ≤ |W_hh| · max f' · |dL/dh_t|"),
            f"""
            |W_hh| is the factor by which W_hh lengthens what it lengthens most. The slope f' is 1 for the
            identity, 0 or 1 for relu, 1 - h² for tanh: never above 1. So over k steps no more than |W_hh|^k
            can arrive. For an LSTM s = (h, c) is what a step hands on, and |dL/ds| is shown; each of its
            four parts of W_hh has the norm given, and each of the GRU's three. Lengths are root mean
            squares over {BATCH} sequences.
            """,
        ),
    )


Ways: TypeAlias = dict[tuple[str, float], Way]


def _sweep(sweep: Ways, steps: int) -> Section:
    ends: list[list[Cell]] = [
        [f"{norm}", scientific(norm**steps), *(scientific(sweep[cell, norm].norms[-1]) for cell in CELLS)]
        for norm in NORMS
    ]
    lost: list[list[Cell]] = [[f"{norm}", *(sweep[cell, norm].lost() for cell in CELLS)] for norm in NORMS]
    return Section(
        f"What arrives {steps} steps before",
        (
            """
            Orthogonal W_hh times the number at the left: it lengthens every direction alike, so what is
            lost is lost in the non-linearity and the gates.
            """,
            table(["|W_hh|", f"|W_hh|^{steps}", *CELLS], ends),
            """
            The identity gives |W_hh| to the power of the steps, as it must. With relu about half of the
            units are off at each step and pass nothing; tanh loses wherever a unit is far from 0. Above 1
            the bound explodes, and with it what does not saturate. LSTM and GRU as drawn have all gates
            about half open, and at a small |W_hh| lose about half at each step.
            """,
            "After how many steps is less than 1 % left?",
            table(["|W_hh|", *CELLS], lost),
        ),
    )


def _distances(sweep: Ways, norm: float, steps: int, every_step: bool) -> Section:
    chosen = range(steps + 1) if every_step else sorted({k for k in DISTANCES if k < steps} | {steps})
    rows: list[list[Cell]] = [
        [str(k), *(scientific(sweep[cell, norm].norms[k]) for cell in CELLS)] for k in chosen
    ]
    more = "" if every_step else " (--every-step shows them all)"
    return Section(
        f"On the way, |W_hh| = {norm}",
        (f"|dL/ds| k steps before the last{more}:", table(["k", *CELLS], rows)),
    )


def _starts(sweep: Ways, drawn: Ways, steps: int) -> Section:
    cells = ("identity", "tanh", "relu")
    header = ["|W_hh|", *(name for cell in cells for name in (cell, "drawn"))]
    rows: list[list[Cell]] = [
        [f"{norm}", *(scientific(ways[cell, norm].norms[-1]) for cell in cells for ways in (sweep, drawn))]
        for norm in NORMS
    ]
    return Section(
        "What an orthogonal start changes",
        (
            f"""
            The same |W_hh|, {steps} steps before: for each cell the orthogonal start and beside it a drawn
            matrix. That lengthens one direction by |W_hh| and the others by less, and the gradient meets
            that direction only in passing:
            """,
            table(header, rows),
            """
            An orthogonal start takes the matrix's own loss away, not that of the non-linearity. It is a
            start: training moves W_hh away from it.
            """,
        ),
    )


def _gates(gates: Ways, steps: int) -> Section:
    rows: list[list[Cell]] = []
    for bias in BIASES:
        opened = 1 / (1 + np.exp(-bias))
        ends = [scientific(gates[cell, bias].norms[-1]) for cell in ("LSTM", "GRU")]
        lost = [gates[cell, bias].lost() for cell in ("LSTM", "GRU")]
        rows.append([f"{bias:.0f}", f"{opened:.4f}", scientific(opened**steps), *ends, *lost])
    return Section(
        "What gates change",
        (
            f"""
            The state of an LSTM goes from step to step times its forget gate, c_t = f c_{{t-1}} + i g; that
            of a GRU times its update gate, h_t = z h_{{t-1}} + (1 - z) n. On this way there is no W_hh and
            no tanh. With a bias b the gate stands near σ(b), and about σ(b)^k arrives; |W_hh| = 1, {steps}
            steps before, and after how many steps less than 1 % is left:
            """,
            table(["bias", "σ(b)", f"σ(b)^{steps}", "LSTM", "GRU", "LSTM < 1 %", "GRU < 1 %"], rows),
            f"""
            With a bias of 3 the LSTM's {scientific(gates["LSTM", 0.0].norms[-1])} becomes
            {scientific(gates["LSTM", 3.0].norms[-1])}. It is not just σ(b)^k that arrives: the gates vary
            about σ(b), and there are other ways back, through h and the gates.
            """,
        ),
    )


def _clipping(sweep: Ways) -> Section:
    rows: list[list[Cell]] = []
    for cell, norm in (("tanh", 0.8), ("tanh", 1.0), ("tanh", 2.0), ("relu", 1.5), ("relu", 2.0)):
        way = sweep[cell, norm]
        length = float(np.linalg.norm(way.gradient))
        factor = min(1.0, CLIP / length)
        row = (length, factor, length * factor, way.norms[0] * factor, way.norms[-1] * factor)
        rows.append([f"{cell}, {norm}", *map(scientific, row), scientific(way.norms[-1] / way.norms[0])])
    return Section(
        "What clipping changes",
        (
            f"""
            Clipping multiplies a gradient longer than {CLIP:.0f} by {CLIP:.0f} / its length, here that of
            W_hh (of the mean over the {BATCH} sequences). With it |dL/ds| at the last step and at the first
            is multiplied:
            """,
            table(["", "|dW_hh|", "factor", "clipped", "at last", "at first", "first : last"], rows),
            """
            An exploding gradient gives an update of a sensible length, and that is what clipping is for. It
            is the same factor for all steps, so the ratio of first to last stays: where the first steps'
            gradients explode, the last ones' are made too small to be heard. A gradient that vanished is
            not longer than it should be, and clipping brings nothing back.
            """,
        ),
    )


def _remedies(sweep: Ways, drawn: Ways, gates: Ways, steps: int) -> Section:
    rows: list[list[Cell]] = [
        ["tanh, drawn", *_both(drawn["tanh", 1.0])],
        ["tanh, orthogonal start", *_both(sweep["tanh", 1.0])],
        ["relu, orthogonal start", *_both(sweep["relu", 1.0])],
        ["LSTM, drawn", *_both(drawn["LSTM", 1.0])],
        ["LSTM, orthogonal start", *_both(sweep["LSTM", 1.0])],
        ["LSTM, and forget bias 1", *_both(gates["LSTM", 1.0])],
        ["LSTM, and forget bias 3", *_both(gates["LSTM", 3.0])],
        ["GRU, and update bias 3", *_both(gates["GRU", 3.0])],
    ]
    return Section(
        "Side by side, |W_hh| = 1",
        (
            table(["", f"{steps} steps before", "less than 1 % after"], rows),
            """
            `unrolled.unroll` ran forward and backward, with the cells `rnn_identity`, `rnn_tanh`,
            `rnn_relu`, `lstm` and `gru`. The tests compare the gradients with torch's autograd on an
            explicit loop.
            """,
        ),
    )


def _both(way: Way) -> tuple[str, str]:
    lost = way.lost()
    return scientific(way.norms[-1]), "not yet" if lost == "-" else f"{lost} steps"


def _all(sweep: Ways, drawn: Ways, gates: Ways) -> Section:
    """Every length on the way, where the other sections show its end, and the numbers that it is made of."""
    parts: list[str | Block] = []

    def add(words: str, names: Sequence[str], columns: Sequence[Array]) -> None:
        rows: list[list[Cell]] = [
            [str(k), *map(scientific, map(float, row))] for k, row in enumerate(np.stack(columns, 1))
        ]
        parts.extend([words, *tables(["k", *names], rows)])

    for cell in CELLS:
        ways = [drawn[cell, norm].norms for norm in NORMS]
        add(f"{cell}, a drawn start, |dL/ds| k steps before, by |W_hh|:", list(map(str, NORMS)), ways)
    for cell in ("LSTM", "GRU"):
        ways = [gates[cell, bias].norms for bias in BIASES]
        add(f"{cell}, |W_hh| = 1, |dL/ds| by the bias of the gate that keeps:", list(map(str, BIASES)), ways)
    for cell in CELLS:
        first = sweep[cell, 1.0].first
        names = [f"h {k + 1}" for k in range(H)] + [f"c {k + 1}" for k in range(first.shape[1] - H)]
        add(
            f"{cell}, |W_hh| = 1, orthogonal: dL/ds of the first sequence, number by number:",
            names,
            list(first.T),
        )
    return Section("Every number of every step", tuple(parts))
