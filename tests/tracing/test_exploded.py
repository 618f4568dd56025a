"""A network whose numbers went past the largest there is: its trace is saved, read, judged and shown."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from unrolled import LanguageModel, native, nn
from unrolled.errors import NonFiniteError
from unrolled.report import html
from unrolled.traces import Trace
from unrolled.tracing import trace_run

T, B, I, H = 40, 2, 3, 4
SCALES = {torch.float32: 1e3, torch.float64: 1e30}
"""What recurrent weights are made of that overflow within T steps."""

pytestmark = [] if native.available() else pytest.mark.filterwarnings("ignore:.*encountered in")
"""The reference warns, as NumPy does."""


def exploding(kind: str, dtype: torch.dtype) -> Any:
    """A layer whose states become infinite, or whose states stay finite and gradients do not."""
    torch.manual_seed(0)
    made: Any = nn.RNN(I, H, nonlinearity="relu" if kind == "states" else "identity", dtype=dtype)
    with torch.no_grad():
        made.weight_hh_l0.fill_(SCALES[dtype])
        for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(made, name).fill_(kind == "states")
    return made


@pytest.fixture(scope="module", params=["states", "gradients"])
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=str)
def exploded(request, kind: str) -> Trace:
    made, x = exploding(kind, request.param), torch.ones(T, B, I, dtype=request.param)
    keep = ("forward", "backward", "G")
    return unrolled.trace(made, x, loss=lambda out: (out[0].square() + out[0]).sum(), keep=keep)


def test_it_does_not_add_up(exploded: Trace):
    checked = exploded.check()
    assert not checked.ok
    assert [found for found in checked.sums if found.apart is not None and not np.isfinite(found.apart)]
    assert "DOES NOT ADD UP: model: the weights' gradients are those of an unrecorded run" in str(checked)
    assert "for there is NaN or infinity" in str(checked)
    assert "nan" not in str(checked)


@pytest.mark.parametrize("form", ["trace.safetensors", "trace"])
def test_it_is_saved_and_read_back(exploded: Trace, form: str, tmp_path):
    exploded.save(tmp_path / form)
    with pytest.raises(NonFiniteError, match=r"finite=False\) opens it"):
        Trace.load(tmp_path / form)
    again = Trace.load(tmp_path / form, finite=False)
    assert again.facts == exploded.facts
    for name in exploded:
        np.testing.assert_array_equal(again[name], exploded[name])
    assert str(again.check()) == str(exploded.check())


def test_facts_say_what_the_loss_was(exploded: Trace, kind: str):
    facts = json.loads(json.dumps(exploded.facts, allow_nan=False))
    assert None in facts["compared"].values()
    if kind == "states":
        assert facts["loss"] is None
        assert facts["left_out"]["loss"] == "not finite: inf"
    else:
        assert facts["loss"] == 0
        assert "loss" not in facts["left_out"]


def test_it_is_judged(exploded: Trace):
    diagnosis = unrolled.diagnose(exploded, memoryless=1.0 if exploded.facts["loss"] is None else None)
    (found,) = [finding for finding in diagnosis.findings if finding.severity == "severe"]
    assert (found.name, found.layer) == ("exploding", "l0")
    json.dumps(diagnosis.as_data(), allow_nan=False)
    if exploded.facts["loss"] is None:
        assert "Whether the memory is used: the loss is not finite." in diagnosis.untold


def test_it_is_explained(exploded: Trace):
    said = str(exploded)
    if exploded.facts["loss"] is None:
        assert said.startswith(f"RNN, {T} steps; loss not finite: inf\n")
    assert "exploding in l0 (severe)" in said
    assert "not finite" in next(line for line in said.splitlines() if line.startswith("l0 rnn"))
    json.dumps(exploded.as_data(), allow_nan=False)
    page = html.page(exploded)
    assert "exploding in l0 (severe)" in page
    assert "must be finite" in page
    assert html.card(exploded)


def test_a_loss_alone_that_is_not_finite():
    """All that was kept of the layers is finite; so the loss is what tells."""
    made, x = nn.GRU(I, H), torch.ones(T, B, I)
    trace = unrolled.trace(made, x, loss=lambda out: (out[0] - out[0]).sum().log(), keep="forward")
    assert trace.facts["left_out"]["loss"] == "not finite: -inf"
    diagnosis = unrolled.diagnose(trace)
    assert [finding.name for finding in diagnosis.findings] == ["exploding"]
    assert "The loss is not finite: -inf." in diagnosis.findings[0].says
    assert "; loss not finite: -inf" in str(trace)
    assert "exploding (severe)" in str(trace)


def test_a_language_model_with_a_broken_head():
    text = "to be, or not to be, that is the question. "
    sizes: dict[str, Any] = {"hidden": 8, "batch": 2, "length": 8, "epochs": 0.5, "memoryless": False}
    run = copy.deepcopy(LanguageModel(cell="gru", **sizes).fit(text * 8)._fitted())
    with torch.no_grad():
        run.model.head.weight[0, 0] = torch.nan
    trace = trace_run(run, "to be or not")
    assert np.isnan(trace["loss_t"]).all()
    said = str(trace)
    assert "loss not finite: nan" in said
    assert "exploding in l0 (severe)" in said
    assert trace.as_data()["steps"]["loss"] == [None] * 11
    json.dumps(trace.as_data(), allow_nan=False)
