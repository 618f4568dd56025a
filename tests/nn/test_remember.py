"""A start from which gated layers remember."""

import numpy as np
import pytest
import torch

from unrolled import nn
from unrolled.config import LanguageModelConfig
from unrolled.errors import OptionError
from unrolled.tasks import lm

LAYERS = [torch.nn.LSTM, torch.nn.GRU, nn.LSTM, nn.GRU]


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_without_input_a_state_falls_as_slowly_as_its_gate_says(kind: type[torch.nn.LSTM | torch.nn.GRU]):
    layer = kind(2, 64, num_layers=2, bidirectional=True)
    nn.remember(layer, 50, torch.Generator().manual_seed(3))
    for suffix in ("l0", "l0_reverse", "l1", "l1_reverse"):
        bias = getattr(layer, f"bias_ih_{suffix}") + getattr(layer, f"bias_hh_{suffix}")
        u = 1 / (1 - torch.sigmoid(bias[64:128].detach())) - 1
        assert 1 <= u.min() < 10
        assert 40 < u.max() <= 49
        assert u.mean() == pytest.approx(25, abs=8)  # uniform from 1 to 49: within four errors of the mean


def test_an_lstm_takes_in_what_it_lets_go():
    layer = nn.LSTM(2, 8)
    nn.remember(layer, 20)
    bias = layer.get_parameter("bias_ih_l0") + layer.get_parameter("bias_hh_l0")
    gates = torch.sigmoid(bias.detach()).numpy()
    np.testing.assert_allclose(gates[:8], 1 - gates[8:16], atol=1e-7)


def test_what_it_cannot_be_done_to():
    for layer, words in ((nn.RNN(2, 3), "have gates"), (nn.GRU(2, 3, bias=False), "have biases")):
        with pytest.raises(OptionError, match=words):
            nn.remember(layer, 10)
    with pytest.raises(OptionError, match="be at least 2"):
        nn.remember(nn.GRU(2, 3), 1)


def test_a_language_model_begins_so():
    config = LanguageModelConfig(cell="lstm", hidden=16, layers=2, remember=100)
    model, other = lm.model(config, 7), lm.model(LanguageModelConfig(cell="lstm", hidden=16, layers=2), 7)
    same = lm.model(config, 7)
    for k in range(2):
        first, again, plain = (
            of.get_parameter(f"layers.{k}.bias_hh_l0")[16:32] for of in (model, same, other)
        )
        assert first.mean() > 2 > 0.5 > plain.mean()
        assert torch.equal(first, again)
    assert torch.equal(model.head.weight, other.head.weight)


@pytest.mark.parametrize(("cell", "steps"), [("rnn", 10), ("gru", 1)])
def test_what_a_config_refuses(cell: str, steps: int):
    with pytest.raises(OptionError, match="remember"):
        LanguageModelConfig(cell=cell, remember=steps)  # pyright: ignore[reportArgumentType]
