"""Going back: against central differences, in parts, in eval mode, twice, and after edits in place."""

import gc
import mmap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from unrolled import native, nn
from unrolled.checks import parity
from unrolled.nn import memory

ours: Any = nn  # torch types a weight as Tensor | Module

LAYERS: dict[str, Any] = {
    "tanh": lambda **o: ours.RNN(3, 4, **o),
    "sigmoid": lambda **o: ours.RNN(3, 4, nonlinearity="sigmoid", **o),
    "lstm": lambda **o: ours.LSTM(3, 4, **o),
    "projected": lambda **o: ours.LSTM(3, 4, proj_size=2, **o),
    "gru": lambda **o: ours.GRU(3, 4, **o),
    "reset before": lambda **o: ours.GRU(3, 4, reset_after=False, **o),
}
needs_core = pytest.mark.skipif(not native.available(), reason="what the kernels refuse, torch's path can")


def wanted(layer: Any, x: torch.Tensor) -> dict[str, Any]:
    return {name: value for name, value in parity.answers(layer, x).items() if name.startswith("d")}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}], ids=str)
def test_central_differences(kind: str, options: dict[str, Any]):
    torch.manual_seed(0)
    layer = LAYERS[kind](dtype=torch.float64, **options)
    names = [name for name, _ in layer.named_parameters()]
    count, pair = layer.num_layers * (1 + layer.bidirectional), isinstance(layer, ours.LSTM)
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    sizes = [layer.proj_size or 4, 4][: 1 + pair]
    states = [torch.randn(count, 2, size, dtype=torch.float64, requires_grad=True) for size in sizes]

    def call(x: torch.Tensor, *rest: torch.Tensor) -> Any:
        states, weights = rest[: 1 + pair], rest[1 + pair :]
        named = dict(zip(names, weights, strict=True))
        arguments = (x, tuple(states) if pair else states[0])
        result = torch.func.functional_call(layer, named, arguments, {"lengths": [4, 3]})
        return tuple(parity.tensors(result))

    assert torch.autograd.gradcheck(call, (x, *states, *layer.parameters()), fast_mode=False)


@pytest.mark.parametrize("kind", LAYERS)
def test_eval_mode_has_gradients(kind: str):
    layer, x = LAYERS[kind](), torch.randn(4, 2, 3)
    training = wanted(layer, x)
    evaluating = wanted(layer.eval(), x)
    assert all((training[name] == evaluating[name]).all() for name in training)


@pytest.mark.parametrize("frozen", ["weight_hh_l0", "bias_ih_l1", "weight_ih_l1_reverse"])
def test_frozen_weights_change_nothing_for_the_others(frozen: str):
    layer, x = ours.GRU(3, 4, 2, bidirectional=True), torch.randn(4, 2, 3)
    layer(x)[0].sum().backward()
    everything = {name: weight.grad for name, weight in layer.named_parameters()}
    layer.zero_grad()
    getattr(layer, frozen).requires_grad_(False)
    layer(x)[0].sum().backward()
    assert getattr(layer, frozen).grad is None
    for name, weight in layer.named_parameters():
        if name != frozen:
            assert torch.equal(weight.grad, everything[name])


def test_frozen_layers_below_are_not_gone_through():
    layer, x = ours.LSTM(3, 4, 3), torch.randn(4, 2, 3)
    layer(x)[0].sum().backward()
    expected = layer.weight_hh_l2.grad.clone()
    layer.zero_grad()
    for name, weight in layer.named_parameters():
        weight.requires_grad_(name.endswith("l2"))
    layer(x)[0].sum().backward()
    assert torch.equal(layer.weight_hh_l2.grad, expected)
    assert layer.weight_hh_l1.grad is None


@pytest.mark.parametrize("which", ["x", "h_0", "c_0"])
def test_a_gradient_of_one_input_alone(which: str):
    layer = ours.LSTM(3, 4, 2).requires_grad_(False)
    inputs = {"x": torch.randn(5, 2, 3), "h_0": torch.randn(2, 2, 4), "c_0": torch.randn(2, 2, 4)}
    every = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    output, _ = layer(every["x"], (every["h_0"], every["c_0"]))
    expected = torch.autograd.grad(output.sum(), every[which])[0]
    inputs[which].requires_grad_()
    output, _ = layer(inputs["x"], (inputs["h_0"], inputs["c_0"]))
    assert torch.equal(torch.autograd.grad(output.sum(), inputs[which])[0], expected)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_loss_of_one_result_alone(part: int):
    torchs = torch.nn.LSTM(3, 4, 2, dtype=torch.float64)
    mine = ours.LSTM.from_torch(torchs)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    found, expected = (
        torch.autograd.grad([*parity.tensors(layer(x))][part].square().sum(), list(layer.parameters()))
        for layer in (mine, torchs)
    )
    assert all(torch.allclose(*pair, atol=1e-14) for pair in zip(found, expected, strict=True))


