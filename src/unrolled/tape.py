"""The tape: every array of one recurrence over one batch, and the order in which its steps ran.

A forward pass records it, the backward pass reads it and fills in the gradients, and whoever wants to look
inside keeps it. It is plain data: named arrays, whose axes and meanings are on the card (`notation`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from unrolled.errors import NotKeptError, nearest

Array: TypeAlias = NDArray[Any]


class Named(Protocol):
    """What a tape needs to know of the cell that recorded it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def states(self) -> tuple[str, ...]:
        """What it carries from step to step, ``h`` first."""
        ...

    @property
    def gates(self) -> tuple[str, ...]:
        """Its gates, in the order of the tape."""
        ...

    def delay(self, name: str) -> int:
        """How many steps back it reads a state; 0 for what is no state."""
        ...


CellT = TypeVar("CellT", bound=Named, covariant=True)


@dataclasses.dataclass(frozen=True)
class Walk:
    """How time is walked: which steps each sequence has, where its states are cleared, and which way.

    Shapes:
        lengths: ``[B]`` integers, the real steps of each sequence, 0 … T in any order; None means all T.
        reset: ``[T, B]`` bool, true where the states are cleared before the step; None means nowhere.

    Attributes:
        reverse: from each sequence's end to its beginning; step t then reads its later neighbour t + 1.
    """

    lengths: Array | None = None
    reset: Array | None = None
    reverse: bool = False

    def longest(self, T: int) -> int:
        """Steps of the longest of its sequences, out of T."""
        return T if self.lengths is None else int(self.lengths.max(initial=0))


@dataclasses.dataclass(frozen=True)
class Stretch(Walk):
    """A stretch of a longer walk.

    Shapes:
        lengths: ``[B]``, steps of each sequence that lie in the stretch; whole: ``[B]``, in the longer walk,
            in whose order rows are summed; None where that has no lengths.
    """

    whole: Array | None = None


FORWARDS = Walk()
"""All steps of all sequences, first to last."""


class Engine(NamedTuple):
    """Who computes, on how many threads at most (the reference has one), and how much of a run it holds.

    With ``memory="sqrt"``, or an amount of memory in bytes or as ``"200MB"``, a run holds the states at some
    steps alone, and computes the rest again when it goes back. Runs that one amount is for, as the layers and
    directions of a stack, say how many they are in ``share``. Neither threads nor memory change a bit.
    """

    name: Literal["auto", "native", "reference"] = "auto"
    threads: int = 1
    memory: str | int | None = None
    share: int = 1


@dataclasses.dataclass(frozen=True)
class Marks:
    """Where a run begins again when it goes back, in place of a tape of all its steps.

    Attributes:
        steps: of a stretch between two marks.
        states: by name what enters each stretch, in the order they run, ``[B, k*R]`` or ``[B, H]``.
    """

    steps: int
    states: list[dict[str, Array]] = dataclasses.field(default_factory=list[dict[str, Array]])


