"""Units of a loss."""

import math

import pytest

from unrolled import metrics


def test_perplexity_and_bits_of_equal_shares():
    assert metrics.perplexity(math.log(10_000)) == pytest.approx(10_000)
    assert metrics.bits(math.log(256)) == pytest.approx(8)


def test_a_loss_beyond_all_measure_is_infinitely_perplexed():
    assert metrics.perplexity(1e9) == math.inf
