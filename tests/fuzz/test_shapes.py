"""Compiled = reference for shapes and circumstances that nobody chose."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.battery import compare
from tests.battery.cases import FACTORS, WAYS, Case
from tests.battery.kernels import needs_core
from unrolled import native

pytestmark = needs_core

LARGE = 64
"""Hidden sizes above it shall be a third of those drawn; two fifths are asked for."""

hidden = st.sampled_from([False, True, False, True, False]).flatmap(
    lambda large: st.integers(LARGE + 1, 260) if large else st.integers(1, LARGE)
)
cases = st.builds(
    Case,
    cell=st.sampled_from(FACTORS["cell"]),
    dtype=st.sampled_from(native.DTYPES),
    H=hidden,
    I=st.integers(1, 80),
    T=st.integers(1, 9),
    B=st.integers(1, 11),
    **{way: st.sampled_from(FACTORS[way]) for way in WAYS},
)


@pytest.mark.fuzz
def test_drawn_shapes():
    seen: list[int] = []

    @given(case=cases, isa=st.sampled_from(native.isas()), threads=st.integers(1, 3))
    def compiled_equals_reference(case: Case, isa: str, threads: int) -> None:
        seen.append(case.H)
        compare.forward(case, isa, [threads], train=True)
        compare.forward(case, isa, [threads], train=False)
        compare.backward(case, isa, [threads])

    compiled_equals_reference()
    assert len(seen) >= int(os.environ.get("UNROLLED_FUZZ_EXAMPLES", "2000"))
    assert np.mean(np.array(seen) > LARGE) >= 1 / 3
