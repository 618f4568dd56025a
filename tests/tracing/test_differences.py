"""What a trace says of one step, beside central differences: the loss with that step's own weights moved."""

import numpy as np
import pytest
import torch

import unrolled
from tests.tracing import explicit
from tests.tracing.cases import CELLS, WAYS, Called, Way, loss_of, make

STEP, SHORT = 2e-4, 2e-5
LIMIT = 1e-9
"""The error of two central differences set off against each other: the step's fourth power, and rounding. The
states of an identity grow large, and with them the former."""

STEPS = {"plain": (0, 3, 6), "stacked, both directions": (0, 5), "ragged, both directions": (1, 5)}
"""The steps that are moved; of ragged sequences the last is one that only the longest has."""


@pytest.mark.parametrize("way", WAYS[:3], ids=lambda way: way.name)
@pytest.mark.parametrize("cell", CELLS)
def test_parts_states_and_inputs_of_one_step(cell: str, way: Way, monkeypatch):
    layer, x, lengths, reset = make(cell, way)
    model = Called(layer, lengths, reset)
    trace = unrolled.trace(model, x, loss=loss_of)
    honest, rng, T = explicit.step, np.random.default_rng(3), len(x)
    step_size = SHORT if cell == "rnn_identity" else STEP

    def loss(of: int, **moved: tuple[np.ndarray, float]) -> float:
        """With what the step that runs after ``of`` others reads or gives moved by some direction."""
        calls = iter(range(T * len(trace.layers)))

        def step(cell, x, state, w):
            if next(calls) != of:
                return honest(cell, x, state, w)
            by = {name: size * torch.from_numpy(direction) for name, (direction, size) in moved.items()}
            w = {name: weight + by.get(name, 0) for name, weight in w.items()}
            states, *rest = honest(cell, x + by.get("x", 0), state, w)
            return [states[0] + by.get("h", 0), *states[1:]], *rest

        monkeypatch.setattr(explicit, "step", step)
        with torch.no_grad():
            return float(loss_of(model.read(explicit.stack(layer, x, lengths)[0])))

    for k, seen in enumerate(trace.layers):
        for t in STEPS[way.name]:
            gradients = {name: seen.part(name, t) for name in seen.parts} | {"x": seen.dx[t], "h": seen.dh[t]}
            of = k * T + (T - 1 - t if seen.reverse else t)
            for name, gradient in gradients.items():
                direction = rng.standard_normal(gradient.shape)
                near, far = (
                    (loss(of, **{name: (direction, size)}) - loss(of, **{name: (direction, -size)}))
                    / (2 * size)
                    for size in (step_size, 2 * step_size)
                )
                slope = (4 * near - far) / 3
                expected = (gradient * direction).sum()
                assert slope == pytest.approx(expected, rel=LIMIT, abs=LIMIT), (seen.name, t, name)
