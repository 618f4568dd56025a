"""How it is timed: contestants in turn, after a look at whether they computed the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.cases import Run, tiny
from unrolled import timing
from unrolled.speed import Shape


@dataclass(frozen=True)
class Setting:
    """How a benchmark is to run; ``quick`` is a rehearsal on tiny shapes, whose numbers mean nothing."""

    threads: tuple[int, ...] = (1, 2)
    rounds: int = 9
    sample: float = 0.02
    quick: bool = False

    @property
    def most_threads(self) -> int:
        """The number of threads that the limits are for."""
        return max(self.threads)

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        """All of them, or for a rehearsal the first, made tiny."""
        return [tiny(shapes[0])] if self.quick else list(shapes)


@dataclass(frozen=True)
class Comparison:
    """What `compare` measured.

    Units: ``ours`` and ``theirs`` are the seconds a call of every round.
    """

    ours: list[float]
    theirs: list[float]
    rival: str

    @property
    def gain(self) -> timing.Ratio:
        """Their time over ours."""
        return timing.ratio(self.theirs, self.ours)

    @property
    def cost(self) -> timing.Ratio:
        """Our time over theirs."""
        return timing.ratio(self.ours, self.theirs)

    def __str__(self) -> str:
        return f"{1e3 * median(self.ours):.4g} ms, {self.rival} {1e3 * median(self.theirs):.4g} ms"


def compare(setting: Setting, ours: Run, theirs: Mapping[str, Run], same: bool = True) -> Comparison:
    """Times ours and the fastest of theirs in turn.

    Where the peer can be asked in several ways, a first heat chooses one, whose times are then measured anew:
    neither luck nor mischance in the heat is part of the result.

    Raises:
        ArithmeticError: the contestants do not compute the same, though they should be the ``same``.
    """
    if same:
        must_agree(ours, theirs)
    rival = next(iter(theirs))
    if len(theirs) > 1:
        heat = timing.in_turn(theirs, rounds=3, sample=setting.sample)
        rival = min(heat, key=lambda name: median(heat[name]))
    seconds = timing.in_turn({"ours": ours, "theirs": theirs[rival]}, setting.rounds, setting.sample)
    return Comparison(seconds["ours"], seconds["theirs"], rival)


def must_agree(ours: Run, theirs: Mapping[str, Run], tolerance: float = 1e-3) -> None:
    """Compares what each gives, as far as the shorter list goes, against the largest value of every array.

    Raises:
        ArithmeticError: one of theirs is further off ours than ``tolerance``, or has another shape.
    """
    answer = [np.asarray(array) for array in ours()]
    for name, run in theirs.items():
        for k, (a, b) in enumerate(zip(answer, map(np.asarray, run()), strict=False)):
            if a.shape != b.shape:
                raise ArithmeticError(f"{name}: result {k} has shape {b.shape}, ours {a.shape}")
            difference = float(np.abs(a - b).max(initial=0)) / max(1.0, float(np.abs(b).max(initial=0)))
            if not difference <= tolerance:
                raise ArithmeticError(f"{name}: result {k} is {difference:.1e} of its largest value off ours")