def test_upstream_gradients_in_any_layout():
    torchs = torch.nn.GRU(3, 4, batch_first=True, dtype=torch.float64)
    mine = ours.GRU.from_torch(torchs)
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    losses: list[Any] = [
        lambda output: output.sum(),
        lambda output: output[:, -1].sum(),
        lambda output: (output.permute(2, 0, 1) * torch.arange(10.0).view(2, 5)).sum(),
        lambda output: output.mean(1, keepdim=True).expand(2, 5, 4).square().sum(),
        lambda output: torch.complex(output, output).conj().imag.sum(),
    ]
    for loss in losses:
        found, expected = (
            torch.autograd.grad(loss(layer(x)[0]), list(layer.parameters())) for layer in (mine, torchs)
        )
        assert all(torch.allclose(*pair, atol=1e-13) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("B", [0, 1, 2, 5])
@pytest.mark.parametrize("T", [1, 4])
@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"bidirectional": True}], ids=str)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_expanded_upstream_gradients(kind: str, options: dict[str, Any], T: int, B: int):
    torchs = getattr(torch.nn, kind)(3, 4, dtype=torch.float64, **options)
    mine = getattr(ours, kind).from_torch(torchs)
    x = torch.randn(*((B, T) if "batch_first" in options else (T, B)), 3, dtype=torch.float64)
    losses: list[Any] = [
        lambda output: output.sum(),
        lambda output: output.sum(0).square().sum(),
        lambda output: output.sum(1).square().sum(),
        lambda output: output.sum(2).square().sum(),
        lambda output: output.sum((0, 1)).square().sum(),
        lambda output: output.sum((0, 2)).square().sum(),
        lambda output: output.sum((1, 2)).square().sum(),
    ]
    for loss in losses:
        found, expected = (
            torch.autograd.grad(loss(layer(x)[0]), list(layer.parameters())) for layer in (mine, torchs)
        )
        assert all(torch.allclose(*pair, atol=1e-13) for pair in zip(found, expected, strict=True))


def test_an_input_that_is_read_with_a_minus_sign():
    layer = ours.GRU(3, 4)
    z = torch.randn(5, 2, 3, dtype=torch.complex64)
    lazy = z.conj().imag
    assert lazy.is_neg()
    assert torch.allclose(layer(lazy)[0], layer(-z.imag.contiguous())[0], atol=1e-6)
    one = ours.GRU(1, 4)
    assert torch.allclose(one(lazy[..., :1])[0], one(-z.imag[..., :1].contiguous())[0], atol=1e-6)


@needs_core
@pytest.mark.parametrize("edited", ["output", "x", "weight", "h_0"])
def test_an_edit_in_place_is_an_error(edited: str):
    layer = ours.GRU(3, 4, 2)
    x, h_0 = torch.randn(5, 2, 3), torch.randn(2, 2, 4)
    output, _ = layer(x, h_0)
    target = {"output": output, "x": x, "weight": layer.weight_hh_l0, "h_0": h_0}[edited]
    loss = output.sum()
    with torch.no_grad():
        target.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_final_states_are_no_view_of_the_output():
    layer = ours.GRU(3, 4)
    output, h_n = layer(torch.randn(1, 2, 3))
    expected = output.detach().clone()
    with torch.no_grad():
        h_n.zero_()
    assert torch.equal(output, expected)
    output.sum().backward()


def test_backward_twice_through_a_kept_graph():
    layer, x = ours.LSTM(3, 4), torch.randn(5, 2, 3)
    output, _ = layer(x)
    first = torch.autograd.grad(output.sum(), layer.weight_hh_l0, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(output.sum(), layer.weight_hh_l0)[0], first)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(output.sum(), layer.weight_hh_l0)


def test_activation_checkpointing():
    layer, x = ours.GRU(3, 4), torch.randn(5, 2, 3, requires_grad=True)
    expected = torch.autograd.grad(layer(x)[0].sum(), x)[0]
    output, _ = checkpoint(layer, x, use_reentrant=False)
    assert torch.equal(torch.autograd.grad(output.sum(), x)[0], expected)


def test_hooks_on_what_is_saved_and_on_the_module():
    layer, x = ours.LSTM(3, 4, 2), torch.randn(5, 2, 3, requires_grad=True)
    expected = torch.autograd.grad(layer(x)[0].sum(), x)[0]
    with torch.autograd.graph.save_on_cpu():
        output, _ = layer(x)
    assert torch.equal(torch.autograd.grad(output.sum(), x)[0], expected)
    seen: list[Any] = []
    layer.register_full_backward_hook(lambda module, into, outof: seen.append(into[0]))
    layer(x)[0].sum().backward()
    assert torch.equal(seen[0], expected)


def test_large_tapes_hold_the_same(monkeypatch: pytest.MonkeyPatch):
    layer, x = ours.LSTM(3, 4, 2, bidirectional=True), torch.randn(5, 2, 3)
    expected = parity.answers(layer, x)
    monkeypatch.setattr(memory, "LARGE", 0)
    for _ in range(3):  # in new memory, and then in what the pass before left
        found = parity.answers(layer, x)
        assert all((found[name] == expected[name]).all() for name in expected)


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="this system does not say what memory is in use"
)
def test_memory_stays_flat_over_ten_thousand_calls_of_changing_shapes():
    def pages() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1])

    layers = [ours.RNN(8, 16), ours.LSTM(8, 16, 2), ours.GRU(8, 16, bidirectional=True)]
    stream = ours.GRU(8, 16).stream()
    start = 0
    for call in range(10_000):
        if call == 2_000:
            start = pages()
        x = torch.zeros(1 + call % 7, 1 + call % 5, 8)
        layers[call % 3](x, lengths=[1 + call % 7] * (1 + call % 5))[0].sum().backward()
        stream.chunk(x[:, 0])
    assert (pages() - start) * mmap.PAGESIZE < 2**20
