"""A network of three units spells a word: every number from letter to softmax, before and after training.

a_t = W_xh x_t + w h_{t-1} + b        w and b are single numbers, the same for every unit
h_t = tanh(a_t)
p_t = softmax(W_hy h_t)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unrolled import unroll
from unrolled.walkthroughs.network import (
    Adam,
    Array,
    Loss,
    Parameters,
    cross_entropy,
    letters_of,
    positions,
    read_until,
    seen,
)
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

RATE = 0.05
"""Adam's."""

MOST = 2000
"""Updates after which training gives up."""

JOURNEY = {0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
"""Updates after which the training is shown."""


class Pass(NamedTuple):
    """The network run over the word, and back.

    Shapes:
        x: ``[T, K]``; input_half, recurrent_half, a, h, dh_out, dh_carry, dh, da: ``[T, H]``; y: ``[T, K]``.
    """

    x: Array
    input_half: Array
    recurrent_half: Array
    a: Array
    h: Array
    y: Array
    loss: Loss
    dh_out: Array
    dh_carry: Array
    dh: Array
    da: Array
    gradients: Parameters

    def guesses(self, letters: str) -> str:
        """The likeliest letter after each step."""
        return "".join(letters[k] for k in self.y.argmax(axis=1))


def given() -> Parameters:
    """The weights that "hello" starts from; columns of W_xh and rows of W_hy are h, e, l, o."""
    columns = [
        (0.287027, 0.902874, 0.537524),
        (0.846060, 0.871522, 0.092240),
        (0.572392, 0.691079, 0.558159),
        (0.486813, 0.189980, 0.491528),
    ]
    rows = [
        (0.37168, 0.974829459, 0.830034886),
        (0.39141, 0.282585823, 0.659835709),
        (0.64985, 0.09821557, 0.334287084),
        (0.91266, 0.32581642, 0.144630018),
    ]
    single = {"w": np.array(0.427043), "b": np.array(0.567001)}
    return {"W_xh": np.array(columns).T, **single, "W_hy": np.array(rows)}


def drawn(K: int, seed: int) -> Parameters:
    """Weights for another word of K different letters: between 0 and 1, for at least three units."""
    rng, H = np.random.default_rng(seed), max(3, K)
    W_xh, w, b = rng.uniform(size=(H, K)), np.array(rng.uniform()), np.array(rng.uniform())
    return {"W_xh": W_xh, "w": w, "b": b, "W_hy": rng.uniform(size=(K, H))}


def run(parameters: Parameters, ids: Array) -> Pass:
    """Runs over all letters but the last, each of which shall foresee the next, and back.

    Shapes:
        parameters: W_xh ``[H, K]``, w and b ``[]``, W_hy ``[K, H]``; ids: ``[T+1]``.
    """
    W_xh, W_hy, (H, K) = parameters["W_xh"], parameters["W_hy"], parameters["W_xh"].shape
    weights = {"W_xh": W_xh, "W_hh": parameters["w"] * np.eye(H), "b_hh": np.full(H, parameters["b"])}
    tape = unroll.forward("rnn_tanh", weights, np.eye(K)[ids[:-1], None])
    input_half, recurrent_half = (half[:, 0, 0] for half in unroll.preactivations(tape))
    h = tape.output[:, 0]
    y = h @ W_hy.T
    loss = cross_entropy(y, ids[1:])
    unroll.backward(tape, (loss.dy @ W_hy)[:, None], keep=["dh_out", "dh_carry", "dh", "da"])
    gradients = {"W_xh": tape.dW_xh, "w": np.trace(tape.dW_hh), "b": tape.db_hh.sum(), "W_hy": loss.dy.T @ h}
    back = (tape.dh_out[:, 0], tape.dh_carry[:, 0], tape.dh[:, 0], tape.da[:, 0, 0])
    a = input_half + recurrent_half
    return Pass(tape.x[:, 0], input_half, recurrent_half, a, h, y, loss, *back, gradients)


class Training(NamedTuple):
    """How the training went: the passes before so many updates, the last of them when it ended."""

    passes: dict[int, Pass]
    first: Parameters
    last: Parameters
    learned: bool


def train(parameters: Parameters, ids: Array, letters: str) -> Training:
    """Updates until every next letter is the likeliest, or `MOST` times."""
    first = {name: value.copy() for name, value in parameters.items()}
    adam, passes = Adam(parameters, RATE), dict[int, Pass]()
    word = "".join(letters[k] for k in ids)
    while True:
        now, update = run(parameters, ids), adam.updates
        learned = now.guesses(letters) == word[1:]
        ends = learned or update == MOST
        if ends or update in JOURNEY:
            passes[update] = now
        if ends:
            return Training(passes, first, parameters, learned)
        adam.step(now.gradients)


def walk(word: str = "hello", seed: int = 0, every_step: bool = False) -> Walkthrough:
    """A word letter by letter, from one-hot input to softmax, before and after training.

    Raises:
        OptionError: a word that cannot be.
    """
    letters = letters_of(word, "walkthrough hello")
    ids = positions(word, letters)
    given_weights = word == "hello" and seed == 0
    parameters = given() if given_weights else drawn(len(letters), seed)
    training = train(parameters, ids, letters)
    start, updates = training.passes[0], max(training.passes)
    end = training.passes[updates]
    sections = [
        _network(letters, word, training.first, given_weights),
        _forward("Forward, untrained", start, word, letters, every_step),
        _one_by_one(start, training.first, word),
        _verdict("What it says", start, word, letters),
        _backward(start, word, training.first, every_step),
        _training(training, word, letters),
        _forward("Forward, trained", end, word, letters, every_step),
        _verdict("What it says now", end, word, letters),
        _source(given_weights),
    ]
    numbers = {"word": word, "letters": letters, "updates": updates, "learned": training.learned}
    for when, one, weights in (("untrained", start, training.first), ("trained", end, training.last)):
        numbers |= {f"{when}/{name}": value for name, value in weights.items()}
        numbers |= {
            f"{when}/{name}": value for name, value in one._asdict().items() if isinstance(value, np.ndarray)
        }
        numbers |= {f"{when}/p": one.loss.p, f"{when}/loss_t": one.loss.loss_t, f"{when}/loss": one.loss.mean}
        numbers |= {f"{when}/d{name}": value for name, value in one.gradients.items()}
    line = command("hello", word=(word, "hello"), seed=(seed, 0), every_step=(every_step, False))
    return Walkthrough(line, f"{word}: from a letter to the next", sections, numbers)


def _network(letters: str, word: str, weights: Parameters, given_weights: bool) -> Section:
    H, K = weights["W_xh"].shape
    single = f"w = {weights['w']:.6f}    b = {weights['b']:.6f}"
    where = "given" if given_weights else "drawn between 0 and 1"
    return Section(
        "The network",
        (
            f"""
            It reads {word!r} letter by letter and says after each which letter comes next. {K} letters, {H}
            hidden units; the recurrent weight w and the bias b are single numbers, the same for all units:
            """,
            lines(
                """
                a_t = W_xh x_t + w h_{t-1} + b
                h_t = tanh(a_t),  h_0 = 0
                y_t = W_hy h_t,   p_t = softmax(y_t)
                """
            ),
            f"""
            A single number w as recurrent weight means W_hh = w times the identity: each unit remembers
            itself and hears no other. (With w in every place of W_hh each unit would hear the sum of all.)
            The weights are {where}:
            """,
            *_weights(weights, letters),
            lines(single),
        ),
    )


def _weights(weights: Parameters, letters: str) -> tuple[Block, ...]:
    rows: list[list[Cell]] = [
        [f"{name} of {seen(letter)}", *map(float, value)]
        for name, values in (("column W_xh", weights["W_xh"].T), ("row W_hy", weights["W_hy"]))
        for letter, value in zip(letters, values, strict=True)
    ]
    return tables(["", *(f"unit {k + 1}" for k in range(len(weights["W_xh"])))], rows)


def _forward(title: str, one: Pass, word: str, letters: str, every_step: bool) -> Section:
    """Steps of the word as columns, what is computed as rows."""
    units = [f"unit {k + 1}" for k in range(one.h.shape[1])]
    groups = [
        ("1  x_t, one-hot", seen(letters), one.x.astype(int)),
        ("2  W_xh x_t", units, one.input_half),
        ("3  w h_{t-1} + b", units, one.recurrent_half),
        ("4  a_t = 2 + 3", units, one.a),
        ("5  h_t = tanh(a_t)", units, one.h),
        ("6  y_t = W_hy h_t", seen(letters), one.y),
        ("7  p_t = softmax(y_t)", seen(letters), one.loss.p),
    ]
    steps = shown(len(one.h), every_step)
    prose = (
        f"Seven steps for each letter, from the top down; the columns are time.{left_out(steps, len(one.h))}"
    )
    return Section(title, (prose, *_panels(groups, word, steps)))


def _panels(
    groups: Sequence[tuple[str, Sequence[str], Array]], word: str, steps: list[int]
) -> tuple[Block, ...]:
    """Tables with a column for each step and, under each formula, a row for each unit or letter."""
    rows: list[list[Cell]] = []
    for formula, names, values in groups:
        for k, name in enumerate(names):
            rows.append(["" if k else formula, name, *(values[t, k].item() for t in steps)])
    heads = [f"after {read_until(word, t)}" for t in steps]
    return tables(["", "", *heads], rows, left=2)


def _one_by_one(one: Pass, weights: Parameters, word: str) -> Section:
    """The first unit at the first two letters, written out."""
    w, b, W_xh = float(weights["w"]), float(weights["b"]), weights["W_xh"]
    before, written = 0.0, list[str]()
    last = min(2, len(one.h)) - 1
    for t in range(last + 1):
        from_input, a, h = one.input_half[t, 0], one.a[t, 0], one.h[t, 0]
        written += [
            f"after {word[: t + 1]}",
            f"  W_xh x   the column of {word[t]}, its first number: {from_input:.6f}",
            f"  w h + b  {w:.6f} * {before:.6f} + {b:.6f} = {one.recurrent_half[t, 0]:.6f}",
            f"  a        {from_input:.6f} + {one.recurrent_half[t, 0]:.6f} = {a:.6f}",
            f"  h        tanh({a:.6f}) = {h:.6f}",
        ]
        before = float(h)
    y, p, rows = one.y[last], one.loss.p[last], zip(weights["W_hy"][0][:3], one.h[last], strict=False)
    products = " + ".join(f"{v:.6f}*{h:.6f}" for v, h in rows) + (" + …" if len(W_xh) > 3 else "")
    written += [
        f"and the first logit after {word[: last + 1]}",
        f"  y        {products}",
        f"           = {y[0]:.6f}",
        f"  p        e^y / sum of all e^y = {np.exp(y[0]):.6f} / {np.exp(y).sum():.6f} = {p[0]:.6f}",
    ]
    return Section(
        "One unit, written out", ("The same for unit 1, with its arithmetic:", lines("\n".join(written)))
    )


def _verdict(title: str, one: Pass, word: str, letters: str) -> Section:
    guesses, rows = one.guesses(letters), list[list[Cell]]()
    for t, guess in enumerate(guesses):
        p, target = one.loss.p[t], letters.index(word[t + 1])
        rows.append(
            [
                read_until(word, t),
                seen(guess),
                p.max().item(),
                seen(word[t + 1]),
                p[target].item(),
                one.loss.loss_t[t].item(),
            ]
        )
    last = min(2, len(guesses)) - 1
    right = sum(a == b for a, b in zip(guesses, word[1:], strict=True))
    return Section(
        title,
        (
            f"""
            After {word[: last + 1]!r} it says {guesses[last]!r}; {right} of {len(guesses)}
            letters are right. The loss of a step is the surprise at the real next letter, -ln p, in nats:
            """,
            table(["after", "says", "with p", "real", "its p", "-ln p"], rows),
            f"""
            Their mean, {one.loss.mean:.6f}, is the loss; guessing evenly among {len(letters)} letters would
            be ln {len(letters)} = {np.log(len(letters)):.6f}.
            """,
        ),
    )


def _backward(one: Pass, word: str, weights: Parameters, every_step: bool) -> Section:
    units = [f"unit {k + 1}" for k in range(one.h.shape[1])]
    steps = shown(len(one.h), every_step)[::-1]
    groups = [
        ("dh_out = W_hyᵀ dy", units, one.dh_out),
        ("dh_carry = w da_{t+1}", units, one.dh_carry),
        ("dh = dh_out + dh_carry", units, one.dh),
        ("da = dh (1 - h²)", units, one.da),
    ]
    dw, db = float(one.gradients["w"]), float(one.gradients["b"])
    previous = np.concatenate([np.zeros_like(one.h[:1]), one.h[:-1]])
    parts = (one.da * previous).sum(axis=1)
    terms = " ".join(f"{part:+.6f}" for part in parts[:5]) + (" …" if len(parts) > 5 else "")
    return Section(
        "Back through time",
        (
            f"""
            The gradient of the loss, last letter first: dv is dL/dv. With dy = (p - one-hot of the real
            letter) / {len(one.h)}, each step gets one part from its own output and one from the
            future:{left_out(steps, len(one.h))}
            """,
            *_panels(groups, word, steps),
            """
            w and b were used at every step, so each step has its part in their gradients; the parts, first
            letter first, are added:
            """,
            lines(
                f"dw = sum over t of da_t · h_{{t-1}}\n   = {terms}\n   = {dw:+.6f}\n"
                f"db = sum over t of the sum of da_t = {db:+.6f}"
            ),
            f"""
            Adam's first update moves each number that has a gradient by the rate, {RATE}, against its sign:
            w from {weights["w"]:.6f} to {weights["w"] - RATE * np.sign(dw):.6f}, b from {weights["b"]:.6f}
            to {weights["b"] - RATE * np.sign(db):.6f}.
            """,
        ),
    )


def _training(training: Training, word: str, letters: str) -> Section:
    rows = [[update, one.loss.mean, one.guesses(letters)] for update, one in training.passes.items()]
    last, updates = training.last, max(training.passes)
    end = training.passes[updates]
    if training.learned:
        result = f"After {updates} updates {word[:-1]!r} gives {word[1:]!r}, letter by letter."
    else:
        result = (
            f"After {updates} updates it still says {end.guesses(letters)!r}: another start may do, --seed 1."
        )
    return Section(
        "Training",
        (
            f"""
            Adam with rate {RATE}, all letters at once, until each next letter is the likeliest. What it
            says should become {word[1:]!r}:
            """,
            table(["updates", "loss", "says"], [[str(update), loss, says] for update, loss, says in rows]),
            f"{result} Now w = {last['w']:.6f} and b = {last['b']:.6f}; the rest of its weights:",
            *_weights(last, letters),
        ),
    )


def _source(given_weights: bool) -> Section:
    known = (
        """
        The figures that are known for these weights, such as the states (0.936534, 0.949104, 0.762347)
        after 'he', are met to 1e-5; they were rounded on their way.
        """
        if given_weights
        else ""
    )
    return Section(
        "How it was computed",
        (
            f"""
            `unrolled.unroll` ran forward and backward, with the cell `rnn_tanh`. The tests compare every
            number here with torch's autograd on an explicit loop, and the training with torch's
            Adam.{known}
            """,
        ),
    )
