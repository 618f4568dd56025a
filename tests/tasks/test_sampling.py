"""Drawing tokens: the probabilities drawn from are the ones meant."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from unrolled.config import LanguageModelConfig
from unrolled.data import tokenizers
from unrolled.data.tokenizers import WordTokenizer
from unrolled.errors import OptionError
from unrolled.tasks import lm, sampling
from unrolled.wirings import Choice, choice

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
    [
        ({"temperature": -1.0}, "0 or more"),
        ({"temperature": float("nan")}, "0 or more, and at most 1,000,000; got nan"),
        ({"temperature": float("inf")}, "at most 1,000,000; got inf. 1 keeps"),
        ({"top_k": -1}, "0 or more"),
        ({"top_p": 0.0}, "above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Choice(**wrong)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_reading_token_by_token_gives_the_logits_of_the_whole(cell: Any) -> None:
    model = lm.model(LanguageModelConfig(cell=cell, layers=2, hidden=20, embedding=7), 11).eval()
    ids = np.random.default_rng(0).integers(0, 11, 40)
    with torch.inference_mode():
        expected = model(torch.from_numpy(ids)[:, None])[0][:, 0].numpy()
    speaker = sampling.Speaker(model)
    found = np.stack([speaker.read(int(token)).copy() for token in ids])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("entries", [1, 77, 1 << 20])
def test_log_probabilities_are_those_of_the_whole_however_many_at_a_time(
    entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "ENTRIES", entries)
    model = lm.model(LanguageModelConfig(cell="lstm", layers=2, hidden=20), 11).eval()
    ids = np.random.default_rng(0).integers(0, 11, 40)
    with torch.inference_mode():
        expected = torch.softmax(model(torch.from_numpy(ids)[:, None])[0][:, 0], -1)
    blocks = list(sampling.log_probabilities(model, ids))
    assert max(block.numel() for block in blocks) <= max(entries, 11)
    np.testing.assert_allclose(torch.cat(blocks).exp(), expected, rtol=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("some", [{}, {"top_k": 3}, {"top_p": 0.9}])
def test_the_coldest_draws_the_likeliest_and_the_hottest_all_alike(some: dict[str, Any]) -> None:
    logits = np.array([-1e4, 3.0, -np.inf, 3.001, 1e4 - 1, 1e4], np.float32)
    random = np.random.default_rng(0)
    for cold in (1e-320, 1e-45, 1e-9, choice.COLDEST):
        assert {Choice(cold, **some).draw(logits.copy(), random) for _ in range(50)} == {5}
    drawn = {Choice(choice.HOTTEST, **some).draw(logits.copy(), random) for _ in range(200)}
    assert drawn == ({3, 4, 5} if "top_k" in some else {0, 1, 3, 4, 5})


WORDS = WordTokenizer(["<eos>", "the", "sea", "sail"])


@pytest.mark.parametrize("prompt", ["the sea", "the sea ", "the sea\n", "", "  ", "the ?", "\nthe"])
@pytest.mark.parametrize("seed", range(4))
def test_words_go_on_behind_the_prompt_as_they_would_in_a_text(prompt: str, seed: int) -> None:
    model = lm.model(LanguageModelConfig(hidden=20), WORDS.size).eval()
    written = "".join(sampling.text(model, WORDS, prompt, Choice(), 30, seed))
    whole = prompt + written
    words = [*WORDS.encode(prompt).tolist(), *WORDS.encode(written).tolist()]
    assert WORDS.encode(whole).tolist() == words, "no two words are run together"
    assert "  " not in whole.removeprefix("  ")
    assert not prompt.strip() or written[0] in " \n" or prompt[-1] in " \n"


@pytest.mark.parametrize("kind", ["byte", "bpe", "char"])
def test_other_tokens_go_on_without_a_blank(kind: str) -> None:
    tokenizer = tokenizers.fit(kind, ["the sea, naïve sea: 語 "] * 9, 300 if kind == "bpe" else 0)
    model = lm.model(LanguageModelConfig(hidden=20), tokenizer.size).eval()
    speaker = sampling.Speaker(model)
    speaker.read_all(tokenizer.encode("naïve 語").tolist())
    drawn = list(itertools.islice(sampling.tokens(speaker, Choice(), 1, tokenizer.unknown), 60))
    text = "".join(sampling.text(model, tokenizer, "naïve 語", Choice(), 30, 1))
    assert text == tokenizer.decode(drawn)[:30]


def test_a_stop_may_be_one_text() -> None:
    model = lm.model(LanguageModelConfig(hidden=20), WORDS.size).eval()
    whole, one, several = (
        "".join(sampling.text(model, WORDS, "the", Choice(), 60, 1, stop)) for stop in ((), "sail", ["sail"])
    )
    assert one == several == whole[: whole.index("sail")] != ""


def test_the_same_seed_says_the_same_and_never_what_it_must_not() -> None:
    model = lm.model(LanguageModelConfig(hidden=20), 11).eval()

    def text(seed: int) -> list[int]:
        return list(itertools.islice(sampling.tokens(sampling.Speaker(model), Choice(), seed, never=3), 300))

    assert text(1) == text(1) != text(2)
    assert 3 not in text(1)
    assert set(text(1)) == set(range(11)) - {3}
