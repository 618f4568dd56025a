import numpy as np
import pytest
import torch
from torch import Tensor

import unrolled
from unrolled.walkthroughs.two_steps import RATE, SMALL, WEIGHTS, X, Z, flat, moved, online, run


@pytest.fixture(scope="module")
def numbers():
    return unrolled.walkthrough("two-steps").numbers


def loss_of(weights: Tensor, steps: list[int], h: Tensor | float = 0.0) -> tuple[Tensor, list[Tensor]]:
    """The formulas of the page over some steps; weights in its order: W_xh, W_hh, W_hy."""
    total, states = torch.zeros((), dtype=torch.float64), list[Tensor]()
    for t in steps:
        h = torch.sigmoid(weights[:3] @ torch.tensor(X[t]) + weights[3] * h)
        h.retain_grad()
        states.append(h)
        total = total + (torch.sigmoid(weights[4] * h) - Z[t]) ** 2 / 2
    return total, states


def by_hand(steps: list[int], h: float = 0.0, weights=None) -> tuple[float, list[float], np.ndarray]:
    leaf = torch.tensor(flat(WEIGHTS) if weights is None else weights, requires_grad=True)
    total, states = loss_of(leaf, steps, h)
    total.backward()
    assert leaf.grad is not None
    return total.item(), [s.grad.item() for s in states if s.grad is not None], leaf.grad.numpy()


def test_forward_and_back_are_autograds(numbers):
    loss, dh, gradient = by_hand([0, 1])
    assert numbers["both/loss"] == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(numbers["both/dh"], dh, rtol=1e-13)
    np.testing.assert_allclose(numbers["both/gradient"], gradient, rtol=1e-13)
    np.testing.assert_allclose(numbers["summed/weights"], flat(WEIGHTS) - RATE * gradient, rtol=1e-14)


def test_gradient_is_that_of_central_differences(numbers):
    step = 1e-5
    for k, gradient in enumerate(numbers["both/gradient"]):
        ahead, behind = (run(moved(WEIGHTS, sign * step * np.eye(5)[k], 1), X, Z) for sign in (-1, 1))
        difference = (ahead.loss_t.sum() - behind.loss_t.sum()) / (2 * step)
        assert difference == pytest.approx(gradient, rel=1e-7)


def test_what_is_added_up_is_what_is_there(numbers):
    np.testing.assert_allclose(numbers["both/parts"].sum(axis=0), numbers["both/gradient"], rtol=1e-14)
    np.testing.assert_array_equal(numbers["both/dh_out"] + numbers["both/dh_carry"], numbers["both/dh"])
    assert numbers["both/dh_carry"][1] == 0
    assert numbers["both/dh_carry"][0] == pytest.approx(0.8 * numbers["both/da"][1], rel=1e-15)


def test_an_update_at_every_step_is_two_networks(numbers):
    _, _, first = by_hand([0])
    between = flat(WEIGHTS) - RATE * first
    _, _, second = by_hand([1], numbers["first/h"][1], between)
    np.testing.assert_allclose(numbers["online/weights"], between - RATE * second, rtol=1e-13)
    assert numbers["online/loss"] == pytest.approx(
        by_hand([0, 1], 0.0, numbers["online/weights"])[0], rel=1e-13
    )


def test_what_remains_at_a_small_rate_is_what_was_not_handed_on(numbers):
    apart = (flat(online(SMALL).weights) - flat(moved(WEIGHTS, numbers["both/gradient"], SMALL))) / SMALL
    h = numbers["both/h"][1]
    lost = numbers["both/dh_carry"][0] * h * (1 - h)
    np.testing.assert_allclose(apart, np.array([*(lost * X[0]), 0, 0]), atol=1e-5)


def test_cut_to_one_step_it_has_no_past(numbers):
    loss, _, gradient = by_hand([1])
    assert numbers["alone/loss"] == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(numbers["alone/gradient"], gradient, rtol=1e-13)
    assert gradient[3] == numbers["alone/gradient"][3] == 0


def test_bytes_are_those_of_the_arrays():
    text = str(unrolled.walkthrough("two-steps"))
    assert (X[:, None].nbytes, 3 * 8, 2 * 8) == (48, 24, 16)
    for row in ("48", "24", "16", "88"):
        assert any(line.split()[-1:] == [row] for line in text.splitlines())
