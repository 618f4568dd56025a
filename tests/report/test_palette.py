"""Colours that everybody can tell apart, and text that can be read on them."""

import numpy as np
import pytest

from unrolled.report.figures import palette
from unrolled.report.figures.palette import FILLS, LEVELS, STROKES, colours, contrast

# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
EYES = pytest.mark.parametrize("eyes", list(BLINDNESS))


def lab(colour: str, eyes: str) -> np.ndarray:
    """CIE L*a*b* of a colour as somebody sees it."""
    rgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.asarray(BLINDNESS[eyes]) @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one: str, other: str, eyes: str) -> float:
    return float(np.linalg.norm(lab(one, eyes) - lab(other, eyes)))


@THEMES
@EYES
def test_signs_are_told_apart_and_from_zero(dark: bool, eyes: str):
    ramp = colours("sign", dark)
    low, zero, high = ramp[LEVELS // 4], ramp[LEVELS // 2], ramp[3 * LEVELS // 4]
    assert min(apart(low, zero, eyes), apart(high, zero, eyes), apart(low, high, eyes)) > 20
    assert apart(ramp[0], ramp[-1], eyes) > 20


@THEMES
@EYES
def test_directions_are_told_apart(dark: bool, eyes: str):
    assert apart(FILLS["forward"][dark], FILLS["backward"][dark], eyes) > 30


@EYES
def test_more_is_always_brighter(eyes: str):
    brightness = [lab(colour, eyes)[0] for colour in colours("magnitude", False)]
    assert (np.diff(brightness) > 0).all()


@THEMES
@pytest.mark.parametrize("role", ["ink", "soft"])
@pytest.mark.parametrize("ground", ["surface", "lane"])
def test_text_can_be_read(dark: bool, role: str, ground: str):
    assert contrast(FILLS[role][dark], FILLS[ground][dark]) >= 4.5


@THEMES
def test_lines_and_bars_can_be_seen(dark: bool):
    pairs = [
        FILLS["forward"],
        FILLS["backward"],
        STROKES["forward-line"],
        STROKES["backward-line"],
        STROKES["axis"],
    ]
    assert min(contrast(pair[dark], FILLS["surface"][dark]) for pair in pairs) >= 3


@THEMES
def test_tokens_can_be_read_on_every_colour(dark: bool):
    sheet = palette.css("dark" if dark else "light")
    inks = dict(
        line[5:].rstrip("}").split("{fill:") for line in sheet.splitlines() if line.startswith(".u-on")
    )
    assert len(inks) == LEVELS
    ramp = colours("sign", dark)
    assert min(contrast(inks[str(level)], ramp[level]) for level in range(LEVELS)) >= 4.5


def test_paper_is_light():
    light, dark = palette.css("auto").split("@media screen and (prefers-color-scheme:dark)")
    assert FILLS["surface"][0] in light
    assert FILLS["surface"][1] in dark
    assert FILLS["surface"][1] not in light
