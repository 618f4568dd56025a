"""Each rule on networks made to have the illness, and on ones made not to."""

import json
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from tests.diagnosis.networks import B, H, T, layer, names, noise, of_lm, only, traced
from unrolled.errors import OptionError
from unrolled.traces import Trace
from unrolled.traces.diagnosis import THRESHOLDS, Clipping, Diagnosis, Finding
from unrolled.traces.diagnosis import diagnose as from_trace_alone
from unrolled.traces.diagnosis import figures as figures_of
from unrolled.tracing import trace_run

SEEDS = [0, 1, 2]
GATED = ["lstm", "gru"]


def value_of(found: Finding) -> float:
    """The first figure, which the finding rests on."""
    value = found.figures[0].value
    assert value is not None
    return value


def orthogonal(kind: str, seed: int, scale: float) -> Any:
    made = layer(kind, seed)
    torch.nn.init.orthogonal_(made.weight_hh_l0, scale)
    return made


def scaled(kind: str, seed: int, by: float) -> Any:
    made = layer(kind, seed)
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(by)
    return made


def remembering(kind: str, seed: int, steps: int = T) -> Any:
    made = layer(kind, seed)
    unrolled.nn.remember(made, steps)
    return made


def diagnosed(module: torch.nn.Module, **more: Any) -> Diagnosis:
    return unrolled.diagnose(traced(module), **more)


# ------------------------------------------------------------------------------------------ vanishing


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "gru"])
def test_a_usual_start_vanishes_and_is_said_to_matter_only_if_the_task_needs_it(kind: str, seed: int):
    found = only(diagnosed(layer(kind, seed), window=T), "vanishing")
    assert found.severity == "warning"
    assert "depends on the task" in found.says
    assert 2 < value_of(found) < 25
    needed = diagnosed(layer(kind, seed), window=T, distance=50)
    assert only(needed, "vanishing").severity == "severe"
    assert not diagnosed(layer(kind, seed), window=T, distance=2).named("vanishing")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", GATED)
def test_open_gates_do_not_vanish(kind: str, seed: int):
    assert not diagnosed(remembering(kind, seed), window=T, distance=50).named("vanishing")


@pytest.mark.parametrize("seed", SEEDS)
def test_an_identity_with_an_orthogonal_matrix_does_not_vanish(seed: int):
    made = orthogonal("identity", seed, 1.0)
    diagnosis = diagnosed(made, distance=T - 1)
    assert diagnosis.healthy, str(diagnosis)
    assert dict(diagnosis.layers["l0"]["signal"])[64] == pytest.approx(1, rel=1e-4)
    assert names(diagnosed(made, window=T)) == {"short window"}, "it never ends"


def test_one_layer_that_remembers_is_enough():
    model = layer("gru", 0, num_layers=2)
    assert diagnosed(model, distance=50).named("vanishing")
    remembering_above = layer("gru", 0, num_layers=2)
    with torch.no_grad():
        remembering_above.bias_hh_l1[H : 2 * H] = 5.0
    assert not diagnosed(remembering_above, distance=50).named("vanishing")


def test_each_direction_must_remember_by_itself():
    model = layer("gru", 0, bidirectional=True)
    with torch.no_grad():
        model.bias_hh_l0[H : 2 * H] = 5.0
    assert [found.layer for found in diagnosed(model, distance=50).named("vanishing")] == ["l0.reverse"]


def test_a_few_steps_are_no_evidence():
    short = traced(layer("tanh", 0), noise(steps=12))
    assert not unrolled.diagnose(short).named("vanishing")


# ------------------------------------------------------------------------------------------ exploding


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("relu", lambda seed: orthogonal("relu", seed, 2.0)),
        ("tanh", lambda seed: scaled("tanh", seed, 5.0)),
        ("gru", lambda seed: scaled("gru", seed, 12.0)),
    ],
)
def test_exploding(kind: str, make: Any, seed: int):
    diagnosis = diagnosed(make(seed), window=T)
    found = only(diagnosis, "exploding")
    assert value_of(found) > 100
    assert not diagnosis.named("short window"), "the window is not what is wrong"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "gru"])
def test_a_usual_start_does_not_explode(kind: str, seed: int):
    assert not diagnosed(layer(kind, seed)).named("exploding")
    if kind in GATED:
        assert not diagnosed(remembering(kind, seed)).named("exploding")


def test_numbers_that_are_none_any_more_are_severe():
    trace = traced(layer("relu", 0))
    arrays = {name: array.copy() for name, array in trace.arrays.items()}
    arrays["l0/dh"][3] = np.inf
    found = only(unrolled.diagnose(Trace(arrays, trace.facts)), "exploding")
    assert found.severity == "severe"
    assert "infinity in dh" in found.says
    assert "mul_" in found.remedies[0].python
    arrays["l0/W_hh"] = np.full_like(arrays["l0/W_hh"], np.nan)
    found = only(unrolled.diagnose(Trace(arrays, trace.facts)), "exploding")
    assert "uniform_" in found.remedies[0].python, "there is nothing to scale"


