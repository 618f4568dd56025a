"""The backward pass against central differences of the forward pass.

    (L(v + εu) - L(v - εu)) / 2ε = dL/dv · u + O(ε²)

along directions u: every single entry of v, or a few at random. That the error falls with the square of ε
says more than that it is small: a wrong term smaller than the tolerance would stay where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from unrolled.cells import Array
from unrolled.checks.oracle import relative_error
from unrolled.checks.problem import Problem
from unrolled.tape import Engine


def compare(
    problem: Problem, engine: Engine | str = "reference", directions: int | None = None, step: float = 1e-5
) -> dict[str, float]:
    """The relative error of each gradient that ``engine`` gives, against differences of the reference's loss.

    Along ``directions`` random ones for each array, or with None along every entry.

    Example:
        >>> from unrolled.checks import draw
        >>> max(compare(draw("gru")).values()) < 1e-8
        True
    """
    tape, errors = problem.solve(engine), dict[str, float]()
    for name in problem.inputs():
        ways = [*_directions(problem.inputs()[name], directions)]
        numeric = np.array([difference(problem, name, u, step) for u in ways])
        analytic = np.array([(tape.arrays[f"d{name}"] * u).sum() for u in ways])
        errors[name] = relative_error(numeric, analytic)
    return errors


def slope(problem: Problem, steps: Sequence[float] = (2**-9, 2**-10, 2**-11, 2**-12)) -> float:
    """The power of ε with which the difference falls towards the reference's gradient; 2 where that is right.

    Of all entries of all arrays together, by least squares on the logarithms.

    Example:
        >>> from unrolled.checks import draw
        >>> round(slope(draw("lstm")), 1)
        2.0
    """
    tape, errors = problem.solve(), np.zeros(len(steps))
    for name, value in problem.inputs().items():
        for u in _directions(value, None):
            analytic = (tape.arrays[f"d{name}"] * u).sum()
            errors += [(difference(problem, name, u, step) - analytic) ** 2 for step in steps]
    return float(np.polyfit(np.log(steps), np.log(errors) / 2, 1)[0])


def difference(problem: Problem, name: str, u: Array, step: float) -> float:
    """The central difference of the loss with respect to the input ``name`` along ``u``.

    Shapes:
        u: that of the input.
    """
    ahead, behind = problem.moved(name, step * u).loss(), problem.moved(name, -step * u).loss()
    return (ahead - behind) / (2 * step)


def _directions(value: Array, count: int | None) -> Iterator[Array]:
    """Every unit vector of the shape of ``value``, or ``count`` random ones of length 1."""
    if count is None:
        for place in np.ndindex(value.shape):
            u = np.zeros_like(value)
            u[place] = 1
            yield u
        return
    rng = np.random.default_rng(value.shape)
    for _ in range(count):
        u = rng.normal(size=value.shape)
        yield u / max(np.linalg.norm(u), np.finfo(float).tiny)
