"""The cases of the battery: pairwise covered factors, and the problem that a case stands for.

Cases with nothing to compute (no steps, no rows, lengths all zero) are not among the factors, as they would
cover pairs in name only; they have tests of their own.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import numpy as np

from tests.battery.pairs import all_pairs
from unrolled.cells import Array
from unrolled.checks import Problem, Size, draw
from unrolled.tape import Walk

PROJECTIONS = {"P=1": lambda H: 1, "P<H": lambda H: (H + 1) // 2, "P>H": lambda H: H + 3}

FACTORS: dict[str, tuple[Any, ...]] = {
    # the cell, and with it a projection, which only the LSTM has
    "cell": (
        "rnn_tanh", "rnn_relu", "rnn_sigmoid", "rnn_identity", "lstm", "lstm P=1", "lstm P<H", "lstm P>H",
        "gru", "gru_reset_before", "hornn_relu_2", "hornn_tanh_3", "hornn_sigmoid_8",
    ),
    "dtype": ("float32", "float64"),
    # 1, odd, whole registers of every instruction set and one beside them
    "H": (1, 2, 5, 16, 17, 33, 64, 65, 100, 130, 257, 260),
    "I": (1, 3, 8, 14, 31, 64, 130),
    "T": (1, 2, 3, 7, 20),
    "B": (1, 2, 5, 13, 30),
    "lengths": ("all", "equal", "ragged", "short"),
    "reset": ("none", "some", "every"),
    "reverse": (False, True),
    "initial": ("none", "h", "all"),
    "bias": ("both", "none", "b_xh", "b_hh"),
    "upstream": ("all", "output", "final"),
    "wanted": ("all", "weights", "x", "initial", "kept"),
    "layout": ("plain", "batch_first", "half"),
}  # fmt: skip

WAYS = ("lengths", "reset", "reverse", "initial", "bias", "upstream", "wanted", "layout")
"""The factors that are neither a cell nor a size."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the covering array; `problem` is what it stands for."""

    cell: str
    dtype: Literal["float32", "float64"]
    H: int
    I: int
    T: int
    B: int
    lengths: Literal["all", "equal", "ragged", "short"] = "ragged"
    reset: Literal["none", "some", "every"] = "some"
    reverse: bool = False
    initial: Literal["none", "h", "all"] = "all"
    bias: Literal["both", "none", "b_xh", "b_hh"] = "both"
    upstream: Literal["all", "output", "final"] = "all"
    wanted: Literal["all", "weights", "x", "initial", "kept"] = "all"
    layout: Literal["plain", "batch_first", "half"] = "plain"

    def __str__(self) -> str:
        T, B, I, H, _ = self.size
        told = [f"{way}={getattr(self, way)}" for way in WAYS]
        return "-".join([self.cell, self.dtype, f"T{T}-B{B}-I{I}-H{H}", *told]).replace(" ", ":")

    @property
    def size(self) -> Size:
        """The sizes of the problem."""
        _, _, projection = self.cell.partition(" ")
        return Size(self.T, self.B, self.I, self.H, PROJECTIONS[projection](self.H) if projection else 0)

    def problem(self) -> Problem:
        """The numbers, rounded to the case's dtype and held in it."""
        drawn = draw(self.cell.partition(" ")[0], self.size)
        walk = Walk(self._lengths(), self._reset(), self.reverse)
        params = {name: value for name, value in drawn.params.items() if name not in self._without()}
        initial = {name: value * self.starts_with(name) for name, value in drawn.initial.items()}
        final = {name: value * (self.upstream != "output") for name, value in drawn.final.items()}
        dh_out = drawn.dh_out * (self.upstream != "final")
        changed = dict(params=params, initial=initial, final=final, dh_out=dh_out, walk=walk)
        return dataclasses.replace(drawn, **changed).astype(self.dtype)

    def starts_with(self, state: str) -> bool:
        """Whether that initial state is given, rather than absent."""
        return self.initial == "all" or self.initial == state

    def _without(self) -> set[str]:
        return {"both": set(), "none": {"b_xh", "b_hh"}, "b_xh": {"b_hh"}, "b_hh": {"b_xh"}}[self.bias]

    def _lengths(self) -> Array | None:
        """Lengths in any order; a ragged batch has a whole sequence and from two rows on an empty one."""
        if self.lengths == "all":
            return None
        if self.lengths == "equal":
            return np.full(self.B, self.T)
        longest = self.T if self.lengths == "ragged" else max(1, self.T - 1)
        rng = np.random.default_rng([self.B, self.T])
        lengths = rng.integers(0, longest + 1, size=self.B)
        lengths[rng.permutation(self.B)[:2]] = [longest, 0][: self.B]
        return lengths

    def _reset(self) -> Array | None:
        """Resets ``[T, B]``; among some are the first step of the last row and the last step of the first."""
        if self.reset == "none":
            return None
        rng = np.random.default_rng([self.T, self.B])
        reset = rng.random((self.T, self.B)) < (0.25 if self.reset == "some" else 1)
        reset[0, -1] = reset[-1, 0] = True
        return reset


@functools.cache
def pairwise() -> tuple[Case, ...]:
    """The cases of the battery."""
    return tuple(Case(**row) for row in all_pairs(FACTORS))
