"""Every remedy that a finding proposes is applied, as it stands written, and its figure moves as promised."""

from typing import Any

import pytest
import torch

import unrolled
from tests.diagnosis.networks import (
    H,
    T,
    by_command,
    by_python,
    echo,
    in_python,
    layer,
    learned,
    model_of,
    noise,
    of_lm,
    only,
    traced,
    traced_model,
)
from tests.diagnosis.test_rules import orthogonal, remembering, scaled
from unrolled.config import LanguageModelConfig, override
from unrolled.losses import cross_entropy
from unrolled.traces import Trace
from unrolled.traces.diagnosis import Clipping, Diagnosis, Finding, Remedy
from unrolled.traces.diagnosis.figures import signal

SEEDS = [0, 1, 2]


def remedy_of(found: Finding) -> Remedy:
    (remedy,) = found.remedies
    return remedy


def figure(about: dict[str, Any], name: str) -> float:
    return float("inf") if about[name] is None else about[name]


# ------------------------------------------------------------------------------------------ vanishing


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "gru"])
def test_vanishing_in_python(kind: str, seed: int):
    made = layer(kind, seed)
    before = unrolled.diagnose(traced(made), distance=50)
    changed = in_python(remedy_of(only(before, "vanishing")), made)["layer"]
    after = unrolled.diagnose(traced(changed), distance=50)
    assert figure(before.layers["l0"], "reach") < 25
    assert figure(before.layers["l0"], "half_life") < 3
    assert figure(after.layers["l0"], "half_life") > 3 * figure(before.layers["l0"], "half_life")
    assert figure(after.layers["l0"], "reach") > 50
    assert not after.named("vanishing")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_vanishing_by_command(cell: Any, seed: int):
    config = LanguageModelConfig(cell=cell, hidden=32, seed=seed)
    before = unrolled.diagnose(traced_model(model_of(config)), distance=50)
    config = by_command(remedy_of(only(before, "vanishing")), config)
    after = unrolled.diagnose(traced_model(model_of(config)), distance=50)
    assert figure(after.layers["l0"], "half_life") > 3 * figure(before.layers["l0"], "half_life")
    assert not after.named("vanishing")


def test_a_layer_without_gates_is_replaced_by_one_of_its_form():
    """The Python of a module of one's own says all that its constructor takes of the old layer."""
    model = torch.nn.Sequential(layer("tanh", 0, num_layers=2, bidirectional=True))
    remedy = unrolled.diagnose(traced(model), distance=50).named("vanishing")[0].remedies[0]
    assert remedy.command == "", "nobody trained it by a command"
    assert "in the place of model.0" in remedy.python
    made = in_python(remedy, model)["layer"]
    assert made(noise())[0].shape == model(noise())[0].shape
    assert not unrolled.diagnose(traced(torch.nn.Sequential(made)), distance=50).named("vanishing")


