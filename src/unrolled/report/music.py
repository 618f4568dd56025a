"""What a model of music answers and what its answers are worth, as text, data and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from unrolled.report.explanation import table

NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")

SHOWN = 6
"""Keys of a step that are shown, the likeliest."""


def name(note: int) -> str:
    """A MIDI note as musicians call it.

    Example:
        >>> name(60), name(69)
        ('C4', 'A4')
    """
    return f"{NAMES[note % 12]}{note // 12 - 1}"


@final
@dataclass(frozen=True)
class Expected:
    """Which keys were expected after each step of some pieces.

    Shapes:
        shares: of each piece ``[T, 88]``, how likely each key sounds at the next step.

    Attributes:
        lowest: the MIDI number of the first key.
    """

    lowest: int
    shares: Sequence[NDArray[Any]]

    def __str__(self) -> str:
        """A line a step: its number, and the likeliest keys with how likely they are."""
        return "\n\n".join(
            table([(str(step + 1), self._likeliest(of)) for step, of in enumerate(piece)])
            for piece in self.shares
        )

    def as_data(self) -> list[list[dict[str, float]]]:
        """For each step of each piece the keys that more likely sound than not, by MIDI number."""
        return [
            [{str(self.lowest + int(k)): float(of[k]) for k in np.flatnonzero(of > 0.5)} for of in piece]
            for piece in self.shares
        ]

    def as_csv(self) -> str:
        """A line a step: piece, step, and how likely each key is, by MIDI number."""
        written = io.StringIO()
        lines = csv.writer(written, lineterminator="\n")
        keys = range(self.lowest, self.lowest + self.shares[0].shape[1])
        lines.writerow(["piece", "step", *keys])
        for number, piece in enumerate(self.shares, 1):
            for step, of in enumerate(piece.tolist(), 1):
                lines.writerow([number, step, *(f"{share:.6f}" for share in of)])
        return written.getvalue()

    def _likeliest(self, of: NDArray[Any]) -> str:
        order = np.argsort(-of, kind="stable")[:SHOWN].tolist()
        return "  ".join(f"{name(self.lowest + k)} {of[k]:.2f}" for k in order)


@final
@dataclass(frozen=True)
class Worth:
    """What a model of music is worth on some pieces.

    Units: ``nats`` a step, summed over the keys; ``accuracy`` is the share of the notes in either that are in
    both what sounded and what was expected.
    """

    source: str
    steps: int
    nats: float
    accuracy: float

    def __str__(self) -> str:
        return table(
            [
                ("data", self.source),
                ("steps", f"{self.steps:,}"),
                ("loss", f"{self.nats:.4f} nats a step"),
                ("notes right", f"{self.accuracy:.4f}"),
            ]
        )
