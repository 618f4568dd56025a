"""Ours = torch's: every option of the constructors, every output and gradient, and the way taken."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as theirs

from tests.battery.pairs import all_pairs
from tests.tolerances import limit
from unrolled import native, nn
from unrolled.checks import parity

ours: Any = nn  # torch types a weight as Tensor | Module

FACTORS: dict[str, list[Any]] = {
    "kind": ["RNN", "LSTM", "GRU"],
    "dtype": ["float32", "float64"],
    "num_layers": [1, 2, 3],
    "bidirectional": [False, True],
    "bias": [True, False],
    "batch_first": [False, True],
    "dropout": [0.0, 0.4],
    "nonlinearity": ["tanh", "relu"],
    "proj_size": [0, 2],
    "given": ["nothing", "states"],
    "layout": ["contiguous", "every other step", "features apart", "one row for all"],
    "T": [1, 2, 9],
    "B": [0, 1, 5],
    "I": [1, 6],
    "H": [3, 17],
}
CASES = all_pairs(FACTORS)
SIZES: dict[str, list[Any]] = {"T": [1, 2, 9, 30], "B": [0, 1, 5, 13], "H": [3, 4, 17, 33, 70]}


def sizes(case: dict[str, Any]) -> tuple[int, int, int]:
    """Layers times directions, and the sizes of h and c."""
    P = case["proj_size"] if case["kind"] == "LSTM" else 0
    return case["num_layers"] * (1 + case["bidirectional"]), P or case["H"], case["H"]


def pair_of_layers(case: dict[str, Any]) -> tuple[Any, Any]:
    """Torch's layer and ours, each made by its constructor from the same seed."""
    options = {name: case[name] for name in ("num_layers", "bidirectional", "bias", "batch_first")}
    options["dtype"] = getattr(torch, case["dtype"])
    options["dropout"] = case["dropout"] if case["num_layers"] > 1 else 0.0
    if case["kind"] == "RNN":
        options["nonlinearity"] = case["nonlinearity"]
    if case["kind"] == "LSTM":
        options["proj_size"] = case["proj_size"]
    made: list[Any] = []
    for package in (theirs, ours):
        torch.manual_seed(0)
        made.append(getattr(package, case["kind"])(case["I"], case["H"], **options))
    return made[0], made[1]


def input_of(case: dict[str, Any]) -> torch.Tensor:
    """An input in the case's layout of memory."""
    shape = [case["B"], case["T"]] if case["batch_first"] else [case["T"], case["B"]]
    dtype = getattr(torch, case["dtype"])
    if case["layout"] == "every other step":
        return torch.randn(2 * shape[0], shape[1], case["I"], dtype=dtype)[::2]
    if case["layout"] == "features apart":
        return torch.randn(case["I"], *shape, dtype=dtype).permute(1, 2, 0)
    if case["layout"] == "one row for all":
        return torch.randn(shape[0], 1, case["I"], dtype=dtype).expand(*shape, case["I"])
    return torch.randn(*shape, case["I"], dtype=dtype)


def states_of(case: dict[str, Any], *batch: int) -> Any:
    """Initial states, a pair for an LSTM; None where the case gives none."""
    if case["given"] == "nothing":
        return None
    count, R, H = sizes(case)
    dtype = getattr(torch, case["dtype"])
    h_0, c_0 = torch.randn(count, *batch, R, dtype=dtype), torch.randn(count, *batch, H, dtype=dtype)
    return (h_0, c_0) if case["kind"] == "LSTM" else h_0


def describe(case: dict[str, Any]) -> str:
    return "-".join(str(value) for value in case.values())


def worst(errors: dict[str, float]) -> tuple[float, str]:
    return max((error, name) for name, error in errors.items())


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("case", CASES, ids=describe)
def test_everything_a_layer_answers(case: dict[str, Any]):
    torchs, mine = pair_of_layers(case)
    ours.reset_paths()
    errors = parity.compare(mine, torchs, input_of(case), states_of(case, case["B"]))
    assert worst(errors)[0] <= limit("parity", case["dtype"]), worst(errors)
    if native.available():
        assert ours.paths() == {"compiled": 1, "torch": 0, "composite": 0}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@settings(max_examples=200)
