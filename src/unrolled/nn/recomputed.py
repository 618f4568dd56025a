"""The seam to the compiled core for a stack in little memory: see `unrolled.unroll.stretches`.

Held between the passes are the states that enter each stretch of each layer and direction, and what enters a
layer: its input, which for all but the first is the output of the layer before. The tape is one stretch long
and serves all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from unrolled import native
from unrolled.nn import again, compiled, gradient
from unrolled.nn.compiled import Call
from unrolled.nn.plan import at, five
from unrolled.unroll.budget import Needs, stretch
from unrolled.unroll.stretches import cut

Addresses = tuple[int, int]
"""Where h ``[B, k*R]`` and c ``[B, H]`` lie, or their gradients; 0 for none."""


def run(
    subject: str,
    memory: str | int,
    call: Call,
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    """What `compiled.run` gives, to the bit, holding no more than ``memory`` between the passes.

    ``subject`` is how an error calls it.

    Shapes:
        as in `compiled.run`.

    Raises:
        OptionError: ``memory`` is none, or too little.
    """
    if gradient.wanted(*weights, x, h_0, c_0):
        needs = _needs(call, x, weights[1])
        steps = stretch(subject, memory, needs)
        if needs.whole and steps < needs.steps:  # else the tape is the output
            return _record(call, steps, x, h_0, c_0, *weights)
    return compiled.run(call, x, h_0, c_0, weights)


def _needs(call: Call, x: Tensor, W_hh: Tensor) -> Needs:
    """What going back needs of this call."""
    plan = call.plan
    T, B = _steps_and_batch(call, x)
    row = B * W_hh.itemsize
    kept, lanes = (plan.gates + plan.saved + plan.c) * plan.H, plan.layers * plan.directions
    steps, block = _longest(call, T), native.block_steps(B, plan.H)
    mark = row * (plan.kR + plan.c * plan.H) * lanes
    return Needs(steps, block, row * kept * lanes * steps, row * (kept + plan.R), mark)


class Stack(Function):
    """A stack of recurrent layers in little memory."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, steps: int, x: Tensor, h_0: Tensor | None, c_0: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        """Output and final states; ``steps`` are those of a stretch.

        Shapes:
            those of `compiled.run`.
        """
        kept: list[Tensor | None] = []
        result = _forward(call, steps, x, h_0, c_0, weights, kept)
        ctx.save_for_backward(h_0, c_0, *weights, *kept)
        ctx.set_materialize_grads(False)
        ctx.call, ctx.steps = call, steps
        return result

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of x, h_0, c_0 and every weight.

        Shapes:
            upstream: those of output, h_n and c_n.
        """
        needs = ctx.needs_input_grad[1:]
        arguments = ctx.call, ctx.steps, needs, ctx.saved_tensors, upstream
        found = gradient.once(_backward, partial(_again, ctx.call), *arguments)
        return None, None, *found


_record: Callable[..., tuple[Tensor, ...]] = super(Function, Stack).apply  # pyright: ignore
"""`Stack.apply`, shortened as in `compiled`."""


class Part(NamedTuple):
    """A stretch: its steps, and how many of them each sequence has, ``[B]``, None for all."""

    first: int
    steps: int
    lengths: Tensor | None


class Rows(NamedTuple):
    """Where ``[T, B, features]`` lies in memory, in bytes; its steps and rows are numbers apart."""

    address: int
    step: int
    row: int
    size: int

    @classmethod
    def of(cls, array: Tensor | None, swapped: bool, feature: int = 0) -> Rows:
        """Where ``array`` has its features from that one on; ``swapped`` is ``[B, T, features]``."""
        if array is None:
            return cls(0, 0, 0, 0)
        step, row = array.stride()[:2][:: -1 if swapped else 1]
        return cls(array.data_ptr() + feature * array.itemsize, step, row, array.itemsize)

    def since(self, first: int) -> tuple[int, int, int]:
        """Address of that step, and both strides, as the core takes them."""
        return self.address and self.address + first * self.step * self.size, self.step, self.row


class Into(NamedTuple):
    """Where gradients go: those of x, and those of the weights, perhaps to be added to."""

    x: Rows
    weights: tuple[int, ...]
    add: bool


