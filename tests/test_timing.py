import gc
from collections.abc import Callable

import pytest

from unrolled import timing


class Clock:
    """Time that passes only while a contestant runs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def contestant(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds
            self.order.append(name)

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", lambda: clock.now)
    return clock


def test_seconds_are_those_of_one_call(clock: Clock):
    contestants = {"a": clock.contestant("a", 0.001), "b": clock.contestant("b", 0.25)}
    seconds = timing.in_turn(contestants, rounds=3, sample=0.02)
    assert seconds["a"] == pytest.approx([0.001] * 3)
    assert seconds["b"] == pytest.approx([0.25] * 3)


def test_rounds_fill_the_sample_and_change_who_goes_first(clock: Clock):
    contestants = {"a": clock.contestant("a", 0.005), "b": clock.contestant("b", 0.02)}
    timing.in_turn(contestants, rounds=2, sample=0.02)
    assert clock.order[-10:] == ["a"] * 4 + ["b"] * 2 + ["a"] * 4


def test_garbage_collector_rests_and_comes_back():
    resting: list[bool] = []
    timing.in_turn({"a": lambda: resting.append(not gc.isenabled())}, rounds=2, sample=1e-9)
    assert resting[-2:] == [True, True]
    assert gc.isenabled()


def test_ratio_is_the_median_over_pairs_with_its_quartiles():
    ratio = timing.ratio([2.0, 9.0, 4.0, 40.0, 3.0], [1.0, 3.0, 1.0, 8.0, 3.0])
    assert (ratio.low, ratio.median, ratio.high) == (2.0, 3.0, 4.0)
    assert str(ratio) == "3.00 (2.00 to 4.00)"


def test_rows_of_different_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        timing.ratio([1.0, 2.0], [1.0])