@given(st.fixed_dictionaries({name: st.sampled_from(levels) for name, levels in (FACTORS | SIZES).items()}))
def test_any_combination(case: dict[str, Any]):
    torchs, mine = pair_of_layers(case)
    errors = parity.compare(mine, torchs, input_of(case), states_of(case, case["B"]))
    assert worst(errors)[0] <= limit("parity", case["dtype"]), worst(errors)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("case", CASES[:24], ids=describe)
def test_one_sequence_without_a_batch_axis(case: dict[str, Any]):
    torchs, mine = pair_of_layers(case)
    x = torch.randn(case["T"], case["I"], dtype=getattr(torch, case["dtype"]))
    errors = parity.compare(mine, torchs, x, states_of(case))
    assert worst(errors)[0] <= limit("parity", case["dtype"]), worst(errors)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("case", CASES[:24], ids=describe)
def test_no_gradient_gives_the_same_numbers(case: dict[str, Any]):
    _, mine = pair_of_layers(case)
    x, hx = input_of(case), states_of(case, case["B"])
    recorded = [*parity.tensors(mine.eval()(x, hx))]
    with torch.no_grad():
        silent = [*parity.tensors(mine(x, hx))]
    assert all(value.requires_grad for value in recorded)
    assert not any(value.requires_grad for value in silent)
    assert all(torch.equal(one, other) for one, other in zip(recorded, silent, strict=True))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("case", CASES, ids=describe)
def test_constructor_state_and_words(case: dict[str, Any]):
    torchs, mine = pair_of_layers(case)
    assert repr(mine) == repr(torchs)
    assert mine.training
    assert isinstance(mine, type(torchs))
    assert mine.state_dict().keys() == torchs.state_dict().keys()
    assert all(torch.equal(value, torchs.state_dict()[name]) for name, value in mine.state_dict().items())
    for one, other in zip(mine.all_weights, torchs.all_weights, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_state_dict_both_ways(kind: str, dtype: str):
    torchs = getattr(theirs, kind)(3, 5, 2, bidirectional=True).to(getattr(torch, dtype))
    mine = getattr(ours, kind)(3, 5, 2, bidirectional=True).to(getattr(torch, dtype))
    x = torch.randn(4, 2, 3, dtype=getattr(torch, dtype))
    mine.load_state_dict(torchs.state_dict())
    assert worst(parity.compare(mine, torchs, x))[0] <= limit("parity", dtype)
    torchs.load_state_dict(getattr(ours, kind)(3, 5, 2, bidirectional=True).state_dict())
    mine.load_state_dict(torchs.state_dict(), assign=True)
    assert worst(parity.compare(mine, torchs, x))[0] <= limit("parity", dtype)


@pytest.mark.skipif(not native.available(), reason="torch's own output is not contiguous")
def test_batch_first_output_has_the_same_layout_for_whoever_views_it():
    output, _ = ours.GRU(3, 4, batch_first=True)(torch.randn(2, 5, 3))
    assert output.is_contiguous()
    assert output.view(2, -1).shape == (2, 20)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_bit(threads: int):
    torch.manual_seed(0)
    layer, x = ours.LSTM(16, 32, 2), torch.randn(20, 8, 16)
    before = torch.get_num_threads()
    alone = parity.answers(layer, x)
    try:
        torch.set_num_threads(threads)
        together = parity.answers(layer, x)
    finally:
        torch.set_num_threads(before)
    assert all((alone[name] == together[name]).all() for name in alone)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("training", [True, False])
def test_dropout_lies_between_layers_and_draws_torchs_numbers(p: float, training: bool):
    torchs = theirs.GRU(3, 8, 3, dropout=p).train(training)
    mine = ours.GRU.from_torch(torchs)
    x = torch.randn(6, 4, 3)
    assert worst(parity.compare(mine, torchs, x))[0] <= limit("parity", "float32")
    torch.manual_seed(1)
    once = mine(x)[0]
    assert torch.equal(once, mine(x)[0]) == (not training or p in (0, 1))


def test_dropout_of_a_single_layer_is_warned_of_as_by_torch():
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
        ours.GRU(3, 4, dropout=0.5)
