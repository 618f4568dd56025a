"""A problem: a cell with weights, a batch of sequences and a loss, drawn at random, to examine a cell with.

The loss is linear in what comes out, ``L = Σ dh_out · output + Σ d{state}_n · {state}_n``, so that its
gradients with respect to the outputs are the drawn numbers themselves, and those of everything that went in
are what `unroll.backward` gives. Weights are asymmetric and gates differ, so that no two of them can be mixed
up unnoticed.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from unrolled import unroll
from unrolled.cells import Array, Cell, get
from unrolled.tape import Engine, Tape, Walk


class Size(NamedTuple):
    """How large a problem is; ``P`` = 0 is no projection."""

    T: int = 5
    B: int = 3
    I: int = 4
    H: int = 5
    P: int = 0


@dataclasses.dataclass(frozen=True)
class Problem:
    """What goes in, and the gradients of the loss with respect to what comes out.

    Shapes:
        params: as `Cell.axes`; x: ``[T, B, I]``; initial, final: by state ``[B, k*R]`` or ``[B, H]``; dh_out:
        ``[T, B, R]``.
    """

    cell: Cell
    params: dict[str, Array]
    x: Array
    initial: dict[str, Array]
    walk: Walk
    dh_out: Array
    final: dict[str, Array]

    def forward(self, engine: Engine | str = "reference", keep: tuple[str, ...] | None = None) -> Tape[Cell]:
        """The tape of this problem, without gradients."""
        return unroll.forward(
            self.cell, self.params, self.x, self.initial, walk=self.walk, keep=keep, engine=engine
        )

    def solve(self, engine: Engine | str = "reference") -> Tape[Cell]:
        """The tape with everything on it that can be kept."""
        tape = self.forward(engine, self.cell.recordable("W_hr" in self.params))
        keep = ("dh_out", "dh_carry", "dh", "da", *(f"d{state}" for state in self.cell.states[1:]))
        unroll.backward(tape, self.dh_out, self.final, keep=keep)
        return tape

    def loss(self) -> float:
        """The loss, by the reference."""
        tape = self.forward(keep=())
        parts = [self.dh_out * tape.output]
        parts += [self.final[state] * tape.arrays[f"{state}_n"] for state in self.cell.states]
        return float(sum(part.sum() for part in parts))

    def inputs(self) -> dict[str, Array]:
        """Everything that has a gradient, by its name on the card: parameters, ``x``, ``h_0`` and so on."""
        return {**self.params, "x": self.x, **{f"{state}_0": value for state, value in self.initial.items()}}

    def moved(self, name: str, by: Array) -> Problem:
        """This problem with ``by`` added to one of its `inputs`.

        Shapes:
            by: that of the input.
        """
        value = self.inputs()[name] + by
        if name == "x":
            return dataclasses.replace(self, x=value)
        if name in self.params:
            return dataclasses.replace(self, params={**self.params, name: value})
        return dataclasses.replace(self, initial={**self.initial, name.removesuffix("_0"): value})

    def astype(self, dtype: Any) -> Problem:
        """The same numbers in another dtype, rounded to it."""

        def cast(arrays: dict[str, Array]) -> dict[str, Array]:
            return {name: value.astype(dtype) for name, value in arrays.items()}

        x, dh_out = self.x.astype(dtype), self.dh_out.astype(dtype)
        states = {"initial": cast(self.initial), "final": cast(self.final)}
        return dataclasses.replace(self, params=cast(self.params), x=x, dh_out=dh_out, **states)


def draw(
    cell: Cell | str,
    size: Size = Size(),  # noqa: B008  (immutable)
    seed: int = 0,
    *,
    bias: bool = True,
    ragged: bool = False,
    resets: bool = False,
    reverse: bool = False,
) -> Problem:
    """A problem in float64, the same for the same arguments.

    Weights are normal with standard deviation 1/√(columns), biases and states normal with 1/2. Ragged lengths
    lie in 0 … T, with a 0 and a T among them from B = 2 on; a quarter of the steps reset.

    Example:
        >>> draw("gru", Size(T=2, B=1)).forward().output.shape
        (2, 1, 5)
    """
    cell = get(cell) if isinstance(cell, str) else cell
    rng = np.random.default_rng([seed, *size])
    T, B, H = size.T, size.B, size.H
    letters = {"I": size.I, "H": H, "P": size.P, "R": size.P or H, "G*H": len(cell.gates) * H, "B": B}
    letters["k*R"] = cell.order * letters["R"]

    def normal(axes: tuple[str, ...], scale: float) -> Array:
        return scale * rng.normal(size=tuple(letters[letter] for letter in axes))

    required, optional = cell.parameter_names()
    wanted = [*required, *(name for name in optional if (size.P if name == "W_hr" else bias))]
    params = {
        name: normal(axes := cell.axes(name), 0.5 if len(axes) == 1 else max(1, letters[axes[1]]) ** -0.5)
        for name in wanted
    }
    initial = {state: normal(cell.initial_axes(state), 0.5) for state in cell.states}
    final = {state: normal(cell.initial_axes(state), 1.0) for state in cell.states}
    lengths = None
    if ragged:
        lengths = rng.integers(0, T + 1, size=B)
        lengths[rng.permutation(B)[:2]] = [0, T][:B]
    walk = Walk(lengths, rng.random((T, B)) < 0.25 if resets else None, reverse)
    x, dh_out = rng.normal(size=(T, B, size.I)), rng.normal(size=(T, B, letters["R"]))
    return Problem(cell, params, x, initial, walk, dh_out, final)
