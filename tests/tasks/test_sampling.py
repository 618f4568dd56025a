"""Drawing tokens: the probabilities drawn from are the ones meant."""

import itertools

import numpy as np
import pytest
import torch

from unrolled.config import LanguageModelConfig
from unrolled.errors import OptionError
from unrolled.tasks import lm, sampling
from unrolled.tasks.sampling import Choice

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.1], np.float32))


def shares(choice: Choice, draws: int = 20_000) -> np.ndarray:
    random = np.random.default_rng(0)
    drawn = [choice.draw(LOGITS, random) for _ in range(draws)]
    return np.bincount(drawn, minlength=4) / draws


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), [0.5, 0.25, 0.15, 0.1]),
        (Choice(temperature=0), [1, 0, 0, 0]),
        (Choice(temperature=0.5), np.array([25, 6.25, 2.25, 1]) / 34.5),
        (Choice(top_k=2), [2 / 3, 1 / 3, 0, 0]),
        (Choice(top_k=1), [1, 0, 0, 0]),
        (Choice(top_k=9), [0.5, 0.25, 0.15, 0.1]),
        (Choice(top_p=0.5), [1, 0, 0, 0]),
        (Choice(top_p=0.7), [2 / 3, 1 / 3, 0, 0]),
        (Choice(top_k=3, top_p=0.8), [2 / 3, 1 / 3, 0, 0]),
    ],
)
def test_tokens_are_drawn_by_their_probabilities(choice: Choice, expected: list[float]) -> None:
    """Within four standard deviations of a share of 20,000 draws, 0.014 at most."""
    np.testing.assert_allclose(shares(choice), expected, atol=0.014)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"temperature": -1.0}, "0 or more"), ({"top_k": -1}, "0 or more"), ({"top_p": 0.0}, "above 0")],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Choice(**wrong)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_reading_token_by_token_gives_the_logits_of_the_whole(cell: str) -> None:
    model = lm.model(LanguageModelConfig(cell=cell, layers=2, hidden=20, embedding=7), 11).eval()
    ids = np.random.default_rng(0).integers(0, 11, 40)
    with torch.inference_mode():
        expected = model(torch.from_numpy(ids)[:, None])[0][:, 0].numpy()
    speaker = sampling.Speaker(model)
    found = np.stack([speaker.read(int(token)).copy() for token in ids])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        np.exp(sampling.log_probabilities(model, ids)),
        torch.softmax(torch.from_numpy(expected), -1),
        rtol=1e-4,
    )


def test_the_same_seed_says_the_same_and_never_what_it_must_not() -> None:
    model = lm.model(LanguageModelConfig(hidden=20), 11).eval()

    def text(seed: int) -> list[int]:
        return list(itertools.islice(sampling.tokens(sampling.Speaker(model), Choice(), seed, never=3), 300))

    assert text(1) == text(1) != text(2)
    assert 3 not in text(1)
    assert set(text(1)) == set(range(11)) - {3}
