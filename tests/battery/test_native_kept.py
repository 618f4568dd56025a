"""Packed weights that stay from call to call: always the bits of a call that packs them anew."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

import numpy as np
import pytest

from tests.battery import kernels
from tests.battery.cases import Case
from tests.battery.compare import assert_same_bits
from tests.battery.kernels import How, needs_core
from tests.battery.test_native_rows import CELLS
from tests.battery.tokens import tokens
from unrolled import native
from unrolled.cells import Array
from unrolled.checks import Problem

pytestmark = needs_core

by_isa = pytest.mark.parametrize("isa", native.isas())


def check(problem: Problem, isa: str, kept: native.Kept, threads: int = 1) -> None:
    """Fails unless a call with what was kept gives the bits of one without."""
    fresh = kernels.forward(problem, How(isa), train=False)
    assert_same_bits([fresh, kernels.forward(problem, How(isa, threads), train=False, kept=kept)])


def next_number(W: Array) -> None:
    """The smallest change there is."""
    W.flat[-1] = np.nextafter(W.flat[-1], np.inf, dtype=W.dtype)


def other_zero(W: Array) -> None:
    W[...] = 0
    W.flat[0] = -0.0


def rows_exchanged(W: Array) -> None:
    W[[0, -1]] = W[[-1, 0]]


def two_signs(W: Array) -> None:
    W.flat[:2] *= -1


EDITS: list[Callable[[Array], object]] = [
    next_number,
    two_signs,
    lambda W: np.negative(W, out=W),
    rows_exchanged,
    lambda W: np.multiply(W, 2, out=W),
    other_zero,
]


@by_isa
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", native.DTYPES)
def test_every_edit_is_seen(isa: str, cell: str, dtype: str):
    problem = Case(cell, dtype, H=37, I=9, T=4, B=5).problem()  # type: ignore[arg-type]
    kept = native.Kept()
    check(problem, isa, kept)
    check(problem, isa, kept)
    assert kept.bytes() > 0
    for value in problem.params.values():
        before = value.copy()
        for edit in EDITS:
            edit(value)
            check(problem, isa, kept)
        value[...] = before
        check(problem, isa, kept)


@pytest.mark.parametrize("dtype", native.DTYPES)
def test_every_number_is_looked_at(dtype: str):
    problem = Case("lstm P<H", dtype, H=9, I=5, T=2, B=3, lengths="all").problem()  # type: ignore[arg-type]
    kept = native.Kept()
    for name in ("W_xh", "W_hh", "W_hr"):
        for index in np.ndindex(problem.params[name].shape):
            problem.params[name][index] += 1
            check(problem, native.isa(), kept)


def test_what_is_kept_of_one_layer_serves_no_other():
    kept = native.Kept()
    for _ in range(2):
        for H in (20, 40):
            for dtype in native.DTYPES:
                for cell in CELLS:
                    for isa in native.isas():
                        case = Case(cell, dtype, H=H, I=9, T=4, B=5)  # type: ignore[arg-type]
                        check(case.problem(), isa, kept)


@by_isa
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("sizes", [(9, 1, 460), (12, 7, 100), (5, 6, 600)], ids=str)
def test_any_number_of_threads(isa: str, cell: str, sizes: tuple[int, int, int]):
    T, B, H = sizes
    problem = Case(cell, "float32", H=H, I=20, T=T, B=B, lengths="all", reset="none").problem()
    kept = native.Kept()
    for threads in (2, 1, 3, 2):
        check(problem, isa, kept, threads)
        problem.params["W_hh"][...] *= -1


@by_isa
def test_with_and_without_a_table(isa: str):
    problem, coded = tokens(Case("gru", "float32", H=37, I=9, T=6, B=5).problem())
    kept = native.Kept()
    for _ in range(2):
        check(problem, isa, kept)
        runs = [
            kernels.forward(problem, How(isa), train=False, tokens=coded, kept=each) for each in (None, kept)
        ]
        assert_same_bits(runs)


@pytest.mark.parametrize(("T", "B"), [(1, 1), (2, 1), (1, 2)])
def test_nothing_is_kept_of_weights_that_are_read_unpacked(T: int, B: int):
    problem = Case("gru", "float32", H=37, I=9, T=T, B=B, lengths="all", reset="none").problem()
    kept = native.Kept()
    check(problem, native.isa(), kept)
    assert kept.bytes() == 0


def test_eight_threads_at_once():
    problems = [Case("gru", "float32", H=130, I=40, T=4, B=6).problem() for _ in range(2)]
    problems[1].params["W_hh"][...] *= -1
    expected = [kernels.forward(p, How(native.isa()), train=False)["h"].tobytes() for p in problems]
    kept = native.Kept()

    def right(number: int) -> bool:
        which = number // 3 % 2
        how = How(native.isa(), 1 + number % 2)
        return kernels.forward(problems[which], how, train=False, kept=kept)["h"].tobytes() == expected[which]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(400)))
