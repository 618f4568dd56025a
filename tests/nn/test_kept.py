"""Layers and cells that keep their packed weights: never out of date, and no part of the layer."""

import concurrent.futures
import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unrolled import native, nn
from unrolled.nn import kept

ours: Any = nn  # torch types a weight as Tensor | Module
pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_not())

T, B, I, H = 4, 8, 12, 144


def made(kind: str) -> tuple[Any, torch.Tensor]:
    if kind.endswith("Cell"):
        return getattr(ours, kind)(I, H), torch.randn(B, I)
    return getattr(ours, kind)(I, H, num_layers=2, bidirectional=True), torch.randn(T, B, I)


def first(result: Any) -> torch.Tensor:
    return result[0] if isinstance(result, tuple) else result


def held(module: torch.nn.Module) -> int:
    """Bytes that are kept of a module's weights."""
    return sum(each.bytes() for _, each in kept._kept.get(module, []))


def check(module: Any, x: torch.Tensor) -> None:
    """Fails unless inference gives the bits of a call that is recorded, which packs the weights anew."""
    state = torch.randn(B, H)
    given = (x, (state, state) if isinstance(module, torch.nn.LSTMCell) else state)
    given = given if isinstance(module, torch.nn.RNNCellBase) else (x,)
    expected = first(module(*given))
    assert expected.requires_grad
    with torch.no_grad():
        assert torch.equal(first(module(*given)), expected)


def by_numpy(weight: torch.Tensor) -> None:
    array = weight.detach().numpy()
    np.negative(array, out=array)


def by_data(weight: torch.Tensor) -> None:
    weight.data[-1, -1] += 1


def by_new_memory(weight: torch.Tensor) -> None:
    weight.data = weight.data * 2


def by_optimiser(weight: torch.Tensor) -> None:
    weight.grad = torch.ones_like(weight)
    torch.optim.SGD([weight], 0.1).step()


@pytest.mark.parametrize("edit", [by_numpy, by_data, by_new_memory, by_optimiser])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
def test_edits_are_seen(kind: str, edit: Callable[[torch.Tensor], None]):
    module, x = made(kind)
    check(module, x)
    assert held(module) > 0
    for weight in [parameter for parameter in module.parameters() if parameter.dim() == 2]:
        edit(weight)
        check(module, x)


def test_loading_other_weights():
    module, x = made("GRU")
    check(module, x)
    module.load_state_dict(made("GRU")[0].state_dict())
    check(module, x)


def test_in_turn_with_other_shapes_and_dtypes():
    module, x = made("LSTM")
    for _ in range(2):
        check(module, x)
        check(module, x[:, :1])
        check(module, x[:1])
        check(module.double(), x.double())
        module.float()


def test_ids_and_rows_in_turn():
    model = ours.Embedded(torch.nn.Embedding(5, I), ours.GRU(I, H))
    ids = torch.randint(5, (T, B))
    for _ in range(2):
        expected, _ = model(ids)
        with torch.no_grad():
            assert torch.equal(model(ids)[0], expected)
            assert (model.layer(model.embedding(ids))[0] - expected).abs().max() < 1e-5


@pytest.mark.parametrize("shape", [(1, 2, I), (17, B, I)], ids=str)
def test_nothing_is_kept_where_it_would_not_pay(shape: tuple[int, ...]):
    module, _ = made("GRU")
    with torch.no_grad():
        module(torch.randn(shape))
        assert held(module) == 0
        small = ours.GRU(I, 8)
        small(torch.randn(T, B, I))
        assert held(small) == 0


def test_nothing_is_kept_for_training():
    module, x = made("GRU")
    module(x)[0].sum().backward()
    assert held(module) == 0


def test_copies_and_files_know_nothing_of_it():
    module, x = made("GRU")
    size = len(pickle.dumps(module))
    check(module, x)
    assert len(pickle.dumps(module)) == size
    twins = [copy.deepcopy(module), pickle.loads(pickle.dumps(module))]
    for twin in twins:
        assert held(twin) == 0
        twin.weight_hh_l0.data.neg_()
        check(twin, x)
    check(module, x)


def test_it_goes_with_the_layer():
    gc.collect()
    before = len(kept._kept)
    module, x = made("GRU")
    check(module, x)
    assert len(kept._kept) == before + 1
    del module
    gc.collect()
    assert len(kept._kept) == before


def test_eight_threads_call_one_layer():
    module, x = made("GRU")
    inputs = [x * k for k in range(1, 5)]
    expected = [module(each)[0] for each in inputs]

    def right(number: int) -> bool:
        with torch.no_grad():
            return torch.equal(module(inputs[number % 4])[0], expected[number % 4])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(400)))
