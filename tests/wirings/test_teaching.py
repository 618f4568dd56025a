"""The schedules of a teacher by their formulas."""

import math
from typing import Any

import pytest

from unrolled.errors import OptionError
from unrolled.wirings import Teaching


@pytest.mark.parametrize("update", [0, 1, 50, 460, 1000, 10**9])
def test_schedules_are_their_formulas(update: int) -> None:
    assert Teaching().at(update) == 1
    assert Teaching("constant", 0.7).at(update) == 0.7
    assert math.isclose(Teaching("linear", 0.25, 800).at(update), max(0.25, 1 - update / 800))
    expected = 100 / (100 + math.exp(update / 100)) if update <= 1000 else 0
    assert math.isclose(
        Teaching("inverse_sigmoid", 0, 100).at(update), expected, rel_tol=1e-9, abs_tol=1e-300
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"schedule": "linaer"}, "Did you mean linear"),
        ({"least": 1.5}, "from 0 to 1; got 1.5"),
        ({"pace": 0.0}, "be at least 1; got 0"),
        ({"pace": math.nan}, "be at least 1; got nan"),
    ],
)
def test_a_teacher_that_cannot_be_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Teaching(**wrong)
