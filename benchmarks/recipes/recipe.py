"""What a recipe is: files of a data set, a config beside this file, and the figure to reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from unrolled.training.trainer import Outcome

Sources = dict[str, list[str]]
"""Fields of the config that name files: ``sources``, ``valid_sources``, ``test_sources``."""


@dataclass(frozen=True)
class Recipe:
    """A data set, and the figure to reach on the part of it that is judged.

    Attributes:
        sources: from the folder of the data sets, and one for files that have to be made, to the config's
            files.
        measure: the key of the figure in a result's rows.
        limit: what is to be reached, at least or, where less is better, at most.
        source: where the figure is from.
        seeds: how many trainings, with seeds from 0, whose mean is compared.
        over: the name of a baseline's row that is to be subtracted first; empty for none.
    """

    sources: Callable[[Path, Path], Sources]
    measure: str
    limit: float
    source: str
    seeds: int = 1
    over: str = ""

    def verdict(self, outcomes: Sequence[Outcome]) -> str:
        """Whether the figure was reached."""
        found = [self._found(outcome) for outcome in outcomes]
        [higher] = {m.higher for m in outcomes[0].measures if m.key == self.measure}
        mean, minutes = fmean(found), sum(outcome.seconds for outcome in outcomes) / 60
        reached = mean >= self.limit if higher else mean <= self.limit
        each = f" (seeds: {', '.join(f'{value:.4f}' for value in found)})" if len(found) > 1 else ""
        above = f" above {self.over}" if self.over else ""
        goal = f"to reach {self.limit} ({self.source})"
        word = "reached" if reached else "missed"
        return f"{self.measure} {mean:.4f}{above}{each}, {goal}: {word} in {minutes:.1f} minutes"

    def _found(self, outcome: Outcome) -> float:
        value = outcome.rows[0].values[self.measure]
        below = [row.values[self.measure] for row in outcome.rows if row.name == self.over]
        assert value is not None
        return value - sum(other for other in below if other is not None)


def files(folder: str, train: str, valid: str = "", test: str = "") -> Callable[[Path, Path], Sources]:
    """The files of a data set as they are."""

    def found(data: Path, place: Path) -> Sources:
        del place
        named = {"sources": train, "valid_sources": valid, "test_sources": test}
        return {field: [str(data / folder / file)] for field, file in named.items() if file}

    return found
