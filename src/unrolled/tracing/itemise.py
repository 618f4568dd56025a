"""The itemised matrix: what the loss of each single step sends back to each state.

The gradient of the loss with respect to the model's output is cut into one piece a step, and all pieces go
back side by side. Over the tape of a sequence the kernels take them together, each as a row of its own that
begins at the last step it has anything at: the triangle below the diagonal is all that is computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from unrolled import unroll
from unrolled.cells import Array, Cell
from unrolled.errors import note
from unrolled.tape import Tape, Walk

AT_ONCE = 2**24
"""Numbers of the pieces that go back side by side."""


class Items:
    """What the pieces did to the states of one layer in one direction.

    Attributes:
        rows: which loss steps go back now; None while none do.
    """

    def __init__(self) -> None:
        self.rows: slice | None = None
        self._squares: Array | None = None
        self._total: Array | None = None

    def begin(self, tape: Tape[Cell], S: int) -> None:
        """Gets ready for S pieces."""
        self._squares = np.zeros((S, tape.T))
        self._total = np.zeros((tape.T, tape.B, tape.h.shape[2]))

    @property
    def begun(self) -> bool:
        """Whether there is a matrix."""
        return self._squares is not None

    @property
    def G(self) -> Array:  # noqa: N802
        """``|dL_s / dh_t|``, h_t the state that leaves step t, of all sequences together.

        Shapes:
            ``[S, T]``.
        """
        assert self._squares is not None
        return np.sqrt(self._squares)

    @property
    def total(self) -> Array:
        """The sum of all pieces at every state, which is its gradient.

        Shapes:
            ``[T, B, R]``.
        """
        assert self._total is not None
        return self._total

    def back(
        self, tape: Tape[Cell], dh_out: Array | None, final: Sequence[Array | None], needs_x: bool
    ) -> list[Array | None]:
        """Sends n pieces back over a tape; gives dx, None unless needed, and the initial states' gradients.

        Shapes:
            dh_out: ``[n, T, B, R]``; final: ``[n, B, R]`` each; gives ``[n, T, B, I]``, ``[n, B, R]`` each.
        """
        assert self.rows is not None
        assert self._squares is not None
        assert self._total is not None
        states = tape.cell.states
        n = next(len(d) for d in (dh_out, *final) if d is not None)
        without = [f"d{name}" for name in (*tape.params, *([] if needs_x else ["x"]))]
        dx = np.zeros((n, *tape.x.shape), tape.x.dtype) if needs_x else None
        initial = [np.zeros((n, *tape.arrays[f"{s}_0"].shape), tape.x.dtype) for s in states]
        for b in range(tape.B):
            ends = {
                s: np.ascontiguousarray(d[:, b]) for s, d in zip(states, final, strict=False) if d is not None
            }
            pieces = None if dh_out is None else np.ascontiguousarray(dh_out[:, :, b].swapaxes(0, 1))
            one = _alone(tape, b, None if ends else pieces)
            unroll.backward(one, pieces, ends, keep=("dh",), without=without)
            dh = one.dh
            self._squares[self.rows] += np.einsum("tnr,tnr->nt", dh, dh, dtype=np.float64)
            self._total[:, b] += dh.sum(axis=1, dtype=np.float64)
            for of_all, s in zip(initial, states, strict=True):
                of_all[:, b] = one.arrays[f"d{s}_0"]
            if dx is not None:
                dx[:, :, b] = one.dx.swapaxes(0, 1)
        return [dx, *initial]


@dataclasses.dataclass(frozen=True)
class Ends:
    """Where gradients go in: what the loss reads, and which step each number of it belongs to.

    Shapes:
        outputs, gradients: any, each the same; step_of: of the first output, as far as it broadcasts, or None
        where all of it is one step. Further outputs belong to the last step.
    """

    outputs: Sequence[Tensor]
    gradients: Sequence[Tensor]
    step_of: Tensor | None

    @property
    def steps(self) -> int:
        """How many pieces there are."""
        return 1 if self.step_of is None else int(self.step_of.max()) + 1

    def pieces(self, first: int, end: int) -> list[Tensor]:
        """The gradients of the loss of steps first … end - 1, each by itself.

        Shapes:
            gives for each output ``[end - first, …]``.
        """
        steps = torch.arange(first, end)
        is_last = steps == self.steps - 1
        masks = [is_last.view(-1, *[1] * d.dim()) for d in self.gradients]
        if self.step_of is not None:
            masks[0] = steps.view(-1, *[1] * self.step_of.dim()) == self.step_of
        return [d * mask for d, mask in zip(self.gradients, masks, strict=True)]


def itemise(items: Sequence[tuple[Items, Tape[Cell]]], anchor: Tensor, ends: Ends) -> None:
    """Fills in the `Items` of every recorded layer; their nodes hang on ``anchor``.

    Shapes:
        anchor: ``[]``.
    """
    for of_layer, tape in items:
        of_layer.begin(tape, ends.steps)
    if not ends.outputs:
        return
    largest = max(ends.outputs[0].numel(), *(tape.h.size for _, tape in items))
    try:
        _send(items, anchor, ends, max(1, AT_ONCE // largest))
    except RuntimeError as error:  # an operation of the model has no rule for many at once
        note(f"the itemised matrix is computed step by step, because: {error}")
        for of_layer, tape in items:
            of_layer.begin(tape, ends.steps)
        _send(items, anchor, ends, 0)


def _send(items: Sequence[tuple[Items, Tape[Cell]]], anchor: Tensor, ends: Ends, at_once: int) -> None:
    """Sends all pieces back, so many at once, or with 0 one after the other."""

    def send(pieces: tuple[Tensor, ...]) -> Tensor:
        torch.autograd.grad(ends.outputs, anchor, pieces, retain_graph=True, allow_unused=True)
        return torch.zeros(())

    for first in range(0, ends.steps, at_once or 1):
        end = min(first + (at_once or 1), ends.steps)
        pieces = ends.pieces(first, end)
        for of_layer, _ in items:
            of_layer.rows = slice(first, end)
        if at_once:
            torch.func.vmap(send)(tuple(pieces))
        else:
            send(tuple(piece[0] for piece in pieces))
    for of_layer, _ in items:
        of_layer.rows = None


def _alone(tape: Tape[Cell], b: int, pieces: Array | None) -> Tape[Cell]:
    """Sequence b of a tape; with a length for each of ``pieces``: no step behind the last that it has is run.

    Shapes:
        pieces: ``[T, n, R]``, or None where the final states have a gradient too.
    """
    needed = tape.cell.kept("W_hr" in tape.params)
    arrays = {name: np.ascontiguousarray(tape.arrays[name][:, b : b + 1]) for name in needed}
    arrays |= {f"{s}_0": tape.arrays[f"{s}_0"][b : b + 1] for s in tape.cell.states}
    lengths, reset = tape.walk.lengths, tape.walk.reset
    lengths = None if lengths is None else lengths[b : b + 1]
    if pieces is not None and not tape.walk.reverse:
        there: Array = np.any(pieces, axis=2)
        last = np.where(there.any(axis=0), tape.T - there[::-1].argmax(axis=0), 0)
        lengths = last if lengths is None else np.minimum(last, lengths)
    reset = None if reset is None else np.ascontiguousarray(reset[:, b : b + 1])
    x = np.ascontiguousarray(tape.x[:, b : b + 1])
    return dataclasses.replace(tape, x=x, walk=Walk(lengths, reset, tape.walk.reverse), arrays=arrays)
