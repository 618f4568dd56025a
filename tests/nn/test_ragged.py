"""Sequences of different length: packed as torch has them, with lengths=, and with resets."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn as theirs
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

from tests.tolerances import limit
from unrolled import native, nn
from unrolled.checks import parity

ours: Any = nn  # torch types a weight as Tensor | Module

KINDS = ["RNN", "LSTM", "GRU"]
LENGTHS = [3, 7, 1, 7, 4]
T, B, I, H = 7, 5, 3, 4
PATHS = ["compiled", "torch"]


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> Any:
    """Every test of this file on both ways, the compiled one where it is there."""
    if request.param == "compiled":
        if not native.available():
            pytest.skip(native.why_not())
        yield request.param
        return
    with ours.torch_path():
        yield request.param


def pair_of_layers(kind: str, **options: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    torchs = getattr(theirs, kind)(I, H, dtype=torch.float64, **options)
    return torchs, getattr(ours, kind).from_torch(torchs)


def states(kind: str, count: int, batch: int = B) -> Any:
    h_0, c_0 = (torch.randn(count, batch, H, dtype=torch.float64) for _ in "hc")
    return (h_0, c_0) if kind == "LSTM" else h_0


def batch() -> torch.Tensor:
    return torch.randn(T, B, I, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("sort", [True, False], ids=["sorted", "any order"])
def test_packed(kind: str, bidirectional: bool, given: bool, sort: bool, path: str):
    torchs, mine = pair_of_layers(kind, num_layers=2, bidirectional=bidirectional, dropout=0.3)
    lengths = sorted(LENGTHS, reverse=True) if sort else LENGTHS
    packed = pack_padded_sequence(batch(), torch.tensor(lengths), enforce_sorted=sort)
    ours.reset_paths()
    errors = parity.compare(mine, torchs, packed, states(kind, 2 + 2 * bidirectional) if given else None)
    assert max(errors.values()) <= limit("parity")
    assert ours.paths()[path] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_packed_output_has_torchs_form(kind: str, path: str):
    torchs, mine = pair_of_layers(kind)
    packed = pack_sequence([torch.randn(n, I, dtype=torch.float64) for n in LENGTHS], enforce_sorted=False)
    output, _ = mine(packed)
    expected, _ = torchs(packed)
    assert isinstance(output, PackedSequence)
    for one, other in zip(output[1:], expected[1:], strict=True):
        assert one is not None
        assert torch.equal(one, other)


def test_packed_one_sequence_of_one_step(path: str):
    torchs, mine = pair_of_layers("GRU")
    packed = pack_sequence([torch.randn(1, I, dtype=torch.float64)])
    assert max(parity.compare(mine, torchs, packed).values()) <= limit("parity")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_say_what_packing_says(kind: str, batch_first: bool, bidirectional: bool, path: str):
    torchs, mine = pair_of_layers(kind, num_layers=2, bidirectional=bidirectional, batch_first=batch_first)
    x, hx = batch(), states(kind, 2 + 2 * bidirectional)
    x = x.transpose(0, 1).contiguous() if batch_first else x

    class Packing(theirs.Module):
        """Torch's layer behind the interface of ours."""

        def forward(self, x: torch.Tensor, hx: Any) -> Any:
            lengths = torch.tensor(LENGTHS)
            packed = pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=False)
            output, final = torchs(packed, hx)
            return pad_packed_sequence(output, batch_first=batch_first)[0], final

    truth: Any = Packing()
    truth.layer = torchs
    mine_all = parity.answers(mine, x, hx, lengths=LENGTHS)
    true_all = {name.replace("dlayer.", "d"): value for name, value in parity.answers(truth, x, hx).items()}
    assert mine_all.keys() == true_all.keys()
    for name, value in true_all.items():
        assert np.abs(mine_all[name] - value).max() <= limit("parity") * max(1, np.abs(value).max()), name


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_sequence_keeps_its_state_and_touches_nothing(kind: str, path: str):
    _, mine = pair_of_layers(kind, bidirectional=True)
    x, hx = batch(), states(kind, 2)
    x[:, 2] = float("nan")
    x[4:, 0] = float("inf")
    found = parity.answers(mine, x, hx, lengths=[4, 7, 0, 7, 7])
    assert all(np.isfinite(value).all() for value in found.values())
    assert (found["output"][:, 2] == 0).all()
    assert (found["output"][4:, 0] == 0).all()
    assert (found["dinput"][:, 2] == 0).all()
    assert (found["dinput"][4:, 0] == 0).all()
    first = hx[0] if kind == "LSTM" else hx
    assert (found["h"][:, 2] == first[:, 2].numpy()).all()


def test_all_sequences_empty(path: str):
    _, mine = pair_of_layers("LSTM", num_layers=2)
    found = parity.answers(mine, batch(), states("LSTM", 2), lengths=[0] * B)
    assert not found["output"].any()
    assert not found["dweight_hh_l0"].any()
    assert found["dh_0"].any()


