"""A trace in words, as data, as a page, in a notebook, as PNG; and the verb that makes them of a run."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.report.traces import T, cases, changed, fading
from unrolled import api
from unrolled.cli import main
from unrolled.errors import DataError, OptionError, UnavailableError
from unrolled.report import files, html
from unrolled.report.explanation import explain
from unrolled.report.figures import FIGURES, draw, draw_all
from unrolled.report.png import png
from unrolled.traces import Trace
from unrolled.traces.diagnosis import diagnose


@pytest.fixture(scope="module", params=list(cases()))
def trace(request) -> Trace:
    return cases()[request.param]()


class Page(HTMLParser):
    """The elements of a page, its attributes and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_words_have_a_row_for_every_layer(trace):
    said = str(trace)
    for layer in trace.layers:
        assert f"{layer.name} {layer.cell.name} H={layer.H}" in said
    assert f"{explain(trace).steps.count} step" in said


def test_data_is_json(trace):
    data = json.loads(json.dumps(trace.as_data(), allow_nan=False))
    assert [layer["name"] for layer in data["layers"]] == [layer.name for layer in trace.layers]
    assert len(data["steps"]["names"]) == explain(trace).steps.count


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_half_life_and_reach_are_those_of_the_rate(rate: float):
    said = str(fading(rate, steps=20))
    half, reach = np.log(0.5) / np.log(rate), np.log(0.01) / np.log(rate)
    row = next(line for line in said.splitlines() if line.startswith("l0 rnn_relu"))
    assert re.findall(r"after ([\d.]+) steps", row) == [f"{half:.1f}", f"{reach:.1f}"]
    assert "gradient of h" in row
    left = next(line for line in said.splitlines() if re.match(r"l0 gradient of h +\d", line))
    assert left.split()[4] == f"{100 * rate:.0f}"


@pytest.mark.parametrize(
    "name", ["lstm of two layers", "gru", "both directions", "loss at the end", "window"]
)
def test_one_page_has_one_half_life(name: str):
    """The table's is the diagnosis's: of what the cell remembers by, which is said."""
    trace = cases()[name]()
    diagnosis = diagnose(trace)
    told = explain(trace)
    for layer, said in zip(trace.layers, told.layers, strict=True):
        about = diagnosis.layers[layer.name]
        assert said.signal == f"gradient of {'c' if 'c' in layer.cell.states else 'h'}"
        assert said.half_life == (about["half_life"] or np.inf)
        assert said.reach == (about["reach"] or np.inf)
        assert said.left == {d: share for d, share in about["signal"] if d}
        row = next(
            line for line in str(told).splitlines() if line.startswith(f"{layer.name} {layer.cell.name}")
        )
        assert said.signal in row
    assert "of the gradient of h is left" in draw(trace, "distance").words


def test_what_lasts_has_no_half_life():
    said = fading(1.0)
    assert str(said).count(f"not in {T} steps") == 2
    assert said.as_data()["layers"][0]["reach"] is None


def test_strongest_steps_come_first():
    layer = fading(0.5).as_data()["layers"][0]
    shares = np.array(layer["shares"]["W_xh"])
    line = next(line for line in str(fading(0.5)).splitlines() if line.startswith("l0 W_xh"))
    assert f"{100 * shares.max():.0f} % step {shares.argmax()}" in line
    assert shares.sum() == pytest.approx(1)


def test_what_does_not_add_up_is_said():
    trace = cases()["gru"]()
    dh = np.array(trace["l0/dh"]) * 2
    assert "It adds up: " in str(trace)
    wrong = str(changed(trace, {"l0/dh": dh}))
    assert "DOES NOT ADD UP: l0: dh is dh_out + dh_carry" in wrong
    assert "It adds up" not in wrong


def test_a_trace_without_layers_is_still_shown():
    trace = changed(fading(0.5), layers=[])
    assert str(trace) == repr(trace)
    assert trace._repr_html_() is None


# ----------------------------------------------------------------------------------------------- pages


