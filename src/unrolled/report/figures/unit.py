"""One unit over the text: every token in the colour of what the unit was when it had read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unrolled.cells import Array
from unrolled.errors import OptionError
from unrolled.report.figures import layout, measures, palette
from unrolled.report.figures.layout import Column
from unrolled.report.figures.svg import WIDTH, Figure, Pen
from unrolled.traces import Trace

TOKEN, BARS, NUMBERS = 20, 22, 26
"""Units a token is high, the bars below it, and what is below them."""


def unit(trace: Trace, b: int, layer: str | None = None, number: int | None = None) -> Figure:
    """Draws it: the given unit of a layer, or of the last layer the one that varies most.

    Raises:
        NotKeptError: ``h`` was not kept, or there is no such layer.
        OptionError: the layer has no such unit.
    """
    of, steps = trace.layer(layer) if layer else trace.layers[-1], layout.steps(trace, b)
    output = of.output[: steps.count, b].astype(np.float64)
    chosen = int(output.std(axis=0).argmax()) if number is None else number
    if not 0 <= chosen < output.shape[1]:
        rule = f"be a unit of {of.name}, 0 to {output.shape[1] - 1}"
        raise OptionError("figures.unit: number", rule, number, "Leave it out for the one that varies most.")
    values, units = output[:, chosen], trace.facts["keep"]["units"]
    full = 1.0 if measures.bounded(of) else layout.round_up(float(np.abs(values).max()))
    pen, y = Pen(), 42.0
    _scale(pen, full)
    for line in layout.lines(steps.names):
        _draw(pen, line, values / full, y)
        for at in line:
            says = f"{steps.said(at.t)}: {values[at.t]:+.4f}"
            pen.rect(at.x, y, at.width, TOKEN + BARS, "nothing", says)
            if (steps.first + at.t) % 5 == 0 and at.name != str(steps.first + at.t):
                numeral = str(steps.first + at.t)
                pen.text(at.x + at.width / 2, y + TOKEN + BARS + 12, numeral, "soft small", "middle")
        y += TOKEN + BARS + NUMBERS
    name = f"Unit {units[chosen] if units else chosen} of {of.name}"
    why = ", the one that varies most" if number is None else ""
    words = (
        f"{name}{why}: each token in the colour of the unit's state once it was read, with a bar upwards for "
        "above zero and downwards for below."
    )
    return Figure("unit", f"{name} over the text", words, y, pen.body)


def _draw(pen: Pen, line: Sequence[Column], values: Array, y: float) -> None:
    """A line of tokens, and a bar under each.

    Shapes:
        values: ``[n]``, from -1 to 1.
    """
    left, right, zero = line[0].x, line[-1].x + line[-1].width, y + TOKEN + BARS / 2 + 1
    pen.text(16, y + 14, "step", "ink strong")
    pen.text(16, zero + 4, "h", "soft")
    for at, level in zip(line, palette.levels(values[[at.t for at in line]], -1, 1), strict=True):
        pen.rect(at.x, y, at.width, TOKEN, f"sign{level}")
        pen.text(at.x + at.width / 2, y + 14, at.name, f"on{level} token", "middle")
        size = (BARS - 2) / 2 * abs(float(values[at.t]))
        top = zero - size if values[at.t] > 0 else zero
        pen.rect(at.x + 1.5, top, at.width - 3, size, "soft")
    pen.line(left, zero, right, zero, "axis")


def _scale(pen: Pen, full: float) -> None:
    """The colours with what they mean."""
    x, wide = WIDTH - 16 - 330, 330
    pen.cells(np.arange(palette.LEVELS)[None], "sign", (x, 6), (wide, 10))
    for place, anchor in ((-1.0, "start"), (0.0, "middle"), (1.0, "end")):
        pen.text(x + wide * (place + 1) / 2, 30, f"{place * full:g}".replace("-", "−"), "soft small", anchor)
    pen.text(x - 12, 15, "state h of the unit, a number without unit", "soft", "end")