def test_what_float32_cannot_hold_is_still_a_figure():
    made = scaled("gru", 1, 12.0)
    diagnosis = unrolled.diagnose(traced(made, noise(steps=600)))
    assert only(diagnosis, "exploding").severity == "severe"
    found = figures_of(traced(made, noise(steps=600)))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["l0"]["signal"][-1][1] > 1e30


# ----------------------------------------------------------------------------------- saturated, dead


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["tanh", "lstm", "gru"])
def test_saturated(kind: str, seed: int):
    found = only(diagnosed(scaled(kind, seed, 60.0)), "saturated")
    assert value_of(found) > 0.5


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "gru"])
def test_a_usual_start_is_not_saturated(kind: str, seed: int):
    assert not diagnosed(layer(kind, seed)).named("saturated")


@pytest.mark.parametrize("kind", GATED)
def test_a_gate_that_keeps_does_its_work(kind: str):
    """Update and forget gates above 0.99 at every step, in a network that is to remember 10,000 steps."""
    made = layer(kind, 0)
    with torch.no_grad():
        made.bias_hh_l0[H : 2 * H] = 9.0
    trace = traced(made)
    gate = {"lstm": "f", "gru": "z"}[kind]
    assert (trace.layers[0].gate(gate) > 0.99).mean() > 0.9
    assert not unrolled.diagnose(trace).named("saturated")
    with torch.no_grad():
        made.bias_hh_l0[H : 2 * H] = -12.0  # the same gate, shut
    assert gate in only(diagnosed(made), "saturated").says


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "gru"])
def test_dead_units_are_counted_by_name(kind: str, seed: int):
    made = layer(kind, seed)
    units = [1, 5, 6, 20]
    assert not diagnosed(made).named("dead")
    with torch.no_grad():  # relu: always off; tanh: always at its end; lstm: shut output; gru: never renewed
        rows = {"relu": (0, -50.0), "tanh": (0, 50.0), "lstm": (3 * H, -50.0), "gru": (H, 50.0)}[kind]
        made.bias_hh_l0[[rows[0] + unit for unit in units]] = rows[1]
    found = only(diagnosed(made), "dead")
    assert found.figures[0].value == pytest.approx(4 / H)
    assert "1, 5, 6, 20" in found.says
    with torch.no_grad():
        made.bias_hh_l0[[rows[0] + unit for unit in units[2:]]] = 0
    assert not diagnosed(made).named("dead"), "2 of 24 are fewer than a tenth"


def test_too_few_values_to_call_a_unit_dead():
    diagnosis = unrolled.diagnose(traced(layer("relu", 0), noise(steps=30)))
    assert not diagnosis.named("dead")
    assert any("60 values of each are too few" in words for words in diagnosis.untold)


def test_padding_counts_for_nothing():
    made = layer("tanh", 0)
    lengths = torch.tensor([T, 10])
    trace = unrolled.trace(
        made,
        torch.nn.utils.rnn.pack_padded_sequence(noise(), lengths),
        loss=lambda out: out[0].data.sum(),
    )
    about = unrolled.diagnose(trace).layers["l0"]
    alone = unrolled.diagnose(traced(made)).layers["l0"]
    assert about["saturated"]["h"] == pytest.approx(alone["saturated"]["h"], abs=0.05)
    assert about["dead"] == 0


# ------------------------------------------------------------------------------ clipped, memory, window


def test_always_clipped():
    trace = traced(layer("gru", 0))
    assert only(unrolled.diagnose(trace, clipped=0.95), "clipped").figures[0].value == 0.95
    assert not unrolled.diagnose(trace, clipped=0.5).named("clipped")
    rows = [
        {"clipped": 1.0, "gradient_norm": 4.0},
        {"valid_loss": 1.0},
        {"clipped": 0.9, "gradient_norm": 2.0},
    ]
    (remedy,) = only(unrolled.diagnose(of_lm(trace), clipped=Clipping.of(rows)), "clipped").remedies
    assert remedy.command.endswith("--clip 6")


def test_a_memory_that_is_worth_nothing():
    trace = traced(layer("gru", 0))
    loss = trace.facts["loss"] = 2.0
    assert only(unrolled.diagnose(trace, memoryless=loss * 1.01), "memory unused")
    assert not unrolled.diagnose(trace, memoryless=loss * 1.1).named("memory unused")


def with_losses(loss_t: np.ndarray) -> Trace:
    trace = traced(layer("gru", 0))
    return Trace(
        {name: array.copy() for name, array in trace.arrays.items()} | {"loss_t": loss_t}, trace.facts
    )


def test_a_gain_by_memory_that_chance_may_have_hidden_is_not_judged():
    """No gain in the mean; over 200 tokens the error is 0.5 / 14 = 0.035, and the limit 0.04."""
    loss_t = np.full((100, 2), 2.0)
    spread = np.where(np.arange(200) % 2, 0.5, -0.5).reshape(100, 2)
    trace = with_losses(loss_t)
    assert not unrolled.diagnose(trace, memoryless=loss_t + spread).named("memory unused")
    assert unrolled.diagnose(trace, memoryless=loss_t + spread / 10).named("memory unused")
    assert not unrolled.diagnose(trace, memoryless=loss_t + 0.1).named("memory unused")


