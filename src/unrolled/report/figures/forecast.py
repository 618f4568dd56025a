"""Series as they were and as they are to go on: a line, and behind it the bands of two intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unrolled.report.figures.svg import WIDTH, Figure, Pen

Floats = NDArray[np.float64]

LEFT, TOP, HIGH, BETWEEN = 84, 34, 150, 54
"""Units before a plot, above the first one, its height, and what lies between two."""

DRAWN = 6
"""Series that are drawn at most."""

PAST = 4
"""How many horizons of the past are drawn."""


def forecast(
    names: Sequence[str], past: Sequence[Floats], bands: Floats, ends: Sequence[tuple[str, str]]
) -> Figure:
    """Draws the first series.

    Args:
        ends: of each series what stands below the first and the last step ahead.

    Shapes:
        past: each ``[T]``; bands: ``[E, H, 5]``, the 95 % interval's lower end, that of 80 %, the median, and
        the two upper ends.
    """
    pen, horizon = Pen(), bands.shape[1]
    pen.line(16, 9, 36, 9, "forward-line")
    pen.text(42, 13, "what was", "soft")
    pen.line(126, 9, 146, 9, "backward-line")
    pen.text(
        152, 13, "the median of what comes, which lies in the darker band 80 times in 100, in both 95", "soft"
    )
    count = min(DRAWN, len(names))
    for number in range(count):
        before = past[number][-PAST * horizon :]
        top = TOP + number * (HIGH + BETWEEN)
        _plot(pen, names[number], before, bands[number], top, ends[number])
    rest = f" The first {count} of {len(names)} are drawn." if len(names) > count else ""
    words = f"The last {PAST * horizon} steps of each series at most, and the {horizon} that come.{rest}"
    return Figure("forecast", "How the series go on", words, TOP + count * (HIGH + BETWEEN), pen.body)


def _plot(pen: Pen, name: str, before: Floats, bands: Floats, top: float, ends: tuple[str, str]) -> None:
    """One series with its scale."""
    every = np.concatenate([before, bands.ravel()])
    low, high = float(every.min()), float(every.max())
    high = high if high > low else low + 1
    steps, horizon = len(before) + len(bands) - 1, len(bands)
    xs = LEFT + np.arange(steps + 1) * (WIDTH - LEFT - 24) / max(1, steps)

    def y(values: Floats) -> Floats:
        return top + 14 + (HIGH - 14) * (high - values) / (high - low)

    pen.text(LEFT, top + 4, name, "ink strong")
    for value in np.linspace(low, high, 3):
        height = float(y(np.array([value]))[0])
        pen.line(LEFT, height, WIDTH - 24, height, "grid")
        pen.text(LEFT - 8, height + 4, f"{value:.4g}", "soft small", "end")
    ahead = xs[-horizon:]
    for lower, upper in ((0, 4), (1, 3)):
        edge = [*zip(ahead, y(bands[:, lower]), strict=True)]
        back = [*zip(ahead[::-1], y(bands[::-1, upper]), strict=True)]
        pen.path([*edge, *back], "backward band", closed=True)
    pen.path(zip(xs[: len(before)], y(before), strict=True), "forward-line")
    joined = np.append(before[-1:], bands[:, 2])
    pen.path(zip(xs[-horizon - 1 :], y(joined), strict=True), "backward-line")
    for x, words, anchor in ((ahead[0], ends[0], "middle"), (ahead[-1], ends[1], "end")):
        if words and (anchor == "end" or horizon > 1):
            pen.text(float(x), top + HIGH + 18, words, "soft small", anchor)
