"""Each step's share of a weight's gradient; a share below zero pulls against the sum."""

from __future__ import annotations

import numpy as np

from unrolled.cells import Array
from unrolled.report.figures import layout, measures
from unrolled.report.figures.layout import LEFT, PLOT, Steps
from unrolled.report.figures.svg import Figure, Pen
from unrolled.traces import Trace

HIGH, SPACE = 64, 18
"""Units a plot is high, and from plot to plot."""

STRONGEST = 3
"""Steps that are named beside a plot."""


def shares(trace: Trace, b: int) -> Figure:
    """Draws them; the gradient is of all sequences together.

    Raises:
        NotKeptError: the parts cannot be had.
    """
    steps = layout.steps(trace, b, padded=True)
    found = {
        (layer.name, weight): measures.shares(parts)
        for layer in trace.layers
        for weight, parts in layer.parts.items()
        if weight.startswith("W")
    }
    high = layout.round_up(max(float(share.max()) for share in found.values()))
    low = min(float(share.min()) for share in found.values())
    low = -min(high, layout.round_up(-low)) if low < 0 else 0.0
    pen, y = Pen(), 10.0
    for (layer, weight), share in found.items():
        layout.heading(pen, layer, weight, y + 12)
        _plot(pen, share, (low, high), y, steps)
        for rank, t in enumerate(strongest(share, STRONGEST)):
            words = f"{layout.percent(share[t])} {steps.said(t)}"
            pen.text(LEFT + PLOT + 14, y + 16 + 16 * rank, words, "soft")
        y += HIGH + SPACE
    layout.step_axis(pen, steps, y - SPACE + 2)
    return Figure("shares", "Each step's share of the weights' gradients", _words(trace), y + 18, pen.body)


def strongest(share: Array, most: int) -> list[int]:
    """The steps with the largest shares, the largest first.

    Shapes:
        share: ``[T]``.
    """
    return [int(t) for t in np.argsort(-np.abs(share), kind="stable")[:most]]


def _plot(pen: Pen, share: Array, bounds: tuple[float, float], y: float, steps: Steps) -> None:
    """The bars of one weight."""
    low, high = bounds
    zero, each = y + HIGH * high / (high - low), PLOT / len(share)
    for mark in sorted({low, 0.0, high}):
        at = y + HIGH * (high - mark) / (high - low)
        pen.line(LEFT, at, LEFT + PLOT, at, "grid" if mark else "axis")
        pen.text(LEFT - 8, at + 4, f"{100 * mark:g} %".replace("-", "−"), "soft small", "end")
    gap = min(1.5, each / 5)
    for t, exact in enumerate(share):
        value = float(np.clip(exact, low, high))
        top, size = zero - HIGH * max(value, 0) / (high - low), HIGH * abs(value) / (high - low)
        says = f"{steps.said(t)}: {100 * exact:.2f} %"
        pen.rect(LEFT + t * each + gap / 2, top, each - gap, max(size, 0.4), "backward", says)


def _words(trace: Trace) -> str:
    """What the figure shows."""
    words = (
        "A weight is used at every step, and its gradient is the sum of what all steps add to it. A step's "
        "share is its part along that sum; shares add up to 100 %."
    )
    B = trace.layers[0].B
    return words + (f" Of all {B} sequences together." if B > 1 else "")
