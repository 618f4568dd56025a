"""Problems whose input is tokens: as rows of an embedding, and as the table of their products."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from unrolled.cells import Array
from unrolled.checks import Problem


class Tokens(NamedTuple):
    """What the core is given in place of x, W_xh and b_xh.

    Shapes:
        ids: ``[T, B]`` int64; table: ``[N, G*H]`` in the problem's dtype.
    """

    ids: Array
    table: Array

    def dtable(self, da: Array) -> Array:
        """The gradient of the table in float64, from ``da [T, B, G, H]``, which is zero past the ends."""
        total = np.zeros(self.table.shape)
        np.add.at(total, self.ids, da.reshape(*self.ids.shape, -1).astype(np.float64))
        return total


def tokens(problem: Problem) -> tuple[Problem, Tokens]:
    """The same problem with a third as many different inputs as steps, and those as tokens."""
    T, B, I = problem.x.shape
    rows = problem.x.reshape(-1, I)[: max(1, T * B // 3)]
    ids = np.random.default_rng([T, B]).integers(len(rows), size=(T, B))
    exact = {name: value.astype(np.float64) for name, value in problem.params.items()}
    table = rows.astype(np.float64) @ exact["W_xh"].T + exact.get("b_xh", 0)
    return dataclasses.replace(problem, x=rows[ids]), Tokens(ids, table.astype(problem.x.dtype))
