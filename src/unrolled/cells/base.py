"""What a cell is: data, and two pointwise functions for each of its one or two stages.

A step of a cell runs its stages in order. For a stage, `unroll` forms the two halves of the pre-activations

    xw = x W_xhᵀ + b_xh        hw = v[enters] W_hhᵀ + b_hh        each [n, g, H], g gates of this stage

over the n rows (sequences) that have this step, and hands them to the stage's `point`, which works row by
row and element by element. Going back, `point_backward` is the same page read upwards. Products, time,
lengths, resets, direction and recording are not a cell's business.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from unrolled import notation
from unrolled.errors import NonFiniteError, OptionError

Array: TypeAlias = NDArray[Any]

Values: TypeAlias = dict[str, Array]
"""The named values of one step, ``[n, H]`` each: states entering it (``h_prev [n, k*R]``, ``c_prev``) and all
that `point` gave (gates, states leaving it, saved values); and the cell's further parameters."""


class Gradients(NamedTuple):
    """What `point_backward` gives, the gradients of the loss with respect to what `point` worked with.

    Shapes:
        xw, hw: ``[n, g, H]``, the two halves of the pre-activations.
        read: by name, each value that `point` read from ``v``; shapes of those values. `unroll` adds them up.
        whole: by name, a state whose gradient this step completed (the LSTM's c also acts through h), for
            the tape; what is absent was complete already.
    """

    xw: Array
    hw: Array
    read: Values
    whole: Mapping[str, Array] = MappingProxyType({})


Point: TypeAlias = Callable[[Array, Array, Values], Values]
PointBackward: TypeAlias = Callable[[Values, Values], Gradients]
Product: TypeAlias = Literal["dense"]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One recurrent product and the point functions behind it.

    Attributes:
        gates: names of the gates, in the order of the weights' rows.
        point: ``(xw, hw, v) -> given``: gates, states, what else is wanted later; by name, ``[n, H]`` each.
        point_backward: ``(v, d) -> Gradients``, from the gradients ``d`` of what the stage gave.
        enters: name of the value that enters the recurrent product.
        product: how it enters.
    """

    gates: tuple[str, ...]
    point: Point
    point_backward: PointBackward
    enters: str = "h_prev"
    product: Product = "dense"

    def __post_init__(self) -> None:
        if self.product not in get_args(Product):
            rule = f"be one of {', '.join(get_args(Product))}"
            raise OptionError(
                "Stage: product", rule, repr(self.product), "No other way to enter is built yet."
            )


@dataclasses.dataclass(frozen=True)
class Cell:
    """A recurrent cell.

    Attributes:
        name: its name in `CELLS`, in run folders and in the compiled core.
        stages: one or two.
        states: what it carries from step to step; the first, ``h``, is the output.
        saved: further names that `point` gives and `point_backward` reads.
        parameters: further parameters with gradients, name to axes: ``{"w_ci": ("H",)}``.
        projects: whether a projection ``h = W_hr m`` may follow (m is what `point` calls h).
        order: how many of the last h enter a step, newest first, side by side as ``h_prev [n, k*R]``.
        simple: above order 1, the name of the cell of order 1 with the same functions.
        source: where the equations stand.
    """

    name: str
    stages: tuple[Stage, ...]
    source: str
    states: tuple[str, ...] = ("h",)
    saved: tuple[str, ...] = ()
    parameters: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict[str, tuple[str, ...]])
    projects: bool = False
    order: int = 1
    simple: str = ""

    @property
    def gates(self) -> tuple[str, ...]:
        """All gates, in the order of the weights' rows and of the tape."""
        return tuple(gate for stage in self.stages for gate in stage.gates)

    @property
    def functions(self) -> str:
        """Whose functions these are, by name; its compiled version serves every order."""
        return self.simple or self.name

    def kept(self, projected: bool) -> tuple[str, ...]:
        """Names of the arrays the backward pass needs; gates that are states are not kept twice."""
        gates = ("gates",) if set(self.gates) - set(self.states) else ()
        return (*self.states, *gates, *self.saved, *(("m",) if projected else ()))

    def recordable(self, projected: bool) -> tuple[str, ...]:
        """Names of the arrays that a forward pass can keep."""
        return tuple(dict.fromkeys((*self.kept(projected), "gates")))

    def parameter_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The parameters that must be given, and those that may be."""
        projection = ("W_hr",) if self.projects else ()
        return ("W_xh", "W_hh", *self.parameters), ("b_xh", "b_hh", *projection)

    def delay(self, name: str) -> int:
        """How many steps back a state is read; of so many rows it has more than there are steps.

        That is 0 for an array that is no state.
        """
        return (self.order if name == "h" else 1) if name in self.states else 0

    def axes(self, name: str) -> tuple[str, ...]:
        """The axes of one of its parameters, states or kept arrays, in the letters of the notation card."""
        if name in self.parameters:
            return self.parameters[name]
        if name in self.states[1:]:
            return ("T+1", "B", "H")
        if name in self.saved:
            return ("T", "B", "H")
        plain = {"k*R": "R", "T+k": "T+1"} if self.order == 1 else {}
        return tuple(plain.get(letter, letter) for letter in notation.axes(name))

    def initial_axes(self, state: str) -> tuple[str, ...]:
        """The axes of a state's initial and final values."""
        return self.axes("h_0") if state == "h" else self.axes(state)[1:]

    def by_stage(self, params: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
        """Views of ``W_xh W_hh b_xh b_hh`` (or of their gradients), one dictionary a stage of g gates.

        Shapes:
            W_xh: ``[g*H, I]``; W_hh: ``[g*H, k*R]``; b_xh, b_hh: ``[g*H]``, where present.
        """
        H = params["W_hh"].shape[0] // len(self.gates)
        first = 0
        for stage in self.stages:
            rows = slice(first * H, (first + len(stage.gates)) * H)
            yield {name: params[name][rows] for name in ("W_xh", "W_hh", "b_xh", "b_hh") if name in params}
            first += len(stage.gates)


def sigmoid(a: Array) -> Array:
    """The logistic function 1 / (1 + e⁻ᵃ), exact to rounding in both tails.

    Shapes:
        a: any; the result has its shape and dtype.

    Example:
        >>> sigmoid(np.array([0.0, np.log(3.0), -800.0]))
        array([0.5 , 0.75, 0.  ])
    """
    e = np.exp(-np.abs(a))  # in (0, 1]: never overflows
    return np.where(a >= 0, 1, e) / (1 + e)


def by_gate(a: Array) -> tuple[Array, ...]:
    """The gates of ``a [n, g, H]`` apart: g views ``[n, H]``."""
    return tuple(a[:, k] for k in range(a.shape[1]))


def check_finite(params: Mapping[str, Array], where: str = "check_finite") -> None:
    """Looks for NaN and infinity in a set of weights.

    Shapes:
        params: any.

    Raises:
        NonFiniteError: naming the first array that has one, how many, and where the first is.
    """
    for name, value in params.items():
        bad = np.argwhere(~np.isfinite(value))
        if len(bad):
            place = ", ".join(map(str, bad[0]))
            got = f"{len(bad)} of {value.size} that are not, the first at [{place}]"
            fix = "Load an earlier checkpoint, or look for the step whose gradient overflowed."
            raise NonFiniteError(f"{where}: {name}", "be finite", got, fix)
