"""What the layers and cells refuse: torch's class of error and words first, then the rule and the remedy."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn as theirs
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from unrolled import nn
from unrolled.checks import parity
from unrolled.errors import DtypeError, LengthsError, OptionError, ShapeError, UnrolledError

ours: Any = nn  # torch types a weight as Tensor | Module

KINDS = ["RNN", "LSTM", "GRU"]
CELLS = ["RNNCell", "LSTMCell", "GRUCell"]


def x(*shape: int, **options: Any) -> torch.Tensor:
    return torch.zeros(*(shape or (5, 2, 3)), **options)


def hx(kind: str, *shape: int, **options: Any) -> Any:
    state = torch.zeros(*shape, **options)
    return (state, state) if "LSTM" in kind else state


def refusal(call: Any) -> UnrolledError:
    """The error of a call, which must have the form of the house."""
    ours.reset_paths()
    with pytest.raises(UnrolledError) as caught:
        call()
    error = caught.value
    assert sum(ours.paths().values()) == 0, "refused before anything is computed"
    assert f"{error.subject} must {error.rule}; got {error.got}. {error.fix}" in str(error)
    assert error.fix.endswith((".", "?"))
    return error


def torchs_refusal(call: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  which, is what the test asks
        call()
    return caught.value


CALLS: dict[str, Any] = {
    "one axis": lambda kind: (x(3),),
    "four axes": lambda kind: (x(1, 5, 2, 3),),
    "input size": lambda kind: (x(5, 2, 4),),
    "no steps": lambda kind: (x(0, 2, 3),),
    "input dtype": lambda kind: (x(dtype=torch.float64),),
    "whole numbers": lambda kind: (x(dtype=torch.int64),),
    "input device": lambda kind: (x(device="meta"),),
    "batch of the state": lambda kind: (x(), hx(kind, 1, 3, 4)),
    "size of the state": lambda kind: (x(), hx(kind, 1, 2, 5)),
    "layers of the state": lambda kind: (x(), hx(kind, 2, 2, 4)),
    "axes swapped": lambda kind: (x(), hx(kind, 2, 1, 4)),
    "state of one sequence": lambda kind: (x(), hx(kind, 1, 4)),
    "state of a batch": lambda kind: (x(5, 3), hx(kind, 1, 1, 4)),
    "state device": lambda kind: (x(), hx(kind, 1, 2, 4, device="meta")),
    "packed input size": lambda kind: (pack_sequence([x(5, 4)]),),
    "packed rank": lambda kind: (pack_sequence([x(5, 2, 3)]),),
    "packed state": lambda kind: (pack_sequence([x(5, 3)]), hx(kind, 1, 2, 4)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS)
def test_layers_say_what_torch_says_and_what_to_do(kind: str, call: str):
    torchs, mine = getattr(theirs, kind)(3, 4), getattr(ours, kind)(3, 4)
    arguments = CALLS[call](kind)
    error = refusal(lambda: mine(*arguments))
    if kind == "LSTM" and call.startswith("packed"):
        return  # torch's LSTM does not look at a packed batch, and computes or fails somewhere inside
    expected = torchs_refusal(lambda: torchs(*arguments))
    assert isinstance(error, type(expected))
    assert str(error).startswith(f"{expected}.")


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_another_dtype_is_not_cast(kind: str):
    layer = getattr(ours, kind)(3, 4)
    error = refusal(lambda: layer(x(), hx(kind, 1, 2, 4, dtype=torch.float64)))
    assert isinstance(error, RuntimeError)
    assert "h_0.to(torch.float32)" in error.fix


def test_swapped_axes_are_named():
    error = refusal(lambda: ours.GRU(3, 4, 2)(x(5, 3, 3), x(3, 2, 4)))
    assert "[L*D, B, R] = [2, 3, 4]; got [3, 2, 4]. Swap the first two axes: h_0.transpose(0, 1)." in str(
        error
    )


def test_an_lstm_wants_both_states():
    for wrong in (x(1, 2, 4), (x(1, 2, 4),), [x(1, 2, 4)] * 3):
        assert isinstance(refusal(lambda: ours.LSTM(3, 4)(x(), wrong)), DtypeError)  # noqa: B023
    error = refusal(lambda: ours.LSTM(3, 4, proj_size=2)(x(), (x(1, 2, 2), x(1, 2, 2))))
    assert str(error).startswith("Expected hidden[1] size (1, 2, 4), got [1, 2, 2]. LSTM.forward: c_0 must")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_tensor(kind: str):
    error = refusal(lambda: getattr(ours, kind)(3, 4)(np.zeros((5, 2, 3))))
    assert isinstance(error, TypeError)
    assert str(error).startswith(f"{kind}.forward: input must be a torch.Tensor; got ndarray. Turn it")
    state = np.zeros((1, 2, 4))
    assert isinstance(
        refusal(lambda: getattr(ours, kind)(3, 4)(x(), (state, state) if kind == "LSTM" else state)),
        TypeError,
    )


LENGTHS: dict[str, Any] = {
    "count": [5, 5, 5],
    "rank": [[5, 5]],
    "too long": [5, 6],
    "negative": torch.tensor([-1, 2]),
    "fractions": [2.5, 3.0],
    "truth": np.array([True, False]),
    "one for all": 5,
}


@pytest.mark.parametrize("wrong", LENGTHS)
def test_lengths(wrong: str):
    error = refusal(lambda: ours.GRU(3, 4)(x(), lengths=LENGTHS[wrong]))
    assert isinstance(error, LengthsError)
    assert "lengths must" in str(error)


@pytest.mark.parametrize(
    "wrong", [[[1, 2], [3]], "abc", {}, torch.zeros(2, dtype=torch.int64, device="meta")], ids=str
)
@pytest.mark.parametrize("option", ["lengths", "reset"])
def test_lengths_and_resets_that_are_no_numbers(option: str, wrong: Any):
    error = refusal(lambda: ours.GRU(3, 4)(x(), **{option: wrong}))
    assert isinstance(error, TypeError)
    assert error.subject == f"GRU.forward: {option}"


@pytest.mark.parametrize(
    ("rows", "sizes", "said"),
    [
        (4, [2, 1], "have sum(batch_sizes) = 3 rows; got 4"),
        (2, [2, 1], "have sum(batch_sizes) = 3 rows; got 2"),
        (6, [3, 1, 2], "never increase; got [3, 1, 2]"),
        (3, [1, 2], "never increase; got [1, 2]"),
        (2, [2, 0], "be at least 1 and never increase; got [2, 0]"),
        (0, [], "be at least 1 and never increase; got []"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_packed_by_hand(kind: str, rows: int, sizes: list[int], said: str):
    packed = PackedSequence(x(rows, 3), torch.tensor(sizes, dtype=torch.int64))
    error = refusal(lambda: getattr(ours, kind)(3, 4)(packed))
    assert isinstance(error, RuntimeError)
    assert said in str(error)


def test_too_long_is_shown_with_its_place():
    error = refusal(lambda: ours.GRU(3, 4)(x(), lengths=[5, 6]))
    assert str(error).startswith("GRU.forward: lengths must be from 0 to T = 5; got 6 at [1].")


@pytest.mark.parametrize(
    "options", [{"lengths": [5]}, {"reset": torch.zeros(5, 1, dtype=torch.bool)}], ids=str
)
def test_packed_and_more(options: dict[str, Any]):
    error = refusal(lambda: ours.GRU(3, 4)(pack_sequence([x(5, 3)]), **options))
    assert "must be absent with a PackedSequence" in str(error)


def test_resets():
    layer = ours.GRU(3, 4)
    assert isinstance(refusal(lambda: layer(x(), reset=x(5, 2))), DtypeError)
    assert isinstance(refusal(lambda: layer(x(), reset=x(2, 5, dtype=torch.bool))), ShapeError)
    assert isinstance(refusal(lambda: layer(x(), reset=np.zeros((5, 2)))), DtypeError)
    refusal(lambda: layer(x(), reset=x(5, 2, dtype=torch.bool, device="meta")))
    error = refusal(lambda: ours.GRU(3, 4, batch_first=True)(x(2, 5, 3), reset=x(5, 2, dtype=torch.bool)))
    assert "[B, T] = [2, 5]" in str(error)


def test_a_weight_put_in_anothers_place():
    layer = ours.GRU(3, 4)
    layer.weight_hh_l0 = theirs.Parameter(x(12, 5))
    error = refusal(lambda: layer(x()))
    assert "GRU.forward: weight_hh_l0 must have shape [12, 4]; got [12, 5]." in str(error)
    layer.weight_hh_l0 = theirs.Parameter(x(12, 4, dtype=torch.float64))
    assert isinstance(refusal(lambda: layer(x())), ValueError)
    layer.weight_hh_l0 = theirs.Parameter(x(12, 4, device="meta"))
    assert "same device" in str(refusal(lambda: layer(x())))


OPTIONS: list[dict[str, Any]] = [
    {"dropout": 2},
    {"dropout": -0.1},
    {"dropout": True},
    {"bias": 1},
    {"batch_first": 1},
    {"num_layers": 0},
    {"num_layers": -1},
    {"proj_size": -1},
    {"proj_size": 4},
    {"hidden_size": 0},
    {"hidden_size": -1},
    {"hidden_size": 4.0},
    {"input_size": 0},
    {"input_size": 3.0},
    {"dtype": torch.int64},
    {"dtype": "float32"},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", OPTIONS, ids=str)
def test_constructors(kind: str, wrong: dict[str, Any]):
    options = {"input_size": 3, "hidden_size": 4} | wrong
    error = refusal(lambda: getattr(ours, kind)(**options))
    expected = torchs_refusal(lambda: getattr(theirs, kind)(**options))
    assert isinstance(error, type(expected))
    assert str(error).startswith(str(expected))


@pytest.mark.parametrize("kind", [*KINDS, *CELLS])
def test_unknown_keywords(kind: str):
    error = refusal(lambda: getattr(ours, kind)(3, 4, hiden_size=5))
    assert isinstance(error, TypeError)
    assert f"{kind}.__init__() got an unexpected keyword argument 'hiden_size'" in str(error)
    assert error.fix == "Did you mean hidden_size?"
    with pytest.raises(TypeError):
        getattr(ours, kind)(3, 4, zzz=1)


@pytest.mark.parametrize("kind", ["RNN", "RNNCell"])
def test_unknown_nonlinearity(kind: str):
    error = refusal(lambda: getattr(ours, kind)(3, 4, nonlinearity="swish"))
    assert isinstance(error, ValueError)
    assert str(error).startswith("Unknown nonlinearity 'swish'. ")
    assert "tanh, relu, sigmoid, identity" in str(error)


CELL_CALLS: dict[str, Any] = {
    "three axes": lambda kind: (x(3, 3, 3),),
    "state of three axes": lambda kind: (x(3, 3), hx(kind, 1, 3, 4)),
    "input size": lambda kind: (x(3, 5),),
    "hidden size": lambda kind: (x(3, 3), hx(kind, 3, 5)),
    "batch": lambda kind: (x(3, 3), hx(kind, 2, 4)),
    "state without batch": lambda kind: (x(1, 3), hx(kind, 4)),
    "state with batch": lambda kind: (x(3), hx(kind, 1, 4)),
}


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("call", CELL_CALLS)
def test_cells_say_what_torch_says_and_what_to_do(kind: str, call: str):
    torchs, mine = getattr(theirs, kind)(3, 4), getattr(ours, kind)(3, 4)
    arguments = CELL_CALLS[call](kind)
    error, expected = refusal(lambda: mine(*arguments)), torchs_refusal(lambda: torchs(*arguments))
    assert isinstance(error, type(expected))
    assert str(error).startswith(str(expected))


def test_a_batch_of_states_beside_one_input_is_named():
    error = refusal(lambda: ours.GRUCell(3, 4)(x(3), x(1, 4)))
    assert "h must have shape [H] = [4], as x has [I]; got [1, 4]. Remove the batch axis" in str(error)


@pytest.mark.parametrize("kind", CELLS)
def test_cells_mix_no_dtypes_or_devices(kind: str):
    cell = getattr(ours, kind)(3, 4)
    assert isinstance(refusal(lambda: cell(x(2, 3, dtype=torch.float64))), RuntimeError)
    assert isinstance(refusal(lambda: cell(x(2, 3), hx(kind, 2, 4, dtype=torch.float64))), RuntimeError)
    assert isinstance(refusal(lambda: cell(x(2, 3, device="meta"))), RuntimeError)
    refusal(lambda: cell(x(3), hx(kind, 1, 4)))
    refusal(lambda: cell(np.zeros((2, 3))))


@pytest.mark.parametrize("kind", CELLS)
def test_cells_may_have_size_0_as_torchs(kind: str):
    cell = getattr(ours, kind)(3, 0)
    assert next(parity.tensors(cell(x(2, 3), hx(kind, 2, 0)))).shape == (2, 0)


@pytest.mark.parametrize(
    "wrong", [{"hidden_size": -1}, {"hidden_size": 4.0}, {"reset_after": 1}, {"dtype": torch.int64}], ids=str
)
def test_constructors_of_cells(wrong: dict[str, Any]):
    options = {"input_size": 3, "hidden_size": 4} | wrong
    assert isinstance(refusal(lambda: ours.GRUCell(**options)), OptionError)


def test_an_error_travels_between_processes():
    error = refusal(lambda: ours.GRU(3, 4)(x(5, 2, 4)))
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
