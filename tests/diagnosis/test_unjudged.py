"""What cannot be judged is said: layers that no gradient comes to, and numbers that are none any more."""

import json
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from tests.diagnosis.networks import B, T, layer, noise, only, traced
from unrolled import native
from unrolled.traces import Trace
from unrolled.traces.diagnosis import figures as figures_of


class Beside(torch.nn.Module):
    """Two layers over the same, the first of which nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.idle, self.read = layer("gru", 0), layer("gru", 1)

    def forward(self, x: torch.Tensor) -> Any:
        self.idle(x)
        return self.read(x)


@pytest.mark.parametrize(
    "keep", [("forward", "backward"), ("forward", "G"), ("forward", "backward", "G")], ids=str
)
def test_a_layer_that_the_loss_does_not_read_is_not_judged_by_its_signal(keep: Any):
    trace = unrolled.trace(Beside(), noise(), loss=lambda out: out[0].square().sum(), keep=keep)
    diagnosis = unrolled.diagnose(trace, window=T)
    (untold,) = [told for told in diagnosis.untold if "the signal" in told]
    assert untold.startswith("How far the signal of l0 reaches: no step's loss sends a gradient into it.")
    assert only(diagnosis, "vanishing").layer == "l1"
    assert "half_life" not in diagnosis.layers["l0"]
    found = figures_of(trace)
    assert (found["l0"]["half_life"], found["l0"]["signal"]) == (None, [])
    assert found["l1"]["signal"] == diagnosis.layers["l1"]["signal"]
    json.dumps(diagnosis.as_data(), allow_nan=False)
    assert "no gradient" in next(line for line in str(trace).splitlines() if line.startswith("l0 gru"))


@pytest.mark.filterwarnings("ignore:.*encountered in" if not native.available() else "error")
def test_figures_of_an_exploded_layer_are_none():
    made = layer("relu", 0)
    made.weight_hh_l0.data.mul_(1e30)
    trace = unrolled.trace(made, noise(), loss=lambda out: out[0].sum())
    assert figures_of(trace) == {"l0": {"finite": False}}


def test_losses_that_are_none_any_more_say_nothing_of_the_memory():
    trace = traced(layer("gru", 0))
    loss_t = np.full((T, B), np.nan)
    broken = Trace(
        {**{name: array.copy() for name, array in trace.arrays.items()}, "loss_t": loss_t}, trace.facts
    )
    diagnosis = unrolled.diagnose(broken, memoryless=np.ones((T, B)))
    assert not diagnosis.named("memory unused")
    assert "Whether the memory is used: there are losses that are not finite." in diagnosis.untold
