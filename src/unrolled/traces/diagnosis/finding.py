"""What a diagnosis is made of: findings, the figures they rest on, and changes to try."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from textwrap import indent, wrap
from typing import Any, Literal, TypeAlias, final

Severity: TypeAlias = Literal["fine", "warning", "severe"]

WIDTH = 100


@dataclass(frozen=True)
class Figure:
    """A number that was measured, and what it is compared with.

    Attributes:
        value: None where it was never reached within the trace.
        limit: what it is compared with, in the same unit; None where it only explains.
        beyond: None where the limit is not passed, else on which side of it the value is.
    """

    name: str
    value: float | None
    unit: str
    limit: float | None = None
    beyond: Literal["above", "below"] | None = None

    def __str__(self) -> str:
        value = "not reached" if self.value is None else f"{number(self.value)} {self.unit}".rstrip()
        if self.limit is None:
            return f"{self.name}: {value}"
        return f"{self.name}: {value}; {self.beyond or 'within'} the limit of {number(self.limit)}"


@dataclass(frozen=True)
class Remedy:
    """A change to try.

    Attributes:
        words: what it is.
        command: the training that begins with it; empty for a module that ``unrolled train`` did not make.
        python: the same change in Python; ``model`` and ``unrolled`` are there, and where the input is to be
            cut, ``x``; ``layer`` it defines.
        moves: which figure moves, and where to.
    """

    words: str
    command: str
    python: str
    moves: str


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        name: ``healthy``, ``vanishing``, ``exploding``, ``saturated``, ``dead``, ``clipped``,
            ``memory unused`` or ``short window``.
        layer: its name in the trace; empty where it is of the whole model.
        says: what it means, in a sentence or two.
        cause: the likely one; empty where nothing is wrong.
    """

    name: str
    layer: str
    severity: Severity
    says: str
    figures: tuple[Figure, ...] = ()
    cause: str = ""
    remedies: tuple[Remedy, ...] = ()

    def __str__(self) -> str:
        where = f" in {self.layer}" if self.layer else ""
        lines = [f"{self.name}{where} ({self.severity})", *_text(self.says)]
        lines += [f"  {figure}" for figure in self.figures]
        if self.cause:
            lines += _text(f"Likely cause: {self.cause}")
        for remedy in self.remedies:
            lines += _text(f"To try: {remedy.words} Then {remedy.moves}.")
            lines += [indent(text, "    ") for text in (remedy.command, remedy.python) if text]
        return "\n".join(lines)


@final
@dataclass(frozen=True)
class Diagnosis:
    """What was found in a trace, the gravest first, and what could not be told from it.

    Attributes:
        findings: at least one; `healthy` is a finding too.
        untold: what was not judged, and what it would take.
        layers: the figures of each layer, by its name.
    """

    findings: tuple[Finding, ...]
    untold: tuple[str, ...]
    layers: dict[str, dict[str, Any]]

    @property
    def healthy(self) -> bool:
        """Whether no rule found anything."""
        return all(finding.severity == "fine" for finding in self.findings)

    def named(self, name: str) -> list[Finding]:
        """The findings of that name."""
        return [finding for finding in self.findings if finding.name == name]

    def __str__(self) -> str:
        parts = [str(finding) for finding in self.findings]
        if self.untold:
            lines = (line for sentence in self.untold for line in _text(sentence))
            parts.append("\n".join(["not judged", *lines]))
        return "\n\n".join(parts)

    def as_data(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "untold": list(self.untold),
            "layers": self.layers,
        }


def finite(value: float) -> float | None:
    """A number, or None for what has no end: JSON has no infinity."""
    return float(value) if isfinite(value) else None


def number(value: float) -> str:
    """Three digits.

    Example:
        >>> number(22.13), number(0.00052), number(1234567.0), number(128)
        ('22.1', '0.00052', '1.23e+06', '128')
    """
    return f"{value:.3g}" if abs(value) < 1000 or abs(value) >= 1e5 else f"{value:.0f}"


def _text(sentence: str) -> list[str]:
    return wrap(sentence, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False)
