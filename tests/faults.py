"""Faults planted on purpose, one at a time, each with the test that has to notice it.

A test-suite that passes says little until it has been seen to fail. Every entry changes one line of one
function of the running program; `tests/test_faults.py` runs the named test and wants it to fail.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from types import FunctionType
from typing import Any, NamedTuple

from tests import test_stretches, test_tape, test_unroll, test_unroll_inside
from tests.battery import test_gradients, test_properties
from tests.cells import test_base, test_gru, test_higher_order, test_lstm, test_rnn
from tests.tracing import test_against_autograd, test_keep
from tests.tracing.cases import WAYS
from unrolled import unroll
from unrolled.cells import GRU, GRU_RESET_BEFORE, LSTM, RNN_TANH, base, gru, higher_order_rnn, lstm
from unrolled.tape import Engine, Tape
from unrolled.traces import through_time
from unrolled.tracing import assemble, items
from unrolled.unroll import inside, reference, stretches


class Fault(NamedTuple):
    """What goes wrong, in which function, the code before and after, and the test that notices, and how."""

    what: str
    function: Callable[..., Any]
    before: str
    after: str
    noticed_by: Callable[[], None]
    noticed_as: type[Exception] = AssertionError


REFERENCE = Engine("reference")
entries = test_gradients.test_every_entry_against_central_differences
larger = test_gradients.test_random_directions_in_larger_problems
new_beginning = partial(test_unroll.test_a_reset_is_a_new_beginning, GRU, 0, REFERENCE)
in_stretches = partial(
    test_stretches.test_bits_are_those_of_a_whole_run, LSTM, 0, REFERENCE, {"ragged": True}, "float32"
)
ends = test_unroll.test_past_the_end_is_zero_and_final_states_stand_there

FAULTS = [
    # one step
    Fault("swap i and f", lstm.point, "a_i, a_f,", "a_f, a_i,", test_lstm.test_one_step),
    Fault("swap g and o", lstm.point, "a_g, a_o =", "a_o, a_g =", test_lstm.test_one_step),
    Fault("swap r and z", gru.point, "r, z =", "z, r =", partial(test_gru.test_one_step, "gru")),
    Fault(
        "swap r and z before the product",
        gru.point_gates,
        "a_r, a_z =",
        "a_z, a_r =",
        partial(test_gru.test_one_step, "gru_reset_before"),
    ),
    Fault(
        "mix by z the wrong way round",
        gru.point,
        "(1 - z) * n + z *",
        "z * n + (1 - z) *",
        partial(test_gru.test_one_step, "gru"),
    ),
    Fault("forget the reset gate", gru.point, "r * hw_n", "hw_n", partial(test_gru.test_one_step, "gru")),
    # one step back
    Fault(
        "lose what c does through h",
        lstm.point_backward,
        'd["c"] + d["h"] * o * (1 - tanh_c**2)',
        'd["c"]',
        test_lstm.test_gradient_of_h,
    ),
    Fault(
        "lose what c does in the future",
        lstm.point_backward,
        'd["c"] + d["h"]',
        'd["h"]',
        test_lstm.test_gradient_of_c_passes_the_output_gate_by,
    ),
    Fault(
        "keep a dc that is not whole",
        lstm.point_backward,
        'whole={"c": dc}',
        "whole={}",
        test_gradients.test_dc_is_whole,
    ),
    Fault(
        "forget r between hw_n and n",
        gru.point_backward,
        "da_n * r]",
        "da_n]",
        test_gru.test_gradient_with_the_reset_after_the_product,
    ),
    Fault(
        "lose the way by z",
        gru.point_backward,
        'd["h"] * z}',
        'd["h"] * 0}',
        test_gru.test_gradient_with_the_reset_after_the_product,
    ),
    Fault(
        "lose the way by r",
        gru.point_gates_backward,
        'd["rh"] * r}',
        'd["rh"] * 0}',
        test_gru.test_gradient_with_the_reset_before_the_product,
    ),
    # the loop
    Fault(
        "transpose W_hh",
        reference.halves,
        'weights["W_hh"].T',
        'weights["W_hh"]',
        test_rnn.test_row_of_the_recurrent_weights_is_the_unit_that_hears,
    ),
    Fault("count one bias only", reference.halves, "hw +=", "hw = hw + 0 *", test_rnn.test_both_biases_count),
    Fault(
        "ignore h_0",
        reference.forward,
        'arrays[f"{name}_0"].copy()',
        '0 * arrays[f"{name}_0"]',
        partial(entries, RNN_TANH, 0, {}),
    ),
    Fault("count padding", Tape.rows, "lengths > t", "lengths >= t", partial(ends, GRU, 0, REFERENCE, False)),
    Fault(
        "start a ragged sequence of the reverse direction elsewhere",
        Tape.before,
        "ends - 1 - t if",
        "ends - 2 - t if",
        partial(entries, GRU, 0, {"ragged": True, "reverse": True}),
    ),
    Fault(
        "walk forwards in reverse",
        Tape.steps,
        "[::-1] if",
        "if",
        partial(test_tape.test_one_row_enters_and_the_next_leaves, reverse=True),
    ),
    Fault("ignore a reset", Tape.cleared, "state if reset is None else", "state if True else", new_beginning),
    # the loop back
    Fault(
        "drop dh_carry",
        reference.backward,
        '"dh": d["h"] + dh_out[t, rows]',
        '"dh": dh_out[t, rows]',
        test_rnn.test_tanh_two_steps_and_back,
    ),
    Fault(
        "let the gradient pass a reset",
        reference.backward,
        "tape.cleared(back, t, rows)",
        "back",
        new_beginning,
    ),
    # several states
    Fault(
        "let the newest state leave reach",
        reference.forward,
        '_in_reach(v[name], v[f"{name}_prev"])',
        'np.roll(_in_reach(v[name], v[f"{name}_prev"]), 1, axis=1)',
        test_higher_order.test_fibonacci_from_two_initial_states_and_back,
    ),
    Fault(
        "drop what the states before get from further on",
        reference.backward,
        "+= earlier",
        "+= 0 * earlier",
        test_higher_order.test_fibonacci_from_two_initial_states_and_back,
    ),
    Fault(
        "let a state pass a reset one step later",
        Tape.before,
        "passes & ~",
        "passes | ",
        test_higher_order.test_a_reset_clears_all_that_enters_then_and_later,
    ),
    Fault(
        "begin with the states the wrong way round",
        Tape.before,
        "np.clip(j - ran, 0, count - 1)",
        "np.clip(count - 1 - j + ran, 0, count - 1)",
        partial(entries, higher_order_rnn("tanh", 3), 0, {"ragged": True, "reverse": True}),
    ),
    Fault(
        "pair da with the state that leaves",
        reference.backward,
        "v[stage.enters]))",
        'v["h"]))',
        test_rnn.test_tanh_two_steps_and_back,
    ),
    Fault(
        "transpose W_hh on the way back",
        reference.stage_backward,
        'dhw @ weights["W_hh"]',
        'dhw @ weights["W_hh"].T',
        partial(entries, RNN_TANH, 0, {}),
    ),
    Fault(
        "overwrite a weight's gradient with the last block",
        reference._add_products,
        'gradient[f"W_{kind}"] +=',
        'gradient[f"W_{kind}"][:] =',
        partial(larger, RNN_TANH, 0, test_gradients.LARGER[1]),
    ),
    Fault(
        "ignore the gradient of the final states",
        unroll.backward,
        "value.copy() for s",
        "0 * value for s",
        test_lstm.test_gradient_of_c_passes_the_output_gate_by,
    ),
    Fault(
        "keep upstream gradients of padding",
        unroll.backward,
        "np.where(tape.real()[window, :, None], dh_out[window], 0)",
        "dh_out[window]",
        partial(ends, LSTM, 0, REFERENCE, False),
    ),
    Fault(
        "miscount rows that share a tape",
        reference._widened,
        "reset, 1)",
        "reset, 0)",
        partial(
            test_properties.test_many_gradients_over_one_tape,
            GRU_RESET_BEFORE,
            0,
            REFERENCE,
            {"resets": True},
            "float64",
        ),
        ValueError,
    ),
    Fault(
        "take the gradient of xw for that of hw",
        inside._all_back,
        "None if np.shares_memory(dxw, dhw) else dhw",
        "None",
        partial(test_unroll_inside.test_factors_add_up_to_the_gradients, GRU, 0, REFERENCE, False),
    ),
    Fault(
        "swap rows and columns of a Jacobian",
        through_time.product_norms,
        "rows = jacobian(between(tape, t, t + 1), rows)",
        "rows = jacobian(between(tape, t, t + 1), None if rows is None else rows.T)",
        partial(test_against_autograd.test_signal_without_the_matrix_is_that_of_the_true_products, "gru"),
    ),
    Fault(
        "begin a distance a step too early",
        through_time.product_norm,
        "between(tape, first + 1, last + 1)",
        "between(tape, first, last + 1)",
        partial(test_against_autograd.test_jacobians, "lstm", WAYS[0]),
    ),
    Fault(
        "stop the pieces of a loss a block too early",
        items._end,
        "    return end",
        "    return max(0, end - BLOCK)",
        partial(test_against_autograd.test_itemised, "gru", WAYS[0]),
    ),
    Fault(
        "keep a window a step too early",
        assemble._of_steps,
        "recall(tape, first, end,",
        "recall(tape, max(0, first - 1), max(0, first - 1) + end - first,",
        partial(test_keep.test_a_window_says_of_its_steps_what_the_whole_says, "lstm"),
    ),
    # in little memory
    Fault(
        "begin every stretch as the run began",
        stretches.backward,
        "marks.states[number]",
        "marks.states[0]",
        in_stretches,
    ),
    Fault("go back through the first stretch first", stretches.backward, "reversed(", "list(", in_stretches),
    Fault(
        "count blocks from the step that runs last",
        reference.backward,
        "(end - 1 - t if tape.walk.reverse else t)",
        "(t if tape.walk.reverse else end - 1 - t)",
        in_stretches,
    ),
    Fault(
        "give a stretch the lengths of the whole",
        stretches._piece,
        "np.clip(lengths - part.start, 0, part.stop - part.start)",
        "lengths",
        in_stretches,
    ),
    Fault(
        "mirror the lower half of the logistic function",
        base.sigmoid,
        "np.where(a >= 0, 1, e)",
        "1",
        partial(test_base.test_sigmoid_is_exact_in_both_tails_and_keeps_its_dtype, "float64"),
    ),
]


@contextmanager
def planted(fault: Fault) -> Generator[None, None, None]:
    """The fault in the running program, for as long as the context lasts."""
    function = fault.function
    assert isinstance(function, FunctionType)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(fault.before) == 1, f"{function.__qualname__} has no single {fault.before!r} any more"
    body = textwrap.indent(source.replace(fault.before, fault.after), "    ")
    inside = f"def around(__class__):\n{body}\n    return {function.__name__}"  # where super() looks for it
    names = dict(function.__globals__)
    exec(compile(inside, function.__qualname__, "exec"), names)
    right, function.__code__ = function.__code__, names["around"](None).__code__
    try:
        yield
    finally:
        function.__code__ = right
