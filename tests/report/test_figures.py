"""The figures show the trace's numbers: every step, every layer, in the place and the colour they have."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import unrolled
from tests.report.traces import B, H, T, cases, changed, fading, translated
from unrolled.errors import DataError, OptionError
from unrolled.report import html
from unrolled.report.figures import FIGURES, LONGEST, STEP_BY_STEP, draw, draw_all, palette, sheet
from unrolled.report.figures.network import LANE
from unrolled.traces import Trace

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<script>alert(1)</script>", "&amp;", '"quoted"', "\x00\x1b[31m", "￾\ud800", " ", "\n", "漢字"]
MISSING = {
    "not itemised": {"triangle"},
    "some units": {"shares"},
    "no loss": {"triangle", "shares"},
    "states alone": {"gates", "distance", "triangle", "shares"},
}


@pytest.fixture(scope="module", params=list(cases()))
def case(request) -> tuple[str, Trace]:
    return request.param, cases()[request.param]()


@pytest.fixture(scope="module")
def two_layers() -> Trace:
    return cases()["lstm of two layers"]()


def root(trace: Trace, name: str, b: int = 0) -> ET.Element:
    return ET.fromstring(draw(trace, name, b).svg())


def classes(drawing: ET.Element, role: str) -> list[ET.Element]:
    return [made for made in drawing.iter() if f"u-{role}" in made.get("class", "").split()]


def said(drawing: ET.Element) -> list[str]:
    """What the bars say to whoever points at them."""
    return [made.text or "" for made in drawing.iter(f"{SVG}title")]


def words(drawing: ET.Element) -> list[str]:
    return [made.text or "" for made in drawing.iter(f"{SVG}text")]


def points(path: ET.Element) -> np.ndarray:
    return np.array([pair.split() for pair in re.split("[MLZ]", path.get("d", "")) if pair], float)


def levels(drawing: ET.Element, ramp: str) -> list[np.ndarray]:
    """The matrices that `Pen.cells` drew, -1 where nothing is."""
    found: list[np.ndarray] = []
    for group in drawing.iter(f"{SVG}g"):
        cells: dict[tuple[int, int], int] = {}
        for path in group.findall(f"{SVG}path"):
            match = re.fullmatch(rf"u-{ramp}(\d+)", path.get("class", ""))
            for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path.get("d", "") if match else ""):
                assert match
                cells |= {(int(y), int(x) + k): int(match[1]) for k in range(int(run))}
        if cells:
            matrix = np.full(np.max(list(cells), axis=0) + 1, -1)
            for place, level in cells.items():
                matrix[place] = level
            found.append(matrix)
    return found


def test_every_figure_is_drawn_or_says_what_is_missing(case):
    name, trace = case
    drawn = draw_all(trace)
    assert set(drawn.missing) == MISSING.get(name, set())
    assert {figure.name for figure in drawn.figures} | set(drawn.missing) == set(FIGURES)
    assert all("must be kept" in why for why in drawn.missing.values())


def test_figures_are_well_formed_and_stay_on_their_sheet(case):
    for figure in draw_all(case[1]).figures:
        drawing = ET.fromstring(figure.svg())
        assert drawing.get("aria-label") == figure.words
        _, _, width, height = map(float, drawing.get("viewBox", "").split())
        for made in drawing.iter(f"{SVG}rect"):
            x, y, w, h = (float(made.get(key, 0)) for key in ("x", "y", "width", "height"))
            assert min(x, y, w, h) >= 0
            assert x + w <= width
            assert y + h <= height
        assert "nan" not in figure.body
        assert "inf" not in re.sub(r">[^<]*<", "><", figure.body)


def test_the_same_trace_gives_the_same_bytes(case, tmp_path):
    case[1].save(tmp_path / "trace.safetensors")
    loaded = Trace.load(tmp_path / "trace.safetensors")
    assert sheet(draw_all(case[1]).figures) == sheet(draw_all(loaded).figures)


def test_what_needs_no_look_elsewhere(two_layers):
    text = sheet(draw_all(two_layers).figures)
    assert not re.search(r"<(script|image|use|a|foreignObject)\b|\b(href|src|on\w+)=|url\(|@import", text)
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


def test_tokens_are_text_and_nothing_else(two_layers):
    tokens = (HOSTILE * 2)[:T]
    trace = changed(two_layers, tokens=[tokens] * B)
    for name in ("network", "unit"):
        svg = draw(trace, name).svg()
        assert "<script" not in svg
        assert not re.search("[\x00-\x08\x0b-\x1f\ufffe\ud800]", svg)
        shown = words(ET.fromstring(svg))
        assert {"<script>ale…", "&amp;", '"quoted"', "␣", "↵", "漢字"} <= set(shown)


# --------------------------------------------------------------------------------------------- network


def test_network_has_a_bar_for_every_step_of_every_lane(two_layers):
    drawing = root(two_layers, "network")
    found = said(drawing)
    for lane in ("h", "c", "∂L/∂h", "∂Lₙ/∂h"):
        for t in range(T):
            assert sum(text.startswith(f"step {t}: {lane} = ") for text in found) == 2
    assert [text for text in words(drawing) if text in ("l0", "l1")] == ["l1", "l0"], "the input is below"


def test_bars_are_as_high_as_the_states_are_strong(two_layers):
    h = two_layers["l1/h"][1:, 2].astype(float)
    bars = [
        (float(made.get("height", 0)), made[0].text or "")
        for made in classes(root(two_layers, "network", b=2), "forward")
        if len(made) and ": h = " in (made[0].text or "")
    ][:T]  # the last layer's stand first
    expected = np.sqrt((h**2).mean(axis=1))
    np.testing.assert_allclose([float(text.split("= ")[1]) for _, text in bars], expected, rtol=1e-3)
    np.testing.assert_allclose([height for height, _ in bars], LANE * expected, atol=0.01)


@pytest.mark.parametrize(("rate", "distance"), [(0.2, 3), (0.5, 7), (0.05, 2)])
def test_where_the_gradient_dies_is_marked(rate: float, distance: int):
    drawing = root(fading(rate), "network")
    faded = {text for made in classes(drawing, "faded") if (text := made[0].text or "")}
    assert {text.split(":")[0] for text in faded} == {f"step {t}" for t in range(T - distance)}
    assert f"is {distance} steps away" in drawing.get("aria-label", "")
    assert "under 1 %" in words(drawing)


def test_what_lasts_is_not_marked():
    drawing = root(fading(0.9), "network")
    assert classes(drawing, "faded") == []
    assert "under 1 %" not in words(drawing)
    assert "In l0 that is nowhere." in drawing.get("aria-label", "")


def test_reverse_layer_dies_the_other_way():
    trace = cases()["both directions"]()
    row = trace.layer("l0.reverse").G[0].astype(float)
    gone = int(np.flatnonzero(row < 0.01 * row[0])[0])
    assert f"In l0.reverse that is {gone} steps away." in draw(trace, "network").words


def test_long_texts_are_broken_into_lines_of_every_step():
    trace = fading(0.5, steps=200)
    drawing = root(changed(trace, tokens=[["ab"] * 200]), "network")
    starts = {made.get("y") for made in drawing.iter(f"{SVG}text") if made.text == "step"}
    assert len(starts) > 3
    assert words(drawing).count("ab") == 200


# ------------------------------------------------------------------------------- distance and triangle


@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_even_fading_is_a_straight_line_with_its_half_life(rate: float):
    drawing = root(fading(rate), "distance")
    curve = points(classes(drawing, "backward-line")[-1])
    slopes = np.diff(curve[:-1, 1]) / np.diff(curve[:-1, 0])
    np.testing.assert_allclose(slopes, slopes[0], rtol=2e-3)
    half = np.log(0.5) / np.log(rate)
    assert f"half left after {half:.1f} steps" in words(drawing)


def test_growing_gradients_extend_the_scale_upwards():
    assert "10¹" in words(root(fading(1.2), "distance"))


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_single_losses_of_a_window_are_those_of_its_own_steps(direction: str):
    trace = cases()["window of both directions"]()
    first, G = 4, trace.layer("l0" if direction == "forward" else "l0.reverse").G.astype(float)
    assert G.shape == (T, 5)
    own = G[first : first + 5]
    if direction == "forward":
        expected = [own[s, : s + 1][::-1] / own[s, s] for s in range(1, 5)]
    else:
        expected = [own[s, s:] / own[s, s] for s in range(4)]
    paths = [path for path in classes(root(trace, "distance"), "faint-line") if path.tag == f"{SVG}path"]
    assert len(paths) == 8, "four losses of each direction"
    for path, left in zip(paths[:4] if direction == "forward" else paths[4:], expected, strict=True):
        below = points(path)[:, 1] - points(path)[0, 1]  # from 1, down by powers of ten
        np.testing.assert_allclose(below, -np.log10(left) * decade(trace), atol=0.02)


def decade(trace: Trace) -> float:
    """The height of a power of ten in the figure of distances."""
    heights = sorted({float(line.get("y1", 0)) for line in classes(root(trace, "distance"), "grid")})
    return heights[1] - heights[0]


def test_what_no_distance_lies_between_is_drawn_by_jacobians():
    trace = translated()
    words = draw(trace, "distance").words
    assert "In l0 half of the Jacobian is left" in words or "In l0 more than 1 % of the Jacobian" in words
    assert "of the gradient of h is left" in words.partition("In l1")[2]


def itemised(largest: float) -> Trace:
    """A triangle from a largest number down by ten powers of ten."""
    trace = fading(0.5)
    G = np.tril(largest * 10.0 ** -np.abs(np.subtract.outer(np.arange(T), np.arange(T))))
    return changed(trace, {"l0/G": G.astype(np.float32)})


@pytest.mark.parametrize("largest", [0.1, 100.0])
def test_the_largest_has_the_colour_at_the_end_of_the_scale(largest: float):
    scale, triangle = levels(root(itemised(largest), "triangle"), "magnitude")
    np.testing.assert_array_equal(scale[0], np.arange(palette.LEVELS))
    assert set(np.diagonal(triangle)) == {palette.LEVELS - 1}
    assert set(np.diagonal(triangle, -6)) == set(np.diagonal(triangle, -9)) == {0}, "six powers of ten"
    assert (np.diff(triangle[-1]) >= 0).all()


def test_triangle_draws_every_pair_and_no_state_after_its_loss():
    triangle = levels(root(itemised(1.0), "triangle"), "magnitude")[1]
    assert triangle.shape == (T, T)
    np.testing.assert_array_equal(triangle >= 0, np.tril(np.ones((T, T), bool)))


def test_large_triangle_shows_the_largest_of_each_block():
    trace = fading(0.5, steps=600)
    G = np.zeros((600, 600), np.float32)
    G[500, 100] = 1
    drawing = root(changed(trace, {"l0/G": G}), "triangle")
    matrix = levels(drawing, "magnitude")[1]
    assert matrix[500 // 3, 100 // 3] == palette.LEVELS - 1
    assert (matrix == palette.LEVELS - 1).sum() == 1
    assert "largest of 3 × 3 steps" in drawing.get("aria-label", "")


# ------------------------------------------------------------------------------ gates, shares and unit


def test_shares_are_the_parts_along_the_gradient(two_layers):
    drawing = root(two_layers, "shares")
    bars = [text for text in said(drawing) if text.endswith("%")]
    layer = two_layers.layer("l0")
    whole = layer.dW_hh.astype(float)
    expected = [100 * (layer.part("W_hh", t) * whole).sum() / (whole**2).sum() for t in range(T)]
    found = [float(text.split(": ")[1].removesuffix(" %")) for text in bars[T : 2 * T]]
    assert sum(found) == pytest.approx(100, abs=0.05 * T)
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert len(bars) == 4 * T, "two weights of two layers"


def test_gates_are_where_their_biases_put_them():
    trace = cases()["lstm of two layers"]()
    gates = np.array(trace["l0/gates"])
    gates[:] = np.array([0.0, 0.5, -1.0, 1.0])[:, None]
    drawing = root(changed(trace, {"l0/gates": gates}), "gates")
    i, f, g, o = (points(path)[:, 1] for path in classes(drawing, "forward-line")[1:5] if path.get("d"))
    grid = sorted(float(line.get("y1", 0)) for line in classes(drawing, "grid"))
    assert (set(i), set(f), set(g), set(o)) == ({grid[2]}, {grid[4]}, {grid[8]}, {grid[9]})
    assert {"mean 0.50", "mean −1.00", "saturated 100 %", "saturated 0 %"} <= set(words(drawing))


def test_unit_is_coloured_from_end_to_end_and_white_at_zero():
    trace = fading(0.5, steps=3)
    gru = cases()["gru"]()
    h = np.zeros_like(np.array(gru["l0/h"]))
    h[1:4, 0, 2] = [1, -1, 0.5]
    drawing = root(changed(gru, {"l0/h": h}), "unit")
    del trace
    roles = [made.get("class") for made in drawing.iter(f"{SVG}rect") if "u-sign" in made.get("class", "")]
    assert roles[:4] == ["u-sign32", "u-sign0", "u-sign24", "u-sign16"]
    assert palette.colours("sign", dark=False)[16] == "#ffffff"
    assert drawing.get("aria-label", "").startswith("Unit 2 of l0, the one that varies most")


def test_the_right_sequence_is_drawn():
    trace = cases()["ragged"]()
    assert sum(": h = " in text for text in said(root(trace, "network", b=0))) == 7
    assert sum(": h = " in text for text in said(root(trace, "network", b=2))) == 1
    assert draw(trace, "network", 2).words.endswith("Sequence 2 of 3.")


# ------------------------------------------------------------------------------------------- bad input


def test_figures_and_sequences_that_are_not_there(two_layers):
    with pytest.raises(OptionError, match="Did you mean triangle"):
        draw(two_layers, "triangel")
    with pytest.raises(OptionError, match="be a sequence, 0 to 2; got 3"):
        draw(two_layers, "gates", b=3)


def test_a_trace_without_layers_has_no_figure(two_layers):
    with pytest.raises(DataError, match="have a layer"):
        draw(changed(two_layers, layers=[]), "network")


def test_not_finite_is_said_not_drawn(two_layers):
    h = np.array(two_layers["l0/h"])
    h[3, 0, H - 1] = np.nan
    drawn = draw_all(changed(two_layers, {"l0/h": h}))
    assert drawn.figures == []
    assert all("l0/h must be finite" in why for why in drawn.missing.values())


def test_too_many_steps_are_said_not_drawn():
    drawn = draw_all(cases()["states alone"](), names=["network"])
    assert [figure.name for figure in drawn.figures] == ["network"]
    trace = fading(0.5, steps=LONGEST + 1)
    with pytest.raises(DataError, match=f"at most {LONGEST:,} steps"):
        draw(trace, "network")


class Pair(torch.nn.Module):
    """An encoder of six steps, whose state a decoder of four begins with."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = torch.nn.GRU(3, 4), torch.nn.GRU(2, 4)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.decoder(target, self.encoder(source)[1])[0]


def test_layers_of_different_times_are_not_drawn_side_by_side():
    inputs = torch.randn(6, 1, 3), torch.randn(4, 1, 2)
    trace = unrolled.trace(Pair(), inputs, loss=lambda out: out.square().sum())
    drawn = draw_all(trace)
    assert drawn.missing.keys() == {*STEP_BY_STEP, "triangle"}
    assert "l0 has 6, l1 has 4" in drawn.missing["network"]
    assert "l0 has 6, l1 has 4" in html.page(trace)
