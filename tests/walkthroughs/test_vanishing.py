import numpy as np
import pytest
import torch

import unrolled
from tests.walkthroughs.explicit import run, tensors
from unrolled.walkthroughs.vanishing import BATCH, CELLS, NORMS, H, Start, draw, recurrent, way_back


@pytest.fixture(scope="module")
def numbers():
    return unrolled.walkthrough("vanishing").numbers


@pytest.mark.parametrize("start", ["orthogonal", "drawn"])
@pytest.mark.parametrize("norm", [0.5, 2.0])
@pytest.mark.parametrize("name", CELLS)
def test_way_back_is_autograds(name: str, norm: float, start: Start):
    problem = draw(name, norm, 30, start, bias=1.0)
    way = way_back(problem)
    W = tensors(problem.weights)
    states = run(problem.cell, W, torch.tensor(problem.x))
    (states[-1][0] * torch.tensor(problem.u)).sum().backward()
    rows = [[s.grad if s.grad is not None else torch.zeros_like(s) for s in state] for state in states]
    norms = [torch.cat(row, dim=-1).square().sum(dim=-1).mean().sqrt().item() for row in rows]
    np.testing.assert_allclose(way.norms, norms[::-1], rtol=1e-10)
    first = torch.stack([torch.cat(row, dim=-1)[0] for row in rows[::-1]]).numpy()
    np.testing.assert_allclose(way.first, first, rtol=1e-7, atol=1e-9 * np.abs(first).max())
    assert W["W_hh"].grad is not None
    np.testing.assert_allclose(way.gradient, W["W_hh"].grad.numpy() / BATCH, rtol=1e-8, atol=1e-12 * norm**30)


@pytest.mark.parametrize("start", ["orthogonal", "drawn"])
def test_each_part_has_the_norm(start: Start):
    W = recurrent(4, 1.5, start, np.random.default_rng(0))
    singular = [np.linalg.svd(part, compute_uv=False) for part in np.split(W, 4)]
    assert [s.max() for s in singular] == pytest.approx([1.5] * 4)
    if start == "orthogonal":
        assert np.concatenate(singular) == pytest.approx(np.full(4 * H, 1.5))


@pytest.mark.parametrize("norm", NORMS)
def test_identity_is_the_power_and_nothing_passes_the_bound(numbers, norm: float):
    k = np.arange(101)
    np.testing.assert_allclose(numbers[f"identity/{norm}/norms"], norm**k, rtol=1e-12)
    for name in ("identity", "tanh", "relu"):
        for start in ("", "/drawn"):
            assert (numbers[f"{name}/{norm}{start}/norms"] <= norm**k * (1 + 1e-12)).all()


def test_what_the_page_says_changes_it(numbers):
    def last(name: str) -> float:
        return numbers[f"{name}/norms"][-1]

    assert last("tanh/1.0") > 1e10 * last("tanh/1.0/drawn"), "orthogonal"
    assert last("relu/1.0") > last("tanh/1.0"), "no saturation"
    for cell in ("LSTM", "GRU"):
        ends = [last(f"{cell}/1.0/bias {bias}") for bias in (0.0, 1.0, 2.0, 3.0, 5.0)]
        assert ends == sorted(ends)
        assert ends[-1] > 1e15 * ends[0]


def test_more_than_the_gates_power_arrives(numbers):
    for cell in ("LSTM", "GRU"):
        for bias in (0.0, 1.0, 2.0, 3.0):
            gate = 1 / (1 + np.exp(-bias))
            assert numbers[f"{cell}/1.0/bias {bias}/norms"][-1] > gate**100


def test_dead_and_exploded_ends_are_finite_to_500_steps():
    numbers = unrolled.walkthrough("vanishing", steps=500).numbers
    assert all(np.isfinite(value).all() for value in numbers.values())
    assert numbers["identity/0.5/norms"][-1] == pytest.approx(0.5**500)
