"""The itemised matrix: what the loss of each single step sends back to each state.

The gradient of the loss with respect to the model's output is cut into one piece a step, and all pieces go
back side by side. Over the tape of a sequence the kernels take some of them together, as rows of a batch, and
begin at the last step that one of them has anything at: little more than the triangle is computed.
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

AT_ONCE, AT_MOST = 2**20, 2**24
"""Numbers of an array that go back side by side: near the processor, or those of 32 pieces, if fewer."""

BLOCK = 16
"""Steps that are looked at together for whether they have anything."""


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
            dh_out: ``[n, T, B, R]``; final: ``[n, B, k*R]`` each; gives ``[n, T, B, I]``, and as final.
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
            pieces = None if dh_out is None else dh_out[:, :, b].swapaxes(0, 1)
            steps = tape.T
            if pieces is not None and not ends and not tape.walk.reverse:
                steps = _end(pieces)  # behind it, nothing goes back
                pieces = pieces[:steps]
            one = _alone(tape, b, steps)
            unroll.backward(one, pieces, ends, keep=("dh",), without=without)
            self._squares[self.rows, : one.T] += np.einsum("tnr,tnr->nt", one.dh, one.dh)
            self._total[: one.T, b] += np.matmul(np.ones(n, one.dh.dtype), one.dh)
            for of_all, s in zip(initial, states, strict=True):
                of_all[:, b] = one.arrays[f"d{s}_0"]
            if dx is not None:
                dx[:, : one.T, b] = one.dx.swapaxes(0, 1)
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

    def pieces(self, first: int, end: int) -> tuple[Tensor, ...]:
        """The gradients of the loss of steps first … end - 1, each by itself.

        Shapes:
            gives for each output ``[…, end - first]``; in memory, the pieces stand behind the first axis.
        """
        found: list[Tensor] = []
        for k, d in enumerate(self.gradients):
            behind = min(1, d.dim())  # so that the pieces of a step lie side by side
            steps = torch.arange(first, end).view(-1, *[1] * (d.dim() - behind))
            own = steps == self.steps - 1
            if k == 0 and self.step_of is not None:
                own = self.step_of.unsqueeze(behind) == steps
            found.append((d.unsqueeze(behind) * own).movedim(behind, -1))
        return tuple(found)


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
        _send(items, anchor, ends, max(1, AT_ONCE // largest, min(32, AT_MOST // largest)))
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
            torch.func.vmap(send, in_dims=-1)(pieces)
        else:
            send(tuple(piece[..., 0] for piece in pieces))
    for of_layer, _ in items:
        of_layer.rows = None


def _alone(tape: Tape[Cell], b: int, T: int) -> Tape[Cell]:
    """The first T steps of sequence b of a tape.

    Shapes:
        gives one of batch 1.
    """

    def row(array: Array, steps: int) -> Array:
        return np.ascontiguousarray(array[:steps, b : b + 1])

    lengths, reset = tape.walk.lengths, tape.walk.reset
    lengths = None if lengths is None else np.minimum(lengths[b : b + 1], T)
    walk = Walk(lengths, None if reset is None else row(reset, T), tape.walk.reverse)
    needed = tape.cell.kept("W_hr" in tape.params)
    arrays = {name: row(tape.arrays[name], T + tape.cell.delay(name)) for name in needed}
    arrays |= {f"{s}_0": tape.arrays[f"{s}_0"][b : b + 1] for s in tape.cell.states}
    return dataclasses.replace(tape, x=row(tape.x, T), walk=walk, arrays=arrays)


def _end(pieces: Array) -> int:
    """A number of steps behind which nothing stands, to the next multiple of `BLOCK`.

    Shapes:
        pieces: ``[T, ...]``.
    """
    end = len(pieces)
    while end and not pieces[(end - 1) // BLOCK * BLOCK : end].any():
        end = (end - 1) // BLOCK * BLOCK
    return end