class Lane(NamedTuple):
    """One layer in one direction: what all its calls of the core have in common."""

    call: Call
    number: int
    B: int
    x: Rows
    width: int
    looks_up: bool
    W: tuple[int, ...]

    def _sizes(self, part: Part) -> tuple[int, ...]:
        call, plan = self.call, self.call.plan
        reset = at(call.reset) and at(call.reset) + part.first * self.B
        return (
            call.code, torch.get_num_threads(), part.steps, self.B, self.width, plan.H, plan.P,
            self.number % plan.directions, at(part.lengths), reset,
        )  # fmt: skip

    def _ids(self, part: Part, table: int) -> tuple[int, ...]:
        return (*self.x.since(part.first), table) if self.looks_up else native.NO_IDS

    def forward(self, part: Part, begin: Addresses, h: Rows, end: Addresses, tape: Sequence[int]) -> None:
        """Runs a stretch from the states ``begin`` to ``end``; h is where its own outputs go."""
        native.forward(
            *self._sizes(part), *self.W, *self.x.since(part.first), *begin, *h.since(0), *end, *tape,
            *self._ids(part, self.W[0]), 0, at(self.call.lengths), self.call.plan.order,
        )  # fmt: skip

    def backward(
        self, part: Part, begin: Addresses, ran: Sequence[int], dh: Rows, carry: Addresses, into: Into
    ) -> None:
        """Goes back over a stretch that has just run again; ``ran``: its h and tape."""
        dW = (0, *into.weights[1:]) if self.looks_up else into.weights
        native.backward(
            *self._sizes(part), self.B, *self.W, *self.x.since(part.first), *begin, *ran,
            *dh.since(part.first), *carry, *into.x.since(part.first), *dW,
            *carry, 0, 0, 0, 0, *self._ids(part, into.weights[0]), at(self.call.lengths), int(into.add),
            self.call.plan.order,
        )  # fmt: skip


def _forward(
    call: Call,
    steps: int,
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: Sequence[Tensor],
    kept: list[Tensor | None],
) -> tuple[Tensor, ...]:
    """Runs the stack; appends to ``kept`` what `_backward` reads.

    Of each layer: its input, the factors of the dropout behind it, and for each direction the states between
    its stretches.
    """
    plan, p = call.plan, call.p
    L, D, R = plan.layers, plan.directions, plan.R
    T, B = _steps_and_batch(call, x)
    end, empty = _longest(call, T), weights[1].new_empty
    h_n, c_n = empty(L * D, B, plan.kR), empty(L * D, B, plan.H) if plan.c else None
    for layer in range(L):
        swapped = call.batch_first and layer == L - 1
        h = empty(B, T, D * R) if swapped else empty(T, B, D * R)
        (h[:, end:] if swapped else h[end:]).zero_()
        noise = compiled.noise_of(h, p, call.rows) if p and layer < L - 1 else None
        kept += (x, noise)
        for d in range(D):
            k, parts = layer * D + d, _parts(call, end, steps, bool(d))
            marks = len(parts) - 1
            between = empty(marks, B, plan.kR), empty(marks, B, plan.H) if plan.c else None
            kept += between
            states = [_of(k, h_0, c_0), *(_of(j, *between) for j in range(len(parts) - 1)), _of(k, h_n, c_n)]
            lane = _lane(call, k, x, weights)
            rows = Rows.of(h, swapped, d * R)
            for j, part in enumerate(parts):
                here = rows._replace(address=rows.since(part.first)[0])
                lane.forward(part, states[j], here, states[j + 1], (0, 0, 0))
        x = h if noise is None else h * noise
    return (x, h_n) if c_n is None else (x, h_n, c_n)


