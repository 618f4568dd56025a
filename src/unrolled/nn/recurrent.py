"""What RNN, LSTM and GRU share: everything between the call and the recurrence."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence

from unrolled.nn import compiled, composite, gradient, guards, packing, recomputed, route, sequences
from unrolled.nn.plan import Plan, five, plan
from unrolled.nn.stream import Stream
from unrolled.nn.switching import base_class, copied

if TYPE_CHECKING:
    from torch.nn import RNNBase as Base
else:
    Base = object  # at run time a mixin


class Recurrent(Base):
    """A recurrent layer. Abstract; `RNN`, `LSTM` and `GRU` are final, each with torch's behind it."""

    torch_class: type[nn.RNNBase]
    """The class of torch.nn whose place this one takes, or what it derives from where it takes nobody's."""

    called: str
    """What messages call it; a parametrized layer is of another class."""

    memory: str | int | None = None
    """How much may be held for the backward pass; may be set at any time.

    None: the tape of all steps. "sqrt": that of about √T steps; the others are computed again going back. An
    amount, as "200MB" or in bytes: that of as many steps as it has room for. Nothing else changes, not a bit
    of any gradient. Not counted are input, output and their gradients, nor, in a stack, the lower layers'
    outputs and the factors of dropout, which are held whole.
    """

    @property
    def cell(self) -> str:
        """The name of the cell, as in `unrolled.cells`."""
        raise NotImplementedError

    @property
    def plan(self) -> Plan:
        """What the options fix: see `unrolled.nn.plan`."""
        return plan(
            self.cell, self.input_size, self.hidden_size, self.proj_size, self.num_layers,
            2 if self.bidirectional else 1, self.bias,
        )  # fmt: skip

    @route.uncompiled
    def forward(
        self,
        input: Any,  # noqa: A002  torch's name
        hx: Any = None,
        *,
        lengths: Any = None,
        reset: Any = None,
    ) -> Any:
        """Runs the layer over a batch of sequences.

        Shapes:
            input: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ``[T, I]`` for one sequence, or packed; hx:
            h_0 ``[L*D, B, k*R]``, k being 1 but for `HigherOrderRNN` (an LSTM: the pair of it and c_0
            ``[L*D, B, H]``), without B for one sequence;
            lengths: ``[B]``, real steps of each sequence, in any order, 0 allowed; reset: bool ``[T, B]``
            (``[B, T]`` with batch_first), where true, the state is cleared before the step. Gives output
            ``[T, B, D*R]`` in the input's layout, zero past a sequence's end, and final states like hx.

        Raises:
            LayerShapeError, LayerDtypeError, LayerDeviceError, LengthsError, ShapeError, DtypeError:
            something does not fit; each is also of the class that torch raises there.

        Example:
            >>> from unrolled import nn
            >>> output, h_n = nn.GRU(3, 4)(torch.zeros(5, 2, 3), lengths=[5, 2])
            >>> output.shape, h_n.shape
            (torch.Size([5, 2, 4]), torch.Size([1, 2, 4]))
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, lengths, reset)
        name = self.called
        if not isinstance(input, Tensor):
            guards.no_tensor(name, input)
        batched, batch_first, x = input.dim() == 3, self.batch_first, input
        if not batched:
            guards.rank(name, input.dim(), (2, 3))
            x, batch_first = input.unsqueeze(1), False
        B, T, size = x.shape if batch_first else (x.size(1), x.size(0), x.size(2))
        if size != self.input_size:
            guards.input_size(name, x, self.input_size)
        if not T:
            guards.steps(name)
        states = () if hx is None else guards.read_states(self, name, hx, B, batched)
        if lengths is not None:
            lengths = sequences.read_lengths(name, lengths, T, B)
        if reset is not None:
            reset = sequences.read_reset(name, reset, x, batch_first, batched)
        plan = self.plan
        weights, code = self.weights(plan, x, states)
        self._check_memory(code, x, states, weights)
        if code is None and lengths is None and reset is None and route.by_torch(self.cell):
            route.count("torch")
            return super().forward(input, hx)
        output, *final = self._run(plan, code, x, states, weights, batch_first, lengths, reset)
        if not batched:
            output, final = output.squeeze(1), [state.squeeze(1) for state in final]
        return output, tuple(final) if plan.c else final[0]

    def _forward_packed(self, packed: PackedSequence, hx: Any, lengths: Any, reset: Any) -> Any:
        """The same for a packed batch: padded, run with its lengths, packed again."""
        name = self.called
        sequences.absent_when_packed(name, lengths=lengths, reset=reset)
        data, batch_sizes, sorted_indices, unsorted_indices = packed
        sequences.packed(name, data, batch_sizes)
        guards.input_size(name, data, self.input_size)
        T, B = len(batch_sizes), int(batch_sizes[0])
        states = () if hx is None else guards.read_states(self, name, hx, B, batched=True)
        plan = self.plan
        weights, code = self.weights(plan, data, states)
        self._check_memory(code, data, states, weights)
        if code is None and route.by_torch(self.cell):
            route.count("torch")
            return super().forward(packed, hx)
        if sorted_indices is not None:
            states = tuple(state.index_select(1, sorted_indices) for state in states)
        real, rows = packing.real_rows(batch_sizes)
        rows = rows.to(data.device)
        padded = packing.pad(data, rows, T, B)
        output, *final = self._run(plan, code, padded, states, weights, False, real, None, rows)
        if unsorted_indices is not None:
            final = [state.index_select(1, unsorted_indices) for state in final]
        result = PackedSequence(packing.unpad(output, rows), batch_sizes, sorted_indices, unsorted_indices)
        return result, tuple(final) if plan.c else final[0]

    def weights(self, plan: Plan, x: Tensor, states: tuple[Tensor, ...]) -> tuple[list[Tensor], int | None]:
        """The weights in torch's order, and the core's number for this cell, None where it must not run.

        Shapes:
            x, states: what the layer is to be called with, or anything of their dtype and on their device.

        Raises:
            LayerShapeError, LayerDtypeError, LayerDeviceError: the weights do not go together, or not with x.
        """
        name, names = self.called, self._flat_weights_names
        weights = route.look_up(self, names)
        if [weight.shape for weight in weights] != plan.shapes:
            guards.weight_shapes(name, names, weights, plan.shapes)
        return weights, route.choose(name, self.cell, x, states, weights)

    def _check_memory(
        self, code: int | None, x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor]
    ) -> None:
        """Refuses to go back with a whole tape where little memory was asked for.

        Raises:
            UnavailableError: the core, which alone can do that, does not run.
        """
        if self.memory is None or code is not None or route.recorder.get() is not None:
            return
        if gradient.wanted(x, *states, *weights):
            route.needs_core(f"{self.called}.forward: memory", self.memory, (x, *weights))

    def _run(
        self,
        plan: Plan,
        code: int | None,
        x: Tensor,
        states: tuple[Tensor, ...],
        weights: list[Tensor],
        batch_first: bool,
        lengths: Tensor | None,
        reset: Tensor | None,
        rows: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Output and final states, from what has been checked; by the kernels where there is a ``code``.

        Where somebody records, there is none, and it is he who computes: see `route.recorder`.
        """
        p = self.dropout if self.training else 0.0
        if code is not None:
            x = x if x.stride(2) == 1 else x.contiguous()
            call = compiled.Call(plan, code, batch_first, p, lengths, reset, rows, self)
            return self.run_compiled(call, x, states, weights)
        x = x.transpose(0, 1) if batch_first else x
        states = states or self._zeros(plan, x)
        recorder = route.recorder.get()
        if recorder is not None:
            call = compiled.Call(plan, 0, False, p, lengths, reset, rows)
            output, final = recorder(self, call, x, states, weights)
        elif lengths is not None and lengths.any() and reset is None and route.by_torch(self.cell):
            route.count("torch")
            forward = super().forward  # pyright: ignore[reportUnknownVariableType]
            output, *final = packing.ragged(forward, x, states, lengths)
        else:
            route.count("composite")
            route.explain_steps(self.called, self.cell, x, "" if reset is None else "reset=")
            reset = None if reset is None else reset.clone()
            drop = partial(dropout, p=p) if p else None
            D = range(plan.directions)
            layers = [[five(weights, n * len(D) + d, plan, None) for d in D] for n in range(plan.layers)]
            output, final = composite.stack(self.cell, x, states, layers, lengths, reset, drop)
        return (output.transpose(0, 1) if batch_first else output), *final

    def run_compiled(
        self, call: compiled.Call, x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Output and final states by the kernels, from what has been checked.

        Shapes:
            x, weights: those of `unrolled.nn.compiled.run`; states: as there, or none; the reset in ``call``
            of any layout and dtype.
        """
        route.taken["compiled"] += 1
        if call.reset is not None:
            call = call._replace(reset=call.reset.contiguous().to(torch.uint8))
        h_0, c_0 = (*[state.contiguous() for state in states], None, None)[:2] if states else (None, None)
        weights = [weight.contiguous() for weight in weights]
        if self.memory is None:
            return compiled.run(call, x, h_0, c_0, weights)
        subject = f"{self.called}.forward: memory"
        return recomputed.run(subject, self.memory, call, x, h_0, c_0, weights)

    def _zeros(self, plan: Plan, x: Tensor) -> tuple[Tensor, ...]:
        """The initial states of x ``[T, B, I]`` where none were given."""
        sizes = (plan.kR, plan.H) if plan.c else (plan.kR,)
        return tuple(x.new_zeros((plan.layers * plan.directions, x.size(1), size)) for size in sizes)

    def stream(self, batch: int = 1) -> Stream:
        """A `Stream` over ``batch`` sequences: the state held, one step at a time.

        Raises:
            OptionError: the layer is bidirectional.

        Example:
            >>> from unrolled import nn
            >>> stream = nn.GRU(3, 4).stream()
            >>> stream.step(torch.zeros(3)).shape
            torch.Size([4])
        """
        return Stream(self, batch)

    def extra_repr(self) -> str:
        """Torch's, and the memory if it is limited."""
        return super().extra_repr() + ("" if self.memory is None else f", memory={self.memory!r}")

    def check_finite(self) -> None:
        """Looks for NaN and infinity in the weights.

        Raises:
            NonFiniteError: naming the first parameter that has one.
        """
        guards.finite(self)

    @classmethod
    def from_torch(cls, layer: nn.RNNBase) -> Self:
        """A copy of torch's layer as ours; `unrolled.convert` takes the layer itself, Parameters and all.

        Raises:
            OptionError: ``layer`` is not the layer of torch.nn that this class stands for.

        Example:
            >>> from unrolled import nn
            >>> nn.GRU.from_torch(torch.nn.GRU(3, 4))
            GRU(3, 4)
        """
        return copied(layer, cls.torch_class, cls)

    def to_torch(self) -> nn.RNNBase:
        """A copy of this layer as torch's.

        Raises:
            OptionError: torch has no such cell.
        """
        route.in_torch(self.called, self.cell)
        return copied(self, base_class(self), self.torch_class)

    def __prepare_scriptable__(self) -> nn.RNNBase:
        """What `torch.jit.script` compiles in our place, for it reads source and cannot read the kernels."""
        return self.to_torch()
