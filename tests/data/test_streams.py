"""Windows beside their definition, over a text in which every token is its own position."""

from math import ceil

import numpy as np
import pytest

from unrolled.data import Streams
from unrolled.errors import DataError, OptionError


def positions(tokens: int) -> np.ndarray:
    return np.arange(tokens, dtype=np.uint32)


def epoch(streams: Streams, number: int = 0) -> list[np.ndarray]:
    count = streams.updates_per_epoch
    return [streams.window(number * count + i).ids for i in range(count)]


@pytest.mark.parametrize(("tokens", "batch", "length"), [(101, 4, 5), (100, 4, 5), (61, 1, 7), (21, 5, 4)])
def test_carried_streams_go_on_where_the_window_before_ended(tokens: int, batch: int, length: int):
    streams = Streams(positions(tokens), batch, length)
    steps = (tokens - 1) // batch
    windows = epoch(streams)
    assert len(windows) == ceil(steps / length)
    inputs = np.concatenate([window[:-1] for window in windows])
    targets = np.concatenate([window[1:] for window in windows])
    np.testing.assert_array_equal(inputs, np.arange(steps)[:, None] + steps * np.arange(batch))
    np.testing.assert_array_equal(targets, inputs + 1)


def test_a_window_has_inputs_and_targets_in_the_form_that_layers_take():
    window = Streams(positions(1000).astype(np.uint16), 4, 8).window(3)
    assert window.ids.dtype == np.int64
    assert window.ids.flags.c_contiguous
    assert window.ids.shape == (9, 4)
    np.testing.assert_array_equal(window.ids[:-1] + 1, window.ids[1:])


def test_states_begin_with_an_epoch_where_they_are_carried_and_with_every_window_where_not():
    carried, alone = Streams(positions(101), 4, 5), Streams(positions(101), 4, 5, carry=False)
    assert [carried.window(i).begins for i in range(11)] == [True, *[False] * 4, True, *[False] * 4, True]
    assert all(alone.window(i).begins for i in range(11))


@pytest.mark.parametrize("carry", [True, False])
def test_a_window_follows_from_its_number_alone(carry: bool):
    streams, again = (Streams(positions(500), 3, 7, carry, seed=5) for _ in range(2))
    for update in (60, 0, 33, 2, 61):
        np.testing.assert_array_equal(streams.window(update).ids, again.window(update).ids)
    if carry:
        np.testing.assert_array_equal(
            streams.window(2).ids, streams.window(2 + 9 * streams.updates_per_epoch).ids
        )


def test_windows_without_carry_are_those_of_the_text_each_at_most_once_an_epoch():
    streams = Streams(positions(500), 3, 7, carry=False)
    assert streams.updates_per_epoch == 71 // 3
    orders = [[int(start) for ids in epoch(streams, number) for start in ids[0]] for number in range(3)]
    for order in orders:
        assert len(set(order)) == len(order) == 69
        assert set(order) <= set(range(0, 71 * 7, 7))
    assert len({tuple(order) for order in orders}) == 3
    for ids in epoch(streams):
        np.testing.assert_array_equal(np.diff(ids, axis=0), 1)


def test_another_seed_is_another_order():
    a, b = (Streams(positions(500), 3, 7, carry=False, seed=seed) for seed in (0, 1))
    assert (a.window(0).ids != b.window(0).ids).any()


@pytest.mark.parametrize("carry", [True, False])
def test_length_0_is_the_whole_stream_in_one_window(carry: bool):
    streams = Streams(positions(101), 4, 0, carry)
    assert streams.updates_per_epoch == 1
    window = streams.window(1)
    assert window.ids.shape == (26, 4)
    assert sorted(window.ids[0]) == [0, 25, 50, 75]
    assert window.begins


def test_the_shortest_text_for_a_window_and_one_token_less():
    assert Streams(positions(4 * 8 + 1), 4, 8).updates_per_epoch == 1
    assert Streams(positions(4 * 8 + 1), 4, 8, carry=False).updates_per_epoch == 1
    with pytest.raises(DataError) as caught:
        Streams(positions(4 * 8), 4, 8)
    assert "batch * length + 1 = 33 tokens; got 32. Take more text or --batch 3 or --length 7." in str(
        caught.value
    )
    Streams(positions(4 * 8), 3, 8)
    Streams(positions(4 * 8), 4, 7)


@pytest.mark.parametrize("tokens", [0, 1])
def test_no_text_is_too_short_whatever_the_window(tokens: int):
    with pytest.raises(DataError, match=r"Take more text\.$"):
        Streams(positions(tokens), 1, 0)


def test_meaningless_sizes_are_refused():
    with pytest.raises(OptionError, match="batch must be at least 1; got 0"):
        Streams(positions(100), 0, 5)
    with pytest.raises(OptionError, match="length must be at least 0; got -1"):
        Streams(positions(100), 1, -1)
