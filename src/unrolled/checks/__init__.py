"""Examinations of a recurrence, for our own cells and for yours.

    gradient.py     backward = central differences, and falls towards them with the square of the step
    oracle.py       one engine = the other, every array
    parity.py       a layer = torch's, every output and gradient; not imported here, as it needs torch
    properties.py   split and carry, permute, pad, turn round, share a tape
    problem.py      what they examine with: random weights, a batch and a loss

Each gives numbers, the relative error of every array by name; the limit is the caller's.

Example:
    >>> problem = draw("gru", Size(T=4, H=3), ragged=True, resets=True)  # a name or a `Cell` of your own
    >>> max(gradient.compare(problem).values()) < 1e-8
    True
"""

from unrolled.checks import gradient, oracle, properties
from unrolled.checks.problem import Problem, Size, draw

__all__ = ["Problem", "Size", "draw", "gradient", "oracle", "properties"]
