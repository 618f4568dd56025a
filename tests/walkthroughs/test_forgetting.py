import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import unrolled
from tests.walkthroughs.explicit import run, tensors
from unrolled.walkthroughs.forgetting import BACK, Network, asked


@pytest.fixture(scope="module")
def numbers():
    return unrolled.walkthrough("forgetting").numbers


def at(numbers, name: str, t: int, k: int) -> np.ndarray:
    return numbers[f"{name}/p"][t, k]


def test_at_r_one_still_knows_n_e_u(numbers):
    letters = numbers["letters"]
    for k, letter in ((1, "u"), (2, "e"), (3, "n")):
        assert at(numbers, "with", 3, k)[letters.index(letter)] > 0.95


def test_and_the_other_cannot(numbers):
    assert all(at(numbers, "without", 3, k).max() < 0.35 for k in (1, 2, 3))
    assert at(numbers, "without", 3, 0)[numbers["letters"].index("r")] > 0.95


def test_without_memory_no_later_state_moves_and_with_it_all_do(numbers):
    assert not numbers["without/moved"][1:].any()
    assert (numbers["with/moved"] > 0.01).all()


def test_without_memory_the_loss_stays_at_guessing(numbers):
    late = numbers["without/losses"][-100:, 1:].mean()
    assert late == pytest.approx(np.log(5), rel=0.02)
    assert numbers["with/losses"][-100:].mean() < 0.02


@pytest.mark.parametrize("memory", [True, False])
def test_gradients_are_autograds(memory: bool):
    network = Network(5, memory, seed=0)
    ids = np.random.default_rng(1).integers(5, size=(6, 4))
    loss, gradients = network.gradients(ids)
    W = tensors(network.parameters)
    states = run(
        "rnn_tanh",
        W if memory else W | {"W_hh": torch.zeros(16, 16, dtype=torch.float64)},
        torch.tensor(np.eye(5)[ids]),
    )
    h = torch.stack([state[0] for state in states[1:]])
    y = (h @ W["W_hy"].T + W["b_y"]).reshape(6, 4, BACK, 5)
    truth = cross_entropy(y.reshape(-1, 5), torch.tensor(asked(ids).reshape(-1)), ignore_index=-1)
    truth.backward()
    assert loss.mean == pytest.approx(truth.item(), rel=1e-13)
    for name, value in W.items():
        expected = torch.zeros_like(value) if value.grad is None else value.grad
        np.testing.assert_allclose(gradients[name], expected.numpy(), rtol=1e-10, atol=1e-15, err_msg=name)


def test_another_word_is_known_as_well():
    numbers = unrolled.walkthrough("forgetting", word="banana").numbers
    for t, k in ((3, 1), (4, 2), (5, 3)):
        assert at(numbers, "with", t, k)[numbers["letters"].index("banana"[t - k])] > 0.95


def test_the_halves_the_state_and_the_readers_follow_from_each_other(numbers):
    for name in ("with", "without"):
        xw, hw, h, y, p = (numbers[f"{name}/{key}"] for key in ("xw", "hw", "h", "y", "p"))
        np.testing.assert_allclose(h, np.tanh(xw + hw), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(p, torch.tensor(y).softmax(-1).numpy(), rtol=1e-12)
    assert np.ptp(numbers["without/hw"], axis=0).max() == 0, "nothing comes over from the step before"
