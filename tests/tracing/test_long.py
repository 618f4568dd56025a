"""The trace of a long run holds a window, with the bits that a trace of all of it has there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from tests.tracing.cases import CELLS, WAYS, Called, Way, loss_of
from unrolled.traces import Trace
from unrolled.tracing.keep import Keep
from unrolled.tracing.record import Recorder
from unrolled.unroll import stretches

T, B, I, H = 300, 8, 4, 5
"""Steps and sequences: the core sums up 32 steps at a time, as the reference does."""

STEPS = range(90, 200)
NAMES = ("forward", "backward")


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
