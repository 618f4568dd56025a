"""PNG of a drawing, by resvg."""

from __future__ import annotations

from unrolled.errors import UnavailableError
from unrolled.report.figures.palette import SANS

SCALE = 2
"""Pixels of a unit: what is drawn for a page is sharp on screens with small pixels too."""

_LETTER = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">'
    '<text font-family="{}" y="16">{}</text></svg>'
)


def png(svg: str, scale: int = SCALE) -> bytes:
    """A drawing as PNG, as on a light page unless it was made for a dark one.

    Raises:
        UnavailableError: resvg is not installed, or the machine has no font to write with.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        fix = 'Drawing PNG needs resvg-py. Fix: pip install "unrolled[plot]"'
        raise UnavailableError("report.png: resvg-py", "be installed", "no such module", fix) from error
    font = SANS.replace("'", "")
    with_letter, without = (bytes(svg_to_bytes(_LETTER.format(font, letter))) for letter in ("n", ""))
    if with_letter == without:
        fix = "Install one (Debian: apt install fonts-dejavu-core), or write SVG or HTML."
        raise UnavailableError("report.png: this machine", f"have a font of {font}", "none", fix)
    return bytes(svg_to_bytes(svg, zoom=scale))
