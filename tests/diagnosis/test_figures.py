"""The figures are right: a signal beside autograd on an explicit loop, and what a training writes down."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import unrolled
from tests.diagnosis.networks import H, I, T, ids, layer, learned, model_of, traced, traced_model
from unrolled.config import LanguageModelConfig
from unrolled.losses import cross_entropy
from unrolled.tasks.base import Watched
from unrolled.traces.diagnosis.figures import signal
from unrolled.tracing import figures

KINDS = ["tanh", "relu", "lstm", "gru"]


def explicit(kind: str, made: Any, x: Tensor, u: Tensor, reset_at: int = 0) -> list[float]:
    """|dL/dm_t| / |dL/dm_T| by autograd over a loop of torch's own cells, m = c or h; the last step first."""
    cell = {"lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}.get(kind)
    own = cell(I, H) if cell else torch.nn.RNNCell(I, H, nonlinearity=kind)
    own.double().load_state_dict({name.removesuffix("_l0"): w for name, w in made.state_dict().items()})
    state: Any = None
    h, remembered = x[0], list[Tensor]()
    for t in range(len(x)):
        if reset_at and t == reset_at:
            state, remembered = None, []
        if kind == "lstm":
            h, c = own(x[t], state)
            state = (h, c)
            remembered.append(c)
        else:
            state = h = own(x[t], state)
            remembered.append(h)
    d = torch.autograd.grad((h @ u).sum(), remembered)
    norms = [float(g.norm()) for g in d][::-1]
    return [norm / norms[0] for norm in norms]


@pytest.mark.parametrize("way", ["forward", "final", "reverse", "reverse final", "lengths", "reset"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_is_what_autograd_finds(kind: str, way: str):
    """In float64, of one loss; over either direction, behind padding, and no further than a reset."""
    torch.manual_seed(3)
    made = layer(kind, 3).double()
    x, u = torch.randn(1, 30, I).double().transpose(0, 1), torch.randn(H).double()
    if way.startswith("reverse"):
        both = layer(kind, 3, bidirectional=True).double()
        both.load_state_dict(
            both.state_dict() | {f"{name}_reverse": w for name, w in made.state_dict().items()}
        )
        end = (lambda out: final(kind, out)[1]) if way.endswith("final") else (lambda out: out[0][0, :, H:])
        trace = unrolled.trace(both, x, loss=lambda out: (end(out) @ u).sum())
        found = signal(trace.layer("l0.reverse"))
        expected = explicit(kind, made, x.flip(0), u)
    elif way == "lengths":
        padded = torch.cat([x, torch.ones(5, 1, I).double()])
        packed = torch.nn.utils.rnn.pack_padded_sequence(padded, torch.tensor([30]))
        found = signal(unrolled.trace(made, packed, loss=lambda out: out[0].data[-1] @ u).layers[0])
        expected = explicit(kind, made, x, u)
    elif way == "reset":
        reset = torch.zeros(30, 1, dtype=torch.bool)
        reset[12] = True
        run = Reset(made, reset)
        found = signal(unrolled.trace(run, x, loss=lambda out: (out[0][-1] @ u).sum()).layers[0])
        expected = explicit(kind, made, x, u, reset_at=12)
    else:
        end = (lambda out: final(kind, out)[0]) if way == "final" else (lambda out: out[0][-1])
        found = signal(unrolled.trace(made, x, loss=lambda out: (end(out) @ u).sum()).layers[0])
        expected = explicit(kind, made, x, u)
    assert found.of == f"gradient of {'c' if kind == 'lstm' else 'h'}"
    assert len(expected) == {"reset": 18}.get(way, 30)
    np.testing.assert_allclose(found.left[: len(expected)], expected, rtol=1e-10)
    assert np.isnan(found.left[len(expected) :]).all()


def final(kind: str, out: Any) -> Tensor:
    """The final h, ``[D, B, H]``."""
    return out[1][0] if kind == "lstm" else out[1]


class Reset(torch.nn.Module):
    """A layer that is reset within a sequence."""

    def __init__(self, inner: Any, reset: Tensor) -> None:
        super().__init__()
        self.inner, self.reset = inner, reset

    def forward(self, x: Tensor) -> Any:
        return self.inner(x, reset=self.reset)


def test_the_median_is_over_losses_of_many_steps():
    """Every step's loss at once, or each followed back alone by torch's autograd."""
    made, x = layer("gru", 1).double(), torch.randn(20, 1, I).double()
    u = torch.randn(H).double()
    found = signal(unrolled.trace(made, x, loss=lambda out: (out[0] @ u).sum()).layers[0])
    rows = [explicit("gru", made, x[: s + 1], u) for s in range(10, 20)]  # the latter half; all are probed
    for d in range(20):
        expected = np.median([row[d] for row in rows if d < len(row)])
        assert found.left[d] == pytest.approx(expected, rel=1e-10)


def test_half_life_and_reach_of_a_signal_that_is_known():
    """An identity whose matrix is 0.9 times an orthogonal one: a step leaves 0.9."""
    made = layer("identity", 0)
    torch.nn.init.orthogonal_(made.weight_hh_l0, 0.9)
    found = signal(traced(made).layers[0])
    assert found.half_life == pytest.approx(np.log(0.5) / np.log(0.9), rel=1e-3)
    assert found.reach == pytest.approx(np.log(0.01) / np.log(0.9), rel=1e-3)


def watched_on(text: Tensor) -> Watched:
    return Watched(text[:-1], lambda out: cross_entropy(out[0], text[1:]))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_trainings_figures_are_those_of_the_diagnosis(cell: Any):
    model = model_of(
        LanguageModelConfig(cell=cell, hidden=16, layers=2, dropout_output=0.5, dropout_layers=0.5)
    )
    text, before = ids(), torch.random.get_rng_state()
    model.embedding.weight.requires_grad_(False)
    found = figures(model, *watched_on(text))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert model.training
    assert torch.equal(before, torch.random.get_rng_state())
    wanting = {name: weight.requires_grad for name, weight in model.named_parameters()}
    assert wanting == {name: name != "embedding.weight" for name in wanting}
    assert all(weight.grad is None for weight in model.parameters())
    expected = unrolled.diagnose(traced_model(model.eval(), text)).layers
    assert found.keys() == expected.keys() == {"l0", "l1"}
    for name, about in found.items():
        assert about["dead"] == expected[name]["dead"]
        assert about["saturated"] == pytest.approx(expected[name]["saturated"])
        assert about["reach"] == pytest.approx(expected[name]["reach"], rel=1e-3)
        np.testing.assert_allclose(about["signal"], expected[name]["signal"], rtol=1e-3)
    assert found["l0"]["signal"][-1][0] == 64 < T


class Classifier(torch.nn.Module):
    """Reads nothing but the final state."""

    def __init__(self, made: Any) -> None:
        super().__init__()
        self.layer, self.head = made, torch.nn.Linear(H, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[1][-1])


def test_a_trainings_figures_follow_a_loss_of_the_final_state():
    torch.manual_seed(3)
    made, x = layer("gru", 3).double(), torch.randn(20, 1, I).double()
    model = Classifier(made)
    found = figures(model, x, lambda logits: logits.sum())["l0"]["signal"]
    expected = explicit("gru", made, x, model.head.weight[0])
    np.testing.assert_allclose(found, [[d, expected[d]] for d in (0, 1, 2, 4, 8, 16)], rtol=1e-10)


def test_training_goes_on_as_if_nobody_had_looked():
    config = LanguageModelConfig(hidden=16, batch=4, length=16, dropout_output=0.3)
    watched = learned(config, 10)
    watched.position.updates = 20
    assert figures(watched.model, *watched_on(ids())) == figures(watched.model, *watched_on(ids()))
    for _ in range(10):
        watched.step()
    for name, tensor in learned_in_two(config).items():
        assert torch.equal(tensor, watched.tensors()[name]), name


def learned_in_two(config: LanguageModelConfig) -> dict[str, Tensor]:
    """The tensors after ten updates and ten more."""
    learner = learned(config, 10)
    learner.position.updates = 20
    for _ in range(10):
        learner.step()
    return learner.tensors()
