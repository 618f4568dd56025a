"""What is kept is what was asked for; a window is a trace of its own; the rest says why it is not there."""

import json
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from tests.tracing.cases import WAYS, Called, loss_of, make
from unrolled import nn
from unrolled.errors import NotKeptError, OptionError
from unrolled.traces import Trace
from unrolled.tracing.keep import ARRAYS, GROUPS, Keep


def traced(keep, cell: str = "lstm", way=WAYS[-1]) -> Trace:
    layer, x, lengths, reset = make(cell, way)
    return unrolled.trace(Called(layer, lengths, reset), x, loss=loss_of, keep=keep)


@pytest.mark.parametrize(
    "name", ["h", "c", "gates", "W_hh", "x", "dh", "dc", "da", "dx", "dW_xh", "G", "y", "dy"]
)
def test_nothing_is_kept_unasked(name: str):
    trace = traced(name)
    given = {"lengths", "reset"}
    of_steps = {full.rpartition("/")[2] for full in trace} - given
    assert of_steps == ({name, f"{name}_0"} if name in ("h", "c") else {name})
    for other in set(ARRAYS) - {name}:
        assert other in trace.facts["left_out"]


def test_groups_are_made_of_arrays():
    assert all(set(names) <= set(ARRAYS) for names in GROUPS.values())
    assert Keep("itemised").names == ("G",)


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru", "gru_reset_before"])
def test_a_window_says_of_its_steps_what_the_whole_says(cell: str):
    whole, window = traced(Keep(), cell), traced(Keep(steps=range(2, 6)), cell)
    assert window.facts["left_out"]["steps"] == "only steps 2 to 5 of 7 were kept"
    for seen, part in zip(whole.layers, window.layers, strict=True):
        assert (part.T, part.first_step, part.whole_T) == (4, 2, 7)
        np.testing.assert_array_equal(part.dh, seen.dh[2:6])
        np.testing.assert_array_equal(part.h, seen.h[2:7])
        for half, of_whole in zip(part.preactivations(), seen.preactivations(), strict=True):
            np.testing.assert_allclose(half, of_whole[2:6], rtol=1e-12, atol=1e-15)
        for name in seen.parts:
            np.testing.assert_allclose(part.part(name, 1), seen.part(name, 3), rtol=1e-11, atol=1e-14)
        for b, n in enumerate(window["lengths"]):
            inside = slice(0, max(0, min(4, n - 2)))
            np.testing.assert_allclose(
                part.step_norms(b), seen.step_norms(b)[2:6][inside], rtol=1e-10, atol=1e-14
            )
    assert window["y"].shape[0] == 4
    assert window.check().ok


def test_a_windows_signal_is_of_its_own_losses_and_states():
    x, found = torch.randn(20, 1, 3, generator=torch.Generator().manual_seed(1)), []
    torch.manual_seed(0)
    layer = nn.RNN(3, 8)
    for steps in (None, range(5, 15)):
        keep = Keep("itemised", steps=steps)
        found += unrolled.trace(layer, x, loss=lambda out: out[0].square().sum(), keep=keep).layers
    whole, window = found
    square = whole.G[5:15, 5:15]
    for d in range(10):
        shares = [square[s, s - d] / square[s, s] for s in range(d, 10)]
        assert window.signal()[d] == pytest.approx(np.median(shares), rel=1e-6)


def test_some_units():
    whole, some = traced(("forward", "backward")), traced(Keep(units=[4, 1]))
    np.testing.assert_array_equal(some["l0/gates"], whole["l0/gates"][..., [4, 1]])
    np.testing.assert_array_equal(some["l1.reverse/dh"], whole["l1.reverse/dh"][..., [4, 1]])
    assert some["l0/W_hh"].shape == whole["l0/W_hh"].shape
    with pytest.raises(NotKeptError, match="some of its units"):
        some.layers[0].preactivations()
    assert "not checked: l0: the cell's functions" in str(some.check())


def test_without_a_loss_there_is_no_way_back():
    trace = unrolled.trace(nn.GRU(3, 4), torch.randn(5, 2, 3))
    assert trace.facts["loss"] is None
    assert trace.facts["left_out"]["dh"] == "there was no loss to go back from"
    with pytest.raises(NotKeptError, match="there was no loss to go back from"):
        trace.layers[0].parts  # noqa: B018  the look-up is the test


def test_a_trace_never_lacks_what_it_is_of():
    torch.manual_seed(11)
    model: Any = nn.GRU(3, 4)
    facts = unrolled.trace(model, torch.randn(5, 2, 3), keep=()).facts
    assert facts["model"]["name"] == "GRU"
    assert facts["seed"] == 11
    assert facts["tokens"] == []
    assert facts["keep"] == {"arrays": [], "steps": None, "units": None}
    assert {"unrolled", "torch", "numpy", "python"} <= facts["versions"].keys()
    assert json.loads(json.dumps(facts)) == facts
    same = unrolled.trace(model, torch.randn(2, 1, 3), keep=()).facts["weights_sha256"]
    assert same == facts["weights_sha256"]
    with torch.no_grad():
        model.bias_hh_l0[0] += 1
    assert unrolled.trace(model, torch.randn(2, 1, 3), keep=()).facts["weights_sha256"] != same


def test_a_trace_does_not_change_with_the_model_or_the_input():
    model, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    trace = unrolled.trace(model, x, loss=lambda out: out[0].sum())
    before = {name: value.copy() for name, value in trace.arrays.items()}
    with torch.no_grad():
        x += 1
        for weight in model.parameters():
            weight.add_(1)
    for name, value in before.items():
        np.testing.assert_array_equal(trace[name], value)


def test_it_is_written_and_read(tmp_path):
    trace = traced(("forward", "backward", "G"))
    for name in ("trace.safetensors", "trace"):
        trace.save(tmp_path / name)
        again = Trace.load(tmp_path / name)
        assert again.facts == trace.facts
        assert str(again.check()) == str(trace.check())
        for of in trace:
            np.testing.assert_array_equal(again[of], trace[of])


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (("h", "gatess"), r"keep must name arrays or groups of them; got 'gatess'\. Did you mean gates\?"),
        ("dW_h", r"Did you mean dW_xh|dW_hh"),
        (Keep(steps=range(9, 12)), r"keep.steps must be steps of 7; got range\(9, 12\)"),
        (Keep(units=[5]), r"keep.units must be units from 0 to 4; got \[5\]"),
    ],
)
def test_what_cannot_be_kept(keep, message: str):
    with pytest.raises(OptionError, match=message):
        traced(keep)


@pytest.mark.parametrize("steps", [range(0, 6, 2), slice(-3, None), 5])
def test_steps_with_gaps(steps):
    with pytest.raises(OptionError, match="must be a stretch of steps without gaps"):
        Keep(steps=steps)


@pytest.mark.parametrize("units", [[1.5], [-1], "ab"])
def test_units_that_are_none(units):
    with pytest.raises(OptionError, match="must be whole numbers from 0"):
        Keep(units=units)