def test_a_run_and_its_model_are_all_that_is_needed():
    """A language model that has learned next to nothing: what it reads before a token does not help it."""
    model = unrolled.LanguageModel(hidden=8, epochs=1, length=16, batch=2, memoryless=False)
    model.fit("the cat sat on the mat. " * 40)
    kept = model._fitted()
    diagnosis = unrolled.diagnose(trace_run(kept, "the cat sat on the mat. " * 6), memoryless=kept.model)
    assert only(diagnosis, "memory unused").figures[0].unit == "nats a token"
    assert not any("memory" in words for words in diagnosis.untold)


def test_few_tokens_do_not_tell_of_the_memory():
    diagnosis = unrolled.diagnose(with_losses(np.ones((10, 2))), memoryless=np.ones((10, 2)))
    assert not diagnosis.named("memory unused")
    assert any("20 tokens are too few" in words for words in diagnosis.untold)
    with pytest.raises(OptionError, match=r"a loss for every token, \[10, 2\]"):
        unrolled.diagnose(with_losses(np.ones((10, 2))), memoryless=np.ones(20))


@pytest.mark.parametrize("kind", GATED)
def test_a_window_that_cuts_off_what_is_alive(kind: str):
    trace = traced(remembering(kind, 0))
    left = dict(unrolled.diagnose(trace).layers["l0"]["signal"])
    assert left[8] > 0.1
    assert only(unrolled.diagnose(trace, window=9), "short window").figures[0].value == pytest.approx(left[8])
    assert not unrolled.diagnose(traced(layer(kind, 0)), window=30).named("short window")


def test_a_window_shorter_than_the_distance_is_severe():
    trace = traced(layer("gru", 0))
    assert only(unrolled.diagnose(trace, window=20, distance=20), "short window").severity == "severe"
    assert not unrolled.diagnose(trace, window=21, distance=20).named("short window")


# --------------------------------------------------------------------------------------------- the whole


def test_healthy_is_a_finding_with_its_figures():
    diagnosis = diagnosed(remembering("gru", 0), distance=50, clipped=0.1)
    (found,) = diagnosis.findings
    assert diagnosis.healthy
    assert (found.name, found.severity, len(found.figures)) == ("healthy", "fine", 2)


def test_the_gravest_comes_first_and_all_is_data():
    diagnosis = diagnosed(layer("tanh", 0), distance=60, clipped=1.0)
    assert [found.severity for found in diagnosis.findings] == ["severe", "warning"]
    data = json.loads(json.dumps(diagnosis.as_data(), allow_nan=False))
    assert [found["name"] for found in data["findings"]] == ["vanishing", "clipped"]
    for found in diagnosis.findings:
        assert found.says in " ".join(str(diagnosis).split())
        for remedy in found.remedies:
            assert remedy.command in str(diagnosis)


def test_what_was_not_kept_is_not_judged_and_said():
    x = noise()
    bare = unrolled.trace(layer("gru", 0), x, loss=lambda out: out[0].sum(), keep="dh_out")
    diagnosis = unrolled.diagnose(bare)
    assert names(diagnosis) == {"healthy"}
    for words in ("How far the signal of l0", "Saturated gates of l0", "Dead units of l0", "window=…"):
        assert any(words in sentence for sentence in diagnosis.untold), words
    for kind in ("tanh", "lstm", "gru"):
        itemised = unrolled.trace(layer(kind, 0), x, loss=lambda out: out[0].sum(), keep="G")
        found = only(unrolled.diagnose(itemised, distance=50), "vanishing")
        assert [figure.unit for figure in found.figures] == ["steps", "steps"]
    forward = unrolled.trace(layer("tanh", 0), x)  # no loss: the Jacobians tell
    assert only(unrolled.diagnose(forward, distance=50), "vanishing").severity == "severe"


def test_a_trace_from_a_file_says_the_same(tmp_path: Any):
    trace = traced(layer("tanh", 0))
    trace.save(tmp_path / "one.safetensors")
    again = from_trace_alone(Trace.load(tmp_path / "one.safetensors"), window=T)
    assert str(again) == str(from_trace_alone(trace, window=T))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"window": 0}, "diagnose: window must be at least 1"),
        ({"distance": -3}, "diagnose: distance must be at least 1"),
        ({"clipped": 40.0}, "be a share from 0 to 1"),
        ({"memoryless": torch.nn.Linear(1, 1)}, "be a number for a trace without tokens"),
    ],
)
def test_bad_input(given: Any, words: str):
    with pytest.raises(OptionError, match=words):
        diagnosed(layer("tanh", 0), **given)


def test_every_threshold_has_a_unit_and_a_reason():
    for name, threshold in THRESHOLDS.items():
        assert threshold.unit, name
        assert threshold.reason.endswith("."), name


def test_two_sequences_were_read():
    assert THRESHOLDS["seen"].value <= B * T, "or no test here could find a dead unit"