@pytest.mark.parametrize(
    "lengths",
    [
        LENGTHS,
        tuple(LENGTHS),
        np.array(LENGTHS),
        np.array(LENGTHS, dtype=np.uint8),
        torch.tensor(LENGTHS),
        torch.tensor(LENGTHS, dtype=torch.int32),
        torch.tensor([LENGTHS, LENGTHS]).t()[:, 0],
    ],
    ids=["list", "tuple", "int64", "uint8", "tensor", "int32", "strided"],
)
def test_lengths_in_any_form(lengths: Any, path: str):
    _, mine = pair_of_layers("GRU")
    x = batch()
    output, h_n = mine(x, lengths=lengths)
    expected, final = mine(x, lengths=torch.tensor(LENGTHS))
    assert torch.equal(output, expected)
    assert torch.equal(h_n, final)


def test_changing_lengths_or_resets_afterwards_changes_no_gradient():
    _, mine = pair_of_layers("GRU")
    lengths, reset = torch.tensor(LENGTHS), torch.rand(T, B) < 0.3
    x = batch().requires_grad_()
    expected = torch.autograd.grad(mine(x, lengths=lengths, reset=reset)[0].sum(), x)[0]
    output, _ = mine(x, lengths=lengths, reset=reset)
    lengths.zero_()
    reset.logical_not_()
    assert torch.equal(torch.autograd.grad(output.sum(), x)[0], expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_reset_is_a_new_beginning(kind: str, batch_first: bool, path: str):
    torchs, mine = pair_of_layers(kind, num_layers=2, batch_first=batch_first)
    x, hx = batch(), states(kind, 2)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[4] = True
    first, _ = torchs(x[:4].transpose(0, 1) if batch_first else x[:4], hx)
    rest, end = torchs(x[4:].transpose(0, 1) if batch_first else x[4:])
    expected = torch.cat([first, rest], 1 if batch_first else 0)
    given = x.transpose(0, 1) if batch_first else x
    output, final = mine(given, hx, reset=reset.t() if batch_first else reset)
    assert (output - expected).abs().max() <= limit("parity")
    for one, other in zip(parity.tensors(final), parity.tensors(end), strict=True):
        assert (one - other).abs().max() <= limit("parity")


def test_no_gradient_passes_a_reset(path: str):
    _, mine = pair_of_layers("LSTM")
    x = batch().requires_grad_()
    reset = np.zeros((T, B), dtype=bool)
    reset[4] = True
    output, _ = mine(x, reset=reset)
    (dx,) = torch.autograd.grad(output[5:].sum(), x)
    assert not dx[:4].any()
    assert dx[4:].all()


def test_a_reset_clears_even_what_is_not_a_number(path: str):
    _, mine = pair_of_layers("GRU")
    x = batch()
    x[:2] = float("nan")
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[2] = True
    output, h_n = mine(x, reset=reset)
    assert output[:2].isnan().all()
    assert output[2:].isfinite().all()
    assert h_n.isfinite().all()


def test_one_sequence_with_a_length_and_resets(path: str):
    _, mine = pair_of_layers("GRU")
    x = batch()[:, 0]
    reset = torch.zeros(T, dtype=torch.bool)
    reset[2] = True
    output, h_n = mine(x, lengths=5, reset=reset)
    expected, final = mine(x[:, None], lengths=[5], reset=reset[:, None])
    assert torch.equal(output, expected[:, 0])
    assert torch.equal(h_n, final[:, 0])


def test_a_row_does_not_depend_on_its_neighbours(path: str):
    _, mine = pair_of_layers("GRU", num_layers=2)
    x = batch()
    whole, _ = mine(x, lengths=LENGTHS)
    order = torch.tensor([4, 2, 0, 1, 3])
    turned, _ = mine(x[:, order], lengths=torch.tensor(LENGTHS)[order])
    assert (whole[:, order] - turned).abs().max() <= limit("parity")
    x[:, 1] = float("nan")
    poisoned, _ = mine(x, lengths=LENGTHS)
    assert torch.equal(poisoned[:, [0, 2, 3, 4]].isnan(), torch.zeros(T, 4, H, dtype=torch.bool))


@pytest.mark.parametrize("packed", [False, True])
def test_a_default_device_elsewhere_changes_nothing(packed: bool, path: str):
    layer = ours.GRU(I, H)
    x = torch.randn(T, B, I)
    given: Any = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False) if packed else x
    options = {} if packed else {"lengths": LENGTHS}
    _, expected = layer(given, **options)
    gradient = torch.autograd.grad(expected.sum(), layer.weight_hh_l0)[0]
    with torch.device("meta"):
        _, h_n = layer(given, **options)
        h_n.sum().backward()
    assert torch.equal(h_n, expected)
    assert torch.equal(layer.weight_hh_l0.grad, gradient)
