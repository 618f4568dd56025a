"""Derivatives of gradients: those of torch's operations, whatever they are taken with respect to."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from unrolled import native, nn
from unrolled.checks import parity

ours: Any = nn  # torch types a weight as Tensor | Module
needs_core = pytest.mark.skipif(not native.available(), reason=f"no compiled core: {native.why_not()}")

T, B, I, H = 5, 3, 3, 4

MODULES: dict[str, Any] = {
    "rnn": lambda **o: ours.RNN(I, H, **o),
    "sigmoid": lambda **o: ours.RNN(I, H, nonlinearity="sigmoid", **o),
    "lstm": lambda **o: ours.LSTM(I, H, 2, dropout=0.4, bidirectional=True, **o),
    "projected": lambda **o: ours.LSTM(I, H, proj_size=2, batch_first=True, **o),
    "gru": lambda **o: ours.GRU(I, H, 2, **o),
    "reset before": lambda **o: ours.GRU(I, H, reset_after=False, bias=False, **o),
    "order 2": lambda **o: ours.HigherOrderRNN(I, H, order=2, **o),
    "rnn cell": lambda **o: ours.RNNCell(I, H, **o),
    "lstm cell": lambda **o: ours.LSTMCell(I, H, **o),
    "gru cell": lambda **o: ours.GRUCell(I, H, bias=False, **o),
}
LAYERS = [kind for kind in MODULES if "cell" not in kind]


def made(kind: str) -> tuple[Any, torch.Tensor, list[torch.Tensor]]:
    """A module, an input and initial states."""
    torch.manual_seed(0)
    module = MODULES[kind](dtype=torch.float64)
    shape = [B, I] if "cell" in kind else [B, T, I] if kind == "projected" else [T, B, I]
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    final = module(x) if "cell" in kind else module(x)[1]
    states = [torch.randn(s.shape, dtype=s.dtype, requires_grad=True) for s in parity.tensors(final)]
    return module, x, states


def twice(module: Any, x: Any, states: list[torch.Tensor], **options: Any) -> list[torch.Tensor | None]:
    """The derivatives of a product of gradients, by all that went in, the upstream gradients among it."""
    torch.manual_seed(1)
    hx = None if not states else tuple(states) if len(states) == 2 else states[0]
    outputs = [*parity.tensors(module(x, hx, **options))]
    data = x.data if isinstance(x, torch.nn.utils.rnn.PackedSequence) else x
    upstream = [torch.randn(o.shape, dtype=o.dtype, requires_grad=True) for o in outputs]
    into = [data, *states, *module.parameters()]
    gradients = torch.autograd.grad(outputs, into, upstream, create_graph=True)
    loss = torch.stack([(g * torch.randn(g.shape, dtype=g.dtype)).sum() for g in gradients]).square().sum()
    return [*torch.autograd.grad(loss, [*into, *upstream], allow_unused=True)]


def check(module: Any, x: Any, states: list[torch.Tensor], **options: Any) -> None:
    found = list[list[torch.Tensor | None]]()
    ours.reset_paths()
    for way in (nullcontext, ours.torch_path):
        with way():
            found.append(twice(module, x, states, **options))
    if native.available():
        assert ours.paths()["compiled"] == 1
    assert sum(d is not None and bool(d.any()) for d in found[0]) >= 3
    for mine, right in zip(*found, strict=True):
        assert (mine is None) == (right is None)
        if mine is not None and right is not None:
            assert (mine - right).abs().max() <= 1e-11 * max(1.0, float(right.abs().max()))


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("initial", [False, True])
def test_by_all_that_went_in(kind: str, initial: bool):
    module, x, states = made(kind)
    check(module, x, states if initial else [])


@pytest.mark.parametrize("kind", LAYERS)
def test_lengths_and_resets(kind: str):
    layer, x, states = made(kind)
    reset = torch.rand(x.shape[:2]) < 0.3
    check(layer, x, states, lengths=[5, 0, 3], reset=reset)


@pytest.mark.parametrize("kind", LAYERS)
def test_packed(kind: str):
    layer, x, states = made(kind)
    packed = pack_padded_sequence(x, torch.tensor([2, 5, 3]), layer.batch_first, enforce_sorted=False)
    data = packed.data.detach().requires_grad_()
    check(layer, packed._replace(data=data), states)


@needs_core
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_in_little_memory(kind: str):
    layer, _, states = made(kind)
    x = torch.randn(300, B, I, dtype=torch.float64, requires_grad=True)
    expected = twice(layer, x, states)
    layer.memory = "sqrt"
    for mine, right in zip(twice(layer, x, states), expected, strict=True):
        assert (mine is None) == (right is None)
        if mine is not None and right is not None:
            assert torch.allclose(mine, right, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn cell", "gru cell"])
def test_central_differences_of_gradients_and_of_theirs(kind: str):
    module, x, _ = made(kind)

    def output(x: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return next(parity.tensors(module(x)))

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(output(x).square().sum(), x, create_graph=True)[0]

    assert torch.autograd.gradgradcheck(output, (x,))
    assert torch.autograd.gradgradcheck(gradient, (x,))


@pytest.mark.parametrize("what", ["hessian", "hvp", "vhp", "jvp"])
@pytest.mark.parametrize("kind", ["gru", "lstm cell"])
def test_what_torch_makes_of_them(kind: str, what: str):
    module, x, _ = made(kind)
    x = x.detach()

    def loss(x: torch.Tensor) -> torch.Tensor:
        return next(parity.tensors(module(x))).square().sum()

    functional: Any = getattr(torch.autograd.functional, what)
    arguments = (loss, x) if what == "hessian" else (loss, x, torch.ones_like(x))
    found = functional(*arguments)
    with ours.torch_path():
        expected = functional(*arguments)
    for mine, right in zip(parity.tensors(found), parity.tensors(expected), strict=True):
        assert torch.allclose(mine, right, rtol=1e-10, atol=1e-12)


@needs_core
def test_what_leads_from_one_source_to_another_is_not_counted_twice():
    """A weight that is computed from the input."""
    layer, x, _ = made("gru")
    found = list[torch.Tensor]()
    for way in (nullcontext, ours.torch_path):
        x = x.detach().requires_grad_()
        weights = {name: weight + x.mean() for name, weight in layer.named_parameters()}
        with way():
            output, _ = torch.func.functional_call(layer, weights, (x,))
            (dx,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
            found += torch.autograd.grad(dx.square().sum(), x)
    assert torch.allclose(*found, rtol=1e-10, atol=1e-12)
