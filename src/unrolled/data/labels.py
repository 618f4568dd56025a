"""Classes by name and by number, in an order that does not depend on the order of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from unrolled.errors import DataError, nearest


@final
class Labels:
    """The classes of a task, each with its number.

    Attributes:
        names: the classes: numbers, and texts that are numbers, by size; other texts by their letters.

    Raises:
        DataError: fewer than two classes.

    Example:
        >>> labels = Labels(["10", "9", "10"])
        >>> labels.names, labels.numbers(["10"]), labels.weights([1, 1, 0])
        (('9', '10'), array([1]), array([1.5 , 0.75]))
    """

    def __init__(self, labels: Iterable[Any]) -> None:
        found = list(dict.fromkeys(map(_plain, labels)))
        if len(found) < 2:
            got = f"one, {found[0]!r}" if found else "none"
            fix = "Name the column of the labels, or add rows of other classes."
            raise DataError("the labels", "be of at least two classes", got, fix)
        self.names: tuple[Any, ...] = tuple(_ordered(found))
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Labels({list(self.names)})"

    def numbers(self, labels: Sequence[Any], where: Sequence[str] = ()) -> NDArray[np.int64]:
        """The number of each label, ``[E]``; ``where`` may say the place of each, for the message.

        Raises:
            DataError: a label that is no class; names the nearest.
        """
        numbers = [self._numbers.get(_plain(label), -1) for label in labels]
        if -1 in numbers:
            row = numbers.index(-1)
            alike = f" ({numbers.count(-1)} like this)" if numbers.count(-1) > 1 else ""
            place = where[row] if where else f"label {row + 1}"
            fix = nearest(str(labels[row]), map(str, self.names))
            known = "be one of the classes that the model was trained on"
            raise DataError(place, known, f"{_plain(labels[row])!r}{alike}", fix)
        return np.array(numbers, np.int64)

    def of(self, numbers: Iterable[int]) -> list[Any]:
        """The classes of these numbers."""
        return [self.names[number] for number in numbers]

    def counts(self, numbers: Iterable[int]) -> NDArray[np.int64]:
        """How many examples each class has, ``[K]``."""
        return np.bincount(np.fromiter(numbers, np.int64), minlength=len(self))

    def weights(self, numbers: Iterable[int]) -> NDArray[np.float64]:
        """What to weigh each class by so that all count the same, ``[K]``; of 1 in the mean over examples.

        A class without an example has weight 0.
        """
        counts = self.counts(numbers)
        seen = counts > 0
        weights = np.zeros(len(self))
        weights[seen] = counts.sum() / (seen.sum() * counts[seen])
        return weights


def _plain(label: Any) -> Any:
    """A label as Python has it, and not as NumPy has."""
    return label.item() if isinstance(label, np.generic) else label


def _ordered(labels: Sequence[Any]) -> list[Any]:
    try:
        return sorted(labels, key=float)
    except (TypeError, ValueError):
        return sorted(labels, key=lambda label: (type(label).__name__, label))
