"""Torch layers: RNN, LSTM, GRU and their cells in torch.nn's place, and what goes with them.

    layers, cells              what takes torch.nn's place
    higher_order               the layer of order k, in their manners
    recurrent                  what a call of a layer is
    guards, options, sequences what is refused, and in which words
    route                      which way a call is computed, and why
    plan                       what a layer's options fix
    compiled, compiled_cell    the way through our kernels
    gradient, memory           what both need to go back
    kept                       what both need not pack again
    composite                  the way in torch's operations, for what torch has not itself
    packing                    packed sequences
    embedded                   an embedding and a layer as one, its first product looked up in a table
    held, stream, token_stream one step at a time
    conversion, switching      torch's layers into ours
    remembering                a start from which gates remember

The names below are the public ones.
"""

from unrolled.nn.cells import GRUCell, LSTMCell, RNNCell
from unrolled.nn.conversion import convert
from unrolled.nn.embedded import Embedded
from unrolled.nn.higher_order import HigherOrderRNN
from unrolled.nn.layers import GRU, LSTM, RNN
from unrolled.nn.remembering import remember
from unrolled.nn.route import paths, reset_paths, torch_path
from unrolled.nn.stream import Stream
from unrolled.nn.token_stream import TokenStream

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Embedded",
    "GRUCell",
    "HigherOrderRNN",
    "LSTMCell",
    "RNNCell",
    "Stream",
    "TokenStream",
    "convert",
    "paths",
    "remember",
    "reset_paths",
    "torch_path",
]
