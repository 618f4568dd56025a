"""One engine against another: every array of a tape, forward and backward."""

from __future__ import annotations

import numpy as np

from unrolled.cells import Array
from unrolled.checks.problem import Problem
from unrolled.tape import Engine


def relative_error(value: Array, truth: Array) -> float:
    """The largest difference, in units of the largest true number.

    Shapes:
        value, truth: the same, any. Where both are NaN or the same infinity they agree; where only one is,
        the error is infinite.

    Example:
        >>> relative_error(np.array([1.0, 2.5]), np.array([1.0, 2.0]))
        0.25
    """
    if value.shape != truth.shape:
        return np.inf
    differ = ~((value == truth) | (np.isnan(value) & np.isnan(truth)))
    if not differ.any():
        return 0.0
    finite = np.isfinite(truth)
    scale = np.abs(truth[finite]).max(initial=0.0)
    error = np.abs(value[differ].astype(np.float64) - truth[differ]).max()
    return float(error / scale) if np.isfinite(error) and scale else np.inf


def compare(problem: Problem, engine: Engine | str, truth: Problem | None = None) -> dict[str, float]:
    """The relative error of every array that ``engine`` gives for ``problem``, against the reference.

    ``truth`` is the same problem in a wider dtype, where the reference shall work in that: then the error
    is that of the engine's arithmetic alone.

    Example:
        >>> from unrolled.checks import draw
        >>> problem = draw("lstm")
        >>> compare(problem, "reference")["dW_hh"]
        0.0
    """
    ours, theirs = problem.solve(engine), (truth or problem).solve("reference")
    if ours.arrays.keys() != theirs.arrays.keys():
        return dict.fromkeys(ours.arrays.keys() ^ theirs.arrays.keys(), np.inf)
    return {name: relative_error(ours.arrays[name], theirs.arrays[name]) for name in theirs.arrays}
