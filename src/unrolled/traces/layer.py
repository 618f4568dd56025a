"""One layer of a trace in one direction: its arrays by name, and what can be had from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, final

import numpy as np

from unrolled import cells, unroll
from unrolled.cells import Array, Cell
from unrolled.errors import NotKeptError, OptionError, nearest
from unrolled.tape import Engine, Tape, Walk, side_by_side
from unrolled.traces import through_time
from unrolled.traces.parts import Parts

WEIGHTS = ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr")


@final
class LayerTrace:
    """One call of a layer in one direction. `Trace.layers` makes it.

    Its arrays are attributes: ``layer.h``, ``layer.da``, ``layer.W_hh``.

    Attributes:
        name: as in the arrays' names, ``l0`` or ``l1.reverse``.
        module: path of the module it is a layer of, empty for the model itself.
        number: which layer of that module, from 0; `call`: which call of that module, from 0.
        cell: the cell's definition.
        reverse: whether it runs from the end to the beginning.
    """

    def __init__(
        self,
        about: Mapping[str, Any],
        arrays: Mapping[str, Array],
        facts: Mapping[str, Any],
        lacking: Callable[[str], NotKeptError],
    ) -> None:
        self.name: str = about["name"]
        self.module: str = about["module"]
        self.number: int = about["number"]
        self.call: int = about["call"]
        self.cell: Cell = cells.get(about["cell"])
        self.reverse: bool = about["direction"] == "reverse"
        self.direction: str = about["direction"]
        self.T, self.B, self.I, self.H = (int(about[axis]) for axis in ("T", "B", "I", "H"))
        self.first_step: int = about["first_step"]
        self.whole_T: int = about["whole_T"]
        self._lacking, self._whole = lacking, facts["keep"]["units"] is None
        prefix = f"{self.name}/"
        self.arrays = {
            name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)
        }

    def __getattr__(self, name: str) -> Array:
        if name.startswith("__") or name in ("arrays", "_lacking"):  # asked for while copying or unpickling
            raise AttributeError(name)
        own = vars(type(self)).get(name)
        if own is not None:  # a property of ours that lacks an array, which is no lack of the property
            return own.__get__(self, type(self))
        if name == "gates" and name not in self.arrays and set(self.cell.gates) <= set(self.cell.states):
            return self.output[:, :, None]  # the one gate is the state
        if name not in self.arrays:
            raise self._lacking(f"{self.name}/{name}")
        return self.arrays[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.arrays]

    def __repr__(self) -> str:
        return f"LayerTrace({self})"

    def __str__(self) -> str:
        return f"{self.name} {self.cell.name} T={self.T} B={self.B} I={self.I} H={self.H}"

    @cached_property
    def not_finite(self) -> tuple[str, ...]:
        """The names of its arrays that have NaN or infinity."""
        return tuple(name for name, array in self.arrays.items() if not np.isfinite(array).all())

    # ------------------------------------------------------------------------------------------ forward

    @property
    def output(self) -> Array:
        """What left each step, ``[T, B, R]``: a view of ``h``."""
        return self.h[: self.T] if self.reverse else self.h[self.cell.order :]

    def gate(self, name: str) -> Array:
        """One activated gate at every step.

        Shapes:
            result: ``[T, B, H]``, a view of ``gates``.

        Raises:
            OptionError: the cell has no gate of that name.
            NotKeptError: the gates were not kept.
        """
        gates = self.cell.gates
        if name not in gates:
            rule = f"be a gate of {self.cell.name}"
            raise OptionError("LayerTrace.gate: name", rule, repr(name), nearest(name, gates))
        return self.gates[:, :, gates.index(name)]

    def preactivations(self) -> tuple[Array, Array]:
        """Both halves of the pre-activations, recomputed: ``x W_xhᵀ + b_xh`` and ``h W_hhᵀ + b_hh``.

        Shapes:
            result: xw and hw, ``[T, B, G, H]`` each; zero past a sequence's end.

        Raises:
            NotKeptError: what they follow from was not kept.
        """
        return unroll.preactivations(self.tape)

    @cached_property
    def tape(self) -> Tape[Cell]:
        """The same as `unroll` knows it; on one with its gradients kept, `unroll.backward` runs again.

        Raises:
            NotKeptError: some of what ran was not kept.
        """
        if not self._whole:
            fix = "Trace again with all units: keep=Keep(…, units=None)."
            raise NotKeptError(f"Trace: {self.name}", "be kept whole for that", "some of its units", fix)
        params = {name: self.arrays[name] for name in WEIGHTS if name in self.arrays}
        for name in ("x", "W_xh", "W_hh", "h_0", *self.cell.kept("W_hr" in params)):
            getattr(self, name)
        lengths, reset = self.arrays.get("lengths"), self.arrays.get("reset")
        if lengths is not None:
            lengths = np.clip(lengths - self.first_step, 0, self.T)
        arrays = {name: value for name, value in self.arrays.items() if name not in params and name != "x"}
        arrays |= {f"{state}_0": self._initial(state, lengths) for state in self.cell.states}
        walk = Walk(lengths, None if reset is None else reset.astype(bool), self.reverse)
        return Tape(self.cell, params, self.x, walk, Engine("auto"), arrays)

    def _initial(self, state: str, lengths: Array | None) -> Array:
        """What the steps that were kept began with, ``[B, k*R]`` for ``h``."""
        first, count = self.T if self.reverse else 0, self.cell.delay(state)
        rows = side_by_side(self.arrays[state][first : first + count], self.reverse)
        if not self.reverse or lengths is None:
            return rows
        return np.where((lengths == self.T)[:, None], rows, self.arrays[f"{state}_0"])

    # ----------------------------------------------------------------------------------------- backward

    @cached_property
    def parts(self) -> dict[str, Parts]:
        """Each step's part in the gradient of every weight, factored, by the weight's name.

        Raises:
            NotKeptError: ``dh``, ``da`` or what ran was not kept.
        """
        tape = self.tape
        for name in ("da", *(f"d{state}" for state in self.cell.states)):
            getattr(self, name)
        stages = unroll.factors(tape)
        parts = {
            "W_xh": Parts("W_xh", tuple((of.dxw, of.x) for of in stages)),
            "W_hh": Parts("W_hh", tuple((of.dhw, of.entering) for of in stages)),
            "b_xh": Parts("b_xh", tuple((of.dxw, None) for of in stages)),
            "b_hh": Parts("b_hh", tuple((of.dhw, None) for of in stages)),
        }
        if "W_hr" in tape.params:
            parts["W_hr"] = Parts("W_hr", ((self.dh, self.m),))
        return {name: part for name, part in parts.items() if name in tape.params}

    def part(self, weight: str, t: int, b: int | None = None) -> Array:
        """Step t's part in a weight's gradient, dense; of sequence b, or of all together.

        Shapes:
            result: that of the weight.

        Raises:
            OptionError: the layer has no such weight.
            NotKeptError: see `parts`.
        """
        parts = self.parts
        if weight not in parts:
            raise OptionError(
                "LayerTrace.part: weight", f"be a weight of {self.name}", repr(weight), nearest(weight, parts)
            )
        return parts[weight].dense(t, b)

    def attribution(self) -> Array:
        """How much each step's input had to do with the loss: gradient times input, summed over features.

        Maths: ``Σ_i dx[t, b, i] x[t, b, i]``

        Shapes:
            result: ``[T, B]``.

        Raises:
            NotKeptError: ``x`` or ``dx`` was not kept.
        """
        return np.einsum("tbi,tbi->tb", self.dx, self.x)

    # ------------------------------------------------------------------------------------- through time

    def step_norms(self, b: int = 0) -> Array:
        """The spectral norm of ``ds_t / ds_{t-1}``, s = (h, c) the full state, of every step of a sequence.

        Of a cell of order k, s_t is all of h_t … h_{t-k+1}. With k > 1 a step hands k - 1 of them on as they
        are, so that its norm is at least 1, but for a reset.

        Shapes:
            result: ``[n]``, the sequence's real steps in the order of time.

        Cost: n decompositions of ``[2H, 2H]`` for an LSTM, ``[k*H, k*H]`` for others.
        """
        norms = through_time.step_norms(self._sequence(b))
        return norms[::-1] if self.reverse else norms

    def product_norm(self, from_: int, to: int, b: int = 0) -> float:
        """The spectral norm of the true product ``ds_to / ds_from`` over a distance.

        ``s_t`` leaves step t; step ``from_`` runs before step ``to``. Beside it, `bound` is the product of
        the steps' norms.

        Raises:
            OptionError: steps that the sequence has not, or in the wrong order.
        """
        return through_time.product_norm(self._sequence(b), *self._between(from_, to, b))

    def bound(self, from_: int, to: int, b: int = 0) -> float:
        """The product of the step norms from ``from_`` to ``to``: what `product_norm` cannot exceed.

        Raises:
            OptionError: as `product_norm`.
        """
        first, last = self._between(from_, to, b)
        stretch = through_time.between(self._sequence(b), first + 1, last + 1)
        return float(np.prod(through_time.step_norms(stretch)))

    @cached_property
    def is_read_on_the_way(self) -> bool:
        """Whether the model has one loss that enters at other steps than the last: no distance is its own."""
        dh_out, last = self.arrays.get("dh_out"), 0 if self.reverse else self.T - 1
        if dh_out is None or len(self.arrays.get("G", dh_out)) > 1:
            return False
        return bool(np.delete(dh_out, last, axis=0).any())

    @property
    def own_losses(self) -> Array | None:
        """The itemised matrix between the steps that were kept and their own losses.

        None where it was not kept, or its losses are at no distance from the layer's states: as those of a
        decoder are to its encoder, and one loss of many steps.

        Shapes:
            result: ``[T, T]``; ``[1, T]`` of a loss at the end.
        """
        G = self.arrays.get("G")
        if G is None or len(G) not in (1, self.whole_T) or self.is_read_on_the_way:
            return None
        return G if len(G) == 1 else G[self.first_step : self.first_step + self.T]

    def signal(self) -> Array:
        """How much of a gradient is left by distance: 1 at distance 0.

        From the itemised matrix, as far as `own_losses` has it, as the median over loss steps of
        ``G[s, t] / G[s, s]``; else from the true products of Jacobians that end at the last step of
        sequence 0.

        Shapes:
            result: ``[T]``, by how many steps lie between; NaN at distances that no loss step has.

        Raises:
            NotKeptError: neither was kept, nor what the Jacobians follow from.
        """
        if self.own_losses is not None:
            return through_time.signal(self.own_losses, self.reverse)
        return through_time.product_norms(self._sequence(0))

    @cached_property
    def half_life(self) -> float:
        """Steps after which half of the `signal` is left; infinite where that is never seen."""
        return through_time.falls_below(self.signal(), 0.5)

    @cached_property
    def reach(self) -> float:
        """Steps after which less than 1 % of the `signal` is left; infinite where that is never seen."""
        return through_time.falls_below(self.signal(), 0.01)

    def _between(self, from_: int, to: int, b: int) -> tuple[int, int]:
        """Two steps as places in the order in which the sequence ran."""
        steps = self._sequence(b).T
        first, last = (steps - 1 - from_, steps - 1 - to) if self.reverse else (from_, to)
        if not 0 <= first <= last < steps:
            rule = f"be steps of a sequence of {steps}, in the order they ran"
            got = f"from {from_} to {to}"
            raise OptionError(f"LayerTrace {self.name}: the distance", rule, got, "Exchange or clip them.")
        return first, last

    def _sequence(self, b: int) -> Tape[Cell]:
        """One sequence in the order it ran, without padding."""
        return through_time.alone(self.tape, b)
