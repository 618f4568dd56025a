"""Layers for torch: torch.nn's RNN, LSTM and GRU and their cells, computed by our kernels, and what goes with them.

from unrolled import nn          # in the place of: from torch import nn, for the recurrent layers
"""

from unrolled.nn.cells import GRUCell, LSTMCell, RNNCell
from unrolled.nn.conversion import convert
from unrolled.nn.layers import GRU, LSTM, RNN
from unrolled.nn.route import paths, reset_paths, torch_path
from unrolled.nn.stream import Stream

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Stream",
    "convert",
    "paths",
    "reset_paths",
    "torch_path",
]
