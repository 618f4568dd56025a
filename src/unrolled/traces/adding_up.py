"""Whether a trace adds up: what was recorded beside what follows from it, and parts beside their wholes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled import unroll
from unrolled.cells import Array, Cell
from unrolled.errors import NotKeptError
from unrolled.tape import Tape
from unrolled.unroll import inside

if TYPE_CHECKING:
    from unrolled.traces.layer import LayerTrace

LIMITS = {"float32": 1e-6, "float64": 1e-12}
"""How far two that should be the same may lie apart, in units of the largest number of the array."""

BETWEEN = {"float32": 1e-5, "float64": 1e-12}
"""The same for NumPy's run beside one by torch, as an unrecorded one is without the compiled core.

Two programs that sum up in different orders do not agree to 1e-6 in float32: at 100 to 300 steps of 64 to 128
units, gradients of fresh networks lay 1.8e-6 apart, of one with weights three times as large 8.3e-6."""


ROUNDING = 100
"""Beyond its limit by up to this factor, a float32 trace may only have rounded: sums of products up to some
hundreds, as trained weights have, do by as much. A float64 trace of the same network settles it."""


@dataclass(frozen=True)
class Sum:
    """One thing that was looked at.

    Attributes:
        apart: None where something it needs was not kept; not finite where there is NaN or infinity in it.
    """

    where: str
    what: str
    apart: float | None
    limit: float
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether it adds up within its limit, or could not be looked at. NaN and infinity never add up."""
        return self.apart is None or self.apart <= self.limit

    @property
    def rounded(self) -> bool:
        """Whether it lies beyond the limit no further than float32's rounding may bring it."""
        is_single = self.limit >= LIMITS["float32"]
        return not self.ok and is_single and (self.apart or 0) <= ROUNDING * self.limit

    def __str__(self) -> str:
        if self.apart is None:
            return f"not checked: {self.where}: {self.what}: {self.reason}"
        verdict = "adds up" if self.ok else "UNSETTLED" if self.rounded else "DOES NOT ADD UP"
        about = f"{verdict}: {self.where}: {self.what}"
        if not isfinite(self.apart):
            return f"{about}, for there is NaN or infinity"
        apart = "exactly" if self.apart == 0 else f"to {self.apart:.1e}"
        more = "" if self.ok else f", more than {self.limit:.0e}"
        doubt = ": float32's rounding or a mistake; float64 settles it" if self.rounded else ""
        return f"{about}, {apart}{more}{doubt}"


@dataclass(frozen=True)
class Checked:
    """What `Trace.check` found; prints as a sentence for each sum."""

    sums: tuple[Sum, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that could be looked at adds up."""
        return all(found.ok for found in self.sums)

    def __str__(self) -> str:
        return "\n".join(map(str, self.sums)) or "nothing to check: the trace has no layer"


def check(layers: Sequence[LayerTrace], facts: Mapping[str, Any], dtype: str) -> Checked:
    """Looks at every layer, then at what was compared while it ran; ``dtype`` is that of all floats."""
    sums = [found for layer in layers for found in _layer(layer, LIMITS[dtype])]
    limits = LIMITS if facts["versions"].get("compiled_core") else BETWEEN
    for what, found in facts.get("compared", {}).items():
        sums.append(Sum("model", what, nan if found is None else found, limits[dtype]))
    return Checked(tuple(sums))


def _layer(layer: LayerTrace, limit: float) -> Iterator[Sum]:
    """The sums of one layer."""
    for what, compare in _COMPARISONS.items():
        try:
            with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are said, not warned of
                apart = compare(layer)
        except NotKeptError as error:
            yield Sum(layer.name, what, None, 0, str(error))
        else:
            if apart is not None:
                yield Sum(layer.name, what, apart, limit)


def _functions(layer: LayerTrace) -> float:
    """The cell's functions over both recomputed halves, in float64, beside what was recorded."""
    tape = _wide(layer.tape)
    xw, hw = (half.reshape(-1, *half.shape[2:]) for half in unroll.preactivations(tape))
    v, real, first = inside.values(tape), tape.real().reshape(-1), 0
    found: list[float] = []
    projected = "W_hr" in tape.params
    for stage in tape.cell.stages:
        gates = slice(first, first + len(stage.gates))
        given = stage.point(xw[:, gates], hw[:, gates], v)
        if projected:
            given["m"] = given.pop("h")
            given["h"] = given["m"] @ tape.params["W_hr"].T
        found += [apart(v[name][real], given[name][real]) for name in given.keys() & v.keys()]
        first += len(stage.gates)
    return largest(found)


def _carry(layer: LayerTrace) -> float:
    """The gradient of h beside the sum of what it is of."""
    return apart(layer.dh, layer.dh_out.astype(np.float64) + layer.dh_carry)


def _parts(layer: LayerTrace) -> float | None:
    """The sum of all steps' parts in every weight's gradient beside that gradient; None in a window."""
    if layer.whole_T > layer.T:
        return None
    wholes = {name: getattr(layer, f"d{name}") for name in layer.parts}
    return largest(apart(wholes[name], part.dense().astype(np.float64)) for name, part in layer.parts.items())


_COMPARISONS = {
    "the cell's functions over both halves give the gates and states": _functions,
    "dh is dh_out + dh_carry": _carry,
    "the parts of all steps give the gradient of every weight": _parts,
}


def apart(recorded: Array, other: Array) -> float:
    """The largest difference of two arrays in units of the largest number of the first.

    Not finite where a number of either is not.

    Shapes:
        any, the same.
    """
    scale = float(np.abs(recorded).max(initial=0))
    with np.errstate(invalid="ignore", over="ignore"):
        most = float(np.abs(recorded - other).max(initial=0))
    return most / scale if scale else most


def largest(found: Iterable[float]) -> float:
    """The largest of some that are at least 0; NaN where one is NaN, which `max` passes over.

    Example:
        >>> largest([1.0, float("nan")]), max(1.0, float("nan"))
        (nan, 1.0)
    """
    return float(np.max([0.0, *found]))


def _wide(tape: Tape[Cell]) -> Tape[Cell]:
    """The same recorded numbers, to be calculated with in float64."""
    params, arrays = (
        {name: value.astype(np.float64) for name, value in given.items() if value.dtype.kind == "f"}
        for given in (tape.params, tape.arrays)
    )
    return dataclasses.replace(tape, params=params, x=tape.x.astype(np.float64), arrays=arrays)