@pytest.mark.parametrize("direction", ["", ".reverse"])
def test_a_remedy_reaches_into_a_model(direction: str):
    """A layer somewhere inside: the Python names its path; both directions and all layers are changed."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LSTM(4, H, 2, bidirectional=True))
    torch.manual_seed(0)
    before = unrolled.diagnose(traced(model), distance=50)
    found = next(found for found in before.named("vanishing") if found.layer.endswith(direction))
    in_python(remedy_of(found), model)
    assert not unrolled.diagnose(traced(model), distance=50).named("vanishing")


# ------------------------------------------------------------------------------------------ exploding


def most_left(trace: Trace) -> float:
    """At any distance."""
    return float(signal(trace.layers[0]).left.max())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("relu", lambda seed: orthogonal("relu", seed, 2.0)),
        ("tanh", lambda seed: scaled("tanh", seed, 5.0)),
        ("gru", lambda seed: scaled("gru", seed, 12.0)),
    ],
)
def test_exploding_in_python(kind: str, make: Any, seed: int):
    made = make(seed)
    before = traced(made)
    in_python(remedy_of(only(unrolled.diagnose(before), "exploding")), made)
    after = traced(made)
    assert most_left(after) <= 1 + 1e-6 < 100 < most_left(before)
    assert not unrolled.diagnose(after).named("exploding")


@pytest.mark.parametrize(("cell", "init"), [("rnn", 0.5), ("gru", 1.5)])
def test_exploding_by_command(cell: Any, init: float):
    config = LanguageModelConfig(cell=cell, hidden=64, init=init)
    before = traced_model(model_of(config))
    config = by_command(remedy_of(only(unrolled.diagnose(before), "exploding")), config)
    after = traced_model(model_of(config))
    assert most_left(after) <= 1 < 100 < most_left(before)
    assert config.clip == 1
    assert not unrolled.diagnose(after).named("exploding")


def test_numbers_that_are_none_any_more_come_back():
    """Weights so large that states overflow are scaled; weights that are NaN are drawn anew."""
    overflowing, lost = orthogonal("relu", 0, 1e3), layer("gru", 0)
    with torch.no_grad():
        lost.weight_hh_l0[3, 4] = torch.nan
    for made, words in ((overflowing, "mul_"), (lost, "uniform_")):
        found = only(unrolled.diagnose(traced(made)), "exploding")
        assert "NaN or infinity" in found.says
        assert words in remedy_of(found).python
        in_python(remedy_of(found), made)
        after = traced(made)
        assert not unrolled.diagnose(after).named("exploding")
        assert most_left(after) <= 1 + 1e-6


# ----------------------------------------------------------------------------------- saturated, dead


def worst(diagnosis: Diagnosis) -> float:
    return max(diagnosis.layers["l0"]["saturated"].values())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["tanh", "lstm", "gru"])
def test_saturated_in_python(kind: str, seed: int):
    for made, x in ((scaled(kind, seed, 60.0), noise()), (layer(kind, seed), 200 * noise())):
        before = unrolled.diagnose(traced(made, x))
        in_python(remedy_of(only(before, "saturated")), made)
        after = unrolled.diagnose(traced(made, x))
        assert worst(after) < 0.05 < 0.5 < worst(before)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_saturated_by_command(cell: Any):
    config = LanguageModelConfig(cell=cell, hidden=32, init=5.0)
    before = unrolled.diagnose(traced_model(model_of(config)))
    config = by_command(remedy_of(only(before, "saturated")), config)
    after = unrolled.diagnose(traced_model(model_of(config)))
    assert worst(after) < 0.05 < 0.5 < worst(before)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("kind", "gate", "bias"), [("relu", 0, -50.0), ("tanh", 0, 50.0), ("lstm", 3, -50.0),
                                                    ("gru", 1, 50.0)])  # fmt: skip
def test_dead_in_python(kind: str, gate: int, bias: float, seed: int):
    made = layer(kind, seed)
    units = [0, 2, 3, 4, 9, 23]
    with torch.no_grad():
        made.bias_hh_l0[[gate * H + unit for unit in units]] = bias
    others = made.weight_hh_l0.detach().clone()
    before = unrolled.diagnose(traced(made))
    in_python(remedy_of(only(before, "dead")), made)
    after = unrolled.diagnose(traced(made))
    assert before.layers["l0"]["dead"] == 6
    assert after.layers["l0"]["dead"] == 0
    assert torch.equal(others[1], made.weight_hh_l0[1]), "living units stay as they are"


def test_dead_by_command():
    """A rate 250 times too large pushes a GRU's units to where they stay; the remedy's does not."""
    fields = {"hidden": "32", "batch": "8", "length": "32", "schedule": "constant", "memoryless": "off"}
    config = override(LanguageModelConfig(), fields | {"learning_rate": "0.5", "clip": "0"})
    seeds = [override(config, {"seed": str(seed)}) for seed in SEEDS]
    before = [unrolled.diagnose(traced_model(learned(each, 150).model)) for each in seeds]
    remedy = remedy_of(next(found for each in before for found in each.named("dead")))
    after = [unrolled.diagnose(traced_model(learned(by_command(remedy, each), 150).model)) for each in seeds]
    assert sum(each.layers["l0"]["dead"] for each in before) >= 6
    assert sum(each.layers["l0"]["dead"] for each in after) == 0


# ------------------------------------------------------------------------------ clipped, memory, window


def clipping(config: LanguageModelConfig) -> Clipping:
    return Clipping.of([learned(config, 60).position.since_row.means()])


@pytest.mark.parametrize("apply", [by_command, by_python])
def test_always_clipped(apply: Any):
    config = LanguageModelConfig(hidden=16, batch=8, length=32, clip=0.01, memoryless=False)
    before = clipping(config)
    trace = of_lm(traced(layer("gru", 0)))
    remedy = remedy_of(only(unrolled.diagnose(trace, clipped=before), "clipped"))
    after = clipping(apply(remedy, config))
    assert before.share == 1
    assert after.share < 0.1


def test_always_clipped_in_a_loop_of_ones_own():
    """A module of one's own, its gradient clipped between backward and the update, as the remedy says."""
    made, x = layer("gru", 0), noise()
    optimiser = torch.optim.SGD(made.parameters(), 1e-3)

    def updates(clip: Any) -> Clipping:
        rows: list[dict[str, float]] = []
        for _ in range(40):
            optimiser.zero_grad()
            made(x)[0].square().sum().backward()
            norm = torch.stack([p.grad.norm() for p in made.parameters() if p.grad is not None]).norm()
            clip()
            after = torch.stack([p.grad.norm() for p in made.parameters() if p.grad is not None]).norm()
            rows.append({"clipped": float(after < norm * (1 - 1e-4)), "gradient_norm": float(norm)})
            optimiser.step()
        return Clipping.of(rows)

    before = updates(lambda: torch.nn.utils.clip_grad_norm_(made.parameters(), 1e-3))
    remedy = remedy_of(only(unrolled.diagnose(traced(made), clipped=before), "clipped"))
    assert remedy.command == ""
    assert before.share == 1
    assert updates(lambda: in_python(remedy, made)).share < 0.1


