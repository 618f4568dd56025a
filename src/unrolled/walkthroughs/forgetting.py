"""A word letter by letter through a network with memory and one without: what each still knows.

    with      h_t = tanh(W_xh x_t + b + W_hh h_{t-1})
    without   h_t = tanh(W_xh x_t + b)

Both are trained to name the letters that came 0, 1, 2 and 3 letters ago.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unrolled import unroll
from unrolled.tape import Tape
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
    softmax,
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

H, BATCH, UPDATES, RATE = 16, 32, 400, 0.03
"""Hidden units, words in a batch, updates, and Adam's rate."""

BACK = 4
"""How many letters are asked for at each step, this one included."""

JOURNEY = (1, 10, 50, 100, 200, UPDATES)
"""Updates at which the training is shown."""


class Network:
    """One of the two networks: the recurrence, and a reader for each distance.

    Shapes:
        parameters: W_xh ``[H, K]``, W_hh ``[H, H]`` (zero and not trained without memory), b_hh ``[H]``,
            W_hy ``[BACK*K, H]``, b_y ``[BACK*K]``.
    """

    def __init__(self, K: int, memory: bool, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.K, self.memory = K, memory
        self.parameters: Parameters = {
            "W_xh": rng.uniform(-1, 1, (H, K)),
            "W_hh": np.linalg.qr(rng.normal(size=(H, H)))[0] * memory,
            "b_hh": np.zeros(H),
            "W_hy": rng.uniform(-1, 1, (BACK * K, H)) / np.sqrt(H),
            "b_y": np.zeros(BACK * K),
        }

    def run(self, ids: Array) -> tuple[Tape[unroll.Cell], Array]:
        """The states, and the logits for each distance.

        Shapes:
            ids: ``[T, B]``; logits: ``[T, B, BACK, K]``.
        """
        recurrent = {name: self.parameters[name] for name in ("W_xh", "W_hh", "b_hh")}
        tape = unroll.forward("rnn_tanh", recurrent, np.eye(self.K)[ids])
        y = tape.output @ self.parameters["W_hy"].T + self.parameters["b_y"]
        return tape, y.reshape(*ids.shape, BACK, self.K)

    def gradients(self, ids: Array) -> tuple[Loss, Parameters]:
        """The loss over a batch and the gradient of every parameter.

        Shapes:
            ids: ``[T, B]``.
        """
        tape, y = self.run(ids)
        loss = cross_entropy(y, asked(ids))
        dy = loss.dy.reshape(*ids.shape, BACK * self.K)
        unroll.backward(tape, dy @ self.parameters["W_hy"])
        head = {"W_hy": np.einsum("tbk,tbh->kh", dy, tape.output), "b_y": dy.sum(axis=(0, 1))}
        recurrent = {"W_xh": tape.dW_xh, "W_hh": tape.dW_hh * self.memory, "b_hh": tape.db_hh}
        return loss, recurrent | head


def asked(ids: Array) -> Array:
    """The letter that came k letters ago, -1 where there was none.

    Shapes:
        ids: ``[T, B]``; the result ``[T, B, BACK]``.

    Example:
        >>> asked(np.array([[4], [5]])).tolist()
        [[[4, -1, -1, -1]], [[5, 4, -1, -1]]]
    """
    targets = np.full((*ids.shape, BACK), -1)
    for k in range(min(BACK, len(ids))):
        targets[k:, :, k] = ids[: len(ids) - k]
    return targets


class Trained(NamedTuple):
    """A network after training.

    Shapes:
        losses: ``[UPDATES, BACK]``, nats by distance. Over the word: xw, hw ``[T, H]``, the two halves of the
            pre-activations, h ``[T, H]``, y and p ``[T, BACK, K]``; moved: ``[T]``, how far each state moves
            when the word's first letter is another.
    """

    losses: Array
    xw: Array
    hw: Array
    h: Array
    y: Array
    p: Array
    moved: Array


def train(ids: Array, K: int, memory: bool, seed: int) -> Trained:
    """Trains on drawn sequences of the word's letters, as long as the word, and reads the word."""
    network, rng = Network(K, memory, seed), np.random.default_rng(seed + 1)
    adam, losses = Adam(network.parameters, RATE), np.zeros((UPDATES, BACK))
    for update in range(UPDATES):
        batch = rng.integers(K, size=(max(len(ids), BACK), BATCH))
        loss, gradients = network.gradients(batch)
        losses[update] = [loss.loss_t[k:, :, k].mean() for k in range(BACK)]
        adam.step(gradients)
    other = ids.copy()
    other[0] = (ids[0] + 1) % K
    (tape, y), (changed, _) = (network.run(some[:, None]) for some in (ids, other))
    h, y = tape.output[:, 0], y[:, 0]
    xw, hw = (half[:, 0, 0] for half in unroll.preactivations(tape))
    return Trained(losses, xw, hw, h, y, softmax(y), np.linalg.norm(changed.output[:, 0] - h, axis=1))


def walk(word: str = "neuron", seed: int = 0, every_step: bool = False) -> Walkthrough:
    """What a network with memory and one without still know of a word, letter by letter.

    Raises:
        OptionError: a word that cannot be.
    """
    letters = letters_of(word, "walkthrough forgetting")
    ids = positions(word, letters)
    both = {"with": train(ids, len(letters), True, seed), "without": train(ids, len(letters), False, seed)}
    sections = [
        _networks(word, letters),
        _changed(both, word, letters, every_step),
        _training(both, len(letters)),
        _known(both, word, letters, every_step),
        _at(both, word, letters, min(BACK, len(word)) - 1),
        *([_all(both, word, letters)] if every_step else []),
    ]
    numbers: dict[str, object] = {"word": word, "letters": letters}
    numbers |= {f"{name}/{key}": value for name, one in both.items() for key, value in one._asdict().items()}
    line = command("forgetting", word=(word, "neuron"), seed=(seed, 0), every_step=(every_step, False))
    return Walkthrough(line, f"{word}: with memory and without", sections, numbers)


def _networks(word: str, letters: str) -> Section:
    return Section(
        "Two networks",
        (
            f"""
            Both read {word!r} letter by letter; {H} hidden units. The second has no W_hh, so nothing comes
            over from the step before: an ordinary feed-forward network, applied to each letter.
            """,
            lines(
                "with memory      h_t = tanh(W_xh x_t + b + W_hh h_{t-1})\n"
                "without          h_t = tanh(W_xh x_t + b)\n"
                f"both             y_t = W_hy h_t + b_y,  k = 0 … {BACK - 1}: the letter k letters ago"
            ),
            f"""
            From each state four readers shall tell the letter just read (k = 0) and those one, two and
            three letters before. The networks are trained on drawn sequences of the letters
            {", ".join(letters)}, never on the word itself: from the word alone a network could learn by
            heart what stands before what, and would seem to remember.
            """,
        ),
    )


def _changed(both: dict[str, Trained], word: str, letters: str, every_step: bool) -> Section:
    steps = shown(len(word), every_step)
    other = letters[(letters.index(word[0]) + 1) % len(letters)]
    rows: list[list[Cell]] = [
        [seen(word[t]), *(float(one.moved[t]) if one.moved[t] else "exactly 0" for one in both.values())]
        for t in steps
    ]
    return Section(
        "Does the first letter leave a trace?",
        (
            f"""
            Read {other + word[1:]!r} instead of {word!r} and see how far each state moves, |h_t' - h_t|
            (after training):{left_out(steps, len(word))}
            """,
            table(["after", "with memory", "without"], rows),
            """
            Without memory the state after the second letter is the same number for number, whatever came
            first. No training can change that: the formula has no place for it.
            """,
        ),
    )


def _training(both: dict[str, Trained], K: int) -> Section:
    header = ["update", *(f"{name}, k={k}" for name in ("with", "w/o") for k in (0, 1, BACK - 1))]
    rows: list[list[Cell]] = [
        [str(update), *(float(one.losses[update - 1, k]) for one in both.values() for k in (0, 1, BACK - 1))]
        for update in JOURNEY
    ]
    return Section(
        "Training",
        (
            f"""
            Adam, rate {RATE}, {UPDATES} updates of {BATCH} drawn sequences. The loss is -ln p of the right
            letter, in nats; guessing evenly among {K} letters is ln {K} = {np.log(K):.6f}:
            """,
            table(header, rows),
            "Without memory the letter just read is learned, and the ones before stay at guessing.",
        ),
    )


def _known(both: dict[str, Trained], word: str, letters: str, every_step: bool) -> Section:
    steps = shown(len(word), every_step)
    parts: list[str | Block] = [
        f"""
        The probability that the readers give to the letter that was really
        there:{left_out(steps, len(word))}
        """
    ]
    header = ["after", *(f"{k} ago" for k in range(BACK))]
    for name, one in both.items():
        rows: list[list[Cell]] = []
        for t in steps:
            known = [
                f"{seen(word[t - k])} {one.p[t, k, letters.index(word[t - k])]:.3f}"
                for k in range(min(BACK, t + 1))
            ]
            rows.append([read_until(word, t), *known, *[""] * (BACK - len(known))])
        parts += ["With memory:" if name == "with" else "Without:", table(header, rows)]
    return Section("What each still knows", tuple(parts))


def _at(both: dict[str, Trained], word: str, letters: str, t: int) -> Section:
    """All that both say at one letter."""
    rows: list[list[Cell]] = []
    for name, one in both.items():
        for k in range(1, t + 1):
            p = one.p[t, k]
            rows.append([name, f"{k} ago", word[t - k], letters[int(p.argmax())], *(f"{v:.3f}" for v in p)])
    knows = all(letters[int(both["with"].p[t, k].argmax())] == word[t - k] for k in range(1, t + 1))
    before = ", ".join(word[:t])
    return Section(
        f"At {word[t]!r}",
        (
            f"What the readers of the letters before say after {word[: t + 1]!r}:",
            *tables(["memory", "", "was", "says", *seen(letters)], rows, left=4),
            (f"With memory the state at {word[t]!r} still holds {before}. " if knows else "")
            + """
            Without, every earlier letter gets about the same probability as any other: what it says is what
            is usual, not what was there.
            """,
            """
            `unrolled.unroll` ran forward and backward, with the cell `rnn_tanh`; the tests compare the
            gradients with torch's autograd on an explicit loop.
            """,
        ),
    )


def _all(both: dict[str, Trained], word: str, letters: str) -> Section:
    """Every number of every step of both."""
    units = [f"unit {k + 1}" for k in range(H)]
    parts: list[str | Block] = []
    for name, one in both.items():
        kind = "With memory" if name == "with" else "Without memory"
        steps = [
            ("from the letter, W_xh x_t", units, one.xw),
            ("from the state before, W_hh h_{t-1} + b" if name == "with" else "the bias, b", units, one.hw),
            ("the state, h_t = tanh of their sum", units, one.h),
        ]
        for k in range(BACK):
            steps.append((f"the logits for {k} ago, y_t = W_hy h_t + b_y", [*seen(letters)], one.y[:, k]))
            steps.append((f"the probabilities for {k} ago, softmax(y_t)", [*seen(letters)], one.p[:, k]))
        for formula, header, values in steps:
            rows = [[f"{t + 1} {seen(word[t])}", *map(float, row)] for t, row in enumerate(values)]
            parts += [f"{kind}, {formula}:", *tables(["after", *header], rows)]
    return Section("Every number of every step", tuple(parts))
