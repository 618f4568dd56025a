"""The network of a classifier: long sequences in parts, batches of any make-up, and without memory."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.config import ClassifyConfig
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.tasks.classify import SensorReader, network
from unrolled.tasks.classify.columns import Columns
from unrolled.wirings import ManyToOne

LENGTHS = torch.tensor([40, 3, 17, 9])


def sensors(features: int = 2, classes: int = 3) -> SensorReader:
    labels = Labels(range(classes))
    return SensorReader(Columns("sequences", "label"), labels, (0.0,) * features, (1.0,) * features, ())


def made(**fields: Any) -> ManyToOne:
    config = ClassifyConfig(hidden=5, bidirectional=False, **fields)
    return network.build(config, sensors()).double()


def batch() -> Tensor:
    x = torch.randn(40, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x * (torch.arange(40)[:, None] < LENGTHS)[..., None]


@pytest.mark.parametrize("read", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_parts_have_the_answers_of_the_whole(cell: Any, read: Any, monkeypatch: pytest.MonkeyPatch):
    model, x = made(cell=cell, read=read), batch()
    whole = model(x, lengths=LENGTHS)
    monkeypatch.setattr(network, "WINDOW", 7)
    torch.testing.assert_close(network.answers(model, x, LENGTHS), whole)
    torch.testing.assert_close(network.logits(model, x, LENGTHS, length=5), whole)


@pytest.mark.parametrize("read", ["last", "mean", "max"])
def test_gradients_go_back_through_the_last_steps_of_each_sequence(read: Any):
    """Beside autograd over one sequence at a time, whose first part is detached by hand."""
    model, x, length = made(read=read), batch(), 5
    weights = list(model.layers.parameters())
    found = torch.autograd.grad(network.logits(model, x, LENGTHS, length=length).sum(), weights)
    total = [torch.zeros_like(weight) for weight in weights]
    for b, n in enumerate(LENGTHS.tolist()):
        cut = max(0, n - length)
        state: Any = None
        if cut:
            state = [tuple(t.detach() for t in part) for part in model.go_on(x[:cut, b : b + 1])[1]]
        logits = model.go_on(x[cut:n, b : b + 1], state)[0]
        alone = torch.autograd.grad(logits.sum(), weights)
        total = [so_far + d for so_far, d in zip(total, alone, strict=True)]
    torch.testing.assert_close(list(found), total)


def test_no_gradient_reaches_what_stands_before():
    model, x = made(read="mean"), batch().requires_grad_()
    network.logits(model, x, LENGTHS, length=5).sum().backward()
    assert x.grad is not None
    reached = x.grad.abs().sum(2) > 0
    steps = torch.arange(40)[:, None]
    assert torch.equal(reached, (steps < LENGTHS) & (steps >= LENGTHS - 5))


def test_without_memory_the_last_state_is_the_mean_of_all_steps():
    model, x = made(read="last"), batch()
    reset = torch.ones(40, 4, dtype=torch.bool)
    found = network.logits(model, x, LENGTHS, reset)
    for b, n in enumerate(LENGTHS.tolist()):
        alone = torch.stack([model.layers(x[t : t + 1, b : b + 1])[0][0, 0] for t in range(n)])
        torch.testing.assert_close(found[b], model.head(alone.mean(0)))
    assert model.read == "last"


@pytest.mark.parametrize("fields", [{}, {"read": "attention"}, {"bidirectional": True}], ids=str)
def test_probabilities_do_not_depend_on_what_is_beside(fields: Any, monkeypatch: pytest.MonkeyPatch):
    options: dict[str, Any] = {"hidden": 5, "bidirectional": False, **fields}
    config = ClassifyConfig(**options)
    model = network.build(config, sensors())
    random = np.random.default_rng(0)
    x = Ragged.of([random.normal(size=(int(n), 2)) for n in random.integers(1, 60, 23)])
    together = network.probabilities(model, x)
    monkeypatch.setattr(network, "WINDOW", 11)
    monkeypatch.setattr(network, "AT_ONCE", 100)
    np.testing.assert_allclose(network.probabilities(model, x), together, atol=1e-6)
    alone = [network.probabilities(model, x[[row]])[0] for row in range(len(x))]
    np.testing.assert_allclose(np.stack(alone), together, atol=1e-6)
    np.testing.assert_allclose(together.sum(1), 1)


def test_measurements_are_normalised_in_the_model():
    plain = sensors()
    told = replace(plain, mean=(100.0, -3.0), scale=(10.0, 0.5))
    config = ClassifyConfig(hidden=5)
    x = np.random.default_rng(0).normal(size=(12, 2))
    starts = [0, 5, 12]
    expected = network.probabilities(network.build(config, plain), Ragged(x, starts))
    scaled = Ragged(x * told.scale + told.mean, starts)
    np.testing.assert_allclose(
        network.probabilities(network.build(config, told), scaled), expected, atol=1e-5
    )
