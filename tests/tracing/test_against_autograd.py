"""Everything in a trace beside autograd on an explicit loop, in float64."""

from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from tests.tracing import explicit
from tests.tracing.cases import CELLS, WAYS, Called, Way, loss_of, make
from tests.tracing.explicit import Loop
from unrolled.traces import LayerTrace, Trace

LIMIT = 1e-12
EVERYTHING = ("forward", "backward", "G")

ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
cells = pytest.mark.parametrize("cell", CELLS)


def close(got, truth, what: str) -> None:
    """To LIMIT, in units of the largest true number."""
    truth = np.asarray(truth.detach() if isinstance(truth, torch.Tensor) else truth)
    assert got.shape == truth.shape, what
    scale = np.abs(truth).max(initial=0) or 1
    assert np.abs(got - truth).max(initial=0) <= LIMIT * scale, what


def both(cell: str, way: Way) -> tuple[Trace, list[Loop], Any, Any]:
    """The trace, and beside it the loops, their output and input, the loss's gradients in place."""
    layer, x, lengths, reset = make(cell, way)
    model = Called(layer, lengths, reset)
    trace = unrolled.trace(model, x, loss=loss_of, keep=EVERYTHING)
    x = x.clone().requires_grad_()
    output, loops = explicit.stack(layer, x, lengths, reset)
    y = model.read(output)
    y.retain_grad()
    loss_of(y).backward(retain_graph=True)
    return trace, loops, y, x


def real(layer: LayerTrace) -> np.ndarray:
    """``[T, B]``, true before a sequence's end."""
    return layer.tape.real()


def grads(kept: dict[int, Any], layer: LayerTrace) -> np.ndarray:
    """The gradients of a value at every step, zero where it reached nothing or is padding."""
    steps = [kept[t].grad if kept[t].grad is not None else torch.zeros_like(kept[t]) for t in range(layer.T)]
    return torch.stack(steps).numpy() * real(layer)[:, :, None]


def values(kept: dict[int, Any], layer: LayerTrace) -> np.ndarray:
    """The values at every step, zero where they are padding."""
    return torch.stack([kept[t] for t in range(layer.T)]).detach().numpy() * real(layer)[:, :, None]


@cells
@ways
def test_forward(cell: str, way: Way):
    trace, loops, y, _ = both(cell, way)
    assert [layer.reverse for layer in trace.layers] == [loop.reverse for loop in loops]
    for layer, loop in zip(trace.layers, loops, strict=True):
        close(layer.output, values(loop.h, layer), "h")
        close(layer.x, values(dict(enumerate(loop.x)), layer), "x")
        if loop.c:
            close(layer.c[:-1] if layer.reverse else layer.c[1:], values(loop.c, layer), "c")
        for k, name in enumerate(layer.cell.gates):
            close(layer.gate(name), values({t: g[k] for t, g in loop.gates.items()}, layer), name)
        halves = layer.preactivations()
        for half, kept in zip(halves, (loop.xw, loop.hw), strict=True):
            close(half.reshape(layer.T, layer.B, -1), values(kept, layer), "halves")
    close(trace["y"], y, "y")


@cells
@ways
def test_gradients_of_states_and_inputs(cell: str, way: Way):
    trace, loops, y, x = both(cell, way)
    for layer, loop in zip(trace.layers, loops, strict=True):
        close(layer.dh, grads(loop.h, layer), "dh")
        close(layer.dh_out + layer.dh_carry, layer.dh, "dh")
        close(layer.da.reshape(layer.T, layer.B, -1), grads(loop.xw, layer), "da")
        if loop.c:
            close(layer.dc, grads(loop.c, layer), "dc")
    first = [layer for layer in trace.layers if layer.name.startswith("l0")]
    close(sum(layer.dx for layer in first), x.grad.numpy() * real(first[0])[:, :, None], "dx")
    close(
        sum(layer.attribution() for layer in first),
        (x.grad * x).sum(2).detach().numpy() * real(first[0]),
        "dx x",
    )
    close(trace["dy"], y.grad, "dy")


@cells
@ways
def test_parts_of_every_step(cell: str, way: Way):
    trace, loops, *_ = both(cell, way)
    for layer, loop in zip(trace.layers, loops, strict=True):
        names = loop.weights[0].keys()
        assert layer.parts.keys() == names
        for name in names:
            parts = [loop.weights[t][name].grad for t in range(layer.T)]
            scale = max(float(part.abs().max()) for part in parts)
            for t, part in enumerate(parts):
                dense = layer.part(name, t)
                assert np.abs(dense - part.numpy()).max() <= LIMIT * scale
                by_example = sum(layer.part(name, t, b) for b in range(layer.B))
                assert np.abs(by_example - dense).max() <= LIMIT * scale
            close(layer.parts[name].norms(), [float(part.norm()) for part in parts], "norms")
            close(layer.parts[name].dense(), sum(parts), "whole")


