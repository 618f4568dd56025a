"""What a trace keeps: which arrays, which steps, which units; nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unrolled.cells import Array
from unrolled.errors import OptionError, nearest

GROUPS: dict[str, tuple[str, ...]] = {
    "states": ("h", "c"),
    "saved": ("hw_n", "rh", "m"),
    "weights": ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr"),
    "dweights": ("dW_xh", "dW_hh", "db_xh", "db_hh", "dW_hr"),
    "forward": (
        "x", "h", "c", "gates", "hw_n", "rh", "m", "W_xh", "W_hh", "b_xh", "b_hh", "W_hr", "y", "p", "loss_t",
    ),
    "backward": (
        "dh_out", "dh_carry", "dh", "dc", "da", "dx", "dW_xh", "dW_hh", "db_xh", "db_hh", "dW_hr", "dy",
    ),
    "itemised": ("G",),
}  # fmt: skip
"""Names that stand for several arrays."""

ARRAYS = tuple(dict.fromkeys(name for group in GROUPS.values() for name in group))
"""Everything that can be kept, by the names of the notation card."""

UNITS = frozenset(("h", "c", "gates", "hw_n", "rh", "m", "dh_out", "dh_carry", "dh", "dc", "da"))
"""The arrays whose last axis is hidden units."""


@dataclass(frozen=True)
class Keep:
    """What to keep of a run.

    Args:
        arrays: names of arrays (``h``, ``gates``, ``dh``, ``W_hh``, ``G``, …) or of groups: ``forward``,
            ``backward``, ``itemised``, ``states``, ``saved``, ``weights``, ``dweights``.
        steps: of all arrays with a time axis, only these, a stretch without gaps; None: all.
        units: of hidden units, only these; None: all. What needs every unit, halves and parts, then cannot be
            had.

    Raises:
        OptionError: a name that is not there, steps with gaps, units that are no whole numbers.

    Example:
        >>> Keep(("states", "dh"), steps=slice(100, 200)).names
        ('h', 'c', 'dh')
    """

    arrays: str | Iterable[str] = ("forward", "backward")
    steps: slice | range | None = None
    units: Sequence[int] | None = None

    def __post_init__(self) -> None:
        given = (self.arrays,) if isinstance(self.arrays, str) else tuple(self.arrays)
        for name in given:
            if name not in GROUPS and name not in ARRAYS:
                fix = nearest(str(name), (*GROUPS, *ARRAYS))
                raise OptionError("trace: keep", "name arrays or groups of them", repr(name), fix)
        object.__setattr__(self, "arrays", given)
        steps = self.steps
        if steps is not None and (
            not isinstance(steps, slice | range) or (steps.step or 1) != 1 or _negative(steps)
        ):
            fix = "Give e.g. steps=range(100, 200)."
            raise OptionError("trace: keep.steps", "be a stretch of steps without gaps", repr(steps), fix)
        units = self.units
        if units is not None and not all(isinstance(k, int | np.integer) and k >= 0 for k in units):
            raise OptionError(
                "trace: keep.units", "be whole numbers from 0", repr(units), "Give e.g. [3, 17]."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays that are meant, each once."""
        meant = (name for given in self.arrays for name in GROUPS.get(given, (given,)))
        return tuple(dict.fromkeys(meant))

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @property
    def is_part(self) -> bool:
        """Whether a run need not hold its whole tape: only some steps are kept, and no pieces go back."""
        return self.steps is not None and "G" not in self

    def stretch(self, T: int) -> tuple[int, int]:
        """The first of the steps to keep out of T, and the one behind the last.

        Raises:
            OptionError: it has none of them.
        """
        if self.steps is None:
            return 0, T
        first, end, _ = slice(self.steps.start, self.steps.stop).indices(T)
        if first >= end:
            rule, got = f"be steps of {T}", repr(self.steps)
            raise OptionError("trace: keep.steps", rule, got, "Give steps that the input has.")
        return first, end

    def of_units(self, name: str, value: Array) -> Array:
        """The units to keep of an array.

        Shapes:
            value: ``[..., H]``.

        Raises:
            OptionError: it has fewer units.
        """
        if self.units is None or name not in UNITS:
            return value
        units = [int(k) for k in self.units]
        if max(units, default=0) >= value.shape[-1]:
            rule = f"be units from 0 to {value.shape[-1] - 1}"
            raise OptionError("trace: keep.units", rule, repr(units), "The layer has no more.")
        return value[..., units]

    def facts(self) -> dict[str, Any]:
        """It as facts of a trace."""
        steps = None if self.steps is None else [self.steps.start, self.steps.stop]
        return {
            "arrays": list(self.names),
            "steps": steps,
            "units": None if self.units is None else [int(k) for k in self.units],
        }


def read(keep: Keep | str | Iterable[str]) -> Keep:
    """A `Keep`, or the arrays that one is to have.

    Raises:
        OptionError: see `Keep`.
    """
    return keep if isinstance(keep, Keep) else Keep(keep)


def _negative(steps: slice | range) -> bool:
    return any(at is not None and at < 0 for at in (steps.start, steps.stop))
