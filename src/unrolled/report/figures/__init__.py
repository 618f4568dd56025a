"""Six pictures of a trace, drawn as SVG.

    svg.py       the pen, `Figure`, several figures on a sheet
    palette.py   colours, for light pages, dark ones and paper
    layout.py    steps in lines and on axes
    measures.py  the numbers that are drawn
    the others   one picture each; `FIGURES` has them all

The same trace gives the same bytes. Scales are the same over time and over all layers of a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from unrolled.errors import DataError, NonFiniteError, NotKeptError, OptionError, nearest
from unrolled.report.figures import layout
from unrolled.report.figures.distance import distance
from unrolled.report.figures.gates import gates
from unrolled.report.figures.network import network
from unrolled.report.figures.palette import Theme
from unrolled.report.figures.shares import shares
from unrolled.report.figures.svg import Figure, sheet
from unrolled.report.figures.triangle import triangle
from unrolled.report.figures.unit import unit
from unrolled.traces import Trace

FIGURES: Mapping[str, Callable[[Trace, int], Figure]] = {
    "network": network,
    "gates": gates,
    "distance": distance,
    "triangle": triangle,
    "shares": shares,
    "unit": unit,
}
"""By name, in the order in which they tell their story."""


LONGEST = 2000
"""Steps that are drawn one by one, at most."""

STEP_BY_STEP = frozenset(("network", "gates", "shares", "unit"))
"""The figures that grow with the steps."""


class Unit(NamedTuple):
    """Which unit the figure ``unit`` is of; None: of the last layer, and the one that varies most."""

    layer: str | None = None
    number: int | None = None


USUAL = Unit()
"""The one that varies most."""


def draw(trace: Trace, name: str, b: int = 0, chosen: Unit = USUAL) -> Figure:
    """One picture of sequence ``b`` of a trace; ``chosen`` is for the figure ``unit``.

    Raises:
        OptionError: no such figure, sequence or unit.
        NotKeptError: the trace lacks what it shows, or the chosen layer.
        NonFiniteError: the trace has NaN or infinity.
        DataError: the trace has no layer, the sequence no step, or more than can be shown.
    """
    if name not in FIGURES:
        raise OptionError("figures.draw: name", "be a figure", repr(name), nearest(name, FIGURES))
    steps = {layer.name: layer.T for layer in trace.layers}
    if name in STEP_BY_STEP and len({*steps.values()}) > 1:
        got = ", ".join(f"{layer} has {count:,}" for layer, count in steps.items())
        fix = "Trace the encoder or the decoder by itself for this picture."
        raise DataError(f"figures: {name}", "have as many steps in every layer", got, fix)
    count = layout.steps(trace, b).count
    if not count:
        raise DataError(f"figures: sequence {b}", "have a step that was kept", "none", "Draw another.")
    if count > LONGEST and name in STEP_BY_STEP:
        fix = "Trace a stretch: keep=Keep(steps=range(…))."
        raise DataError(f"figures: {name}", f"have at most {LONGEST:,} steps", f"{count:,}", fix)
    for array, values in trace.arrays.items():
        if not np.isfinite(values).all():
            fix = "Ask where it comes from: unrolled.diagnose(trace)."
            raise NonFiniteError(f"figures: {array}", "be finite", "NaN or infinity", fix)
    return unit(trace, b, *chosen) if name == "unit" else FIGURES[name](trace, b)


@dataclass(frozen=True)
class Drawn:
    """The figures of a trace that could be drawn, and by name why others could not."""

    figures: list[Figure]
    missing: dict[str, str]


def draw_all(trace: Trace, b: int = 0, names: Iterable[str] = tuple(FIGURES), chosen: Unit = USUAL) -> Drawn:
    """Every picture, or those named, that a trace has enough for.

    Raises:
        OptionError: no such sequence, figure or unit.
        NotKeptError: the chosen layer is not there.
    """
    drawn = Drawn([], {})
    if chosen.layer is not None:
        trace.layer(chosen.layer)
    for name in names:
        try:
            drawn.figures.append(draw(trace, name, b, chosen))
        except (NotKeptError, NonFiniteError, DataError) as error:
            drawn.missing[name] = str(error)
    return drawn


__all__ = [
    "FIGURES",
    "LONGEST",
    "STEP_BY_STEP",
    "USUAL",
    "Drawn",
    "Figure",
    "Theme",
    "Unit",
    "draw",
    "draw_all",
    "sheet",
]
