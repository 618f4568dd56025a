"""The network unrolled: columns are steps, rows are layers; what goes forward and back, and where it dies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unrolled.cells import Array
from unrolled.report.figures import layout, measures
from unrolled.report.figures.layout import Column, Steps
from unrolled.report.figures.svg import LINE, Figure, Pen
from unrolled.traces import LayerTrace, Trace

LANE, SPACE = 24, 4
"""Units a lane is high, and from lane to lane."""

DECADES = 4
"""Powers of ten on the scale of the gradients: at half the height, a hundredth is left of the most."""

ALL, LAST, FIRST = "∂L/∂h", "∂Lₙ/∂h", "∂L₀/∂h"
"""What all losses send back, what that of the last step does, and in a reverse layer that of the first."""


@dataclass(frozen=True)
class Lane:
    """A number of every step as a bar around the lane's middle.

    Attributes:
        full: the number that a bar of full height means.
        back: whether what it shows goes to the left.
        gone: the first step on that way where it has vanished.

    Shapes:
        values, heights: ``[n]``; heights from 0 to 1.
    """

    name: str
    role: str
    values: Array
    heights: Array
    full: float
    back: bool = False
    gone: int | None = None


@dataclass(frozen=True)
class Row:
    """The lanes of a layer, or of the loss."""

    name: str
    lanes: Sequence[Lane]


def network(trace: Trace, b: int) -> Figure:
    """Draws it.

    Raises:
        NotKeptError: ``h`` was not kept.
    """
    steps = layout.steps(trace, b)
    decade = _decade(trace, b, steps.count)
    rows = [_row(layer, b, steps.count, decade) for layer in reversed(trace.layers)]
    losses = measures.losses(trace, b, steps.count)
    if losses is not None:
        rows.insert(0, Row("loss", [_linear("", "soft", losses)]))
    pen, y = Pen(), 6.0
    for role, words in _legend(rows, decade, layout.loss_unit(trace)):
        pen.rect(16, y, 10, 10, role)
        pen.text(32, y + 9, words, "soft")
        y += LINE + 1
    y += 12
    for line in layout.lines(steps.names):
        for row in rows:
            layout.heading(pen, row.name, "", y + LANE / 2 + 4)
            for lane in row.lanes:
                _draw(pen, lane, line, y, steps)
                y += LANE + SPACE
            y += 8
        _names(pen, line, steps, y)
        y += 42
    return Figure(
        "network",
        "The network unrolled",
        _words(rows, measures.has_one_loss(trace)) + layout.sequence(trace, b),
        y - 6,
        pen.body,
    )


def _row(layer: LayerTrace, b: int, n: int, decade: int) -> Row:
    """A layer's lanes: its states, and the gradients that were kept."""
    full = 1.0 if measures.bounded(layer) else None
    lanes = [_linear("h", "forward", measures.strength(layer.output[:n], b), full, layer.reverse)]
    if "c" in layer.arrays:
        c = layer.c[:-1] if layer.reverse else layer.c[1:]
        lanes.append(_linear("c", "forward", measures.strength(c[:n], b), None, layer.reverse))
    if "dh" in layer.arrays:
        norms = measures.norm(layer.dh[:n], b)
        gone = measures.faded(layer, norms)
        lanes.append(_logarithmic(ALL, norms, decade, not layer.reverse, gone))
    if layer.own_losses is not None and len(layer.G) > 1:
        row, start = measures.far_loss(layer, n)
        name = FIRST if layer.reverse else LAST
        lanes.append(_logarithmic(name, row, decade, not layer.reverse, measures.vanished(row, start)))
    return Row(layer.name, lanes)


def _linear(name: str, role: str, values: Array, full: float | None = None, back: bool = False) -> Lane:
    """A lane on a scale from 0 to ``full``, or to the next round number."""
    full = full or layout.round_up(float(values.max()))
    return Lane(name, role, values, np.minimum(values / full, 1), full, back)


def _logarithmic(name: str, values: Array, decade: int, back: bool, gone: int | None = None) -> Lane:
    """A lane on a scale of `DECADES` powers of ten that ends at ``decade``."""
    heights = np.clip((np.log10(np.maximum(values, 1e-300)) - decade) / DECADES + 1, 0, 1)
    return Lane(name, "backward", values, heights, 10.0**decade, back, gone)


