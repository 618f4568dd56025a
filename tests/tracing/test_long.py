"""The trace of a long run holds a window, with the bits that a trace of all of it has there."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from tests.tracing.cases import CELLS, WAYS, Called, Way, loss_of
from unrolled import errors, native, nn
from unrolled.traces import Trace
from unrolled.tracing.keep import Keep
from unrolled.tracing.record import Recorder
from unrolled.unroll import stretches

T, B, I, H = 300, 8, 4, 5
"""Steps and sequences: the core sums up 32 steps at a time, as the reference does."""

STEPS = range(90, 200)
NAMES = ("forward", "backward")


needs_core = pytest.mark.skipif(
    not native.available(), reason=f"the run beside it takes the core to hold little: {native.why_not()}"
)


def made(cell: str, way: Way, dtype: torch.dtype = torch.float32) -> tuple[Any, torch.Tensor]:
    """A model and its input."""
    torch.manual_seed(5)
    layer = CELLS[cell](I, H, dtype=dtype, **way.options)
    lengths = torch.randint(0, T + 1, (B,)) if way.ragged else torch.full((B,), T)
    reset = torch.rand(T, B) < 0.05 if way.resets else None
    return Called(layer, lengths, reset), torch.randn(T, B, I, dtype=dtype)


def assert_window(part: Trace, whole: Trace, first: int, end: int) -> None:
    """Fails unless ``part`` is of the same arrays, and has the bits that ``whole`` has in those steps."""
    assert part.arrays.keys() == whole.arrays.keys()
    for name, value in part.arrays.items():
        expected = whole[name]
        if expected.shape[:1] in ((T,), (T + 1,)) and not name.endswith("lengths"):
            expected = expected[first : end + len(expected) - T]
        np.testing.assert_array_equal(value, expected, err_msg=name)


@needs_core
@pytest.mark.parametrize("way", [WAYS[0], WAYS[-1]], ids=lambda way: way.name)
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "lstm projected", "gru", "gru_reset_before"])
def test_a_window_has_the_bits_of_the_whole(cell: str, way: Way):
    model, x = made(cell, way)
    whole = unrolled.trace(model, x, loss=loss_of, keep=NAMES)
    window = unrolled.trace(model, x, loss=loss_of, keep=Keep(NAMES, steps=STEPS))
    assert_window(window, whole, STEPS.start, STEPS.stop)
    assert window.check().ok
    model.layer.memory = "sqrt"
    assert_window(unrolled.trace(model, x, loss=loss_of, keep=NAMES), whole, 0, T)


@needs_core
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_window_of_higher_order_begins_with_what_no_reset_cut_off(way: Way):
    """So every step of it can be run again, as from the whole, and its Jacobians are those of the whole."""
    model, x = made("hornn_tanh_3", way, torch.float64)
    whole = unrolled.trace(model, x, loss=loss_of, keep=NAMES)
    for steps in (STEPS, range(300)):
        part = unrolled.trace(model, x, loss=loss_of, keep=Keep(NAMES, steps=steps))
        assert part.check().ok
        for window, layer in zip(part.layers, whole.layers, strict=True):
            here = slice(steps.start, steps.stop)
            for of_part, of_whole in zip(window.preactivations(), layer.preactivations(), strict=True):
                np.testing.assert_array_equal(of_part, of_whole[here])
            np.testing.assert_array_equal(window.output, layer.output[here])
            np.testing.assert_allclose(window.step_norms(1), layer.step_norms(1)[here], rtol=1e-9)
    model.layer.memory = "sqrt"
    assert_window(unrolled.trace(model, x, loss=loss_of, keep=NAMES), whole, 0, T)


@needs_core
def test_the_pieces_of_a_loss_go_back_over_the_whole():
    model, x = made("gru", WAYS[0])
    expected = unrolled.trace(model, x, loss=loss_of, keep=("G", "dh"))
    model.layer.memory = "sqrt"
    trace = unrolled.trace(model, x, loss=loss_of, keep=Keep(("G", "dh"), steps=STEPS))
    np.testing.assert_array_equal(trace["l0/G"], expected["l0/G"][:, STEPS.start : STEPS.stop])
    np.testing.assert_array_equal(trace["l0/dh"], expected["l0/dh"][STEPS.start : STEPS.stop])


def held(model: Any, x: torch.Tensor, keep: Keep) -> int:
    """Bytes of the tape beside the output, dx and the weights' gradients, going back included."""
    recorder = Recorder([("layer", model.layer)], keep)
    with recorder.on():
        model(x).sum().backward()
    (tape,) = [recording.tape for recording in recorder.recordings]
    own = {"h", "dx", *tape.params, *(f"d{name}" for name in tape.params)}
    marks = tape.marks.states if tape.marks else []
    between = sum(value.nbytes for states in marks for value in states.values())
    return between + sum(value.nbytes for name, value in tape.arrays.items() if name not in own)


