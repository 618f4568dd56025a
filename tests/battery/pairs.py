"""A small set of rows in which every pair of levels of any two factors occurs: the pairwise covering array.

Most defects show with two circumstances together (ragged and reversed, one row and two threads); all pairs
of a dozen factors fit in some hundred rows where the full product has a billion.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Pair: TypeAlias = tuple[tuple[str, int], tuple[str, int]]


def all_pairs(factors: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Rows that pick one level of every factor and between them cover all pairs; greedy, and always the same.

    A row begins with a pair still missing; the other factors follow, each at the level that covers most of
    what is missing, the one used least so far where several do.
    """
    missing = pairs(factors)
    used = {(name, level): 0 for name, levels in factors.items() for level in range(len(levels))}
    rows: list[dict[str, int]] = []
    while missing:
        row = dict(next(iter(missing)))
        for name in sorted(factors, key=lambda name: -len(factors[name])):
            if name not in row:
                row[name] = min(
                    range(len(factors[name])),
                    key=lambda level, name=name: (-_gain(row, (name, level), missing), used[name, level]),
                )
        for pair in _pairs_of(row):
            missing.pop(pair, None)
        for chosen in row.items():
            used[chosen] += 1
        rows.append(row)
    return [{name: factors[name][row[name]] for name in factors} for row in rows]


def pairs(factors: Mapping[str, Sequence[Any]]) -> dict[Pair, None]:
    """All pairs of levels of different factors, in a fixed order; levels by their position."""
    found: dict[Pair, None] = {}
    for one, other in itertools.combinations(sorted(factors), 2):
        for levels in itertools.product(range(len(factors[one])), range(len(factors[other]))):
            found[(one, levels[0]), (other, levels[1])] = None
    return found


def _pairs_of(row: Mapping[str, int]) -> list[Pair]:
    return [*itertools.combinations(sorted(row.items()), 2)]


def _gain(row: Mapping[str, int], new: tuple[str, int], missing: Mapping[Pair, None]) -> int:
    """How many missing pairs the row would cover with one more level."""
    return sum(((new, old) if new < old else (old, new)) in missing for old in row.items())
