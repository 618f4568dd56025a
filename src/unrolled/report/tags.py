"""What a tagger answers and what its answers are worth, as text, data and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from unrolled.metrics import ChunkScore
from unrolled.report import classes
from unrolled.report.explanation import table
from unrolled.report.wording import visible
from unrolled.tasks.tag.judging import Judged


@final
@dataclass(frozen=True)
class Tags:
    """The label of every step of some sentences or sequences.

    Attributes:
        classes: K labels.
        shares: the probability of each label at every step, ``[T, K]`` for each.
        words: the sentences; none of frames.
    """

    classes: Sequence[Any]
    shares: Sequence[NDArray[Any]]
    words: Sequence[Sequence[str]] | None = None

    @property
    def labels(self) -> list[list[Any]]:
        """The likeliest label of every step."""
        return [[self.classes[k] for k in of.argmax(1).tolist()] for of in self.shares]

    def __str__(self) -> str:
        """A word and its label a line, or a label a line, and a blank line after each but the last."""
        if self.words is None:
            return "\n\n".join("\n".join(map(str, labels)) for labels in self.labels)
        pairs = zip(self.words, self.labels, strict=True)
        return "\n\n".join(
            "\n".join(f"{visible(word)}\t{label}" for word, label in zip(words, labels, strict=True))
            for words, labels in pairs
        )

    def as_data(self) -> list[dict[str, Any]]:
        """For each sentence or sequence its words, its labels, and how likely each of these is."""
        said: list[dict[str, Any]] = []
        for row, (labels, shares) in enumerate(zip(self.labels, self.shares, strict=True)):
            words = {} if self.words is None else {"words": list(self.words[row])}
            said.append({**words, "labels": labels, "probabilities": shares.max(1).astype(float).tolist()})
        return said

    def as_csv(self) -> str:
        """A line a step: which sequence, which step, the word if it is one, its label, each probability."""
        written = io.StringIO()
        lines = csv.writer(written, lineterminator="\n")
        word = [] if self.words is None else ["word"]
        lines.writerow(["sequence", "step", *word, "label", *self.classes])
        for row, (labels, shares) in enumerate(zip(self.labels, self.shares, strict=True)):
            for step, (label, each) in enumerate(zip(labels, shares.tolist(), strict=True)):
                of_step = [] if self.words is None else [self.words[row][step]]
                lines.writerow([row + 1, step + 1, *of_step, label, *(f"{share:.6f}" for share in each)])
        return written.getvalue()


@final
class Coming(Iterator[str]):
    """A label a line, said as its frame comes; as data or CSV, all of them at the end.

    Attributes:
        classes: K labels.
        shares: of each frame the probability of every label, ``[K]``, one after the other.
    """

    def __init__(self, classes: Sequence[Any], shares: Iterator[NDArray[Any]]) -> None:
        self.classes, self.shares = classes, shares
        self._said = 0

    def __next__(self) -> str:
        label = self.classes[int(next(self.shares).argmax())]
        self._said += 1
        return f"{label}" if self._said == 1 else f"\n{label}"

    def _whole(self) -> Tags:
        return Tags(self.classes, [np.array(list(self.shares)).reshape(-1, len(self.classes))])

    def as_data(self) -> list[dict[str, Any]]:
        """As of `Tags`."""
        return self._whole().as_data()

    def as_csv(self) -> str:
        """As of `Tags`."""
        return self._whole().as_csv()


@final
@dataclass(frozen=True)
class Report:
    """What a tagger is worth on the sentences or sequences of a source, of which there is this name."""

    source: str
    judged: Judged

    def __str__(self) -> str:
        judged, confusion = self.judged, self.judged.steps.confusion
        chunks = [("chunk F1", f"{judged.chunks[''].f1:.4f}")] if judged.chunks else []
        facts = [
            ("data", self.source),
            (f"{judged.unit}s", f"{confusion.counts.sum():,}"),
            *chunks,
            ("accuracy", f"{confusion.accuracy:.4f}"),
            ("macro-F1", f"{confusion.macro_f1:.4f}"),
            ("loss", f"{judged.steps.loss:.4f} nats a {judged.unit}"),
        ]
        return "\n\n".join([table(facts), *words(judged).values()])

    def as_data(self) -> dict[str, Any]:
        """The numbers, label by label, chunk by chunk, the matrix and the mistakes."""
        chunks = [
            {"chunk": kind, "there": of.true, "said": of.said, "right": of.right, "f1": of.f1}
            for kind, of in self.judged.chunks.items()
        ]
        return {**classes.Report(self.source, self.judged.steps).as_data(), "chunks": chunks}


def words(judged: Judged) -> dict[str, str]:
    """By name: the table of the chunks, that of the labels, who is taken for whom, and the worst mistakes."""
    chunks = {"chunks": _chunks(judged.chunks)} if judged.chunks else {}
    return chunks | classes.words(judged.steps)


def _chunks(chunks: dict[str, ChunkScore]) -> str:
    head = ("chunk", "there", "said", "precision", "recall", "F1")
    ordered = sorted(chunks.items(), key=lambda item: (item[0] == "", -item[1].true, item[0]))
    rows = [
        (
            kind or "all",
            f"{of.true:,}",
            f"{of.said:,}",
            *(f"{x:.3f}" for x in (of.precision, of.recall, of.f1)),
        )
        for kind, of in ordered
    ]
    return table([head, *rows])
