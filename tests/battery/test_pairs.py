"""The covering array covers what it says, and every case has something to compute."""

import itertools

import numpy as np
import pytest

from tests.battery.cases import FACTORS, Case, pairwise
from tests.battery.pairs import all_pairs, pairs


def test_every_pair_of_levels_occurs():
    rows = [{name: getattr(case, name) for name in FACTORS} for case in pairwise()]
    covered = {
        ((one, FACTORS[one].index(row[one])), (other, FACTORS[other].index(row[other])))
        for row in rows
        for one, other in itertools.combinations(sorted(FACTORS), 2)
    }
    assert covered == pairs(FACTORS).keys()


def test_rows_are_few_and_always_the_same():
    most = max(len(a) * len(b) for a, b in itertools.combinations(FACTORS.values(), 2))
    assert len(pairwise()) <= 2 * most
    assert all_pairs(FACTORS) == all_pairs(FACTORS)


def test_two_factors_give_their_product():
    assert all_pairs({"a": "xy", "b": (1, 2)}) == [
        {"a": a, "b": b} for a, b in [("x", 1), ("x", 2), ("y", 1), ("y", 2)]
    ]


@pytest.mark.parametrize("case", pairwise(), ids=str)
def test_every_case_has_a_real_step(case: Case):
    assert np.any(case.problem().forward(keep=()).output)
