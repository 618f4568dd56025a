"""Faults planted between torch and the core, one at a time: each must be noticed by the test named for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.faults import Fault, planted
from tests.nn import test_beyond_torch, test_cells, test_parity, test_ragged, test_stream
from unrolled import native, nn
from unrolled.nn import compiled, compiled_cell, composite, packing, sequences
from unrolled.nn.held import Held
from unrolled.nn.recurrent import Recurrent

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_not())

STACK: dict[str, Any] = {
    "kind": "LSTM", "dtype": "float64", "num_layers": 2, "bidirectional": True, "bias": True,
    "batch_first": False, "dropout": 0.4, "nonlinearity": "tanh", "proj_size": 0, "given": "states",
    "layout": "contiguous", "T": 9, "B": 5, "I": 6, "H": 3,
}  # fmt: skip
"""Its two layers have weights of one shape."""

CELL = {
    "kind": "LSTMCell", "dtype": "float64", "bias": True, "given": True,
    "B": 5, "I": 6, "H": 3, "apart": False,
}  # fmt: skip


def stack(**changed: Any) -> Callable[[], None]:
    return partial(test_parity.test_everything_a_layer_answers, STACK | changed)


def on_torchs_path(test: Callable[..., None], *arguments: Any) -> None:
    with nn.torch_path():
        test(*arguments, "torch")


packed = partial(test_ragged.test_packed, "LSTM", True, True, False, "compiled")
one_cell = partial(test_cells.test_everything_a_cell_answers, CELL)
both_ways = partial(
    test_beyond_torch.test_both_ways_agree_on_every_option,
    "gru_reset_before",
    {"num_layers": 2, "bidirectional": True},
    "float64",
)
composed = partial(
    test_beyond_torch.test_layer_is_the_reference, "gru_reset_before", True, "composite", True, "float64"
)
two_layers = partial(on_torchs_path, test_ragged.test_a_reset_is_a_new_beginning, "LSTM", False)

FAULTS = [
    # a stack, forward
    Fault(
        "swap the directions",
        compiled._forward,
        "H, P, d, lengths_at",
        "H, P, D - 1 - d, lengths_at",
        stack(),
    ),
    Fault(
        "swap the halves of the output", compiled._forward, "h_at + d * R", "h_at + (D - 1 - d) * R", stack()
    ),
    Fault(
        "begin every layer with the first one's h_0",
        compiled._forward,
        "h_0_at + k * of_h",
        "h_0_at + d * of_h",
        stack(),
    ),
    Fault(
        "begin every layer with the first one's c_0",
        compiled._forward,
        "c_0_at + k * of_c",
        "c_0_at + d * of_c",
        stack(),
    ),
    Fault(
        "give every layer the first one's weights",
        compiled._forward,
        "five(W_at, k,",
        "five(W_at, d,",
        stack(),
    ),
    Fault("drop out behind the last layer", compiled._forward, "if p and layer < L - 1", "if p", stack()),
    Fault("drop out nothing", compiled._forward, "h if noise is None else h * noise", "h", stack()),
    Fault("give c_n for h_n", compiled._forward, "(x, h_n, c_n)", "(x, c_n, h_n)", stack()),
    Fault(
        "lay the output out time first",
        compiled._forward,
        "batch_first and layer == L - 1",
        "False",
        stack(batch_first=True, T=5),
    ),
    # a stack, back
    Fault("forget one direction's dx", compiled._backward, "dx.add_(part)", "dx", stack()),
    Fault(
        "drop out nothing going back",
        compiled._backward,
        "dh * noise if dh is not None and noise is not None else dh",
        "dh",
        stack(),
    ),
    Fault(
        "go back with the first layer's final state",
        compiled._backward,
        "dh_n_at + k * of_h",
        "dh_n_at + d * of_h",
        stack(),
    ),
    Fault(
        "give the gradients of h_0 last layer first",
        compiled._backward,
        "dh_0_at + k * of_h",
        "dh_0_at + (L * D - 1 - k) * of_h",
        stack(),
    ),
    # one step
    Fault(
        "exchange h and c of a cell",
        compiled_cell._forward,
        "at(states[0]), at(states[1])",
        "at(states[1]), at(states[0])",
        one_cell,
    ),
    Fault(
        "exchange their gradients",
        compiled_cell._backward,
        "at(dh), B * H, H, 0, at(dc)",
        "at(dc), B * H, H, 0, at(dh)",
        one_cell,
    ),
    # packed sequences, lengths, resets
    Fault(
        "ignore unsorted_indices",
        Recurrent._forward_packed,
        "state.index_select(1, unsorted_indices)",
        "state",
        packed,
    ),
    Fault(
        "begin packed sequences with each other's states",
        Recurrent._forward_packed,
        "state.index_select(1, sorted_indices)",
        "state",
        packed,
    ),
    Fault("draw dropout for padding", Recurrent._forward_packed, "real, None, rows)", "real, None)", packed),
    Fault(
        "take the batch for time",
        sequences.read_reset,
        "given.t() if batch_first else given",
        "given",
        partial(test_ragged.test_a_reset_is_a_new_beginning, "GRU", True, "compiled"),
    ),
    Fault(
        "take time for the batch where there is none",
        Recurrent.forward,
        "input.unsqueeze(1), False",
        "input.unsqueeze(1), batch_first",
        partial(
            test_parity.test_one_sequence_without_a_batch_axis,
            STACK | {"batch_first": True, "given": "nothing"},
        ),
    ),
    # the ways beside the core
    Fault(
        "put sequences back in another order",
        packing.ragged,
        "index_copy(1, at, real)",
        "index_copy(1, at, real.flip(1))",
        partial(on_torchs_path, test_ragged.test_lengths_say_what_packing_says, "LSTM", False, True),
    ),
    Fault(
        "end an empty sequence at zero",
        packing.ragged,
        "(state.index_copy(1, at, end)",
        "((0 * state).index_copy(1, at, end)",
        partial(
            on_torchs_path, test_ragged.test_an_empty_sequence_keeps_its_state_and_touches_nothing, "LSTM"
        ),
    ),
    Fault(
        "walk forwards in reverse",
        composite.direction,
        "reversed(range(x.size(0))) if reverse",
        "range(x.size(0)) if reverse",
        both_ways,
    ),
    Fault("count padding", composite.direction, "t < lengths", "t <= lengths", composed),
    Fault(
        "let a state pass a reset",
        composite.direction,
        "reset[t, :, None]",
        "reset[t, :, None] & False",
        composed,
    ),
    Fault("begin every layer as the first", composite.stack, "s[len(final)]", "s[d]", two_layers),
    # streams
    Fault(
        "reset all rows for some",
        Held.reset,
        "state[:, at] = 0",
        "state[:] = 0",
        test_stream.test_reset_of_some_rows,
    ),
    Fault(
        "go on from the first layer's state",
        Held._leaving,
        "state[k].data_ptr()",
        "state[0].data_ptr()",
        partial(test_stream.test_steps_and_chunks_are_the_whole, "lstm", {"num_layers": 3}, 4, "compiled"),
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what.replace(" ", "_"))
def test_fault_is_noticed(fault: Fault):
    fault.noticed_by()
    with planted(fault), pytest.raises(fault.noticed_as):
        fault.noticed_by()
    fault.noticed_by()
