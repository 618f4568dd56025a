"""RNN, LSTM and GRU in torch.nn's place: the same constructor, state and answers, computed by our kernels.

Each derives from the torch layer it replaces and changes `forward` alone, so that parameters, initialisation,
``state_dict``, pickling and every ``isinstance`` test are torch's own. Beyond torch's options, ``memory``
says how much may be held for the backward pass: see `Recurrent.memory`.
"""

from __future__ import annotations

from typing import Any, Never

import torch
from torch import nn

from unrolled.nn import options, route
from unrolled.nn.recurrent import Recurrent


class RNN(Recurrent, nn.RNN):
    """torch.nn.RNN, computed by our kernels.

    Maths:
        h_t = f(x_t W_xhᵀ + b_xh + h_{t-1} W_hhᵀ + b_hh), f being tanh, relu, sigmoid or the identity

    Shapes:
        See `Recurrent.forward`; the weights are called and shaped as in torch.nn.RNN.

    Source:
        Elman 1990; the interface is that of torch.nn.RNN, and ``nonlinearity`` offers two more.

    Raises:
        LayerOptionError, LayerOptionTypeError: an option out of range, of another type, or unknown.

    Example:
        >>> output, h_n = RNN(3, 4, nonlinearity="sigmoid")(torch.zeros(5, 2, 3))
    """

    torch_class, called = nn.RNN, "RNN"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
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
        options.check_layer("RNN", {**given, "nonlinearity": nonlinearity, "memory": memory}, unknown)
        super().__init__(**given, nonlinearity=nonlinearity if nonlinearity == "relu" else "tanh")
        self.nonlinearity, self.memory = nonlinearity, memory
        self.mode = f"RNN_{nonlinearity.upper()}"

    @property
    def cell(self) -> str:
        """The name of the cell: ``rnn_`` and the nonlinearity."""
        return f"rnn_{self.nonlinearity}"

    def flatten_parameters(self) -> None:
        """Torch's, for the cells that cuDNN has; nothing otherwise."""
        if self.cell in route.TORCHS_OWN:
            super().flatten_parameters()

    def extra_repr(self) -> str:
        """Torch's, and the nonlinearity where torch has it not."""
        own = "" if self.cell in route.TORCHS_OWN else f", nonlinearity={self.nonlinearity!r}"
        return super().extra_repr() + own


class LSTM(Recurrent, nn.LSTM):
    """torch.nn.LSTM, computed by our kernels.

    Maths:
        See `unrolled.cells.lstm`.

    Shapes:
        See `Recurrent.forward`; the weights are named and shaped as in torch.nn.LSTM, gates i f g o.

    Source:
        Gers, Schmidhuber, Cummins 2000; projection: Sak, Senior, Beaufays 2014. The interface is torch's.

    Raises:
        LayerOptionError, LayerOptionTypeError: an option out of range, of another type, or unknown.

    Example:
        >>> output, (h_n, c_n) = LSTM(3, 4, proj_size=2)(torch.zeros(5, 2, 3))
        >>> h_n.shape, c_n.shape
        (torch.Size([1, 2, 2]), torch.Size([1, 2, 4]))
    """

    torch_class, called = nn.LSTM, "LSTM"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        memory: str | int | None = None,
        **unknown: Never,
    ) -> None:
        given: dict[str, Any] = {
            "input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers, "bias": bias,
            "batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional,
            "proj_size": proj_size, "device": device, "dtype": dtype,
        }  # fmt: skip
        options.check_layer("LSTM", {**given, "memory": memory}, unknown)
        super().__init__(**given)
        self.memory = memory

    @property
    def cell(self) -> str:
        """The name of the cell."""
        return "lstm"


class GRU(Recurrent, nn.GRU):
    """torch.nn.GRU, computed by our kernels.

    ``reset_after=False``, in Keras' words, resets the state before the recurrent product instead of the
    product; weights trained in one form do not fit the other.

    Maths:
        See `unrolled.cells.gru`.

    Shapes:
        See `Recurrent.forward`; the weights are named and shaped as in torch.nn.GRU, gates r z n.

    Source:
        Cho et al. 2014, arXiv:1406.1078. The interface is torch.nn.GRU's.

    Raises:
        LayerOptionError, LayerOptionTypeError: an option out of range, of another type, or unknown.

    Example:
        >>> GRU(3, 4, reset_after=False).cell
        'gru_reset_before'
    """

    torch_class, called = nn.GRU, "GRU"
    reset_after = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset_after: bool = True,
        memory: str | int | None = None,
        **unknown: Never,
    ) -> None:
        given: dict[str, Any] = {
            "input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers, "bias": bias,
            "batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional,
            "device": device, "dtype": dtype,
        }  # fmt: skip
        options.check_layer("GRU", {**given, "reset_after": reset_after, "memory": memory}, unknown)
        super().__init__(**given)
        self.reset_after, self.memory = reset_after, memory

    @property
    def cell(self) -> str:
        """The name of the cell: which of the two forms."""
        return "gru" if self.reset_after else "gru_reset_before"

    def extra_repr(self) -> str:
        """Torch's, and the form where it is not torch's."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")
