"""Where a decoder looked, as text and as a figure."""

from xml.etree import ElementTree

import numpy as np

from unrolled.report.figures.svg import WIDTH
from unrolled.report.translations import figure, picture
from unrolled.tasks.translate import Alignment

SOURCE = ("ein", "älterer", "Mann", ".", "<end>")
TARGET = ("an", "incomprehensibly", "old", "man", ".", "<end>")


def made(source: tuple[str, ...] = SOURCE) -> Alignment:
    weights = np.random.default_rng(0).dirichlet(np.ones(len(source)), len(TARGET))
    return Alignment(source, TARGET, weights.astype(np.float32))


def test_a_row_of_the_picture_is_as_dark_as_its_weights() -> None:
    weights = np.eye(3, 2, dtype=np.float32)
    weights[2] = 0.5
    lines = picture(Alignment(("a", "日本"), ("x", "y", "z"), weights)).splitlines()
    assert lines[-3:] == ["x  ██", "y    ██", "z  ▒▒▒▒"]
    assert lines[:2] == ["     日", "   a 本"]


def test_the_figure_has_every_token_and_a_cell_for_each_pair() -> None:
    svg = figure(made()).svg()
    root = ElementTree.fromstring(svg)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(SOURCE) < set(texts)
    assert "incomprehen…" in texts
    cells = sum(
        path.get("d", "").count("M")
        for path in root.iter("{http://www.w3.org/2000/svg}path")
        if "magnitude" in path.get("class", "")
    )
    assert 0 < cells <= len(SOURCE) * len(TARGET)


def test_names_of_long_sources_do_not_overlap_and_stay_on_the_page() -> None:
    source = tuple(f"wordnumber{k}" for k in range(60))
    root = ElementTree.fromstring(figure(made(source)).svg())
    places = [
        (float(e.get("y", 0)), float(e.get("x", 0)), e.text or "")
        for e in root.iter("{http://www.w3.org/2000/svg}text")
        if e.text in source
    ]
    for (y, x, name), (other_y, other_x, _) in zip(sorted(places), sorted(places)[1:], strict=False):
        assert y != other_y or other_x - x > 6 * len(name)
    assert max(x for _, x, _ in places) < WIDTH


def test_the_same_alignment_gives_the_same_figure() -> None:
    assert figure(made()).svg() == figure(made()).svg()
