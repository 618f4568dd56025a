"""A trace as files: a page, figures as SVG or PNG, itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from unrolled import storage
from unrolled.errors import DataError
from unrolled.report import html
from unrolled.report.figures import USUAL, Unit, draw, draw_all, sheet
from unrolled.report.figures.palette import Theme
from unrolled.report.png import png
from unrolled.traces import Trace


def write(trace: Trace, paths: Mapping[str, Path | None], figure: str = "all", chosen: Unit = USUAL) -> None:
    """Writes ``html``, ``svg``, ``png`` and ``trace`` (the trace itself), those that have a path.

    Args:
        figure: which to write as SVG or PNG, or ``all`` that can be drawn, under each other.
        chosen: which unit the figure ``unit`` is of.

    Raises:
        OptionError: no such figure or unit.
        NotKeptError: the trace lacks what the figure shows, or the chosen layer.
        DataError: there is nothing to draw.
        StorageError: a file cannot be written.
        UnavailableError: PNG, but what draws it is not installed.
    """
    made: dict[str, Callable[[], bytes]] = {
        "html": lambda: html.page(trace).encode(),
        "svg": lambda: drawing(trace, figure, chosen=chosen).encode(),
        "png": lambda: png(drawing(trace, figure, "light", chosen)),
    }
    for kind, path in paths.items():
        if path and kind == "trace":
            trace.save(path)
        elif path:
            contents = made[kind]()
            with storage.replacing(path) as file:
                file.write(contents)


def drawing(trace: Trace, figure: str = "all", theme: Theme = "auto", chosen: Unit = USUAL) -> str:
    """One figure as SVG, or all that can be drawn.

    Raises:
        OptionError: no such figure or unit.
        NotKeptError: the trace lacks what the figure shows, or the chosen layer.
        DataError: there is nothing to draw.
    """
    if figure != "all":
        return draw(trace, figure, chosen=chosen).svg(theme)
    drawn = draw_all(trace, chosen=chosen)
    if not drawn.figures:
        why = "; ".join(drawn.missing.values())
        raise DataError(
            "figures: the trace", "have what a figure shows", why, "Trace again with more in keep."
        )
    return sheet(drawn.figures, theme)
