"""What a translator answers and what its answers are worth: text, data, CSV, and where it looked."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, final

from rich.cells import cell_len, set_cell_size

from unrolled.report.explanation import table
from unrolled.report.figures import layout, palette
from unrolled.report.figures.svg import WIDTH, Figure, Pen
from unrolled.report.wording import visible
from unrolled.tasks.translate import Alignment, Mistake

SHADES = " ░▒▓█"
"""Weights from 0 to 1 in a terminal."""

LEFT, TOP, CELL, GAP = 120, 16, 36, 13
"""Units before a matrix, above it, of a cell's side at most, and between two rows of names."""


@final
@dataclass(frozen=True)
class Translations:
    """Texts and their translations.

    Units: ``log_p`` in nats, of a whole translation.
    """

    sources: Sequence[str]
    said: Sequence[str]
    log_p: Sequence[float]

    def __str__(self) -> str:
        return "\n".join(map(visible, self.said))

    def as_data(self) -> list[dict[str, Any]]:
        """Each text, its translation and how likely the model thinks it."""
        rows = zip(self.sources, self.said, self.log_p, strict=True)
        return [{"source": source, "translation": said, "log_p": log_p} for source, said, log_p in rows]

    def as_csv(self) -> str:
        """A line for each text: itself, its translation, how likely the model thinks it."""
        written = io.StringIO()
        lines = csv.writer(written, lineterminator="\n")
        lines.writerow(["source", "translation", "log_p"])
        for source, said, log_p in zip(self.sources, self.said, self.log_p, strict=True):
            lines.writerow([source, said, f"{log_p:.4f}"])
        return written.getvalue()


@final
@dataclass(frozen=True)
class TranslationReport:
    """What a translator is worth on the texts of a source.

    Attributes:
        values: BLEU, chrF and the share of translations that are right to the letter.
        signature: how BLEU was counted.
        mistakes: the worst, the worst first.
    """

    source: str
    texts: int
    values: dict[str, float]
    signature: str
    mistakes: Sequence[Mistake]

    def __str__(self) -> str:
        values = self.values
        facts = [
            ("data", self.source),
            ("texts", f"{self.texts:,}"),
            ("BLEU", f"{values['bleu']:.2f} ({self.signature})"),
            ("chrF", f"{values['chrf']:.2f}"),
            ("exactly right", f"{values['exact']:.4f}"),
        ]
        return "\n\n".join([table(facts), *([worst(self.mistakes)] if self.mistakes else [])])

    def as_data(self) -> dict[str, Any]:
        """The numbers and the mistakes."""
        mistakes = [asdict(mistake) for mistake in self.mistakes]
        about = {"data": self.source, "texts": self.texts, **self.values, "signature": self.signature}
        return about | {"mistakes": mistakes}


def worst(mistakes: Sequence[Mistake]) -> str:
    """Mistakes one below the other, with what would have been right."""
    blocks = [
        f"{mistake.score:5.1f}  {mistake.source}\n    -> {mistake.said}\n     = {mistake.references[0]}"
        for mistake in mistakes
    ]
    return visible("\n".join(["the worst translations", *blocks]))


def picture(of: Alignment) -> str:
    """Where a decoder looked, for a terminal: a row for each token it wrote, a column for each it read.

    Example:
        >>> import numpy as np
        >>> print(picture(Alignment(("un", "chat"), ("a", "cat"), np.eye(2, dtype=np.float32))))
               c
               h
             u a
             n t
        a    ██
        cat    ██
    """
    columns, rows = map(layout.shown, of.source), list(map(layout.shown, of.target))
    names = list(columns)
    height, left = max(map(len, names)), max(map(cell_len, rows)) + 2
    head = [
        " " * left + "".join(set_cell_size(name.rjust(height)[k], 2) for name in names) for k in range(height)
    ]
    body = [
        set_cell_size(name, left) + "".join(2 * SHADES[round(4 * float(weight))] for weight in weights)
        for name, weights in zip(rows, of.weights, strict=True)
    ]
    return "\n".join(line.rstrip() for line in [*head, *body])


def figure(of: Alignment) -> Figure:
    """Where a decoder looked, as a matrix: a row for each token it wrote, a column for each it read."""
    T, S = of.weights.shape
    names, pen = list(map(layout.shown, of.source)), Pen()
    cell = min(CELL, (WIDTH - LEFT - layout.RIGHT) / S)
    floors = ceil((layout.GLYPH * max(map(cell_len, names)) + 6) / cell)
    y = TOP + GAP * floors
    for s, name in enumerate(names):  # names are wider than columns: they take turns in height
        x, base = LEFT + (s + 0.5) * cell, TOP + GAP * (s % floors)
        pen.line(x, base + 3, x, y, "grid")
        pen.text(x, base, name, "ink token", "middle")
    for t, name in enumerate(of.target):
        pen.text(LEFT - 8, y + (t + 0.5) * cell + 4, layout.shown(name), "ink token", "end")
    pen.cells(palette.levels(of.weights, 0, 1), "magnitude", (LEFT, y), (cell * S, cell * T))
    words = "A row is a token that was written, a column one that was read; a row's weights sum to 1."
    return Figure("attention", "Where the decoder looked", words, y + cell * T + 16, pen.body)