def _backward(
    call: Call, steps: int, needs: Sequence[bool], tensors: Sequence[Any], upstream: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The gradients of x, h_0, c_0 and the weights; None where ``needs``, from its second on, says so."""
    plan, L, D = call.plan, call.plan.layers, call.plan.directions
    split = 2 + len(plan.shapes)
    (h_0, c_0, *weights), kept = tensors[:split], tensors[split:]
    T, B = _steps_and_batch(call, kept[0])
    end, like = _longest(call, T), weights[1]
    dW = [torch.empty_like(W) if need else None for W, need in zip(weights, needs[4:], strict=True)]
    dW_at, dh = [at(d) for d in dW], compiled.side_by_side(upstream[0])
    carried = [
        like.new_zeros(L * D, B, size) if d is None else d.clone()
        for d, size in zip(map(compiled.ready, upstream[1:]), (plan.kR, plan.H), strict=False)
    ]
    h, tape = like.new_empty(steps, B, plan.R), compiled.new_tape(plan, like, steps, B)
    room, tape_at = Rows.of(h, swapped=False), [at(array) for array in tape]
    lowest, dx = compiled.lowest_layer(needs, plan), None
    for layer in reversed(range(lowest, L)):
        x, noise, *between = kept[layer * (2 + 2 * D) : (layer + 1) * (2 + 2 * D)]
        dh = dh * noise if dh is not None and noise is not None else dh
        swapped, last = call.batch_first and layer == 0, call.batch_first and layer == L - 1
        dx = None
        for d in range(D):
            k, parts = layer * D + d, _parts(call, end, steps, bool(d))
            own = x.new_empty(*x.shape) if layer > lowest or needs[1] else None
            if own is not None:
                (own[:, end:] if swapped else own[end:]).zero_()
            lane = _lane(call, k, x, weights)
            rows, carry = Rows.of(dh, last, d * plan.R), _of(k, *carried)
            into = Into(Rows.of(own, swapped), five(dW_at, k, plan, 0), add=False)
            states = [_of(k, h_0, c_0), *(_of(j, *between[2 * d : 2 * d + 2]) for j in range(len(parts) - 1))]
            for begin, part in reversed([*zip(states, parts, strict=True)]):
                lane.forward(part, begin, room, (0, 0), tape_at)
                lane.backward(part, begin, (*room.since(0), *tape_at), rows, carry, into)
                into = into._replace(add=True)
            dx = own if dx is None or own is None else dx.add_(own)
        dh = dx
    dh_0, dc_0 = (*carried, None)[:2]
    return (dx if needs[1] else None), (dh_0 if needs[2] else None), (dc_0 if needs[3] else None), *dW


def _again(call: Call, tensors: Sequence[Any]) -> tuple[Sequence[Tensor | None], Sequence[Tensor]]:
    """The same call in torch's operations: what `_backward` takes gradients of, and the outputs."""
    end = 2 + len(call.plan.shapes)
    (h_0, c_0, *weights), kept = tensors[:end], tensors[end:]
    noises = kept[1 :: 2 + 2 * call.plan.directions]
    return (kept[0], h_0, c_0, *weights), again.stack(call, kept[0], h_0, c_0, weights, noises)


def _lane(call: Call, number: int, x: Tensor, weights: Sequence[Tensor]) -> Lane:
    """The lane of layer and direction ``number``, which x enters."""
    plan, looks_up = call.plan, not x.is_floating_point()
    swapped = call.batch_first and number < plan.directions
    width = len(weights[0]) if looks_up else x.size(2)
    W = five([weight.data_ptr() for weight in weights], number, plan, 0)
    return Lane(call, number, x.size(0 if swapped else 1), Rows.of(x, swapped), width, looks_up, W)


def _steps_and_batch(call: Call, x: Tensor) -> tuple[int, int]:
    T, B = x.shape[:2][:: -1 if call.batch_first else 1]
    return T, B


def _longest(call: Call, T: int) -> int:
    return T if call.lengths is None else int(call.lengths.max())


def _parts(call: Call, end: int, steps: int, reverse: bool) -> list[Part]:
    """The stretches of steps 0 to ``end``, in the order they run."""

    def part(first: int, steps: int) -> Part:
        lengths = call.lengths
        return Part(first, steps, None if lengths is None else (lengths - first).clamp(0, steps))

    return [part(each.start, each.stop - each.start) for each in cut(end, steps, reverse)]


def _of(k: int, h: Tensor | None, c: Tensor | None = None) -> Addresses:
    """Where number k of stacked states lies."""
    return 0 if h is None else h[k].data_ptr(), 0 if c is None else c[k].data_ptr()
