"""On CUDA: torch's own functions where they serve, and a word where they do not."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn as theirs
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled import errors, nn
from unrolled.checks import parity

ours: Any = nn  # torch types a weight as Tensor | Module

KINDS = ["RNN", "LSTM", "GRU"]
T, B, I, H = 7, 5, 3, 4
LENGTHS = [3, 7, 0, 7, 4]

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    errors.note.cache_clear()
    ours.reset_paths()
    yield
    errors.note.cache_clear()


def made(kind: str, **options: Any) -> tuple[Any, Any]:
    """Torch's layer and ours with the same weights, in float64."""
    torch.manual_seed(0)
    torchs = getattr(theirs, kind)(I, H, dtype=torch.float64, device="cuda", **options)
    return torchs, getattr(ours, kind).from_torch(torchs)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, device="cuda")


def all_of(layer: Any, given: Any, *arguments: Any, **options: Any) -> list[torch.Tensor]:
    """What comes out, and the gradients of its squares by every weight."""
    out = [*parity.tensors(layer(given, *arguments, **options))]
    loss = torch.stack([value.square().sum() for value in out]).sum()
    return [*out, *torch.autograd.grad(loss, list(layer.parameters()))]


def agree(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for mine, right in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-10, atol=1e-10)


@needs_cuda
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}], ids=str
)
def test_plain(kind: str, options: dict[str, Any]):
    torchs, mine = made(kind, **options)
    x = drawn(T, B, I)
    agree(all_of(mine, x), all_of(torchs, x))
    assert ours.paths() == {"compiled": 0, "torch": 1, "composite": 0}


@needs_cuda
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells(kind: str):
    torchs, mine = made(kind)
    x = drawn(B, I)
    agree(all_of(mine, x), all_of(torchs, x))


@needs_cuda
@pytest.mark.parametrize("kind", KINDS)
def test_packed(kind: str):
    torchs, mine = made(kind, bidirectional=True)
    packed = pack_padded_sequence(drawn(T, B, I), torch.tensor(LENGTHS).clamp(1), enforce_sorted=False)
    agree(all_of(mine, packed), all_of(torchs, packed))


@needs_cuda
@pytest.mark.parametrize("where", ["cpu", "cuda"])
@pytest.mark.parametrize("kind", KINDS)
def test_lengths(kind: str, where: str):
    torchs, mine = made(kind, bidirectional=True)
    x, some = drawn(T, B, I), [0, 1, 3, 4]
    output, final = mine(x, lengths=torch.tensor(LENGTHS, device=where))
    packed = pack_padded_sequence(x[:, some], torch.tensor(LENGTHS)[some], enforce_sorted=False)
    expected, ends = torchs(packed)
    agree([output[:, some]], [pad_packed_sequence(expected)[0]])
    agree([end[:, some] for end in parity.tensors(final)], [*parity.tensors(ends)])
    assert not output[:, 2].any()
    assert ours.paths() == {"compiled": 0, "torch": 1, "composite": 0}


@needs_cuda
@pytest.mark.parametrize("kind", KINDS)
def test_reset(kind: str):
    torchs, mine = made(kind)
    x, reset = drawn(T, B, I), torch.zeros(T, B, dtype=torch.bool, device="cuda")
    reset[4] = True
    output, _ = mine(x, reset=reset)
    agree([output], [torch.cat([torchs(x[:4])[0], torchs(x[4:])[0]])])


@needs_cuda
@pytest.mark.parametrize("kind", KINDS)
def test_on_cuda_as_on_the_cpu(kind: str):
    _, mine = made(kind, num_layers=2)
    on_cpu, x = copy.deepcopy(mine).cpu(), drawn(T, B, I)
    found = all_of(mine, x, lengths=LENGTHS)
    agree([value.cpu() for value in found], all_of(on_cpu, x.cpu(), lengths=LENGTHS))


@needs_cuda
def test_a_converted_model_keeps_its_numbers():
    model = theirs.Sequential(theirs.GRU(I, H, device="cuda"))
    x = torch.randn(T, B, I, device="cuda")
    expected, _ = model(x)
    assert torch.equal(nn.convert(model)(x)[0], expected)
    assert isinstance(model[0], ours.GRU)


# ---------------------------------------------------------------------------------- what is said on the way


class Pretended(torch.Tensor):
    """Says that it is on CUDA, so that the words can be tested where there is none."""

    is_cuda = True


def pretended(kind: str, **options: Any) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """A layer or cell, an input and a reset."""
    x = torch.randn([B, I] if "Cell" in kind else [T, B, I]).as_subclass(Pretended)
    return getattr(ours, kind)(I, H, **options), x, torch.zeros(T, B, dtype=torch.bool)


STEPWISE: list[tuple[str, dict[str, Any], Callable[..., Any], str]] = [
    ("LSTM", {}, lambda layer, x, reset: layer(x, reset=reset), "reset="),
    ("RNN", {"nonlinearity": "sigmoid"}, lambda layer, x, _: layer(x), "cell rnn_sigmoid"),
    ("GRU", {"reset_after": False}, lambda layer, x, _: layer(x), "cell gru_reset_before"),
    ("GRUCell", {"reset_after": False}, lambda cell, x, _: cell(x), "cell gru_reset_before"),
]


@pytest.mark.parametrize(("kind", "options", "call", "lacking"), STEPWISE)
def test_one_operation_after_the_other_is_said_once(
    kind: str,
    options: dict[str, Any],
    call: Callable[..., Any],
    lacking: str,
    caplog: pytest.LogCaptureFixture,
):
    given = pretended(kind, **options)
    for _ in range(2):
        call(*given)
    assert ours.paths() == {"compiled": 0, "torch": 0, "composite": 2}
    why = f"torch's own function on CUDA has no {lacking}"
    assert [record.message for record in caplog.records] == [
        f"note: {kind} runs on torch's path, one operation after the other: {why}"
    ]


@pytest.mark.parametrize("kind", [*KINDS, "RNNCell", "LSTMCell", "GRUCell"])
def test_nothing_is_said_where_torchs_function_serves(kind: str, caplog: pytest.LogCaptureFixture):
    module, x, _ = pretended(kind)
    module(x)
    assert ours.paths() == {"compiled": 0, "torch": 1, "composite": 0}
    assert caplog.records == []
