"""Judging and the network without memory, beside the long way round."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from unrolled.config import LanguageModelConfig
from unrolled.tasks import lm
from unrolled.tasks.base import parameters


@pytest.fixture
def config() -> LanguageModelConfig:
    return LanguageModelConfig(cell="lstm", layers=2, hidden=8, embedding=6)


def some_text(n: int = 500, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 11, n).astype(np.uint8)


def test_a_model_follows_from_its_config_alone(config: LanguageModelConfig) -> None:
    before = torch.get_rng_state()
    one, other = lm.model(config, 11), lm.model(config, 11)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert parameters(one) == sum(w.numel() for w in one.state_dict().values())


def test_init_bounds_every_weight() -> None:
    model = lm.model(LanguageModelConfig(hidden=8, init=0.1), 11)
    weights = torch.cat([weight.flatten() for weight in model.parameters()])
    assert weights.abs().max() <= 0.1
    assert 0.05 < weights.std() < 0.065  # uniform: 0.1 / sqrt(3)


def test_the_judged_loss_is_that_of_the_whole_text_at_once(config: LanguageModelConfig) -> None:
    model, ids = lm.model(config, 11), some_text(5000)
    x = torch.from_numpy(ids.astype(np.int64))[:, None]
    expected = cross_entropy(model(x[:-1])[0].flatten(0, 1).double(), x[1:].flatten()).item()
    assert lm.judge(model, ids) == pytest.approx(expected, rel=1e-6)
    assert lm.judge(model, ids, streams=3) == pytest.approx(expected, rel=1e-2)


def test_the_loss_without_memory_is_that_of_resets_and_so_are_its_gradients(
    config: LanguageModelConfig,
) -> None:
    model = lm.model(config, 11)
    ids = torch.from_numpy(some_text().astype(np.int64))[:120].view(12, 10)
    inputs, targets = ids[:-1], ids[1:]
    logits, _ = model(inputs, reset=torch.ones_like(inputs, dtype=torch.bool))
    loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
    expected = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    quick = lm.memoryless_loss(model, inputs, targets, torch.Generator())
    found = torch.autograd.grad(quick, list(model.parameters()), allow_unused=True)
    torch.testing.assert_close(quick, loss)
    for (name, _), a, b in zip(model.named_parameters(), found, expected, strict=True):
        zero = torch.zeros(())
        torch.testing.assert_close(
            zero if a is None else a, zero if b is None else b, msg=name, rtol=1e-4, atol=1e-7
        )


def test_judging_without_memory_is_judging_with_resets(config: LanguageModelConfig) -> None:
    model, ids = lm.model(config, 11), some_text()
    x = torch.from_numpy(ids.astype(np.int64))[:, None]
    logits, _ = model(x[:-1], reset=torch.ones(len(ids) - 1, 1, dtype=torch.bool))
    expected = cross_entropy(logits.flatten(0, 1), x[1:].flatten()).item()
    assert lm.judge_memoryless(model, ids) == pytest.approx(expected, rel=1e-5)


def test_judging_leaves_the_mode_as_it_was(config: LanguageModelConfig) -> None:
    model = lm.model(config, 11)
    for mode in (True, False):
        model.train(mode)
        lm.judge(model, some_text())
        lm.judge_memoryless(model, some_text())
        assert model.training is mode
