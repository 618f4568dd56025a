"""The recorder: computes our layers' calls by `unroll`, which has the same kernels, and keeps the tapes.

Autograd sees one node for each layer and direction. Going back, its tape gets the gradients; where many
gradients go back at once (`torch.autograd.grad` with is_grads_batched), they go over the one tape together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.utils.rnn import PackedSequence

from unrolled import cells, unroll
from unrolled.cells import Array, Cell
from unrolled.errors import OptionError, UnavailableError, note
from unrolled.nn import route
from unrolled.nn.compiled import Call, noise_of
from unrolled.nn.gradient import once
from unrolled.nn.plan import five
from unrolled.nn.recurrent import Recurrent
from unrolled.tape import Engine, Tape, Walk
from unrolled.tracing.items import Items
from unrolled.tracing.keep import Keep

NAMES = ("W_xh", "W_hh", "b_xh", "b_hh", "W_hr")
OF_STEPS = ("dh_out", "dh_carry", "dh", "dc", "da")


@dataclass(frozen=True, eq=False)
class Recording:
    """One call of one layer in one direction.

    Attributes:
        name: ``l0``, ``l0.reverse``, …
        module: path of its module; `number`: which layer of it; `call`: which call of it.
        first: whether no recorded call can stand before it.
        order: where each sequence of the caller stands in the tape, for a packed batch that was sorted.
        keep: the gradients that are kept; of single steps those of ``steps``, or of all.
    """

    name: str
    module: str
    number: int
    call: int
    first: bool
    batch_first: bool
    order: Array | None
    tape: Tape[Cell]
    keep: tuple[str, ...]
    steps: range | None = None
    items: Items = field(default_factory=Items)
    handed_out: list[Tensor] = field(default_factory=list[Tensor])


class Recorder:
    """Records all calls within `on`. One recorder serves one run of a model."""

    def __init__(self, layers: Sequence[tuple[str, Recurrent]], keep: Keep) -> None:
        self.recordings: list[Recording] = []
        self.anchor = torch.zeros((), requires_grad=True)
        """Every recorded node hangs on it, so that gradients go back where no weight asks for any."""
        self._paths = {module: path for path, module in layers}
        self._calls: dict[str, int] = {}
        self._incoming: dict[Recurrent, Any] = {}
        self._runs = 0
        with_dh = ("dh",) if "G" in keep else ()  # what the pieces are to add up to
        self._wanted = (*(name for name in keep.names if name.startswith("d")), *with_dh)
        self._keep = keep

    @contextmanager
    def on(self) -> Generator[None]:
        """Within it, this thread's calls of our layers are recorded."""
        hooks = [layer.register_forward_pre_hook(self._note, with_kwargs=True) for layer in self._paths]
        token = route.recorder.set(self)
        try:
            yield
        finally:
            route.recorder.reset(token)
            for hook in hooks:
                hook.remove()

    def _note(self, layer: Recurrent, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        """Remembers a packed input, whose sequences may have been sorted."""
        self._incoming[layer] = inputs[0] if inputs else named.get("input")

    def __call__(
        self, layer: Recurrent, call: Call, x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Output and final states of a stack of layers.

        Shapes:
            x: ``[T, B, I]``; states: ``[L*D, B, R]`` and, for an LSTM, ``[L*D, B, H]``; weights: in torch's
            order. Gives output ``[T, B, D*R]`` and final states like states.

        Raises:
            OptionError: a device or dtype that cannot be recorded.
        """
        _recordable(x)
        path = self._paths.get(layer, type(layer).__name__)
        count = self._calls[path] = self._calls.get(path, -1) + 1
        incoming, order = self._incoming.pop(layer, None), None
        if isinstance(incoming, PackedSequence) and incoming.unsorted_indices is not None:
            order = incoming.unsorted_indices.numpy()
        plan, ends, memory = call.plan, list[list[Tensor]](), self._memory(layer)
        for number in range(plan.layers):
            outputs: list[Tensor] = []
            for d in range(plan.directions):
                k = number * plan.directions + d
                own = five(weights, k, plan, None)
                engine = Engine("auto", torch.get_num_threads(), memory, plan.layers * plan.directions)
                tape = _new_tape(layer.cell, call, x, [state[k] for state in states], own, bool(d), engine)
                name = f"l{self._runs}{'.reverse' if d else ''}"
                recording = Recording(
                    *(name, path, number, count, not self._runs, layer.batch_first, order, tape),
                    *(self._wanted, self._window(tape.T)),
                )
                self.recordings.append(recording)
                given = (*(state[k] for state in states), *(weight for weight in own if weight is not None))
                output, *end = _record(recording, self.anchor, x, *given)
                outputs.append(output)
                ends.append(end)
            self._runs += 1
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2)
            if call.p and number < plan.layers - 1:
                x = x * noise_of(x, call.p, call.rows)
        return x, [torch.stack(state) for state in zip(*ends, strict=True)]

    def _memory(self, layer: Recurrent) -> str | int | None:
        """How much of a run is held: what the layer says, little for a window, and all for the pieces."""
        if "G" in self._keep:
            if layer.memory is not None:
                note("a trace with G holds the whole tape, memory= or not: its pieces go back over all of it")
            return None
        return "sqrt" if layer.memory is None and self._keep.is_part else layer.memory

    def _window(self, T: int) -> range | None:
        return range(*self._keep.stretch(T)) if self._keep.is_part else None

    @property
    def went_back(self) -> bool:
        """Whether a gradient went back over any tape."""
        return any("dh_0" in recording.tape.arrays for recording in self.recordings)

    def complete(self) -> None:
        """Gives the tapes that the loss does not depend on their gradients, zeros."""
        for recording in self.recordings:
            if "dh_0" not in recording.tape.arrays:
                fill_in(recording, (), {*recording.keep})

    def items(self) -> list[tuple[Items, Tape[Cell]]]:
        """The itemised matrix of every recording, and its tape."""
        return [(recording.items, recording.tape) for recording in self.recordings]


class Recorded(Function):
    """A layer in one direction that has run already: its tape, as torch's graph knows it."""

    @staticmethod
    def forward(
        ctx: Any, recording: Recording, anchor: Tensor, x: Tensor, *given: Tensor
    ) -> tuple[Tensor, ...]:
        """What left each step, and the final states.

        Shapes:
            x: ``[T, B, I]``; given: states ``[B, R]``, then weights. Gives ``[T, B, R]`` and ``[B, R]`` each.
        """
        tape = recording.tape
        h = tape.h[: tape.T] if tape.walk.reverse else tape.h[tape.cell.order :]
        result = torch.from_numpy(h), *(torch.from_numpy(tape.arrays[f"{s}_n"]) for s in tape.cell.states)
        ctx.save_for_backward(x, result[0], *given)  # so that torch notices an edit in place
        ctx.set_materialize_grads(False)
        ctx.recording = recording
        return result

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of what `forward` takes.

        Shapes:
            upstream: of what it gave.
        """
        arguments = ctx.recording, ctx.needs_input_grad[2:], ctx.saved_tensors, upstream
        if ctx.recording.items.rows is None:
            return None, None, *once(_back, _refused, *arguments)
        return None, None, *Many.apply(*arguments[:2], *upstream)


_record: Callable[..., tuple[Tensor, ...]] = super(Function, Recorded).apply  # pyright: ignore
"""`Recorded.apply` without its preparation for the transforms of torch.func, which see no call of ours."""


def _refused(saved: Sequence[Tensor]) -> NoReturn:
    """Refuses a derivative of a gradient: a tape has the states of one way back, and not of another.

    Raises:
        UnavailableError: always.
    """
    del saved
    fix = "Trace a loss that has no gradients in it."
    raise UnavailableError("trace: loss", "be differentiated once", "a second derivative", fix)


def _back(
    recording: Recording, needs: Sequence[bool], saved: Sequence[Tensor], upstream: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """Back over a tape, for the trace: the gradients of x, the initial states and the weights."""
    del saved  # asked for alone, so that torch notices an edit in place
    tape = recording.tape
    names = ("x", *(f"{state}_0" for state in tape.cell.states), *tape.params)
    wanted = {f"d{name}" for name, need in zip(names, needs, strict=True) if need} | {*recording.keep}
    fill_in(recording, upstream, wanted)
    got = [
        torch.from_numpy(tape.arrays[f"d{name}"]) if need else None
        for name, need in zip(names, needs, strict=True)
    ]
    # Torch adds further gradients to a tensor that nobody else holds in its own memory, the tape's.
    recording.handed_out.extend(d for d in got if d is not None)
    return tuple(got)


class Many(Function):
    """Back over a tape with one piece of the loss's gradient, or with many at a time."""

    @staticmethod
    def forward(
        recording: Recording, needs: Sequence[bool], *upstream: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """The gradients of x, the initial states and the weights; those of the weights nobody asks for.

        Shapes:
            upstream: as in `Recorded.backward`.
        """
        got = _many(recording, needs, [None if d is None else d[None] for d in upstream])
        return tuple(None if d is None else d[0] for d in got)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is needed later."""

    @staticmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        info: Any, in_dims: tuple[Any, ...], recording: Recording, needs: Sequence[bool], *upstream: Any
    ) -> tuple[Any, Any]:
        """The same for pieces side by side.

        Shapes:
            upstream: as in `forward`, with an axis more at ``in_dims``.
        """
        rows: list[Tensor | None] = []
        for d, at in zip(upstream, in_dims[2:], strict=True):
            if d is not None:
                d = d.expand(info.batch_size, *d.shape) if at is None else d.movedim(at, 0)  # noqa: PLW2901
            rows.append(d)
        got = _many(recording, needs, rows)
        return tuple(got), tuple(None if d is None else 0 for d in got)


def fill_in(recording: Recording, upstream: Sequence[Tensor | None], wanted: set[str]) -> None:
    """Back over the recording's tape, which gets the gradients that are ``wanted``.

    Shapes:
        upstream: of output and final states.
    """
    tape = recording.tape
    kept = [name for name in OF_STEPS if name in wanted and (name != "dc" or "c" in tape.cell.states)]
    without = {"dx", *(f"d{name}" for name in tape.params)} - wanted
    dh_out, *final = (None if d is None else array(d) for d in (*upstream, *[None] * (not upstream)))
    ends = dict(zip(tape.cell.states, final, strict=False))
    unroll.backward(tape, dh_out, ends, keep=kept, without=without, steps=recording.steps)


def _many(
    recording: Recording, needs: Sequence[bool], upstream: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of x and the initial states for many upstream gradients; None for the weights.

    Shapes:
        upstream: ``[n, T, B, R]`` and ``[n, B, R]``.
    """
    tape = recording.tape
    needs_x = needs[0] and not recording.first
    dh_out, *final = (None if d is None else array(d) for d in upstream)
    dx, *states = recording.items.back(tape, dh_out, final, needs_x)
    got = [None if d is None else torch.from_numpy(d) for d in (dx, *states)]
    return [d if need else None for d, need in zip(got, needs, strict=False)] + [None] * len(tape.params)


def array(tensor: Tensor) -> Array:
    """A tensor as NumPy sees it.

    Shapes:
        any.
    """
    return (tensor.resolve_neg() if tensor.is_neg() else tensor).detach().numpy()


def _new_tape(
    cell: str,
    call: Call,
    x: Tensor,
    states: list[Tensor],
    weights: Sequence[Tensor | None],
    reverse: bool,
    engine: Engine,
) -> Tape[Cell]:
    """Runs one layer in one direction."""
    params = {name: array(weight) for name, weight in zip(NAMES, weights, strict=True) if weight is not None}
    lengths = None if call.lengths is None else array(call.lengths)
    reset = None if call.reset is None else array(call.reset).astype(bool)
    names = cells.get(cell).states
    initial = {name: array(state) for name, state in zip(names, states, strict=True)}
    walk = Walk(lengths, reset, reverse)
    return unroll.forward(cell, params, array(x), initial, walk=walk, engine=engine)


def _recordable(x: Tensor) -> None:
    """Refuses what NumPy and the kernels cannot compute.

    Raises:
        OptionError: a device or dtype.
    """
    if not x.is_cpu:
        got, fix = x.device.type, "Trace on the CPU: unrolled.trace(model.cpu(), x.cpu())."
        raise OptionError("trace: the input of a layer", "lie on the CPU", got, fix)
    if x.dtype not in (torch.float32, torch.float64):
        fix = "Trace a float model: unrolled.trace(model.float(), x.float())."
        raise OptionError("trace: the input of a layer", "be float32 or float64", x.dtype, fix)
