"""The baselines against counts by hand, a plain dictionary, and entropies known beforehand."""

import lzma
import math
import random
from collections import Counter

import numpy as np
import pytest

from unrolled import errors
from unrolled.tasks import baselines


def naive(train: list[int], size: int, history: tuple[int, ...], token: int) -> float:
    """Witten-Bell by its definition: the history's followers are counted anew for every question."""
    shorter = naive(train, size, history[1:], token) if history else 1 / size
    n = len(history)
    followers = Counter(train[i + n] for i in range(len(train) - n) if tuple(train[i : i + n]) == history)
    kinds, total = len(followers), sum(followers.values())
    return (followers[token] + kinds * shorter) / (total + kinds) if total else shorter


def test_witten_bell_by_hand():
    # Of a a b: p_1(a) = (2 + 2/3) / 5 = 8/15, p_1(b) = (1 + 2/3) / 5 = 1/3, p_1(c) = 2/3 / 5 = 2/15. After a
    # come a and b, once each: p_2(a | a) = (1 + 2 * 8/15) / 4 = 31/60. After b comes nothing: p_2 = p_1.
    model = baselines.WittenBell.fit(np.array([0, 0, 1], np.uint8), size=3, order=2)
    np.testing.assert_allclose(model.probabilities(np.array([0, 0])), [8 / 15, 31 / 60], rtol=1e-15)
    np.testing.assert_allclose(model.probabilities(np.array([1, 2])), [1 / 3, 2 / 15], rtol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("tokens", [1, 2, 4, 60])
def test_witten_bell_is_its_definition(order: int, tokens: int):
    draw = random.Random(f"{order} {tokens}")
    train = [draw.choice([0, 0, 1, 2, 3]) for _ in range(tokens)]
    test = [draw.randrange(5) for _ in range(40)]  # 4 is never seen
    wanted = [naive(train, 5, tuple(test[max(0, i - order + 1) : i]), test[i]) for i in range(len(test))]
    found = baselines.WittenBell.fit(np.array(train, np.uint16), 5, order).probabilities(np.array(test))
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize("history", [[], [0], [3, 1], [1, 2, 0, 1], [6, 6, 6, 6], [2, 6, 1, 0]])
def test_witten_bell_sums_to_one_over_the_vocabulary(history: list[int]):
    train = np.random.default_rng(1).integers(0, 6, 5000)
    model = baselines.WittenBell.fit(train, size=7, order=5)
    shares = [model.probabilities(np.array([*history, token]))[-1] for token in range(7)]
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(1, abs=1e-14)


def test_witten_bell_has_the_same_loss_block_by_block(monkeypatch: pytest.MonkeyPatch):
    train, test = np.random.default_rng(2).integers(0, 4, (2, 999)).astype(np.uint8)
    whole = baselines.witten_bell(train, test, 4, order=4)
    monkeypatch.setattr(baselines, "BLOCK", 7)
    assert baselines.witten_bell(train, test, 4, order=4) == pytest.approx(whole, rel=1e-13)


def test_witten_bell_holds_large_vocabularies_apart():
    # Ranks of histories times a vocabulary of 2**32: more than 53 bits, so nothing may pass through a float.
    size = 2**32
    train = np.random.default_rng(3).integers(0, size, 500).astype(np.uint32)
    train = np.concatenate([train, train])
    found = baselines.WittenBell.fit(train, size, 3).probabilities(train[:100])
    assert (found[2:] > 0.5).all()


def test_witten_bell_finds_the_order_of_a_source():
    """Where two tokens decide the third, order 3 finds the rule; below it, there is nothing to find."""
    draw = np.random.default_rng(4)
    bits = list(draw.integers(0, 2, 2))
    for flip in draw.random(40_000) < 0.02:
        bits.append(int(bits[-1] ^ bits[-2] ^ flip))
    train, test = np.array(bits[:30_000]), np.array(bits[30_000:])
    entropy = -(0.02 * math.log(0.02) + 0.98 * math.log(0.98))
    assert baselines.witten_bell(train, test, 2, order=3) == pytest.approx(entropy, abs=0.01)
    assert baselines.witten_bell(train, test, 2, order=2) > 0.6


def test_witten_bell_counts_the_last_tokens_and_says_so(caplog: pytest.LogCaptureFixture):
    errors.note.cache_clear()
    train, test = np.random.default_rng(5).integers(0, 4, (2, 400))
    bounded = baselines.witten_bell(train, test, 4, order=3, limit=100)
    assert "last 100 of 400 training tokens" in caplog.text
    assert bounded == baselines.witten_bell(train[-100:], test, 4, order=3)


def test_unigram_and_uniform():
    # Of a a b, each once more than it is there, so 3/6, 2/6, 1/6. The first token is not judged.
    loss = baselines.unigram(np.array([0, 0, 1]), np.array([2, 0, 1, 2]), 3)
    assert loss == pytest.approx((math.log(2) + math.log(3) + math.log(6)) / 3)
    assert baselines.uniform(65) == pytest.approx(math.log(65))


def test_xz_is_python_s_own_less_a_checksum():
    text = bytes(random.Random(6).choices(b"abcd", k=20_000))
    theirs = len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    assert 0 <= theirs - baselines.xz(text) / 8 <= 8
    assert 2 < baselines.xz(text) / len(text) < 8  # a letter of four cannot be had for less than two bits


def test_xz_given_the_text_knows_what_it_was_given():
    text = random.Random(7).randbytes(20_000)
    assert baselines.xz(text) > 8 * len(text)
    assert baselines.xz_given(text, text) < baselines.xz(text) / 50
    assert baselines.xz_given(text + bytes(1000), text, limit=500) > 0.99 * baselines.xz(text)