def _decade(trace: Trace, b: int, n: int) -> int:
    """The top of the scale that all gradients are drawn on."""
    dh = [measures.norm(layer.dh[:n], b) for layer in trace.layers if "dh" in layer.arrays]
    itemised = [layer for layer in trace.layers if layer.own_losses is not None and len(layer.G) > 1]
    far = [measures.far_loss(layer, n)[0] for layer in itemised]
    return layout.top_decade(max((float(values.max()) for values in dh + far), default=0))


def _draw(pen: Pen, lane: Lane, line: Sequence[Column], y: float, steps: Steps) -> None:
    """A lane in one line of steps."""
    left, right = line[0].x, line[-1].x + line[-1].width
    name = f"← {lane.name}" if lane.back else f"{lane.name} →"
    pen.text(left - 8, y + LANE / 2 + 4, name if lane.name else "nats", "soft", "end")
    pen.rect(left, y, right - left, LANE, "lane")
    for at in line:
        height = max(0.75, LANE * float(lane.heights[at.t]))
        faded = lane.gone is not None and (at.t <= lane.gone if lane.back else at.t >= lane.gone)
        says = f"{steps.said(at.t)}: {lane.name or 'loss'} = {lane.values[at.t]:.4g}"
        role = f"{lane.role} faded" if faded else lane.role
        pen.rect(at.x + 0.75, y + (LANE - height) / 2, at.width - 1.5, height, role, says)
    for at in line:
        if at.t == lane.gone:
            x = at.x + at.width if lane.back else at.x
            pen.line(x, y - 1, x, y + LANE + 1, "limit")
            if (x - left if lane.back else right - x) > 60:
                pen.text(
                    x - 4 if lane.back else x + 4,
                    y + 10,
                    "under 1 %",
                    "ink small",
                    "end" * lane.back or "start",
                )


def _names(pen: Pen, line: Sequence[Column], steps: Steps, y: float) -> None:
    """The steps' names and numbers under a line of them."""
    pen.text(16, y + 9, "step", "ink strong")
    for at in line:
        middle, numeral = at.x + at.width / 2, str(steps.first + at.t)
        pen.text(middle, y + 9, at.name, "ink token", "middle")
        if at.name != numeral and ((steps.first + at.t) % 5 == 0 or at.width > 24):
            pen.text(middle, y + 22, numeral, "soft small", "middle")


def _legend(rows: Sequence[Row], decade: int, loss: str) -> Iterator[tuple[str, str]]:
    """What the bars mean: a role, and words."""
    layers = [row for row in rows if row.name != "loss"]
    cells = [f"{row.name} {lane.full:g}" for row in layers for lane in row.lanes if lane.name == "c"]
    other = [f"{row.name} {row.lanes[0].full:g}" for row in layers if row.lanes[0].full != 1]
    words = "forward: root mean square of the units of a state; a bar of full height is 1"
    words += f", of h {', '.join(other)}" if other else ""
    yield "forward", words + (f", of c {', '.join(cells)}" if cells else "")
    if any(lane.role == "backward" for row in layers for lane in row.lanes):
        low, high = (layout.power(decade - below) for below in (DECADES, 0))
        yield (
            "backward",
            (
                f"backward: length of a gradient in {loss} per unit of h, log scale: "
                f"no height {low}, full height {high}"
            ),
        )
    if rows[0].name == "loss":
        yield "soft", f"loss of each step in nats; a bar of full height is {rows[0].lanes[0].full:g}"


def _words(rows: Sequence[Row], is_one: bool) -> str:
    """What the figure shows."""
    words = ["Columns are steps, rows are layers, the input below. States go forward, gradients back."]
    far = {row.name: lane for row in rows for lane in row.lanes if lane.name in (LAST, FIRST)}
    if far:
        whose = {LAST: "∂Lₙ that of the last step alone", FIRST: "∂L₀ that of the first step alone"}
        pieces = ", ".join(whose[name] for name in whose if name in {lane.name for lane in far.values()})
        words.append(f"∂L is the loss of all steps together, {pieces}; it fades where less than 1 % is left.")
    if is_one:
        words.append(f"The model has one loss; {ALL} fades where less than 1 % of its largest is left.")
        far = {row.name: lane for row in rows for lane in row.lanes if lane.name == ALL}
    for name, lane in far.items():
        if lane.gone is None:
            words.append(f"In {name} that is nowhere.")
        else:
            begin = int(lane.values.argmax()) if is_one else len(lane.values) - 1 if lane.back else 0
            steps = abs(lane.gone - begin)
            words.append(f"In {name} that is {steps} {'step' if steps == 1 else 'steps'} away.")
    return " ".join(words)