def test_page_is_complete_and_needs_nothing_else(trace):
    text = html.page(trace)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "image", "use", "a"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("href", "src") or name.startswith("on")]
    assert set(re.findall(r"https?://[^\"<\s]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|@import", text)
    assert "prefers-color-scheme:dark" in text
    drawn = draw_all(trace)
    assert page.tags.count("svg") == len(drawn.figures)
    assert all(why in page.text for why in drawn.missing.values())
    assert trace.facts["weights_sha256"] in page.text
    assert text == html.page(trace)


def test_tokens_cannot_become_elements():
    trace = cases()["gru"]()
    tokens = ["<script>", "</td>", "</svg>", "<b>", "&lt;", "x"] * 2
    plain = Page(html.page(changed(trace, tokens=[["t"] * T] * 3, model={"name": "m", "run": "r"})))
    hostile = changed(trace, tokens=[tokens] * 3, model={"name": "</title><script>", "run": "<script>"})
    for made in (html.page(hostile), html.card(hostile)):
        page = Page(made)
        assert "script" not in page.tags
        assert "b" not in page.tags
        assert "<script>" in page.text
    assert Page(html.page(hostile)).tags.count("td") == plain.tags.count("td")


def test_a_notebook_shows_a_trace_and_of_a_long_one_less(trace):
    shown = trace._repr_html_()
    assert shown is not None
    assert Page(shown).tags.count("svg") > 0
    assert not {"script", "html", "body"} & set(Page(shown).tags)
    long = Page(html.card(fading(0.5, steps=html.SMALL + 1)))
    assert (long.tags.count("svg"), Page(html.card(fading(0.5))).tags.count("svg")) == (2, len(FIGURES))


# ------------------------------------------------------------------------------------------------- PNG


def test_png_has_twice_the_size_of_the_figure_and_both_themes():
    trace = fading(0.5)
    light, dark = (png(files.drawing(trace, "distance", theme)) for theme in ("light", "dark"))
    assert light[:8] == dark[:8] == b"\x89PNG\r\n\x1a\n"
    size = int.from_bytes(light[16:20]), int.from_bytes(light[20:24])
    stated = re.search(r'width="(\d+)" height="([\d.]+)"', draw(trace, "distance").svg("light"))
    assert stated
    assert size == (2 * int(stated[1]), 2 * float(stated[2]))
    assert light != dark


def test_without_resvg_png_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(
        UnavailableError, match=r'Drawing PNG needs resvg-py. Fix: pip install "unrolled\[plot\]"'
    ):
        files.write(fading(0.5), {"png": tmp_path / "a.png"})
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_fonts_is_told(monkeypatch):
    import resvg_py

    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda svg, **options: b"blank")
    with pytest.raises(UnavailableError, match="must have a font"):
        png("<svg/>")


def test_nothing_to_draw_is_said(tmp_path):
    trace = cases()["states alone"]()
    h = np.full_like(np.array(trace["l0/h"]), np.nan)
    with pytest.raises(DataError, match="have what a figure shows"):
        files.write(changed(trace, {"l0/h": h}), {"svg": tmp_path / "a.svg"})


# ------------------------------------------------------------------------------------------------ verb


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A small language model's folder."""
    folder = tmp_path_factory.mktemp("runs")
    text = folder / "book.txt"
    text.write_text("to be, or not to be: that is the question.\n" * 30)
    sizes = ("hidden=8", "layers=2", "length=8", "batch=2", "epochs=0.2", "sample=0", "memoryless=off")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNROLLED_RUNS", str(folder / "runs"))
        result = CliRunner().invoke(main, ["train", "lm", str(text), *sizes, "--name", "small", "-q"])
    assert result.exit_code == 0, result.output
    return folder / "runs" / "small"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, arguments)])


def test_explain_writes_what_it_is_asked_for(run, tmp_path):
    kinds = {kind: tmp_path / f"a.{kind}" for kind in ("html", "svg", "png", "safetensors")}
    options = [f"--{kind.replace('safetensors', 'trace')}={path}" for kind, path in kinds.items()]
    result = call(run, "to be, or not", *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("small, 12 steps")
    assert all(path.stat().st_size > 1000 for path in kinds.values())
    assert kinds["svg"].read_text().count('<g transform="translate(0 ') == len(FIGURES)
    loaded = Trace.load(kinds["safetensors"])
    assert str(loaded) == result.stdout.rstrip("\n")
    assert loaded.facts["model"]["run"] == "small"


def test_explain_gives_data_and_one_figure(run, tmp_path):
    result = call(run, "to be", "--json", "--svg", tmp_path / "a.svg", "--figure", "gates")
    assert [layer["name"] for layer in json.loads(result.stdout)["layers"]] == ["l0", "l1"]
    assert len(json.loads(result.stdout)["steps"]["loss"]) == 4
    assert "gates over time" in (tmp_path / "a.svg").read_text()


def test_explain_in_python_gives_the_trace(run):
    trace = api.explain(run, "to be")
    assert trace["l0/G"].shape == (4, 4)


def test_explain_reads_a_file_and_refuses_what_is_too_long_or_short(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("to be or not")
    assert "small, 11 steps" in call(run, text).stdout
    text.write_text("to be " * 200)
    too_long = "at most 1,000 tokens to be explained; got 1,200"
    for given, message in ((text, too_long), ("t", "at least 2 tokens")):
        result = call(run, given)
        assert (result.exit_code, message in result.stderr) == (1, True)
    with pytest.raises(OptionError, match="be a figure"):
        api.explain(run, "to be", svg=tmp_path / "a.svg", figure="gate")  # pyright: ignore[reportArgumentType]
