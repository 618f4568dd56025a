"""A training at its end as a page, with the curve of its losses."""

import re
from xml.etree import ElementTree

import pytest

from unrolled.report import finished
from unrolled.report.card import Result
from unrolled.tasks.base import Measure, Row, Terms

TERMS = Terms("character", "nats a char", "tokens", Measure("bits", "bits a char"))
ROWS = [
    {"update": 10, "loss": 3.0},
    {"update": 20, "loss": 2.5},
    {"update": 20, "valid_loss": 2.6, "train_loss": 2.7, "best": True},
    {"update": 30, "loss": None},
    {"update": 40, "valid_loss": 2.8, "train_loss": 2.0, "best": False},
]
RESULT = Result(
    (Measure("bits", "bits a\nchar"),),
    (Row("this <model>", {"bits": 1.25}), Row("chance", {"bits": None}, "all equally likely")),
    "40 updates",
)


def test_the_page_says_all_and_needs_nothing_else():
    page, figures = finished.report("run", [("data", "a & b")], RESULT, ROWS, TERMS)
    assert list(figures) == ["loss"]
    for words in ("a &amp; b", "this &lt;model&gt;", "1.250", "all equally likely", "40 updates", "<svg"):
        assert words in page
    assert not re.findall(r"(?:src|href)=", page)


def test_the_curve_goes_through_the_losses():
    figure = finished.curve(ROWS, TERMS)
    assert "update 20, with 2.6000 held out" in figure.words
    ElementTree.fromstring(figure.svg())
    paths = re.findall(r'<path class="u-(\S+)" d="M([^"]+)"', figure.body)
    points = {role: [tuple(map(float, point.split())) for point in path.split("L")] for role, path in paths}
    (x0, y0), (x1, y1) = points["faint-line"]
    (v0, w0), (v1, w1) = points["forward-line"]
    assert (x1, v1) == (v0, finished.WIDTH - finished.RIGHT)
    assert y0 < w1 < w0 < y1  # the larger the loss the higher up, and 3.0 > 2.8 > 2.6 > 2.5
    assert (y1 - y0) / (3.0 - 2.5) == pytest.approx((w0 - w1) / (2.8 - 2.6), rel=1e-2)
    assert x0 == pytest.approx(finished.LEFT + (v1 - finished.LEFT) / 4, abs=0.01)


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS[2:3], [{"update": 0, "valid_loss": 0.0, "best": True}]])
def test_a_curve_of_a_point_or_none(rows: list[dict[str, float]]):
    ElementTree.fromstring(finished.curve(rows, TERMS).svg())


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.31, 4.2), (0.001, 0.0011), (5.0, 5.0), (0.0, 9e5)])
def test_a_scale_has_some_lines(low: float, high: float):
    assert 4 <= (high - low or max(high, 1.0)) / finished._step(low, high) <= 10.1
