"""Compiled = reference: every case of the covering array, every instruction set, 1 to 3 threads."""

import pytest

from tests.battery import compare
from tests.battery.cases import Case, pairwise
from tests.battery.kernels import needs_core
from unrolled import native

pytestmark = needs_core

THREADS = (1, 2, 3)

by_isa = pytest.mark.parametrize("isa", native.isas())
by_case = pytest.mark.parametrize("case", pairwise(), ids=str)


@by_case
@by_isa
def test_training(case: Case, isa: str):
    compare.forward(case, isa, THREADS, train=True)


@by_case
@by_isa
def test_inference(case: Case, isa: str):
    compare.forward(case, isa, THREADS, train=False)


@by_case
@by_isa
def test_backward(case: Case, isa: str):
    compare.backward(case, isa, THREADS)
