"""Every numeric limit of the tests, with the worst that was measured beside it; see `limit`.

All are relative: the largest difference of an array in units of its largest number (`checks.oracle`). The
worst case was taken over the whole battery on an x86-64 machine with AVX-512; a limit leaves a factor of 3 to
10 for other machines' rounding and no more. Widening one changes what the project promises.
"""

from typing import NamedTuple


class Limit(NamedTuple):
    """What a test allows, and the worst it has seen."""

    limit: float
    worst: float


TABLE = {
    # Backward against central differences with a step of 1e-5: every entry; along random directions.
    "gradient": {"float64": Limit(2e-9, worst=7.0e-10)},
    "gradient directions": {"float64": Limit(1e-8, worst=2.5e-9)},
    # How far from 2 the power lies with which that error falls.
    "slope": {"float64": Limit(2e-4, worst=2.3e-5)},
    # One run against another run of the same engine.
    "property": {"float64": Limit(1e-14, worst=1.6e-15), "float32": Limit(5e-6, worst=5.6e-7)},
    # The reference in float32 against itself in float64.
    "rounding": {"float32": Limit(5e-6, worst=8.0e-7)},
    # The compiled core against the reference in float64 (in units of 1 where an array's numbers are smaller).
    "compiled": {"float64": Limit(2e-14, worst=6.4e-15), "float32": Limit(1e-5, worst=3.5e-6)},
    # Our torch layers against torch's in the same dtype, 4,000 of them drawn at random;
    # in units of 1 where an array's numbers are smaller.
    "parity": {"float64": Limit(2e-14, worst=5.2e-15), "float32": Limit(1e-5, worst=3.2e-6)},
}
"""Limits by question and dtype."""


def limit(question: str, dtype: str = "float64") -> float:
    """The limit for a question and dtype."""
    return TABLE[question][dtype].limit
