"""One run against another run: what holds whatever the numbers are, for every engine."""

import dataclasses

import numpy as np
import pytest

from tests.battery.problems import ENGINES, FORMS, OWN, WALKS
from tests.tolerances import limit
from unrolled.cells import Cell
from unrolled.checks import Problem, Size, draw, oracle, properties
from unrolled.tape import Engine

EVERY = [
    *(pytest.param(*form.values, *engine.values, id=f"{form.id}-{engine.id}", marks=engine.marks)
      for form in FORMS for engine in ENGINES),
    *(pytest.param(*form.values, Engine("reference"), id=form.id) for form in OWN),
]  # fmt: skip
every = pytest.mark.parametrize(("cell", "P", "engine"), EVERY)
walks = pytest.mark.parametrize("walk", WALKS)
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def problem(cell: Cell, P: int, walk: dict[str, bool], dtype: str) -> Problem:
    return draw(cell, Size(T=6, B=4, H=7, P=P), seed=2, **walk).astype(dtype)


@every
@walks
@dtypes
def test_split_and_carry(cell: Cell, P: int, engine: Engine, walk: dict[str, bool], dtype: str):
    for at in (0, 1, 4, 6):
        errors = properties.split_and_carry(problem(cell, P, walk, dtype), at, engine)
        assert max(errors.values()) < limit("property", dtype), (at, errors)


@every
@walks
@dtypes
def test_permute_the_batch(cell: Cell, P: int, engine: Engine, walk: dict[str, bool], dtype: str):
    errors = properties.permute_batch(problem(cell, P, walk, dtype), np.array([2, 3, 1, 0]), engine)
    assert max(errors.values()) < limit("property", dtype), errors


@every
@walks
@dtypes
def test_extend_the_padding(cell: Cell, P: int, engine: Engine, walk: dict[str, bool], dtype: str):
    errors = properties.extend_padding(problem(cell, P, walk, dtype), 3, engine)
    assert max(errors.values()) == 0, errors  # not one bit


@every
@walks
@dtypes
def test_reverse_twice(cell: Cell, P: int, engine: Engine, walk: dict[str, bool], dtype: str):
    errors = properties.reverse_twice(problem(cell, P, walk, dtype), engine)
    assert max(errors.values()) < limit("property", dtype), errors


@every
@walks
@dtypes
def test_many_gradients_over_one_tape(cell: Cell, P: int, engine: Engine, walk: dict[str, bool], dtype: str):
    errors = properties.share_tape(problem(cell, P, walk, dtype), engine)
    assert max(errors.values()) < limit("property", dtype), errors


@pytest.mark.parametrize(("cell", "P"), FORMS + OWN)
@walks
def test_reference_in_float32_differs_by_rounding_alone(cell: Cell, P: int, walk: dict[str, bool]):
    narrow = problem(cell, P, walk, "float32")
    errors = oracle.compare(narrow, "reference", truth=narrow.astype("float64"))
    assert max(errors.values()) < limit("rounding", "float32"), errors


@every
@pytest.mark.parametrize("reverse", [False, True])
def test_nan_stays_in_its_sequence_and_ends_at_a_reset(cell: Cell, P: int, engine: Engine, reverse: bool):
    clean = draw(cell, Size(T=6, P=P), seed=7, reverse=reverse)
    reset = np.zeros((6, 3), dtype=bool)
    reset[3] = True
    clean = dataclasses.replace(clean, walk=dataclasses.replace(clean.walk, reset=reset))
    x = clean.x.copy()
    x[5 if reverse else 1, 0] = np.nan
    wanted, spoilt = clean.solve(engine), dataclasses.replace(clean, x=x).solve(engine)

    for name in ("output", "dx", "dh_carry", "gates"):
        ours, theirs = getattr(spoilt, name), getattr(wanted, name)
        np.testing.assert_array_equal(ours[:, 1:], theirs[:, 1:], err_msg=name)
    reached = [4, 5] if reverse else [1, 2]  # up to the step before which the reset stands
    assert np.isnan(spoilt.output[reached, 0]).all()
    rest = np.setdiff1d(np.arange(6), reached)
    np.testing.assert_array_equal(spoilt.output[rest, 0], wanted.output[rest, 0])