def test_a_window_is_little(monkeypatch: pytest.MonkeyPatch):
    model, x = made("lstm", WAYS[0])
    rows, right = list[int](), stretches._piece

    def watched(tape: Any, part: slice, *rest: Any) -> Any:
        rows.append(part.stop - part.start)
        return right(tape, part, *rest)

    everything = held(model, x, Keep(NAMES))
    assert everything == 4 * B * H * (12 * T + (T + 1) + 6)  # gates da dh dh_out dh_carry dc, c, six ends
    monkeypatch.setattr(stretches, "_piece", watched)
    little = held(model, x, Keep(NAMES, steps=range(100, 110)))
    assert max(rows) == 32  # of a tape that all stretches share
    assert little < everything / 10


def lanes_held(model: Any, x: torch.Tensor) -> tuple[int, set[int]]:
    """Bytes that all tapes of a stack hold between the passes beside h, and the steps of their stretches."""
    recorder = Recorder([("layer", model.layer)], Keep(NAMES))
    with recorder.on():
        model(x)
    tapes = [recording.tape for recording in recorder.recordings]
    states = [states for tape in tapes if tape.marks for states in tape.marks.states]
    between = sum(value.nbytes for of_mark in states for value in of_mark.values())
    kept = (tape.arrays[name].nbytes for tape in tapes for name in ("c", "gates") if name in tape.arrays)
    return between + sum(kept), {tape.marks.steps if tape.marks else T for tape in tapes}


@needs_core
def test_a_budget_is_handed_on_and_shared_by_all_layers_and_directions():
    model, x = made("lstm", WAYS[1])  # two layers in two directions
    room = T * B * H * (4 + 1) * 4  # of one of the four: gates and c, in float32
    everything, steps = lanes_held(model, x)
    assert steps == {T}
    assert room * 4 <= everything < room * 4.1
    model.layer.memory = everything
    assert lanes_held(model, x) == (everything, {T}), "there is room for all of it"
    model.layer.memory = room
    held, steps = lanes_held(model, x)
    one_stretch = max(steps) * B * H * (4 + 1 + 1) * 4  # of which one is there at a time, going back
    assert held + one_stretch <= room
    assert 32 < max(steps) < T, "as much as there is room for, not about √T"
    whole = unrolled.trace(model, x, loss=loss_of, keep=NAMES)
    model.layer.memory = None
    assert_window(whole, unrolled.trace(model, x, loss=loss_of, keep=NAMES), 0, T)


@needs_core
def test_that_pieces_take_the_whole_tape_is_said(caplog: pytest.LogCaptureFixture):
    model, x = made("gru", WAYS[0])
    errors.note.cache_clear()
    with caplog.at_level(logging.WARNING, "unrolled"):
        unrolled.trace(model, x, loss=loss_of, keep=("G", "dh"))
        assert "holds the whole tape" not in caplog.text
        model.layer.memory = "1MB"
        unrolled.trace(model, x, loss=loss_of, keep=("G", "dh"))
    assert "note: a trace with G holds the whole tape, memory= or not" in caplog.text


CALL = r"""
import re, sys
from pathlib import Path
import torch, unrolled
from unrolled.tracing.keep import Keep

def resident(name):
    return 1024 * int(re.search(name + r":\s+(\d+) kB", Path("/proc/self/status").read_text())[1])

def traced(T, steps):
    x, keep = torch.ones(T, 4, 4), Keep(steps=steps)
    return unrolled.trace(layer, x, loss=lambda out: out[0].square().sum(), keep=keep)

torch.set_num_threads(1)
layer = unrolled.nn.LSTM(4, 64, proj_size=4)
traced(300, range(10, 20))
before = resident("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
traced(20_000, eval(sys.argv[1]))
print(resident("VmHWM") - before)
"""


@needs_core
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read in Linux's /proc")
def test_the_whole_call_for_a_window_takes_little():
    """Not only what is recorded, but also the run beside it that nobody records."""

    def taken(steps: str) -> int:
        done = subprocess.run([sys.executable, "-c", CALL, steps], capture_output=True, text=True, check=True)
        return int(done.stdout)

    tape = 20_000 * 4 * 64 * (4 + 1 + 1) * 4  # gates, c and the state before it is projected, in float32
    assert taken("None") > tape
    assert taken("range(10_000, 10_100)") < tape / 4


@needs_core
def test_the_layers_are_left_as_they_were():
    theirs = torch.nn.GRU(I, H)
    ours = nn.GRU(I, H)
    model: Any = torch.nn.Sequential()
    model.theirs, model.ours, model.budget = theirs, ours, nn.GRU(I, H, memory="1MB")
    model.forward = lambda x: model.theirs(x)[0] + model.ours(x)[0] + model.budget(x)[0]
    before = [dict(vars(layer)) for layer in (theirs, ours)]
    unrolled.trace(model, torch.randn(T, B, I), loss=loss_of, keep=Keep(NAMES, steps=STEPS))
    assert [dict(vars(layer)) for layer in (theirs, ours)] == before
    assert model.budget.memory == "1MB"
