"""The gates over time: of each gate the median unit and the middle eight tenths of the units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unrolled.cells import Array
from unrolled.report.figures import layout, measures
from unrolled.report.figures.layout import LEFT, PLOT
from unrolled.report.figures.svg import Figure, Pen
from unrolled.traces import LayerTrace, Trace

HIGH, SPACE = 56, 20
"""Units a plot is high, and from plot to plot."""

TENTHS = (10, 50, 90)
"""The percentiles of units that are drawn."""


def gates(trace: Trace, b: int) -> Figure:
    """Draws them.

    Raises:
        NotKeptError: the gates were not kept.
    """
    steps, pen, y = layout.steps(trace, b), Pen(), 24.0
    pen.rect(16, 4, 10, 10, "forward band")
    pen.text(32, 13, "from the 10th to the 90th percentile of the units", "soft")
    pen.line(330, 9, 350, 9, "forward-line")
    pen.text(356, 13, "the median unit", "soft")
    for layer in trace.layers:
        saturated = measures.saturated(layer)
        for gate in layer.cell.gates:
            name = "state h" if gate in layer.cell.states else f"gate {gate}"
            layout.heading(pen, layer.name, name, y + 12)
            values = layer.gate(gate)[: steps.count, b].astype(float)
            _plot(pen, values, measures.bounds(layer, gate), y)
            _numbers(pen, values, saturated.get(gate), y)
            y += HIGH + SPACE
    layout.step_axis(pen, steps, y - SPACE + 2)
    return Figure(
        "gates", "The gates over time", _words(trace.layers) + layout.sequence(trace, b), y + 24, pen.body
    )


def _plot(pen: Pen, values: Array, bounds: tuple[float, float] | None, y: float) -> None:
    """One gate.

    Shapes:
        values: ``[n, H]``.
    """
    full = layout.round_up(float(np.abs(values).max()))
    low, high = bounds or ((-full if values.min() < 0 else 0.0), full)
    for mark in sorted({low, high, (low + high) / 2}):
        at = y + HIGH * (high - mark) / (high - low)
        pen.line(LEFT, at, LEFT + PLOT, at, "grid")
        pen.text(LEFT - 8, at + 4, f"{mark:g}".replace("-", "−"), "soft small", "end")
    edges = y + HIGH * (high - np.percentile(values, TENTHS, axis=1)) / (high - low)
    under, median, over = (_stairs(edge) for edge in edges)
    pen.path([*over, *reversed(under)], "forward band", closed=True)
    pen.path(median, "forward-line")


def _stairs(heights: Array) -> list[tuple[float, float]]:
    """A level stretch for each step."""
    each = PLOT / len(heights)
    return [(LEFT + each * (t + side), float(height)) for t, height in enumerate(heights) for side in (0, 1)]


def _numbers(pen: Pen, values: Array, saturated: float | None, y: float) -> None:
    """Mean and saturation beside the plot."""
    x = LEFT + PLOT + 14
    pen.text(x, y + 20, f"mean {values.mean():.2f}".replace("-", "−"), "soft")
    if saturated is not None:
        pen.text(x, y + 20 + 16, f"saturated {layout.percent(saturated)}", "soft")


def _words(layers: Sequence[LayerTrace]) -> str:
    """What the figure shows."""
    words = "Activated gates at every step, on the whole range that each can have. "
    if any(map(measures.saturated, layers)):
        words += "Saturated is the share of values, of all sequences, at which the function is nearly flat, "
        words += "so that hardly any gradient passes: under 4 % of its largest slope."
    return words.strip()
