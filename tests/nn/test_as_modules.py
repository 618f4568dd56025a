"""What people do to torch's layers and cells works on ours: copies, files, reparametrisation, conversion."""

import copy
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn as theirs
from torch.nn.utils import parametrizations, parametrize, prune

from unrolled import native, nn
from unrolled.checks import parity
from unrolled.errors import OptionError

ours: Any = nn  # torch types a weight as Tensor | Module

KINDS = ["RNN", "LSTM", "GRU"]


@pytest.fixture(autouse=True)
def no_warnings_and_compiled() -> Iterator[None]:
    """No test of this file may warn, and all of its calls are computed by the kernels."""
    ours.reset_paths()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    if native.available():
        assert ours.paths()["torch"] == ours.paths()["composite"] == 0


def answers(layer: Any, x: torch.Tensor) -> list[torch.Tensor]:
    return [torch.from_numpy(value) for value in parity.answers(layer, x).values()]


def same(one: Any, other: Any, x: torch.Tensor) -> bool:
    return all(torch.equal(a, b) for a, b in zip(answers(one, x), answers(other, x), strict=True))


def saved_and_loaded(layer: Any) -> Any:
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "twin", [copy.deepcopy, copy.copy, lambda layer: pickle.loads(pickle.dumps(layer)), saved_and_loaded]
)
def test_copies(kind: str, twin: Callable[[Any], Any]):
    layer = getattr(ours, kind)(3, 4, 2, bidirectional=True)
    layer(torch.randn(2, 1, 3))
    other = twin(layer)
    assert type(other) is type(layer)
    assert same(layer, other, torch.randn(5, 2, 3))


def test_options_beyond_torchs_survive_a_copy():
    for layer in (ours.GRU(3, 4, reset_after=False), ours.RNN(3, 4, nonlinearity="sigmoid")):
        assert pickle.loads(pickle.dumps(layer)).cell == layer.cell


def test_a_deep_copy_is_apart():
    layer = ours.GRU(3, 4)
    twin = copy.deepcopy(layer)
    x = torch.randn(5, 2, 3)
    before = layer(x)[0]
    with torch.no_grad():
        twin.weight_hh_l0.zero_()
    assert torch.equal(layer(x)[0], before)


@pytest.mark.parametrize("kind", KINDS)
def test_another_dtype(kind: str):
    layer = getattr(ours, kind)(3, 4)
    x = torch.randn(5, 2, 3)
    narrow = layer(x)[0]
    wide = layer.double()(x.double())[0]
    assert wide.dtype is torch.float64
    assert (wide - narrow).abs().max() < 1e-5
    assert torch.equal(layer.float()(x)[0], narrow)


