"""An epoch's batches hold every sequence once, are the same when asked again, and hold little padding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data import buckets
from unrolled.errors import OptionError

LENGTHS = st.lists(st.integers(0, 50), max_size=200).map(lambda lengths: np.array(lengths, np.int64))


@settings(max_examples=200)
@given(LENGTHS, st.integers(1, 20), st.integers(0, 5))
def test_every_sequence_is_read_once(lengths, batch: int, epoch: int):
    batches = buckets.shuffled(lengths, batch, 1, epoch)
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert sorted(map(len, batches))[1:] == [batch] * (len(batches) - 1)


@settings(max_examples=200)
@given(LENGTHS, st.integers(1, 20))
def test_the_order_for_judging_falls_in_length(lengths, batch: int):
    rows = [row for rows in buckets.longest_first(lengths, batch) for row in rows]
    assert sorted(rows) == list(range(len(lengths)))
    assert (np.diff(lengths[rows]) <= 0).all()


def test_an_epoch_is_the_same_when_asked_again_and_another_than_the_next():
    lengths = np.random.default_rng(0).integers(1, 40, 1000)
    first, again, second = (buckets.shuffled(lengths, 32, 7, epoch) for epoch in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert {frozenset(rows.tolist()) for rows in first} != {frozenset(rows.tolist()) for rows in second}


def test_batches_of_an_epoch_do_not_come_in_the_order_of_their_lengths():
    lengths = np.random.default_rng(0).integers(1, 400, 3200)
    means = np.array([lengths[rows].mean() for rows in buckets.shuffled(lengths, 32, 0, 0)])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


@pytest.mark.parametrize("batch", [16, 64])
def test_padding_is_little_where_lengths_have_a_long_tail(batch: int):
    lengths = np.random.default_rng(3).lognormal(3, 1, 20_000).astype(np.int64) + 1
    by_chance = np.array_split(np.random.default_rng(4).permutation(len(lengths)), len(lengths) // batch)
    assert buckets.waste(lengths, by_chance) > 0.6
    least = buckets.waste(lengths, buckets.longest_first(lengths, batch))
    assert least < 0.08
    assert buckets.waste(lengths, buckets.shuffled(lengths, batch, 0, 0)) < least + buckets.MIXED


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(OptionError, match="batch must be at least 1; got 0"):
        buckets.shuffled(np.array([1]), 0, 0, 0)
    assert buckets.waste(np.array([0, 0]), [np.array([0, 1])]) == 0
