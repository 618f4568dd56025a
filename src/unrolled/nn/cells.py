"""RNNCell, LSTMCell and GRUCell in torch.nn's place: one step, through the kernels of the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never, Self

import torch
from torch import Tensor, nn

from unrolled.nn import compiled_cell, composite, guards, options, route
from unrolled.nn.plan import Plan, plan
from unrolled.nn.switching import base_class, copied

if TYPE_CHECKING:
    from torch.nn import RNNCellBase as Base
else:
    Base = object  # at run time a mixin: the torch cell stands behind it in each class's bases


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class RecurrentCell(Base):
    """What our three cells share. Abstract; `RNNCell`, `LSTMCell` and `GRUCell` are final."""

    torch_class: type[nn.RNNCellBase]
    """The class of torch.nn whose place this one takes."""

    @property
    def cell(self) -> str:
        """The name of the cell, as in `unrolled.cells`."""
        raise NotImplementedError

    @route.uncompiled
    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002
        """Advances one step.

        Shapes:
            input: ``[B, I]`` or ``[I]``; hx: h ``[B, H]`` or ``[H]``, for an LSTMCell the pair of it and c.
            Gives the new state in the form of hx.

        Raises:
            LayerShapeError, LayerDtypeError, LayerDeviceError, DtypeError: something does not fit; each is
            also of the class that torch raises there.

        Example:
            >>> GRUCell(3, 4)(torch.zeros(2, 3)).shape
            torch.Size([2, 4])
        """
        if torch.compiler.is_compiling() and self.cell in route.TORCHS_OWN:
            return super().forward(input, hx)
        name = self.torch_class.__name__
        if not isinstance(input, Tensor):
            guards.no_tensor(name, input)
        states = () if hx is None else guards.read_cell_states(name, hx)
        batched, x = input.dim() == 2, input
        if not batched:
            guards.rank(name, input.dim(), (1, 2))
            x, states = x.unsqueeze(0), tuple(state.unsqueeze(0) for state in states)
        B, size = x.shape
        if size != self.input_size or states:
            guards.cell_sizes(name, x, states, self.input_size, self.hidden_size)
        plan, weights = self.plan, route.look_up(self, NAMES)
        if [weight.shape for weight in weights] != plan.shapes:
            guards.weight_shapes(name, NAMES, weights, plan.shapes)
        code = route.choose(name, self.cell, x, states, weights)
        if code is not None and B and size and plan.H:
            route.taken["compiled"] += 1
            h, c = (*[state.contiguous() for state in states], None, None)[:2] if states else (None, None)
            weights = [weight.contiguous() for weight in weights]
            left = compiled_cell.run(self, plan, code, x.contiguous(), h, c, weights)
        elif route.by_torch(self.cell):
            route.count("torch")
            return super().forward(input, hx)
        else:
            route.count("composite")
            route.explain_steps(name, self.cell, x)
            left = composite.one_step(plan, self.cell, x, states, weights)
        if not batched:
            left = tuple(state.squeeze(0) for state in left)
        return left if len(left) == 2 else left[0]

    @property
    def plan(self) -> Plan:
        """What the options fix: see `unrolled.nn.plan`."""
        return plan(self.cell, self.input_size, self.hidden_size, 0, 1, 1, bool(self.bias))

    def check_finite(self) -> None:
        """Looks for NaN and infinity in the weights.

        Raises:
            NonFiniteError: naming the first parameter that has one.
        """
        guards.finite(self)

    @classmethod
    def from_torch(cls, cell: nn.RNNCellBase) -> Self:
        """A copy of torch's cell as ours; `unrolled.convert` takes the cell itself, Parameters and all.

        Raises:
            OptionError: ``cell`` is not the class of torch.nn that this one stands for.
        """
        return copied(cell, cls.torch_class, cls)

    def to_torch(self) -> nn.RNNCellBase:
        """A copy of this cell as torch's.

        Raises:
            OptionError: torch has no such cell.
        """
        route.in_torch(self.torch_class.__name__, self.cell)
        return copied(self, base_class(self), self.torch_class)

    def __prepare_scriptable__(self) -> nn.RNNCellBase:
        """What `torch.jit.script` compiles in our place, for it reads source and cannot read the kernels."""
        return self.to_torch()


class RNNCell(RecurrentCell, nn.RNNCell):
    """torch.nn.RNNCell, computed by our kernels; ``nonlinearity`` offers sigmoid and identity besides.

    Maths:
        h' = f(x W_xhᵀ + b_xh + h W_hhᵀ + b_hh)

    Shapes:
        See `RecurrentCell.forward`; the weights are called and shaped as in torch.nn.RNNCell.

    Raises:
        LayerOptionError, LayerOptionTypeError: an option out of range, of another type, or unknown.

    Example:
        >>> RNNCell(3, 4, nonlinearity="relu")(torch.zeros(3)).shape
        torch.Size([4])
    """

    torch_class = nn.RNNCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **unknown: Never,
    ) -> None:
        given: dict[str, Any] = {
            "input_size": input_size, "hidden_size": hidden_size, "bias": bias, "nonlinearity": nonlinearity,
            "device": device, "dtype": dtype,
        }  # fmt: skip
        options.check_cell("RNNCell", given, unknown)
        super().__init__(**given)

    @property
    def cell(self) -> str:
        """The name of the cell: ``rnn_`` and the nonlinearity."""
        return f"rnn_{self.nonlinearity}"


class LSTMCell(RecurrentCell, nn.LSTMCell):
    """torch.nn.LSTMCell, computed by our kernels.

    Maths:
        See `unrolled.cells.lstm`.

    Shapes:
        See `RecurrentCell.forward`; the weights are called and shaped as in torch.nn.LSTMCell.

    Raises:
        LayerOptionError, LayerOptionTypeError: an option out of range, of another type, or unknown.

    Example:
        >>> h, c = LSTMCell(3, 4)(torch.zeros(2, 3))
    """

    torch_class = nn.LSTMCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **unknown: Never,
    ) -> None:
        given: dict[str, Any] = {
            "input_size": input_size, "hidden_size": hidden_size, "bias": bias,
            "device": device, "dtype": dtype,
        }  # fmt: skip
        options.check_cell("LSTMCell", given, unknown)
        super().__init__(**given)

    @property
    def cell(self) -> str:
        """The name of the cell."""
        return "lstm"


class GRUCell(RecurrentCell, nn.GRUCell):
    """torch.nn.GRUCell, computed by our kernels; ``reset_after=False`` as in `GRU`.

    Maths:
        See `unrolled.cells.gru`.

    Shapes:
        See `RecurrentCell.forward`; the weights are called and shaped as in torch.nn.GRUCell.

    Raises:
        LayerOptionError, LayerOptionTypeError: an option out of range, of another type, or unknown.

    Example:
        >>> GRUCell(3, 4)(torch.zeros(2, 3), torch.ones(2, 4)).shape
        torch.Size([2, 4])
    """

    torch_class = nn.GRUCell
    reset_after = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset_after: bool = True,
        **unknown: Never,
    ) -> None:
        given: dict[str, Any] = {
            "input_size": input_size, "hidden_size": hidden_size, "bias": bias,
            "device": device, "dtype": dtype,
        }  # fmt: skip
        options.check_cell("GRUCell", {**given, "reset_after": reset_after}, unknown)
        super().__init__(**given)
        self.reset_after = reset_after

    @property
    def cell(self) -> str:
        """The name of the cell: which of the two forms."""
        return "gru" if self.reset_after else "gru_reset_before"

    def extra_repr(self) -> str:
        """Torch's, and the form where it is not torch's."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")
