"""Colours, which colour-blind readers can tell apart, as a style sheet for light pages, dark ones and paper.

Magnitudes: cividis. Signs: purple to orange through the colour of the page. Direction: the blue and the
vermilion (on dark pages sky blue and orange) of Okabe and Ito. No meaning hangs on a colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal, TypeAlias

import numpy as np

from unrolled.cells import Array

Theme: TypeAlias = Literal["auto", "light", "dark"]
Pair: TypeAlias = tuple[str, str]

LEVELS = 33
"""Colours of a ramp: an odd number, so that zero has one of its own."""

FILLS: dict[str, Pair] = {
    "surface": ("#ffffff", "#14171c"),
    "lane": ("#f3f5f7", "#1d2128"),
    "ink": ("#1b1f24", "#e6e8eb"),
    "soft": ("#57606a", "#a3adb8"),
    "forward": ("#0072b2", "#56b4e9"),
    "backward": ("#d55e00", "#e69f00"),
}
"""Light and dark, of what is filled and of text."""

STROKES: dict[str, Pair] = {
    "axis": ("#8c959f", "#6e7781"),
    "grid": ("#dfe3e8", "#2b3138"),
    "limit": ("#1b1f24", "#e6e8eb"),
    "forward-line": ("#0072b2", "#56b4e9"),
    "backward-line": ("#d55e00", "#e69f00"),
    "faint-line": ("#d55e00", "#e69f00"),
}

_CIVIDIS = (
    "#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55",
    "#fee838",
)  # fmt: skip

RAMPS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "magnitude": (_CIVIDIS, _CIVIDIS),
    "sign": (
        ("#4a1d7f", "#998ec3", "#ffffff", "#f1a340", "#a44f04"),
        ("#c9b6ff", "#7a66b0", "#14171c", "#a5671f", "#ffbe6b"),
    ),
}
"""Stops of the ramps, from the lowest to the highest, light and dark."""

SANS = "'Segoe UI','Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans','Noto Sans',sans-serif"
MONO = "Consolas,Menlo,'Liberation Mono','DejaVu Sans Mono','Noto Sans Mono',monospace"
"""Fonts by name, those of every system: what draws PNG knows no generic ones."""

_SHAPES = f"""\
.u-figure{{font-family:{SANS};font-size:12px}}
.u-title{{font-size:16px;font-weight:bold}}
.u-strong{{font-weight:bold}}
.u-small{{font-size:10px}}
.u-token{{font-family:{MONO};font-size:11px}}
.u-axis,.u-grid,.u-limit{{stroke-width:1}}
.u-limit{{stroke-dasharray:4 3}}
.u-forward-line,.u-backward-line{{stroke-width:1.6;fill:none}}
.u-faint-line{{stroke-width:.8;stroke-opacity:.4;fill:none}}
.u-band{{fill-opacity:.28}}
.u-faded{{fill-opacity:.35}}
.u-nothing{{fill-opacity:0}}
"""


@cache
def css(theme: Theme) -> str:
    """The style sheet that a figure, or a page of figures, needs."""
    if theme != "auto":
        return _SHAPES + "".join(_colours(int(theme == "dark")))
    dark = "".join(_colours(1))
    return f"{css('light')}@media screen and (prefers-color-scheme:dark){{\n{dark}}}\n"


def levels(values: Array, low: float, high: float) -> Array:
    """Places on a ramp, which begins at ``low`` and ends at ``high``; beyond them, its ends.

    Shapes:
        any; the same, whole numbers from 0 to ``LEVELS - 1``.
    """
    shares = (np.asarray(values, np.float64) - low) / (high - low)
    return np.rint(np.clip(shares, 0, 1) * (LEVELS - 1)).astype(int)


@cache
def colours(ramp: str, dark: bool) -> list[str]:
    """The colours of a ramp."""
    stops = np.array([_rgb(stop) for stop in RAMPS[ramp][dark]])
    at = np.linspace(0, len(stops) - 1, LEVELS)
    mixed = np.stack([np.interp(at, np.arange(len(stops)), channel) for channel in stops.T], axis=1)
    return ["#" + "".join(f"{round(part):02x}" for part in colour) for colour in mixed]


def contrast(one: str, other: str) -> float:
    """How well two colours are told apart: 1 not at all, 4.5 enough for text, 21 the most.

    Source: WCAG 2.2, relative luminance and contrast ratio.

    Example:
        >>> contrast("#000000", "#ffffff")
        21.0
    """
    dim, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


def _colours(dark: int) -> Iterator[str]:
    """The rules that are different on light and on dark pages."""
    for role, pair in FILLS.items():
        yield f".u-{role}{{fill:{pair[dark]}}}\n"
    for role, pair in STROKES.items():
        yield f".u-{role}{{stroke:{pair[dark]}}}\n"
    for ramp in RAMPS:
        for level, colour in enumerate(colours(ramp, bool(dark))):
            yield f".u-{ramp}{level}{{fill:{colour}}}\n"
    for level, colour in enumerate(colours("sign", bool(dark))):
        ink = max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))
        yield f".u-on{level}{{fill:{ink}}}\n"


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in _rgb(colour)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))
