import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import unrolled
from tests.walkthroughs.explicit import tensors
from unrolled.walkthroughs.hello import MOST, RATE

KNOWN = {
    "h": [[0.693168, 0.899554, 0.802118], [0.936534, 0.949104, 0.762347]],
    "y": [1.90607732, 1.13779113, 0.95666016, 1.27422602],
    "p": [0.419748, 0.194682, 0.162429, 0.223141],
}
"""The states after h and he, the outputs and the softmax after he."""

SINGLES = ("W_xh", "w", "b", "W_hy")


def forward(W: dict[str, Tensor], ids: list[int]) -> dict[str, list[Tensor]]:
    """The recurrence as the page writes it, unit by unit: w times the identity is never formed."""
    h = torch.zeros(len(W["W_xh"]), dtype=torch.float64)
    kept: dict[str, list[Tensor]] = {"a": [], "h": [], "y": []}
    for k in ids[:-1]:
        a = W["W_xh"][:, k] + W["w"] * h + W["b"]
        h = torch.tanh(a)
        for name, value in (("a", a), ("h", h), ("y", W["W_hy"] @ h)):
            value.retain_grad()
            kept[name].append(value)
    return kept


def loss_of(kept: dict[str, list[Tensor]], ids: list[int]) -> Tensor:
    return cross_entropy(torch.stack(kept["y"]), torch.tensor(ids[1:]))


def test_known_figures():
    numbers = unrolled.walkthrough("hello").numbers
    assert np.abs(numbers["untrained/h"][:2] - KNOWN["h"]).max() < 1e-5
    assert np.abs(numbers["untrained/y"][1] - KNOWN["y"]).max() < 1e-5
    assert np.abs(numbers["untrained/p"][1] - KNOWN["p"]).max() < 1e-5
    assert numbers["letters"][numbers["untrained/p"][1].argmax()] == "h"


def test_recurrent_weight_in_every_place_would_give_other_figures():
    h = unrolled.walkthrough("hello").numbers["untrained/h"]
    everywhere = np.tanh(np.array([0.846060, 0.871522, 0.092240]) + 0.427043 * h[0].sum() + 0.567001)
    assert np.abs(everywhere - KNOWN["h"][1]).min() > 0.01


@pytest.mark.parametrize("word", ["hello", "banana"])
@pytest.mark.parametrize("when", ["untrained", "trained"])
def test_every_number_is_autograds(word: str, when: str):
    numbers = unrolled.walkthrough("hello", word=word).numbers
    ids = [numbers["letters"].index(letter) for letter in word]
    W = tensors({name: numbers[f"{when}/{name}"] for name in SINGLES})
    kept = forward(W, ids)
    loss = loss_of(kept, ids)
    loss.backward()
    expected = {name: torch.stack(values).detach() for name, values in kept.items()}
    expected |= {f"d{name}": torch.stack([v.grad for v in kept[name] if v.grad is not None]) for name in "ah"}
    expected |= {f"d{name}": value.grad for name, value in W.items() if value.grad is not None}
    expected |= {"loss": loss.detach(), "p": expected["y"].softmax(dim=-1)}
    for name, value in expected.items():
        np.testing.assert_allclose(
            numbers[f"{when}/{name}"], value.numpy(), rtol=1e-12, atol=1e-14, err_msg=name
        )
    one = {
        name: numbers[f"{when}/{name}"]
        for name in ("input_half", "recurrent_half", "a", "dh_out", "dh_carry", "dh")
    }
    np.testing.assert_allclose(one["input_half"] + one["recurrent_half"], one["a"], rtol=1e-15)
    np.testing.assert_allclose(one["dh_out"] + one["dh_carry"], one["dh"], rtol=1e-15)


def test_training_is_torchs_adam():
    numbers = unrolled.walkthrough("hello").numbers
    ids = [numbers["letters"].index(letter) for letter in "hello"]
    W = tensors({name: numbers[f"untrained/{name}"] for name in SINGLES})
    adam = torch.optim.Adam(W.values(), lr=RATE)
    for _ in range(numbers["updates"]):
        adam.zero_grad()
        loss_of(forward(W, ids), ids).backward()
        adam.step()
    for name, value in W.items():
        np.testing.assert_allclose(
            numbers[f"trained/{name}"], value.detach().numpy(), rtol=1e-8, err_msg=name
        )


@pytest.mark.parametrize("word", ["hello", "banana", "neuron", "mississippi", "recurrent", "abracadabra"])
def test_it_learns_the_word(word: str):
    numbers = unrolled.walkthrough("hello", word=word).numbers
    says = "".join(numbers["letters"][k] for k in numbers["trained/p"].argmax(axis=1))
    assert (says, numbers["learned"], numbers["updates"] < MOST) == (word[1:], True, True)


def test_what_it_cannot_learn_is_said(monkeypatch):
    monkeypatch.setattr("unrolled.walkthroughs.hello.MOST", 3)
    made = unrolled.walkthrough("hello")
    assert made.numbers["learned"] is False
    assert "After 3 updates it still says '" in " ".join(str(made).split())
