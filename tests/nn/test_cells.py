"""RNNCell, LSTMCell and GRUCell: ours = torch's, and one step of a cell = one step of its layer."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn as theirs
from torch.nn.utils import parametrizations

from tests.battery.pairs import all_pairs
from tests.tolerances import limit
from unrolled import native, nn
from unrolled.checks import parity

ours: Any = nn  # torch types a weight as Tensor | Module

KINDS = ["RNNCell", "LSTMCell", "GRUCell"]
FACTORS: dict[str, list[Any]] = {
    "kind": KINDS,
    "dtype": ["float32", "float64"],
    "bias": [True, False],
    "nonlinearity": ["tanh", "relu"],
    "given": [True, False],
    "B": [None, 0, 1, 5],
    "I": [1, 6],
    "H": [1, 3, 17, 70],
    "apart": [False, True],
}
CASES = all_pairs(FACTORS)


def describe(case: dict[str, Any]) -> str:
    return "-".join(str(value) for value in case.values())


@pytest.mark.parametrize("case", CASES, ids=describe)
def test_everything_a_cell_answers(case: dict[str, Any]):
    dtype = getattr(torch, case["dtype"])
    options = {"bias": case["bias"], "dtype": dtype}
    if case["kind"] == "RNNCell":
        options["nonlinearity"] = case["nonlinearity"]
    cells: list[Any] = []
    for package in (theirs, ours):
        torch.manual_seed(0)
        cells.append(getattr(package, case["kind"])(case["I"], case["H"], **options))
    torchs, mine = cells
    batch = [] if case["B"] is None else [case["B"]]
    x = torch.randn(*batch, case["I"], dtype=dtype)
    states = [torch.randn(*batch, case["H"], dtype=dtype) for _ in "hc"]
    if case["apart"] and batch:
        x = torch.randn(case["I"], *batch, dtype=dtype).t()
        states = [torch.randn(case["H"], *batch, dtype=dtype).t() for _ in "hc"]
    hx = None if not case["given"] else tuple(states) if case["kind"] == "LSTMCell" else states[0]
    ours.reset_paths()
    errors = parity.compare(mine, torchs, x, hx)
    assert max(errors.values()) <= limit("parity", case["dtype"]), errors
    assert repr(mine) == repr(torchs)
    if native.available() and case["B"] != 0:
        assert ours.paths() == {"compiled": 1, "torch": 0, "composite": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_of_cells_is_the_layer(kind: str):
    layer = getattr(ours, kind.removesuffix("Cell"))(3, 4, dtype=torch.float64)
    cell = getattr(ours, kind)(3, 4, dtype=torch.float64)
    named = zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), layer.parameters(), strict=True)
    cell.load_state_dict({name: value.detach() for name, value in named})
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    expected, _ = layer(x)
    state, rows = None, []
    for x_t in x:
        state = cell(x_t, state)
        rows.append(state[0] if kind == "LSTMCell" else state)
    output = torch.stack(rows)
    assert (output - expected).abs().max() <= limit("parity")
    found = torch.autograd.grad(output.square().sum(), list(cell.parameters()))
    true = torch.autograd.grad(expected.square().sum(), list(layer.parameters()))
    assert all(torch.allclose(*pair, atol=1e-13) for pair in zip(found, true, strict=True))


@pytest.mark.parametrize(
    "cell",
    [
        ours.RNNCell(3, 4, nonlinearity="sigmoid", dtype=torch.float64),
        ours.RNNCell(3, 4, nonlinearity="identity", dtype=torch.float64),
        ours.GRUCell(3, 4, reset_after=False, dtype=torch.float64),
    ],
    ids=lambda cell: cell.cell,
)
def test_cells_that_torch_has_not(cell: Any):
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    for hx in (h, None):
        found = parity.answers(cell, x, hx)
        ours.reset_paths()
        with ours.torch_path():
            expected = parity.answers(cell, x, hx)
        assert ours.paths()["composite"] == 1
        assert all(abs(found[name] - value).max() <= limit("parity") for name, value in expected.items())
    assert parity.answers(pickle.loads(pickle.dumps(cell)), x).keys() == parity.answers(cell, x).keys()
    with pytest.raises(ValueError, match="one that torch has"):
        cell.to_torch()


@pytest.mark.parametrize("kind", KINDS)
def test_copies_and_parametrizations(kind: str):
    cell, x = getattr(ours, kind)(3, 4), torch.randn(2, 3)
    before = next(parity.tensors(cell(x)))
    assert torch.equal(next(parity.tensors(copy.deepcopy(cell)(x))), before)
    parametrizations.weight_norm(cell, "weight_hh")
    assert torch.allclose(next(parity.tensors(cell(x))), before, atol=1e-6)
    doubled = {"weight_hh": torch.zeros(cell.weight_hh.shape)}
    assert torch.func.functional_call(getattr(ours, kind)(3, 4), doubled, (x,)) is not None


def test_weights_that_lie_apart_in_memory():
    cell, x, h = ours.GRUCell(4, 4), torch.randn(2, 4), torch.randn(2, 4)
    before = cell(x, h)
    for weight in cell.parameters():
        if weight.dim() == 2:
            weight.data = weight.data.t().contiguous().t()
    assert torch.allclose(cell(x, h), before, atol=1e-6)


def test_an_lstm_cell_takes_a_list_and_gives_its_states_apart():
    cell, x = ours.LSTMCell(3, 4), torch.randn(2, 3)
    h, c = cell(x, [torch.zeros(2, 4), torch.zeros(2, 4)])
    h.sum().backward(retain_graph=True)
    only_h = cell.weight_ih.grad.clone()
    c.sum().backward()
    assert not torch.equal(cell.weight_ih.grad, only_h)
