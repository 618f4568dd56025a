"""A small pen for SVG: rectangles, lines, paths, text; the same calls give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import wrap
from xml.sax.saxutils import escape as _escape
from xml.sax.saxutils import quoteattr

import numpy as np

from unrolled.cells import Array
from unrolled.report.figures import palette
from unrolled.report.figures.palette import Theme

WIDTH = 960
"""Units a figure is wide: a page of a report, a screen of a notebook."""

LINE = 16
"""Units from a line of text to the next."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    r"""Text as XML may hold it; characters that it may not are replaced.

    Example:
        >>> escape("a<b>&\0")
        'a&lt;b&gt;&amp;�'
    """
    return _escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def number(value: float) -> str:
    """A coordinate in as few characters as its hundredths need.

    Example:
        >>> number(3.0), number(1.258), number(-0.001)
        ('3', '1.26', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class Pen:
    """Draws in a plane with y downwards. A ``role`` is a name of the palette, or several with spaces."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    @property
    def body(self) -> str:
        """What was drawn, as SVG elements."""
        return "\n".join(self._drawn)

    def rect(self, x: float, y: float, width: float, height: float, role: str, says: str = "") -> None:
        """Draws a rectangle, which ``says`` something to whoever points at it."""
        attributes = _attributes(x=x, y=y, width=width, height=height)
        inside = f"><title>{escape(says)}</title></rect>" if says else "/>"
        self._drawn.append(f"<rect {_roles(role)} {attributes}{inside}")

    def line(self, x1: float, y1: float, x2: float, y2: float, role: str) -> None:
        """Draws a straight line."""
        self._drawn.append(f"<line {_roles(role)} {_attributes(x1=x1, y1=y1, x2=x2, y2=y2)}/>")

    def path(self, points: Iterable[tuple[float, float]], role: str, closed: bool = False) -> None:
        """Draws a line through points, or the area that it closes."""
        data = "L".join(f"{number(x)} {number(y)}" for x, y in points)
        self._drawn.append(f'<path {_roles(role)} d="M{data}{"Z" * closed}"/>')

    def text(self, x: float, y: float, words: str, role: str = "ink", anchor: str = "start") -> None:
        """Writes words on the base line y: from x on, or to x (``end``), or around it (``middle``)."""
        end = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._drawn.append(f"<text {_roles(role)} {_attributes(x=x, y=y)}{end}>{escape(words)}</text>")

    def cells(self, levels: Array, ramp: str, corner: tuple[float, float], size: tuple[float, float]) -> None:
        """Draws a matrix in colours, one path for each level: neighbours in a row are one rectangle.

        Shapes:
            levels: ``[rows, columns]``, whole numbers; below zero, nothing is drawn.
        """
        rows, columns = levels.shape
        sx, sy = size[0] / columns, size[1] / rows
        move = f"translate({number(corner[0])} {number(corner[1])}) scale({sx:.5g} {sy:.5g})"
        self._drawn.append(f'<g transform="{move}" shape-rendering="crispEdges">')
        runs: dict[int, list[str]] = {}
        for y, row in enumerate(levels):
            starts = np.flatnonzero(np.diff(row, prepend=row[0] - 1))
            for x, end in zip(starts, [*starts[1:], columns], strict=True):
                if row[x] >= 0:
                    runs.setdefault(int(row[x]), []).append(f"M{x} {y}h{end - x}v1h{x - end}z")
        for level, rectangles in sorted(runs.items()):
            self._drawn.append(f'<path {_roles(f"{ramp}{level}")} d="{"".join(rectangles)}"/>')
        self._drawn.append("</g>")


@dataclass(frozen=True)
class Figure:
    """A picture with its title and, in words, what it shows; `svg` makes a file or a part of a page of it."""

    name: str
    title: str
    words: str
    height: float
    body: str

    def svg(self, theme: Theme = "auto", *, titled: bool = True, styled: bool = True) -> str:
        """The figure as SVG, which needs nothing else.

        Args:
            theme: ``auto`` is light, and dark where the reader's system is; never dark on paper.
            titled: with title and words above, as a file is shown by itself.
            styled: with its own style sheet; a page with several figures has it once.
        """
        return sheet([self], theme, titled=titled, styled=styled)

    def _repr_svg_(self) -> str:
        return self.svg()


def sheet(
    figures: Iterable[Figure], theme: Theme = "auto", *, titled: bool = True, styled: bool = True
) -> str:
    """Figures under each other as one SVG; see `Figure.svg`."""
    figures, y, drawn = list(figures), 0.0, Pen()
    groups: list[str] = []
    for figure in figures:
        if titled:
            y += 28
            drawn.text(16, y, figure.title, "ink title")
            for line in wrap(figure.words, 150):
                y += LINE
                drawn.text(16, y, line, "soft")
            y += 8
        groups.append(f'<g transform="translate(0 {number(y)})">\n{figure.body}\n</g>')
        y += figure.height
    style = f"<style>{palette.css(theme)}</style>\n" if styled else ""
    about = quoteattr(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", " ".join(f.words for f in figures)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="u-figure" role="img" aria-label={about} '
        f'width="{WIDTH}" height="{number(y)}" viewBox="0 0 {WIDTH} {number(y)}">\n{style}'
        f'<rect class="u-surface" width="{WIDTH}" height="{number(y)}"/>\n'
        + "\n".join([drawn.body, *groups])
        + "\n</svg>\n"
    )


def _roles(role: str) -> str:
    return f'class="{" ".join(f"u-{one}" for one in role.split())}"'


def _attributes(**values: float) -> str:
    return " ".join(f'{name}="{number(value)}"' for name, value in values.items())
