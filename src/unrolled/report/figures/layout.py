"""Where things stand: steps in lines as text is, on a common axis, and the words beside scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from rich.cells import cell_len

from unrolled.errors import DataError, OptionError
from unrolled.report.figures.svg import WIDTH, Pen
from unrolled.report.wording import visible
from unrolled.traces import Trace

LEFT, RIGHT = 104, 16
"""Room for the names of lanes, and at the other end."""

PLOT = WIDTH - LEFT - 176
"""Units of a plot with words to its right."""

GLYPH = 6.7
"""Units of a character of a token."""

TOKEN = 12
"""Characters of a token that are shown."""

DECADES = 6
"""Powers of ten on the log scale of a plot, however small things get."""

_SPACES = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})


@dataclass(frozen=True)
class Column:
    """A step in a line of steps: its number and name, and where it stands."""

    t: int
    name: str
    x: float
    width: float


@dataclass(frozen=True)
class Steps:
    """The real steps that were kept of a sequence: their names, and the number of the first."""

    names: Sequence[str]
    first: int

    @property
    def count(self) -> int:
        """How many."""
        return len(self.names)

    def said(self, t: int) -> str:
        """A step in words: its number, and its token where that is another thing."""
        numeral = str(self.first + t)
        name = self.names[t] if t < self.count else numeral  # a step that only others of the batch have
        return f"step {numeral}" if name == numeral else f"step {numeral} “{name}”"


def steps(trace: Trace, b: int, *, padded: bool = False) -> Steps:
    """The real steps of a sequence, or with those past its end all that others of the batch have.

    Each is called by its token, made visible and short, or by its number.

    Raises:
        DataError: the trace has no layer that ran.
        OptionError: no such sequence.
    """
    sequences = trace.layers[0].B if trace.layers else 0
    if not sequences:
        raise DataError("figures: the trace", "have a layer that ran", "none", "Trace a recurrent model.")
    if not 0 <= b < sequences:
        fix = "Leave it out for the first."
        raise OptionError("figures: b", f"be a sequence, 0 to {sequences - 1}", b, fix)
    layer = trace.layers[0]
    first, lengths = layer.first_step, layer.arrays.get("lengths")
    count = layer.T if lengths is None or padded else int(np.clip(lengths[b] - first, 0, layer.T))
    if not trace.tokens:
        return Steps([str(first + t) for t in range(count)], first)
    tokens = trace.tokens[b]
    own = [shown(token) for token in tokens[:count]]
    return Steps([*own, *(str(first + t) for t in range(len(own), count))], first)


def shown(token: str) -> str:
    r"""A token in at most `TOKEN` characters, white space and control characters as signs.

    Example:
        >>> shown(" the\n"), shown("incomprehensibly")
        ('␣the↵', 'incomprehen…')
    """
    text = visible(token.translate(_SPACES))
    return text if len(text) <= TOKEN else text[: TOKEN - 1] + "…"


def lines(names: Sequence[str]) -> list[list[Column]]:
    """Steps as wide as their names, in lines of about the same length, none wider than the page."""
    room = WIDTH - LEFT - RIGHT
    widths = [max(14.0, GLYPH * cell_len(name) + 7) for name in names]
    stretch = max(1.0, min(2.5, room / sum(widths)))  # a few steps are drawn wide, but not as wide as doors
    widths = [width * stretch for width in widths]
    limit = min(room, sum(widths) / ceil(sum(widths) / room - 1e-6) + max(widths))
    found: list[list[Column]] = [[]]
    x = 0.0
    for t, (name, width) in enumerate(zip(names, widths, strict=True)):
        if x + width > limit + 1e-6 and found[-1]:
            found.append([])
            x = 0.0
        found[-1].append(Column(t, name, LEFT + x, width))
        x += width
    return found


def step_axis(pen: Pen, steps: Steps, y: float, x: float = LEFT, width: float = PLOT) -> None:
    """Writes names, where they have room, and numbers of steps below a plot; 30 units high."""
    each, named = width / steps.count, bool(steps.names) and steps.names[0] != str(steps.first)
    if named and each >= GLYPH * max(map(cell_len, steps.names)):
        for t, name in enumerate(steps.names):
            pen.text(x + (t + 0.5) * each, y + 12, name, "ink token", "middle")
        y += 12
    pen.text(x - 8, y + 12, "step", "soft small", "end")
    for t in range(0, steps.count, tick(steps.count)):
        pen.text(x + (t + 0.5) * each, y + 12, str(steps.first + t), "soft small", "middle")


def tick(count: int, most: int = 20) -> int:
    """How many steps lie between two marks, so that there are not too many: 1, 2, 5, 10 and so on.

    Example:
        >>> tick(7), tick(41), tick(240), tick(1000)
        (1, 5, 20, 50)
    """
    size = 1
    while count / size > most:
        size = size * 5 // 2 if str(size)[0] == "2" else size * 2
    return size


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, … times a power of ten; 1 for zero.

    Example:
        >>> round_up(0.13), round_up(3), round_up(0)
        (0.2, 5.0, 1.0)
    """
    if value <= 0:
        return 1.0
    power = floor(log10(value))
    return next(m * 10.0**power for m in (1, 2, 5, 10) if m * 10.0**power >= value * (1 - 1e-9))


def top_decade(largest: float) -> int:
    """The power of ten at the top of a log scale; 0 where there is nothing."""
    return ceil(log10(largest) - 1e-6) if largest > 0 else 0


def power(exponent: int) -> str:
    """A power of ten as it is written.

    Example:
        >>> power(-6)
        '10⁻⁶'
    """
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def percent(share: float) -> str:
    """A share in whole hundredths, with a true minus.

    Example:
        >>> percent(0.123), percent(-0.02)
        ('12 %', '−2 %')
    """
    return f"{100 * share:.0f} %".replace("-0 ", "0 ").replace("-", "−")


def heading(pen: Pen, name: str, below: str, y: float) -> None:
    """Writes a layer's name, its direction apart, and another line to the left of a plot."""
    layer, _, direction = name.partition(".")
    pen.text(16, y, layer, "ink strong")
    if direction:
        pen.text(16 + GLYPH * (len(layer) + 1.2) * bool(below), y + 13 * (not below), direction, "soft small")
    if below:
        pen.text(16, y + 16, below, "ink")


def loss_unit(trace: Trace) -> str:
    """What the loss is measured in, as far as the trace knows."""
    return "nats" if "loss_t" in trace else "units of the loss"


def sequence(trace: Trace, b: int) -> str:
    """Which of several sequences a figure shows; empty where there is one."""
    several = trace.layers[0].B
    return f" Sequence {b} of {several}." if several > 1 else ""
