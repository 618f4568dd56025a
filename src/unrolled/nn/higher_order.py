"""The recurrent layer of order k, which torch has not, in the manners of torch.nn.RNN."""

from __future__ import annotations

from typing import Any, Never, Self

import torch
from torch import nn

from unrolled.cells import higher_order_rnn
from unrolled.errors import OptionError
from unrolled.nn import options
from unrolled.nn.recurrent import Recurrent


class HigherOrderRNN(Recurrent, nn.RNNBase):
    """An RNN whose steps read the last ``order`` states, each through weights of its own.

    Of order 1 it is `RNN`, to the bit, initial weights included. The time that the recurrence takes grows
    with the order, as does what is carried: h_0 and h_n hold the last k states of a sequence.

    Maths:
        h_t = f(x_t W_xhᵀ + b_xh + Σ_{j=1…k} h_{t-j} W_jᵀ + b_hh), f as of `RNN`

    Shapes:
        See `Recurrent.forward`, k being the order. The weights are called and shaped as in torch.nn.RNN, but
        for ``weight_hh_l{n}`` ``[H, k*H]``, which is W_1 … W_k side by side; in h_0 and h_n
        ``[L*D, B, k*H]`` the states lie in the same order, the newest first.

    Source:
        Soltani and Jiang 2016, Higher order recurrent neural networks, arXiv:1605.00064, section 3. What
        differs: biases, and torch's initial weights; of their ways to join the k states, it is the sum.

    Raises:
        LayerOptionError, LayerOptionTypeError: an option out of range, of another type, or unknown.

    Example:
        >>> output, h_n = HigherOrderRNN(3, 4, order=2)(torch.zeros(5, 2, 3))
        >>> output.shape, h_n.shape
        (torch.Size([5, 2, 4]), torch.Size([1, 2, 8]))
    """

    torch_class, called = nn.RNNBase, "HigherOrderRNN"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        order: int = 2,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        memory: str | int | None = None,
        **unknown: Never,
    ) -> None:
        given: dict[str, Any] = {
            "input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers, "bias": bias,
            "batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional,
            "device": device, "dtype": dtype,
        }  # fmt: skip
        own = {"order": order, "nonlinearity": nonlinearity, "memory": memory}
        options.check_layer(self.called, given | own, unknown)
        super().__init__("RNN_TANH", **given)
        self.order, self.nonlinearity, self.memory = order, nonlinearity, memory
        if order > 1:
            for name, weight in [*self.named_parameters()]:
                if name.startswith("weight_hh"):
                    setattr(self, name, nn.Parameter(weight.new_empty(hidden_size, order * hidden_size)))
            self.reset_parameters()

    @property
    def cell(self) -> str:
        """The name of the cell: ``hornn_``, the nonlinearity and the order."""
        return higher_order_rnn(self.nonlinearity, self.order).name

    def flatten_parameters(self) -> None:
        """Nothing: cuDNN has no such layer."""

    @classmethod
    def from_torch(cls, layer: nn.RNNBase) -> Self:
        """Refuses: torch has no such layer.

        Raises:
            OptionError: always.
        """
        fix = "Make an RNN of torch's: unrolled.nn.RNN.from_torch(layer)."
        raise OptionError("HigherOrderRNN.from_torch", "have a layer to copy", type(layer).__name__, fix)

    def extra_repr(self) -> str:
        """Torch's, the order, and the nonlinearity if it is not tanh."""
        own = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}"
        return f"{super().extra_repr()}, order={self.order}{own}"
