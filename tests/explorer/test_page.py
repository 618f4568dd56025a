"""The explorer as one file: what it carries, what it may do, what becomes of hostile text in it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_tensors

from tests.explorer import golden
from unrolled.explorer import carried, examples, page
from unrolled.report.figures import palette
from unrolled.traces import Trace
from unrolled.wirings import Sizes, TokenModel

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
ROOT = Path(__file__).parents[2]


class Parts(HTMLParser):
    """The elements of a page, and what the scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: dict[str, str] = {}
        self._in: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self._in = dict(attrs).get("id") or "module"
            self.scripts[self._in] = ""

    def handle_endtag(self, tag: str) -> None:
        self._in = None if tag == "script" else self._in

    def handle_data(self, data: str) -> None:
        if self._in:
            self.scripts[self._in] += data


def stored(name: str) -> Trace:
    return Trace.load(golden.FOLDER / f"{name}.safetensors")


class Reader:
    """A tokenizer of two characters."""

    name, unknown, size = "char", 0, 3
    vocabulary = ("<unk>", "a", "␣")

    def decode(self, ids: list[int]) -> str:
        return "\ufffda "[ids[0]]


def kept() -> carried.Kept:
    torch.manual_seed(0)
    model = TokenModel(Sizes(vocabulary=3, hidden=4, embedding=2))
    return carried.Kept(model, Reader(), None, {})


@pytest.mark.parametrize("name", golden.cases())
def test_stored_traces_are_those_that_are_computed_now(name: str):
    now, then = golden.cases()[name](), stored(name)
    assert set(now) == set(then)
    for array in now:
        np.testing.assert_allclose(now[array], then[array], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", golden.cases())
def test_page_carries_the_whole_trace(name: str, tmp_path: Path):
    parts = Parts(page.page(stored(name)))
    (tmp_path / "a.safetensors").write_bytes(base64.b64decode(parts.scripts["unrolled-trace"]))
    inside, outside = Trace.load(tmp_path / "a.safetensors"), stored(name)
    assert all(np.array_equal(inside[array], outside[array]) for array in outside)
    assert inside.facts["tokens"] == outside.facts["tokens"]


def test_page_runs_its_own_module_and_nothing_else():
    text = page.page(stored("rnn-tanh"), carried.weights(kept()))
    parts = Parts(text)
    digest = base64.b64encode(hashlib.sha256(parts.scripts["module"].encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert f"default-src 'none'; script-src 'sha256-{digest}'" in policy
    assert set(parts.scripts) == {"unrolled-trace", "unrolled-weights", "unrolled-about", "module"}
    assert not re.search(r"""<[^>]+\s(src|on\w+)=""", text.replace(parts.scripts["module"], ""))
    assert not re.search(r"https?://(?!www\.w3\.org/|svelte\.dev/e/)", text), "an address somewhere else"


def test_text_with_markup_stays_text():
    trace = stored("rnn-tanh")
    facts = {
        **trace.facts,
        "tokens": [[HOSTILE] * golden.T] * golden.B,
        "model": {"name": HOSTILE, "run": HOSTILE},
    }
    plain = Parts(page.page(trace))
    made = Parts(page.page(Trace(dict(trace.arrays), {**facts, "left_out": {HOSTILE: HOSTILE}})))
    assert made.tags.count("script") == plain.tags.count("script")
    assert made.tags.count("img") == 0


def test_report_is_in_the_page_for_paper_and_where_no_scripts_run():
    text = page.page(stored("gru-reset"))
    assert "The numbers of every step" in text
    assert text.count("<svg") >= 6
    assert "@media print" in text


def test_weights_are_left_out_on_request(tmp_path: Path):
    trace = stored("lstm-stacked")
    said = page.write(tmp_path / "a.html", trace, carried.weights(kept()), without_weights=True)
    parts = Parts((tmp_path / "a.html").read_text())
    assert "unrolled-weights" not in parts.scripts
    assert said.endswith("contains the input.")
    inside = carried.smaller(trace, without_weights=True)
    assert not [name for name in inside if re.search(r"/d?[Wb]_", name)]
    assert inside.facts["left_out"]["W_hh"] == "weights were to be left out"


def test_what_a_page_carries_is_said(tmp_path: Path):
    said = page.write(tmp_path / "a.html", stored("lstm-stacked"), carried.weights(kept()))
    assert re.search(r"a\.html \(\d+ kB\) contains the input and the whole model \([\d.]+ kB\)\.$", said)


def test_large_trace_leaves_the_gradients_of_weights_out(monkeypatch: pytest.MonkeyPatch):
    trace = stored("lstm-stacked")
    assert "l0/dW_hh" in carried.smaller(trace)
    monkeypatch.setattr(carried, "LARGE", 1000)
    small = carried.smaller(trace)
    assert ("l0/dW_hh" in small, "l0/W_hh" in small) == (False, True)
    assert "too large" in small.facts["left_out"]["dW_hh"]


def test_model_travels_where_it_is_small(monkeypatch: pytest.MonkeyPatch):
    model = kept()
    packed = carried.weights(model)
    assert packed is not None
    arrays = load_tensors(packed)
    assert np.array_equal(arrays["W_hy"], model.model.head.weight.detach().numpy())
    assert np.array_equal(arrays["E"], model.model.embedding.weight.detach().numpy())
    assert carried.weights(model._replace(model=torch.nn.GRU(2, 2))) is None
    monkeypatch.setattr(carried, "MOST", 10)
    assert carried.weights(model) is None


@pytest.mark.parametrize("name", examples.EXAMPLES)
def test_worked_examples_add_up(name: str):
    trace = examples.EXAMPLES[name][1]()
    assert trace.check().ok
    assert page.page(trace)


def test_itemised_gradients_of_an_example_are_those_of_the_last_loss():
    trace = examples.EXAMPLES["vanishing"][1]()
    np.testing.assert_allclose(trace.G[-1], np.linalg.norm(trace["l0/dh"][:, 0], axis=1), rtol=1e-12)


def test_colours_of_the_page_are_those_of_the_figures():
    written = (ROOT / "web/src/draw/palette.ts").read_text() + (ROOT / "web/src/theme.css").read_text()
    colours = [colour for ramp in palette.RAMPS.values() for stops in ramp for colour in stops]
    colours += [colour for pair in palette.FILLS.values() for colour in pair]
    assert [colour for colour in colours if colour not in written] == []
