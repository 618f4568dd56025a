"""What a model in use answers, as text: samples, a judgement, the surprise of every token."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from math import log

from rich.cells import cell_len

from unrolled.report.wording import visible

BAR = 20
"""Columns of a bar."""

BETWEEN = "\n\n--------\n\n"
"""Between two samples."""


class Samples(Iterator[str]):
    """Texts as they are written, piece by piece, one after another."""

    def __init__(self, texts: Sequence[Iterator[str]]) -> None:
        self._texts = texts
        self._pieces = self._in_turn()

    def __next__(self) -> str:
        return next(self._pieces)

    def _in_turn(self) -> Iterator[str]:
        for number, text in enumerate(self._texts):
            if number:
                yield BETWEEN
            yield from text

    def as_data(self) -> dict[str, list[str]]:
        """Each text whole."""
        return {"samples": ["".join(text) for text in self._texts]}


@dataclass(frozen=True)
class Judgement:
    """How well a text was foreseen.

    Units: ``nats`` and ``perplexity`` a token; ``bits_per_character`` as the function of `unrolled.metrics`;
    ``by_length``: mean nats of the tokens with so many before them, as (from, to, nats).
    """

    tokens: int
    characters: int
    unknown: int
    nats: float
    bits_per_character: float
    perplexity: float
    by_length: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judged(Judgement):
    """A judgement of the ``text`` of this name, whose tokens are each a ``unit``.

    Units: ``trained_length`` is the steps that gradients went back in training, 0: all.
    """

    text: str
    unit: str
    trained_length: int

    def __str__(self) -> str:
        per = "byte" if self.unit == "byte" else "character"
        rows = [
            ("text", self.text),
            (f"{self.unit}s", f"{self.tokens:,}"),
            (f"nats a {self.unit}", f"{self.nats:.4f}"),
            (f"bits a {per}", f"{self.bits_per_character:.4f}"),
            ("perplexity", f"{self.perplexity:,.3f}"),
        ]
        if self.unknown:
            share = f"{self.unknown:,} of them were never seen in training ({self.unknown / self.tokens:.1%})"
            rows.insert(2, ("unknown", share))
        lines = [f"{name:20}  {value}" for name, value in rows]
        return "\n".join([*lines, *self._lengths()])

    def _lengths(self) -> Iterator[str]:
        """How it holds up beyond the lengths it was trained on."""
        if not self.by_length:
            return
        most = max(nats for _, _, nats in self.by_length)
        yield f"\n{self.unit + 's before':>20}  nats a {self.unit}"
        for first, last, nats in self.by_length:
            span = f"{first:,}" if first == last else f"{first:,} to {last:,}"
            beyond = "  longer than in training" if 0 < self.trained_length < first else ""
            yield f"{span:>20}  {nats:.4f}  {'━' * max(1, round(BAR * nats / most)):{BAR}}{beyond}".rstrip()


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A token of a text, and what was expected in its place.

    Units: ``surprise`` in bits, missing for the first token, which nothing stands before; ``expected`` the
    likeliest tokens and their probabilities, likeliest first.
    """

    token: str
    surprise: float | None
    expected: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Surprises:
    """Every token of a text, how surprising it was, and what was expected; the last is what comes next."""

    tokens: Sequence[Foreseen]

    def __str__(self) -> str:
        shown = [_cut(visible(token.token), 16) or "next" for token in self.tokens]
        width = max(5, *map(cell_len, shown))
        most = max([1.0, *(token.surprise for token in self.tokens if token.surprise is not None)])
        lines = [f"{'token':{width}}  {'bits':>6}  {'':{BAR}}  expected"]
        for name, token in zip(shown, self.tokens, strict=True):
            bits = "" if token.surprise is None else f"{token.surprise:.2f}"
            bar = "━" * round(BAR * (token.surprise or 0) / most)
            expected = "  ".join(f"{_cut(visible(other), 16)} {p:.0%}" for other, p in token.expected)
            lines.append(
                f"{name}{' ' * (width - cell_len(name))}  {bits:>6}  {bar:{BAR}}  {expected}".rstrip()
            )
        return "\n".join([*lines, *self._mean()])

    def as_csv(self) -> str:
        """A row a token: the token, its surprise in bits, the likeliest in its place with its probability."""
        out = StringIO()
        rows = csv.writer(out)
        rows.writerow(["token", "bits", "expected", "probability"])
        for token in self.tokens:
            likeliest = token.expected[0] if token.expected else ("", "")
            rows.writerow([token.token, token.surprise, *likeliest])
        return out.getvalue()

    def _mean(self) -> Iterator[str]:
        bits = [token.surprise for token in self.tokens if token.surprise is not None]
        if bits:
            mean = sum(bits) / len(bits)
            yield f"\nmean {mean:.3f} bits = {mean * log(2):.3f} nats a token, the first apart"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