@cells
@ways
def test_itemised(cell: str, way: Way):
    """Each piece of dL/dy, at one step alone, sent back through the explicit loop."""
    trace, loops, y, _ = both(cell, way)
    for s in range(len(y)):
        piece = torch.zeros_like(y)
        piece[s] = y.grad[s]
        states = [loop.h[t] for loop in loops for t in range(len(y))]
        found = torch.autograd.grad(y, states, piece, retain_graph=True, allow_unused=True)
        for k, layer in enumerate(trace.layers):
            of_layer = found[k * layer.T : (k + 1) * layer.T]
            for t, d in enumerate(of_layer):
                norm = 0.0 if d is None else float((d * torch.from_numpy(real(layer)[t, :, None])).norm())
                assert abs(layer.G[s, t] - norm) <= LIMIT * layer.G.max()


def jacobians(layer: LayerTrace, weights: dict, lengths, reset, b: int) -> list[Any]:
    """ds_t / ds_{t-1} of the explicit step at every real step of sequence b, by autograd."""
    order = layer.cell.order
    sizes = [layer.arrays[s].shape[2] * (order if s == "h" else 1) for s in layer.cell.states]

    def one(t: int, entering: list[torch.Tensor]) -> Any:
        inputs = torch.from_numpy(layer.x[t, b : b + 1].copy())

        def forward(s: torch.Tensor) -> torch.Tensor:
            cleared = reset is not None and reset[t, b]
            state = [(0 if cleared else 1) * part[None] for part in s.split(sizes)]
            left = explicit.step(layer.cell.name, inputs, state, weights)[0]
            return torch.cat(explicit.carried(left, state), 1)[0]

        return torch.autograd.functional.jacobian(forward, torch.cat(entering, 1)[0])

    state, found = [torch.zeros(1, size, dtype=torch.float64) for size in sizes], dict[int, Any]()
    for t in range(int(lengths[b]))[:: -1 if layer.reverse else 1]:
        found[t] = one(t, state)
        cleared = reset is not None and reset[t, b]
        rows = {s: t if layer.reverse else t + (order if s == "h" else 1) for s in layer.cell.states}
        left = [layer.arrays[s][row] for s, row in rows.items()]
        left = [torch.from_numpy(array[b : b + 1].copy()) for array in left]
        state = explicit.carried(left, [(0 if cleared else 1) * part for part in state])
    return [found[t] for t in range(int(lengths[b]))]


@cells
@ways
def test_jacobians(cell: str, way: Way):
    """Of one step and of a distance, beside autograd's of the explicit step, multiplied."""
    layer_, x, lengths, reset = make(cell, way)
    trace = unrolled.trace(Called(layer_, lengths, reset), x, keep="forward")
    for layer, own in zip(trace.layers, layer_.all_weights, strict=True):
        weights = dict(zip(explicit.NAMES, own, strict=False))
        for b in range(layer.B):
            truth = jacobians(layer, weights, lengths, reset, b)
            close(layer.step_norms(b), [float(torch.linalg.matrix_norm(J, 2)) for J in truth], "steps")
            last = len(truth) - 1
            from_, to = (last, 0) if layer.reverse else (0, last)
            product = torch.eye(len(truth[0]), dtype=torch.float64)
            for J in truth[:-1] if layer.reverse else truth[:0:-1]:
                product = product @ J
            norm = float(torch.linalg.matrix_norm(product, 2))
            assert layer.product_norm(from_, to, b) == pytest.approx(norm, rel=1e-11, abs=1e-14)
            assert layer.product_norm(from_, to, b) <= layer.bound(from_, to, b) * (1 + 1e-12)


@cells
def test_signal_without_the_matrix_is_that_of_the_true_products(cell: str):
    layer, x, lengths, reset = make(cell, WAYS[0])
    seen = unrolled.trace(Called(layer, lengths, reset), x, keep="forward").layers[0]
    truth = [seen.product_norm(seen.T - 1 - d, seen.T - 1) for d in range(seen.T)]
    np.testing.assert_allclose(seen.signal(), truth, rtol=1e-11)
