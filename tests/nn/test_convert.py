"""unrolled.convert: every layer of torch's in somebody's model becomes ours, and nothing else changes."""

import copy
from typing import Any

import pytest
import torch
from torch import nn as theirs
from torch.nn.utils import parametrizations, prune

import unrolled
from unrolled import native, nn
from unrolled.errors import OptionError

ours: Any = nn  # torch types a weight as Tensor | Module


class Tagger(theirs.Module):
    """A model as people write them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = theirs.Embedding(20, 6)
        self.encoder = theirs.LSTM(6, 8, num_layers=2, bidirectional=True, batch_first=True, dropout=0.2)
        self.memory = theirs.ModuleList([theirs.GRUCell(16, 8), theirs.RNNCell(8, 8, nonlinearity="relu")])
        self.norm = theirs.BatchNorm1d(8)
        self.head = theirs.Linear(8, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        output, _ = self.encoder(self.embed(ids))
        h = self.memory[0](output[:, -1])
        return self.head(self.norm(self.memory[1](h)))


def ids() -> torch.Tensor:
    return torch.randint(20, (4, 7), generator=torch.Generator().manual_seed(0))


def test_numbers_parameters_mode_and_hooks_stay():
    torch.manual_seed(0)
    model = Tagger()
    model.encoder.eval()
    seen: list[str] = []
    model.encoder.register_forward_hook(lambda *_: seen.append("hook"))
    parameters = dict(model.named_parameters())
    keys, encoder = list(model.state_dict()), model.encoder
    expected = copy.deepcopy(model)(ids())
    assert unrolled.convert(model) is model
    assert type(model.encoder) is ours.LSTM
    assert [type(cell) for cell in model.memory] == [ours.GRUCell, ours.RNNCell]
    assert model.encoder is encoder
    assert not model.encoder.training
    assert list(model.state_dict()) == keys
    assert all(parameters[name] is value for name, value in model.named_parameters())
    ours.reset_paths()
    assert torch.allclose(model(ids()), expected, atol=1e-5)
    assert ours.paths()["torch"] == 0 or not native.available()
    assert "hook" in seen


def test_an_optimiser_made_before_goes_on():
    torch.manual_seed(0)
    one, other = Tagger(), Tagger()
    other.load_state_dict(one.state_dict())
    losses: dict[int, list[float]] = {0: [], 1: []}
    for n, model in enumerate((one, other)):
        model.encoder.dropout = 0.0
        optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
        for step in range(8):
            if n and step == 3:
                unrolled.convert(model)
            loss = theirs.functional.cross_entropy(model(ids()), torch.tensor([0, 1, 2, 0]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses[n].append(loss.item())
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert losses[1][-1] < losses[1][0]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
def test_a_model_that_is_one_layer(name: str):
    layer = getattr(theirs, name)(3, 4)
    assert type(unrolled.convert(layer)) is getattr(ours, name)


def test_parametrized_layers():
    torch.manual_seed(0)
    layer = parametrizations.weight_norm(theirs.GRU(3, 4), "weight_hh_l0")
    other = copy.deepcopy(layer)
    x = torch.randn(5, 2, 3)
    expected = layer(x)[0]
    unrolled.convert(layer)
    assert isinstance(layer, ours.GRU)
    assert not isinstance(other, ours.GRU)
    assert torch.allclose(layer(x)[0], expected, atol=1e-6)
    torch.nn.utils.parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert type(layer) is ours.GRU


def test_a_shared_layer_stays_shared():
    layer = theirs.GRU(4, 4)
    model = theirs.ModuleDict({"one": layer, "other": layer})
    unrolled.convert(model)
    assert model["one"] is model["other"]
    assert type(model["one"]) is ours.GRU


class Own(theirs.GRU):
    """Somebody's layer, whose forward does something else."""


def test_derived_classes_are_left_alone():
    model = theirs.ModuleDict({"own": Own(3, 4), "plain": theirs.GRU(3, 4)})
    unrolled.convert(model)
    assert type(model["own"]) is Own
    assert type(model["plain"]) is ours.GRU


def test_twice_is_once():
    model = unrolled.convert(Tagger())
    assert type(unrolled.convert(model).encoder) is ours.LSTM


def test_nothing_to_convert_is_said():
    with pytest.raises(OptionError, match=r"must have an RNN, LSTM or GRU of torch\.nn; got Linear"):
        unrolled.convert(theirs.Linear(2, 2))


def test_the_gain_is_measured_and_printed(capsys: pytest.CaptureFixture[str]):
    model = Tagger()
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    unrolled.convert(model, example=ids())
    said = capsys.readouterr().out
    assert said.startswith("Tagger, 3 recurrent layers converted: forward ")
    assert "forward and backward" in said
    assert said.endswith("times as fast\n")
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert type(model.encoder) is ours.LSTM


def test_a_frozen_model_is_measured_forward(capsys: pytest.CaptureFixture[str]):
    model = Tagger().requires_grad_(False).eval()
    unrolled.convert(model, example=(ids(),))
    assert "backward" not in capsys.readouterr().out


def test_a_model_that_cannot_be_copied_is_not_measured(capsys: pytest.CaptureFixture[str]):
    layer, x = theirs.GRU(3, 4), torch.randn(5, 2, 3)
    prune.random_unstructured(layer, "weight_hh_l0", 0.5)
    expected = layer(x)[0]
    with pytest.raises(OptionError, match=r"with example=, the model must be one that copy\.deepcopy copies"):
        unrolled.convert(layer, x)
    with pytest.raises(OptionError, match=r"the module to copy must be one that copy\.deepcopy copies"):
        ours.GRU.from_torch(layer)
    assert type(layer) is theirs.GRU
    with torch.no_grad():
        layer(x)  # the remedy that the error names
    unrolled.convert(layer, x)
    assert "times as fast" in capsys.readouterr().out
    assert torch.allclose(layer(x)[0], expected, atol=1e-6)


@pytest.mark.parametrize("wrong", [3, None, "model", theirs.GRU])
def test_what_is_no_model(wrong: Any):
    with pytest.raises(OptionError, match=r"convert: the model must be a torch\.nn\.Module; got"):
        unrolled.convert(wrong)
