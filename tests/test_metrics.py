"""Units of a loss."""

import math

import pytest

from unrolled import metrics


def test_perplexity_and_bits_of_equal_shares():
    assert metrics.perplexity(math.log(10_000)) == pytest.approx(10_000)
    assert metrics.bits(math.log(256)) == pytest.approx(8)


def test_a_loss_beyond_all_measure_is_infinitely_perplexed():
    assert metrics.perplexity(1e9) == math.inf


def test_bits_per_character_leave_the_first_token_out_of_both():
    losses, lengths = [0.5, 2.0, 1.0], [4, 1, 7]  # of the tokens after the first, which has 3 characters
    mean = sum(losses) / 3
    found = metrics.bits_per_character(mean, tokens=4, characters=15, first=3)
    assert found == pytest.approx(sum(losses) / math.log(2) / sum(lengths))
    assert metrics.bits_per_character(mean, tokens=4, characters=1, first=1) == math.inf
