"""Gradient against distance on a log scale: a line for each step's loss, and their median."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from unrolled.cells import Array
from unrolled.report.figures import layout, measures
from unrolled.report.figures.svg import WIDTH, Figure, Pen
from unrolled.traces import LayerTrace, Trace

LEFT, HIGH, BETWEEN = 64, 220, 76
"""Units before a plot, its height, and what lies between two beside each other."""

LINES = 40
"""Steps whose loss has a line of its own, at most."""

BOTTOM = -6
"""The power of ten where the scale begins."""

SAYS = {
    "gradient of h": "How much is left of the gradient of h, of one step's loss, by how many steps back the "
    "state lies; it is 1 at its own step.",
    "Jacobian": "By how much the state's Jacobian over a distance to the last step lengthens a gradient.",
}
"""By what is drawn, what that is."""


def distance(trace: Trace, b: int) -> Figure:
    """Draws it; of sequence ``b`` where there is no itemised matrix, which is of all together.

    Raises:
        NotKeptError: neither the itemised matrix was kept, nor what the Jacobians follow from.
    """
    del b
    pen, words, y = Pen(), [], 42.0
    layers = trace.layers
    signals = [measures.signal(layer) for layer in layers]
    top = max(0, *(layout.top_decade(float(np.nanmax(np.append(signal, 0)))) for signal in signals))
    farthest = max(_seen(signal) for signal in signals)
    across = min(2, len(layers))
    wide = (WIDTH - LEFT - 24 - (across - 1) * BETWEEN) / across
    pen.line(16, 9, 36, 9, "backward-line")
    pen.text(42, 13, "the median of all steps' losses", "soft")
    pen.line(250, 9, 270, 9, "faint-line")
    pen.text(276, 13, f"single steps' losses, {LINES} of them at most", "soft")
    for number, (layer, signal) in enumerate(zip(layers, signals, strict=True)):
        if number and number % across == 0:
            y += HIGH + 70
        frame = Frame(pen, LEFT + number % across * (wide + BETWEEN), y, wide, farthest, top)
        frame.draw(layer)
        for line in _single(layer):
            frame.curve(line, "faint-line")
        frame.curve(signal, "backward-line")
        words.append(_reached(layer, signal))
    begin = (says for of, says in SAYS.items() if of in map(_of, layers))
    said = " ".join([*begin, *words])
    return Figure("distance", "Gradient against distance", said, y + HIGH + 48, pen.body)


class Frame:
    """A plot with distance to the right and powers of ten upwards."""

    def __init__(self, pen: Pen, x: float, y: float, wide: float, farthest: int, top: int) -> None:
        self.pen, self.x, self.y, self.wide, self.farthest, self.top = pen, x, y, wide, farthest, top

    def at(self, distance: float, left: float) -> tuple[float, float]:
        """Where a point stands."""
        decades = (self.top - math.log10(left)) / (self.top - BOTTOM)
        return self.x + self.wide * distance / self.farthest, self.y + HIGH * decades

    def draw(self, layer: LayerTrace) -> None:
        """Everything but the curves."""
        pen, x, end = self.pen, self.x, self.x + self.wide
        for exponent in range(BOTTOM, self.top + 1):
            _, y = self.at(0, 10.0**exponent)
            pen.line(x, y, end, y, "grid")
            pen.text(x - 8, y + 4, layout.power(exponent), "soft small", "end")
        for distance in range(0, self.farthest + 1, layout.tick(self.farthest + 1, 12)):
            pen.text(self.at(distance, 1)[0], self.y + HIGH + 14, str(distance), "soft small", "middle")
        pen.text(x + self.wide / 2, self.y + HIGH + 30, "steps between loss and state", "soft", "middle")
        pen.text(x - 48, self.y - 12, "share left", "soft small")
        pen.text(end, self.y - 12, f"{layer.name} {layer.cell.name}, {_of(layer)}", "ink strong", "end")
        for share, words, place in ((0.5, "half", layer.half_life), (0.01, "1 %", layer.reach)):
            if place <= self.farthest:
                across, y = self.at(place, share)
                pen.line(across, y, across, self.y + HIGH, "limit")
                pen.line(x, y, across, y, "limit")
                near, anchor = (across - 5, "end") if end - across < 170 else (across + 5, "start")
                pen.text(near, y - 4, f"{words} left after {place:.1f} steps", "ink", anchor)

    def curve(self, left: Array, role: str) -> None:
        """A curve as far as it is on the scale, and down to its edge where it leaves it."""
        points: list[tuple[float, float]] = []
        for distance, share in enumerate(left[: self.farthest + 1]):
            if not np.isfinite(share):
                continue
            points.append(self.at(distance, max(float(share), 10.0**BOTTOM)))
            if share <= 10.0**BOTTOM:
                break
        if points:  # a loss whose own state was not kept has none
            self.pen.path(points if len(points) > 1 else [*points, *points], role)


def _single(layer: LayerTrace) -> Iterator[Array]:
    """What is left of single steps' losses, by distance."""
    G = layer.own_losses
    if G is None or len(G) == 1:
        return
    steps = np.arange(layer.T) if layer.reverse else np.arange(1, layer.T)
    for s in steps[np.unique(np.linspace(0, len(steps) - 1, LINES).astype(int))] if len(steps) else []:
        row = G[s, s:] if layer.reverse else G[s, : s + 1][::-1]
        if len(row) > 1 and row[0] > 0:
            yield row.astype(np.float64) / row[0]


def _seen(signal: Array) -> int:
    """The distance at which a signal leaves the scale, or the longest there is; at least 1."""
    there = np.flatnonzero(np.isfinite(signal) & (signal > 10.0**BOTTOM))
    return min(len(signal) - 1, int(there[-1]) + 1) or 1 if len(there) else 1


def _reached(layer: LayerTrace, signal: Array) -> str:
    """Half-life and reach in words."""
    half, reach, of = layer.half_life, layer.reach, _of(layer)
    if layer.T == 1:
        return f"{layer.name} ran one step, so there is no distance."
    if not np.isfinite(signal).any():
        return f"No loss sends a gradient into {layer.name}."
    if math.isinf(reach):
        return f"In {layer.name} more than 1 % of the {of} is left over the {layer.T} steps there are."
    return f"In {layer.name} half of the {of} is left after {half:.1f} steps and 1 % after {reach:.1f}."


def _of(layer: LayerTrace) -> str:
    """What the curve is of."""
    return "Jacobian" if layer.own_losses is None else "gradient of h"
