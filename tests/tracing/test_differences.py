"""What a trace says of one step, beside central differences: the loss with that step's own weights moved."""

import numpy as np
import pytest
import torch

import unrolled
from tests.tracing import explicit
from tests.tracing.cases import CELLS, Called, Way, loss_of, make

STEP = 2e-4
LIMIT = 1e-9
"""The error of two central differences set off against each other: the step's fourth power, and rounding."""


@pytest.mark.parametrize("cell", CELLS)
def test_parts_states_and_inputs_of_one_step(cell: str, monkeypatch):
    layer, x, lengths, reset = make(cell, Way("plain"))
    model = Called(layer, lengths, reset)
    seen = unrolled.trace(model, x, loss=loss_of).layers[0]
    honest, rng = explicit.step, np.random.default_rng(3)

    def loss(of: int, **moved: tuple[np.ndarray, float]) -> float:
        """With what step ``of`` reads or gives moved by some direction."""
        calls = iter(range(len(x)))

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

    for t in (0, 3, 6):
        gradients = {name: seen.part(name, t) for name in seen.parts} | {"x": seen.dx[t], "h": seen.dh[t]}
        for name, gradient in gradients.items():
            direction = rng.standard_normal(gradient.shape)
            near, far = (
                (loss(t, **{name: (direction, size)}) - loss(t, **{name: (direction, -size)})) / (2 * size)
                for size in (STEP, 2 * STEP)
            )
            slope = (4 * near - far) / 3
            assert slope == pytest.approx((gradient * direction).sum(), rel=LIMIT, abs=LIMIT), name