def test_device_and_dtype_of_the_constructor():
    layer = ours.LSTM(3, 4, device="cpu", dtype=torch.float64)
    assert {weight.dtype for weight in layer.parameters()} == {torch.float64}
    assert ours.GRU(3, 4, device="meta").weight_hh_l0.is_meta
    empty = torch.nn.utils.skip_init(ours.GRU, 3, 4)
    assert empty.weight_ih_l0.shape == (12, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_replaced(kind: str):
    layer, other = getattr(ours, kind)(3, 4), getattr(ours, kind)(3, 4)
    x = torch.randn(5, 2, 3)
    layer(x)
    layer.weight_hh_l0 = theirs.Parameter(other.weight_hh_l0.detach().clone())
    layer.load_state_dict({name: value.clone() for name, value in other.state_dict().items()}, assign=True)
    assert same(layer, other, x)
    layer.weight_ih_l0.data = torch.zeros_like(layer.weight_ih_l0)
    assert not torch.equal(layer(x)[0], other(x)[0])


def test_weights_that_lie_apart_in_memory():
    layer, x = ours.GRU(4, 4), torch.randn(5, 2, 4)
    before = answers(layer, x)
    for weight in layer.parameters():
        if weight.dim() == 2:
            weight.data = weight.data.t().contiguous().t()
    after = answers(layer, x)
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(before, after, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_functional_call(kind: str):
    layer = getattr(ours, kind)(3, 4)
    x = torch.randn(5, 2, 3)
    doubled = {name: (2 * value).requires_grad_() for name, value in layer.named_parameters()}
    output = torch.func.functional_call(layer, doubled, (x,))[0]
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.mul_(2)
    assert torch.equal(output, twin(x)[0])
    gradients = torch.autograd.grad(output.sum(), list(doubled.values()))
    expected = torch.autograd.grad(twin(x)[0].sum(), list(twin.parameters()))
    assert all(torch.equal(*pair) for pair in zip(gradients, expected, strict=True))


def test_two_layers_share_a_weight():
    one, other, x = ours.GRU(4, 4), ours.GRU(4, 4), torch.randn(5, 2, 4)
    alone = torch.autograd.grad(one(one(x)[0])[0].sum(), one.weight_hh_l0)[0]
    other.load_state_dict(one.state_dict())
    other.weight_hh_l0 = one.weight_hh_l0
    together = torch.autograd.grad(other(one(x)[0])[0].sum(), one.weight_hh_l0)[0]
    assert torch.allclose(alone, together, atol=1e-6)
    assert len({*one.parameters(), *other.parameters()}) == 7


def test_one_parameter_in_two_places_of_a_layer():
    torch.manual_seed(0)
    torchs = theirs.GRU(4, 4, 2, dtype=torch.float64)
    torchs.weight_hh_l1 = torchs.weight_hh_l0
    mine = ours.GRU.from_torch(torchs)
    assert mine.weight_hh_l1 is mine.weight_hh_l0
    assert max(parity.compare(mine, torchs, torch.randn(5, 2, 4, dtype=torch.float64)).values()) < 1e-13


@pytest.mark.parametrize("kind", KINDS)
def test_pruning(kind: str):
    layer = getattr(ours, kind)(3, 4)
    x = torch.randn(5, 2, 3)
    prune.l1_unstructured(layer, "weight_hh_l0", amount=0.5)
    output = layer(x)[0]
    assert int((layer.weight_hh_l0 == 0).sum()) == layer.weight_hh_l0.numel() // 2
    output.sum().backward()
    assert not layer.weight_hh_l0_orig.grad[layer.weight_hh_l0 == 0].any()
    prune.remove(layer, "weight_hh_l0")
    assert torch.equal(layer(x)[0], output)


@pytest.mark.parametrize("kind", KINDS)
def test_parametrizations(kind: str):
    layer = getattr(ours, kind)(3, 4)
    x = torch.randn(5, 2, 3)
    before = layer(x)[0]
    parametrizations.weight_norm(layer, "weight_hh_l0")
    twin = copy.deepcopy(layer)
    assert torch.allclose(layer(x)[0], before, atol=1e-6)
    layer(x)[0].sum().backward()
    assert layer.parametrizations.weight_hh_l0.original1.grad.any()
    assert torch.equal(twin(x)[0], layer(x)[0])
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert type(layer) is getattr(ours, kind)
    assert torch.allclose(layer(x)[0], before, atol=1e-6)


def test_a_parametrized_layer_becomes_torchs():
    layer, x = ours.GRU(3, 4), torch.randn(5, 2, 3)
    parametrizations.weight_norm(layer, "weight_hh_l0")
    torchs = layer.to_torch()
    assert isinstance(torchs, theirs.GRU)
    assert not isinstance(torchs, ours.GRU)
    assert torch.allclose(torchs(x)[0], layer(x)[0], atol=1e-6)


def test_the_old_weight_norm():
    layer, x = ours.LSTM(3, 4), torch.randn(5, 2, 3)
    before = layer(x)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.nn.utils.weight_norm(layer, "weight_hh_l0")
    assert torch.allclose(layer(x)[0], before, atol=1e-6)
    layer(x)[0].sum().backward()
    assert layer.weight_hh_l0_g.grad.any()


def test_hooks_run():
    layer, seen = ours.GRU(3, 4), []
    layer.register_forward_pre_hook(lambda module, arguments: seen.append("before"))
    layer.register_forward_hook(lambda module, arguments, result: seen.append("after"))
    layer(torch.randn(2, 1, 3))
    assert seen == ["before", "after"]


def test_flatten_parameters_does_no_harm():
    layer, x = ours.LSTM(3, 4, 2), torch.randn(5, 2, 3)
    before = layer(x)[0]
    layer.flatten_parameters()
    assert torch.equal(layer(x)[0], before)
    ours.RNN(3, 4, nonlinearity="identity").flatten_parameters()


def test_an_optimiser_trains_it():
    torch.manual_seed(0)
    layer, head = ours.GRU(3, 16), theirs.Linear(16, 1)
    optimiser = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    x = torch.randn(8, 16, 3)
    target = x.sum(2, keepdim=True).cumsum(0).tanh()
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = theirs.functional.mse_loss(head(layer(x)[0]), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("name", [*KINDS, *[f"{kind}Cell" for kind in KINDS]])
def test_from_torch_and_back(name: str):
    torchs = getattr(theirs, name)(3, 4).double().eval()
    mine = getattr(ours, name).from_torch(torchs)
    assert type(mine) is getattr(ours, name)
    assert not mine.training
    assert mine.weight_ih_l0 is not torchs.weight_ih_l0 if "Cell" not in name else True
    back = mine.to_torch()
    assert type(back) is type(torchs)
    assert all(torch.equal(value, torchs.state_dict()[key]) for key, value in back.state_dict().items())


def test_only_the_right_class_is_taken():
    with pytest.raises(OptionError, match=r"GRU: the module to copy must be a torch.nn.*GRU; got LSTM\."):
        ours.GRU.from_torch(theirs.LSTM(3, 4))
    with pytest.raises(
        OptionError, match=r"RNN\.to_torch: the cell must be one that torch has; got rnn_sigmoid"
    ):
        ours.RNN(3, 4, nonlinearity="sigmoid").to_torch()


def test_check_finite_names_the_weight():
    layer = ours.LSTM(3, 4, 2)
    layer.check_finite()
    with torch.no_grad():
        layer.bias_hh_l1[2:5] = float("inf")
    with pytest.raises(ValueError, match=r"LSTM.check_finite: bias_hh_l1 must be finite; got 3 of 16"):
        layer.check_finite()
    cell = ours.GRUCell(3, 4)
    cell.check_finite()


def test_nothing_is_kept_for_the_next_call():
    layer, x = ours.GRU(3, 4), torch.randn(2, 1, 3)
    before = set(vars(layer))
    layer(x)[0].sum().backward()
    assert set(vars(layer)) == before
