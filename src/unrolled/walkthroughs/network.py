"""What stands around the recurrence in a worked example: letters, softmax, cross-entropy, Adam; NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from unrolled.errors import OptionError

Array: TypeAlias = NDArray[Any]
Parameters: TypeAlias = dict[str, Array]


def letters_of(word: str, where: str, most: int = 40) -> str:
    """The different letters of a word, in order of appearance.

    Raises:
        OptionError: fewer than two of them, a word longer than ``most``, or what takes no or two columns.

    Example:
        >>> letters_of("hello", "walkthrough hello")
        'helo'
    """
    letters = "".join(dict.fromkeys(word))
    fix = "For example: --word banana"
    if len(letters) < 2 or len(word) > most:
        rule = f"have at least two different letters, and at most {most} in all"
        raise OptionError(f"{where}: word", rule, repr(word), fix)
    if not word.isprintable() or any(cell_len(letter) != 1 for letter in letters):
        raise OptionError(f"{where}: word", "be of letters one column wide", repr(word), fix)
    return letters


def softmax(y: Array) -> Array:
    """Probabilities from logits, over the last axis.

    Shapes:
        y: ``[..., K]``; the result too.

    Example:
        >>> softmax(np.log([1.0, 3.0])).tolist()
        [0.25, 0.75]
    """
    e = np.exp(y - y.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Loss(NamedTuple):
    """How well logits foresee targets.

    Shapes:
        p, dy: ``[..., K]``, probabilities and the gradient of ``mean``; loss_t: ``[...]``, 0 where no target.

    Units: nats.
    """

    p: Array
    loss_t: Array
    mean: float
    dy: Array


def cross_entropy(y: Array, targets: Array) -> Loss:
    """The surprise at the targets, its mean over them, and the gradient.

    Maths: ``p = softmax(y)``, ``loss_t = -ln p[target]``, ``dy = (p - onehot(target)) / number of targets``.

    Shapes:
        y: ``[..., K]``; targets: ``[...]``, -1 where there is none.

    Example:
        >>> loss = cross_entropy(np.zeros((2, 4)), np.array([0, -1]))
        >>> round(loss.mean, 6), loss.dy[0].tolist()
        (1.386294, [-0.75, 0.25, 0.25, 0.25])
    """
    p, real = softmax(y), targets >= 0
    onehot = np.eye(y.shape[-1])[np.where(real, targets, 0)]
    loss_t = np.where(real, -np.log((p * onehot).sum(axis=-1)), 0)
    dy = (p - onehot) * real[..., None] / real.sum()
    return Loss(p, loss_t, float(loss_t.sum() / real.sum()), dy)


class Adam:
    """Adam (Kingma and Ba 2014, arXiv:1412.6980, algorithm 1), which moves every parameter at its own pace.

    Maths, at update k: ``m ← 0.9 m + 0.1 g``, ``s ← 0.999 s + 0.001 g²``, and then
    ``v ← v - rate * m / (1 - 0.9ᵏ) / (√(s / (1 - 0.999ᵏ)) + 1e-8)``.

    Shapes:
        parameters: any, changed in place.
    """

    def __init__(self, parameters: Parameters, rate: float) -> None:
        self.parameters, self.rate, self.updates = parameters, rate, 0
        self._m = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._s = {name: np.zeros_like(value) for name, value in parameters.items()}

    def step(self, gradients: Mapping[str, Array]) -> None:
        """One update; ``gradients`` have the parameters' names and shapes."""
        self.updates += 1
        for name in self.parameters:
            m, s, g = self._m[name], self._s[name], gradients[name]
            m += 0.1 * (g - m)
            s += 0.001 * (g * g - s)
            root = np.sqrt(s / (1 - 0.999**self.updates)) + 1e-8
            self.parameters[name][...] -= self.rate * m / (1 - 0.9**self.updates) / root


def seen(text: str) -> str:
    """The text with its spaces to be seen.

    Example:
        >>> seen("a b")
        'a␣b'
    """
    return text.replace(" ", "␣")


def read_until(word: str, t: int) -> str:
    """What a network has read of a word after step t, the last letters of it if these are many.

    Example:
        >>> read_until("a bcdefghij", 2), read_until("a bcdefghij", 9)
        ('a␣b', '…efghi')
    """
    return seen(word[: t + 1]) if t < 6 else "…" + seen(word[t - 4 : t + 1])


def positions(word: Sequence[str], letters: str) -> Array:
    """The place of each letter of a word among the different ones, ``[T]``."""
    return np.array([letters.index(letter) for letter in word])