@pytest.mark.parametrize(("cell", "apply"), [("rnn", by_command), ("gru", by_python)])
def test_a_memory_that_is_not_used(cell: Any, apply: Any):
    """Tokens that repeat the third last: windows of one step from zero cannot learn it, longer ones do."""
    text = torch.from_numpy(echo(800, seed=9).astype("int64")).view(2, 400).T.contiguous()

    def judged(config: LanguageModelConfig) -> tuple[float, Diagnosis]:
        model = learned(config, 400).model
        trace = run_trace(model, text)
        return trace.facts["loss"], unrolled.diagnose(trace, memoryless=model)

    config = LanguageModelConfig(cell=cell, hidden=32, batch=512, length=1, carry=False, memoryless=False)
    loss_before, before = judged(config)
    config = apply(remedy_of(only(before, "memory unused")), config)
    config = override(config, {"batch": str(512 // config.length)})  # of as many tokens an update
    loss_after, after = judged(config)
    assert not after.named("memory unused")
    assert loss_after < 0.7 * loss_before


def test_a_memory_that_had_too_little_training():
    """A task that reads whole sequences: there is no window to lengthen, so it is to train for longer."""
    trace = traced(layer("gru", 0))
    fields = {"epochs": 5.0, "budget": 0.0, "learning_rate": 0.002}
    memory = {"loss": 1.0, "without": 1.005, "where": "on what was held out", "unit": "nats an example"}
    told = {"task": "classify", "sources": ["a.csv"], "fields": fields, "memory": memory}
    trace.facts["training"] = told
    found = only(unrolled.diagnose(trace), "memory unused")
    assert "On what was held out" in found.says
    assert remedy_of(found).command == "unrolled train classify a.csv --epochs 10"
    assert remedy_of(found).python == 'unrolled.train("classify", "a.csv", epochs=10)'

    def gain(epochs: int) -> float:
        config = LanguageModelConfig(hidden=32, batch=64, length=16, memoryless=False)
        model = learned(config, 10 * epochs).model
        text = torch.from_numpy(echo(800, seed=9).astype("int64")).view(2, 400).T.contiguous()
        reset = torch.ones(399, 2, dtype=torch.bool)
        with torch.no_grad():
            both = [cross_entropy(model(text[:-1], reset=each)[0], text[1:]) for each in (reset, None)]
        return float(both[0] - both[1])

    assert gain(20) > gain(10) + 0.01


def run_trace(model: Any, text: torch.Tensor) -> Trace:
    """A trace with the ids and the losses of all tokens, as `trace_run` makes of one text."""
    trace = traced_model(model, text)
    ids, targets = text[:-1].numpy(), text[1:].numpy()
    with torch.no_grad():
        y = model(text[:-1])[0]
        loss_t = torch.nn.functional.cross_entropy(y.flatten(0, 1), text[1:].flatten(), reduction="none")
    arrays = {**trace.arrays, "ids": ids, "targets": targets, "loss_t": loss_t.view(targets.shape).numpy()}
    return Trace({name: array.copy() for name, array in arrays.items()}, trace.facts)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_short_window_cuts_off_about_as_much_as_it_says(kind: str):
    """The gradient of a loss through the window alone, beside the whole, by torch's autograd."""
    made = remembering(kind, 0, 40)
    x = noise(2, 200)
    before = unrolled.diagnose(of_lm(traced(made, x)), window=8)
    remedy = remedy_of(only(before, "short window"))
    window = by_command(remedy, LanguageModelConfig(length=8)).length
    assert by_python(remedy, LanguageModelConfig(length=8)).length == window
    after = unrolled.diagnose(traced(made, x), window=window)
    assert not after.named("short window")
    cut_off = {steps: missing(made, x, steps) for steps in (8, window)}
    assert cut_off[window] < 0.1 < cut_off[8]
    own = remedy_of(only(unrolled.diagnose(traced(made, x), window=8), "short window"))
    windows = in_python(own, made, x=x)["windows"]
    assert {len(part) for part in windows[:-1]} == {window}, "a loop of one's own cuts its input so"


def missing(made: Any, x: torch.Tensor, window: int) -> float:
    """The share of the gradient of a last step's loss that goes to inputs before the window, by length."""
    x = x.clone().requires_grad_()
    (dx,) = torch.autograd.grad(made(x)[0][-1].sum(), x)
    lengths = dx.norm(dim=2).mean(1)
    return float(lengths[: len(x) - window].sum() / lengths.sum())


def test_a_window_shorter_than_the_distance():
    trace = of_lm(traced(layer("gru", 0)))
    remedy = remedy_of(only(unrolled.diagnose(trace, window=20, distance=30), "short window"))
    window = by_command(remedy, LanguageModelConfig(length=20)).length
    assert window == 64
    assert not unrolled.diagnose(trace, window=window, distance=30).named("short window")
    assert window < T