@dataclasses.dataclass(frozen=True, repr=False)
class Tape(Generic[CellT]):
    """One recurrence as it was computed.

    Every array of `arrays` is also an attribute: ``tape.h``, ``tape.gates``, ``tape.dW_hh``. A tape always
    has ``h`` (the output is a view of it), the initial and the final states (``h_0``, ``h_n``); the rest is
    there if it was kept.

    State arrays have a row more than there are steps: ``h[t]`` enters step t and ``h[t+1]`` leaves it, so
    ``h[0]`` is the initial state. In reverse, ``h[t+1]`` enters step t, ``h[t]`` leaves it, and ``h[T]`` is
    the initial state, with which each sequence starts at its own end. At a reset, the row still is what left
    the step before; what enters is cleared (`entering`). Rows that no step of a sequence wrote are zero, but
    for those initial states. A cell of order k reads the last k of h: there are k initial rows, ``h[t+k]``
    leaves step t, and in reverse the initial states are ``h[T]`` and those behind it.

    Attributes:
        cell: the definition that ran.
        params: its parameters by name, shapes as on the card.
        x: ``[T, B, I]``, the input itself, not a copy.
        walk: lengths, resets and direction.
        engine: who computed it.
        arrays: everything that was computed, by name.
        marks: where the backward pass begins again, of a run in little memory; else None.
    """

    cell: CellT
    params: Mapping[str, Array]
    x: Array
    walk: Walk
    engine: Engine
    arrays: dict[str, Array]
    marks: Marks | None = None

    def __getattr__(self, name: str) -> Array:
        if name.startswith("__") or name == "arrays":  # asked for while copying or unpickling
            raise AttributeError(name)
        if name not in self.arrays:
            kept = f"only {', '.join(self.arrays)}"
            raise NotKeptError(f"Tape: {name}", "be kept to be read", kept, nearest(name, self.arrays))
        return self.arrays[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.arrays]

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {list(value.shape)}" for name, value in self.arrays.items())
        direction = ", reverse" if self.walk.reverse else ""
        return f"Tape({self.cell.name}, {self.engine.name}{direction}: {arrays})"

    @property
    def T(self) -> int:  # noqa: N802
        """Steps."""
        return self.x.shape[0]

    @property
    def B(self) -> int:  # noqa: N802
        """Sequences in the batch."""
        return self.x.shape[1]

    @property
    def output(self) -> Array:
        """What left each step, ``[T, B, R]``: a read-only view of ``h``; zero past a sequence's end."""
        view = self.h[: self.T] if self.walk.reverse else self.h[self.cell.delay("h") :]
        view.flags.writeable = False
        return view

    def gate(self, name: str) -> Array:
        """One activated gate at every step.

        Shapes:
            result: ``[T, B, H]``, a view of ``gates``.

        Raises:
            NotKeptError: the cell has no gate of that name, or the gates were not kept.
        """
        gates = self.cell.gates
        if name not in gates:
            rule = f"be a gate of {self.cell.name}"
            raise NotKeptError("Tape.gate: name", rule, repr(name), nearest(name, gates))
        return self.gates[:, :, gates.index(name)]

    def steps(self) -> Sequence[int]:
        """The steps in the order they ran."""
        return range(self.T)[::-1] if self.walk.reverse else range(self.T)

    def rows(self, t: int) -> Any:
        """Index of the sequences that have a step t, for the batch axis."""
        lengths = self.walk.lengths
        return slice(None) if lengths is None else np.flatnonzero(lengths > t)

    def real(self) -> Array:
        """Which steps are real, as a mask.

        Shapes:
            result: ``[T, B]``, true before a sequence's end.
        """
        lengths = np.full(self.B, self.T) if self.walk.lengths is None else self.walk.lengths
        return np.arange(self.T)[:, None] < lengths

    def cleared(self, state: Array, t: int, rows: Any) -> Array:
        """A state on its way into step t, or its gradient on the way back out: zero where t resets.

        Shapes:
            state: ``[n, ...]``, the rows of the batch that `rows` picks.
        """
        reset = self.walk.reset
        return state if reset is None else np.where(reset[t, rows][:, None], 0, state)

    def entering(self, state: str, t: int, rows: Any = slice(None)) -> Array:
        """What step t was given of a state, resets applied.

        Shapes:
            result: ``[n, k*R]`` for ``h``, ``[n, H]`` for others.
        """
        return self.cleared(self.before(state, t, rows), t, rows)

    def before(self, state: str, t: int, rows: Any = slice(None)) -> Array:
        """The same without step t's own reset; of several, zeros for those that an earlier reset cut off.

        Shapes:
            result: as of `entering`.
        """
        values, count, reset = self.arrays[state], self.cell.delay(state), self.walk.reset
        initial = np.stack(np.split(self.arrays[f"{state}_0"][rows], count, axis=1))
        ends = self.T if self.walk.lengths is None else self.walk.lengths[rows]
        n, way = initial.shape[1], 1 if self.walk.reverse else -1
        ran = np.broadcast_to(ends - 1 - t if self.walk.reverse else t, n)  # steps, up to this one
        passes, newest_first = np.ones(n, dtype=bool), list[Array]()
        for j in range(count):
            step = t + way * (1 + j)
            given = values[step if self.walk.reverse else step + count, rows]
            begun = ran > j  # else an initial state; in reverse each sequence starts at its own end
            if not begun.all():
                own = initial[np.clip(j - ran, 0, count - 1), np.arange(n)]
                given = np.where(begun[:, None], given, own)
            newest_first.append(given if passes.all() else np.where(passes[:, None], given, 0))
            if reset is not None and 0 <= step < self.T:
                passes = passes & ~(reset[step, rows] & begun)
        return np.concatenate(newest_first, axis=1)

    def leaving(self, state: str, t: int) -> Array:
        """What left step t of a state.

        Shapes:
            result: ``[B, R]`` for ``h``, ``[B, H]`` for others; a view of the tape.
        """
        return self.arrays[state][t if self.walk.reverse else t + self.cell.delay(state)]

    def begin(self, state: str, initial: Array) -> None:
        """Writes the initial rows of a state.

        Shapes:
            initial: ``[B, k*R]`` for ``h``, ``[B, H]`` for others.
        """
        count = self.cell.delay(state)
        first = self.T if self.walk.reverse else 0
        self.arrays[state][first : first + count] = as_rows(initial, count, self.walk.reverse)


def as_rows(values: Array, count: int, reverse: bool) -> Array:
    """The last ``count`` values of a state, newest first and side by side, as the rows of a state array.

    Shapes:
        values: ``[B, count*R]``; gives ``[count, B, R]``.
    """
    newest_first = np.stack(np.split(values, count, axis=1))
    return newest_first if reverse else newest_first[::-1]


def side_by_side(rows: Array, reverse: bool) -> Array:
    """The same the other way round.

    Shapes:
        rows: ``[count, B, R]``; gives ``[B, count*R]``.
    """
    return np.concatenate(rows if reverse else rows[::-1], axis=1)
