"""What a classifier answers and what its answers are worth, as text, data, CSV and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size

from unrolled.report.explanation import table
from unrolled.report.figures.palette import LEVELS
from unrolled.report.figures.svg import WIDTH, Figure, Pen
from unrolled.report.wording import visible
from unrolled.tasks.classify.judging import Confusion, Judged

BAR, TEXT, NAME = 20, 90, 12
"""Columns of a bar, of an example that is shown, of a class's name above a column."""

MANY = 12
"""Classes of which a matrix is shown in a terminal at most; of more, who is most often taken for whom."""

PAIRS = 15
"""Pairs of classes that are listed then."""


@final
@dataclass(frozen=True)
class Answers:
    """The class of each example, and how likely each class is.

    Shapes:
        shares: ``[E, K]``.

    Attributes:
        classes: K names.
        shown: the examples: texts, or what they are.
    """

    classes: Sequence[Any]
    shares: NDArray[np.float64]
    shown: Sequence[str]

    @property
    def labels(self) -> list[Any]:
        """The likeliest class of each example."""
        return [self.classes[k] for k in self.shares.argmax(1)]

    def __str__(self) -> str:
        if len(self.shown) == 1:
            order = np.argsort(-self.shares[0], kind="stable")
            shares = [(_name(self.classes[k]), float(self.shares[0, k])) for k in order]
            return table([(name, f"{share:.3f}", _bar(share)) for name, share in shares])
        sure = self.shares.max(1)
        rows = zip(self.labels, sure, self.shown, strict=True)
        return table([(_name(label), f"{share:.3f}", _short(one)) for label, share, one in rows])

    def as_data(self) -> list[dict[str, Any]]:
        """For each example its label and the probabilities by class."""
        names = [str(name) for name in self.classes]
        return [
            {"example": one, "label": label, "probabilities": dict(zip(names, row, strict=True))}
            for one, label, row in zip(self.shown, self.labels, self.shares.tolist(), strict=True)
        ]

    def as_csv(self) -> str:
        """A line an example: itself, its label, the probability of each class."""
        written = io.StringIO()
        lines = csv.writer(written, lineterminator="\n")
        lines.writerow(["example", "label", *self.classes])
        for one, label, row in zip(self.shown, self.labels, self.shares, strict=True):
            lines.writerow([one, label, *(f"{share:.6f}" for share in row)])
        return written.getvalue()


@final
@dataclass(frozen=True)
class Report:
    """What a classifier is worth on the examples of a source, of which there is this name."""

    source: str
    judged: Judged

    def __str__(self) -> str:
        confusion = self.judged.confusion
        facts = [
            ("data", self.source),
            ("examples", f"{confusion.counts.sum():,}"),
            ("accuracy", f"{confusion.accuracy:.4f}"),
            ("macro-F1", f"{confusion.macro_f1:.4f}"),
            ("loss", f"{self.judged.loss:.4f} nats an example"),
        ]
        return "\n\n".join([table(facts), *words(self.judged).values()])

    def as_data(self) -> dict[str, Any]:
        """The numbers, class by class, the matrix and the mistakes."""
        confusion = self.judged.confusion
        each = zip(confusion.precision, confusion.recall, confusion.f1, strict=True)
        classes = [
            {"class": name, "precision": float(p), "recall": float(r), "f1": None if isnan(f) else float(f)}
            for name, (p, r, f) in zip(confusion.names, each, strict=True)
        ]
        return {
            "data": self.source,
            **confusion.values(),
            "loss": self.judged.loss,
            "classes": classes,
            "confusion": confusion.counts.tolist(),
            "mistakes": list(self.judged.mistakes),
        }


def words(judged: Judged) -> dict[str, str]:
    """By name: the table of the classes, who is taken for whom, and the surest mistakes."""
    said = {"classes": _classes(judged.confusion), "confusion": _matrix(judged.confusion)}
    mistakes = [
        (
            f"{mistake.sure:.3f}",
            f"said {mistake.said}",
            f"is {mistake.truth}",
            mistake.where,
            _short(mistake.shown),
        )
        for mistake in judged.mistakes
    ]
    return said | ({"mistakes": "surest mistakes\n" + table(mistakes)} if mistakes else {})


def figure(confusion: Confusion) -> Figure:
    """Who is taken for whom, as a picture: the darker a cell, the larger its share of a row's class."""
    pen, K = Pen(), len(confusion.names)
    left = 24 + 7 * min(24, max(cell_len(str(name)) for name in confusion.names))
    size = min(44.0, (WIDTH - left - 24) / K)
    shares = confusion.counts / np.maximum(1, confusion.counts.sum(1, keepdims=True))
    for i, name in enumerate(confusion.names):
        y = 44 + i * size
        pen.text(left - 8, y + size / 2 + 4, _cut(str(name), 24), "ink", "end")
        for j, count in enumerate(confusion.counts[i].tolist()):
            level = round(LEVELS // 2 * (1 + shares[i, j]))
            says = f"{count} of {name}, taken for {confusion.names[j]}"
            pen.rect(left + j * size, y, size - 1, size - 1, f"sign{level}", says)
            if count and 6.6 * len(str(count)) < size:
                pen.text(left + (j + 0.5) * size, y + size / 2 + 4, str(count), f"on{level} small", "middle")
    for j, name in enumerate(confusion.names):
        fits = max(1, int(size / 6.6))
        pen.text(left + (j + 0.5) * size, 36, _cut(str(name), fits), "soft small", "middle")
    told = f"{confusion.counts.sum():,} examples, {confusion.accuracy:.1%} of them right. Rows are what is "
    told += "true, columns what was said; a cell is as dark as its share of the row."
    return Figure("confusion", "Who is taken for whom", told, 52 + K * size, pen.body)


def _classes(confusion: Confusion) -> str:
    head = ("class", "examples", "precision", "recall", "F1")
    each = zip(confusion.precision, confusion.recall, confusion.f1, strict=True)
    rows = [
        (_name(name), f"{there:,}", *("" if isnan(x) else f"{x:.3f}" for x in of))
        for name, there, of in zip(confusion.names, confusion.counts.sum(1).tolist(), each, strict=True)
    ]
    return table([head, *rows])


def _matrix(confusion: Confusion) -> str:
    """The matrix, or of many classes the pairs that are most often confused."""
    names = [_name(name) for name in confusion.names]
    if len(names) <= MANY:
        head = ("true \\ said", *(_cut(name, NAME) for name in names))
        cells = [[f"{count:,}" if count else "·" for count in row] for row in confusion.counts.tolist()]
        widths = [max(map(cell_len, column)) for column in zip(head[1:], *cells, strict=True)]
        right = [
            tuple(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in (head[1:], *cells)
        ]
        return table([(name, *row) for name, row in zip((head[0], *names), right, strict=True)])
    wrong = confusion.counts * (1 - np.eye(len(names), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(cell), len(names)) for cell in order]
    rows = [(f"{wrong[i, j]:,}", f"{names[i]} taken for {names[j]}") for i, j in pairs if wrong[i, j]]
    return "most often confused\n" + table(rows) if rows else "none confused"


def _name(label: Any) -> str:
    return _short(str(label))


def _bar(share: float) -> str:
    return "━" * round(BAR * share)


def _short(text: str) -> str:
    return _cut(" ".join(visible(text).split()), TEXT)


def _cut(text: str, most: int) -> str:
    return text if cell_len(text) <= most else set_cell_size(text, max(0, most - 1)) + "…"
