"""Speed as a ratio: contestants run in turn within one process, compared pair by pair."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter


@dataclass(frozen=True)
class Ratio:
    """How many times faster one contestant was: the median over pairs, and between which quartiles they lay.

    Units: none; 2.0 means half the time.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def in_turn(
    contestants: Mapping[str, Callable[[], object]], rounds: int = 7, sample: float = 0.02
) -> dict[str, list[float]]:
    """Times every contestant once a round, in turn, so that a change of the machine's pace meets all alike.

    A round repeats each contestant until about ``sample`` seconds are filled, and every other round runs them
    in the opposite order. The garbage collector rests meanwhile: its pauses belong to no contestant.

    Units: seconds a call.
    """
    calls = {name: _calls_to_fill(sample, run) for name, run in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            for name in list(contestants)[:: -1 if number % 2 else 1]:
                seconds[name].append(_time(contestants[name], calls[name]) / calls[name])
    finally:
        if collecting:
            gc.enable()
    return seconds


def ratio(theirs: list[float], ours: list[float]) -> Ratio:
    """Compares two rows of `in_turn`: their seconds over ours, pair by pair.

    Raises:
        ValueError: fewer than two pairs, or rows of different length.
    """
    pairs = [a / b for a, b in zip(theirs, ours, strict=True)]
    low, _, high = quantiles(pairs, n=4, method="inclusive")
    return Ratio(median(pairs), low, high)


def _calls_to_fill(sample: float, run: Callable[[], object]) -> int:
    """Warms ``run`` up and finds how many calls fill ``sample`` seconds; always at least one."""
    _time(run, 2)
    calls = 1
    while (taken := _time(run, calls)) < sample / 2:
        calls = max(2 * calls, int(calls * sample / max(taken, 1e-9)) // 2)
    return max(1, round(calls * sample / taken))


def _time(run: Callable[[], object], calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        run()
    return perf_counter() - start
