"""What goes in, what is kept, what stands where on the tape."""

import logging

import numpy as np
import pytest

from tests.battery.own_cells import PEEPHOLE_LSTM
from tests.battery.problems import ENGINES, FORMS
from unrolled import native, unroll
from unrolled.cells import CELLS, Cell
from unrolled.checks import Size, draw
from unrolled.errors import note
from unrolled.tape import Engine, Walk

engines = pytest.mark.parametrize("engine", ENGINES)
forms = pytest.mark.parametrize(("cell", "P"), FORMS)


@engines
@forms
def test_keep_is_exactly_what_is_kept(cell: Cell, P: int, engine: Engine):
    problem = draw(cell, Size(P=P), ragged=True)
    everything = problem.solve(engine)
    always = {"h", *(f"{state}_{end}" for state in cell.states for end in "0n")}
    for names in ((), ("gates",), cell.kept(bool(P)), cell.recordable(bool(P))):
        tape = problem.forward(engine, names)
        assert set(tape.arrays) == always | set(names)
        for name, value in tape.arrays.items():
            np.testing.assert_array_equal(value, everything.arrays[name], err_msg=name)


@engines
@forms
@pytest.mark.parametrize("size", [(0, 3), (4, 0), (0, 0)], ids=str)
def test_no_steps_and_no_sequences(cell: Cell, P: int, engine: Engine, size: tuple[int, int]):
    """Nothing runs: final states are the initial ones, their gradients pass, the weights get none."""
    problem = draw(cell, Size(*size, P=P))
    tape = problem.solve(engine)
    assert tape.output.shape == (*size, P or 5)
    for state in cell.states:
        np.testing.assert_array_equal(tape.arrays[f"{state}_n"], problem.initial[state])
        np.testing.assert_array_equal(tape.arrays[f"d{state}_0"], problem.final[state])
    assert all(not tape.arrays[f"d{name}"].any() for name in problem.params)


@engines
@forms
@pytest.mark.parametrize("reverse", [False, True])
def test_past_the_end_is_zero_and_final_states_stand_there(cell: Cell, P: int, engine: Engine, reverse: bool):
    problem = draw(cell, Size(T=6, B=5, P=P), ragged=True, reverse=reverse, seed=3)
    tape = problem.solve(engine)
    lengths = problem.walk.lengths
    assert lengths is not None
    for b, n in enumerate(lengths):
        for name in ("output", "gates", "dx", "dh_out", "dh_carry", "dh", "da"):
            assert not getattr(tape, name)[n:, b].any(), name
        for state in cell.states:
            row = 0 if reverse else n + cell.delay(state) - 1
            last = tape.arrays[state][row, b] if n else problem.initial[state][b]
            np.testing.assert_array_equal(tape.arrays[f"{state}_n"][b, : len(last)], last)
            if n == 0:
                np.testing.assert_array_equal(tape.arrays[f"d{state}_0"][b], problem.final[state][b])
    np.testing.assert_array_equal(tape.real(), np.arange(6)[:, None] < lengths)


@engines
@forms
def test_a_reset_is_a_new_beginning(cell: Cell, P: int, engine: Engine):
    """Steps from a reset on are a run of their own from zero states, and send nothing back."""
    whole = draw(cell, Size(T=6, P=P), seed=9)
    reset = np.zeros((6, 3), dtype=bool)
    reset[4] = True
    tape = unroll.forward(cell, whole.params, whole.x, whole.initial, walk=Walk(reset=reset), engine=engine)
    fresh = unroll.forward(cell, whole.params, whole.x[4:], engine=engine)
    np.testing.assert_allclose(tape.output[4:], fresh.output, rtol=0, atol=1e-15)
    assert tape.h[4].any()  # what left step 3 stays to be seen
    dh_out = np.zeros_like(whole.dh_out)
    dh_out[4:] = 1
    unroll.backward(tape, dh_out, keep=["dh_carry"])
    assert not tape.dx[:4].any()
    assert not tape.dh_carry[3].any()
    assert not tape.dh_0.any()


@engines
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept_and_inputs_are_left_alone(engine: Engine, dtype: str):
    problem = draw("gru", resets=True, ragged=True).astype(dtype)
    given = [*problem.inputs().values(), problem.dh_out, problem.final["h"]]
    before = [value.copy() for value in given]
    tape = problem.solve(engine)
    assert {value.dtype.name for value in tape.arrays.values()} == {dtype}
    for value, copy in zip(
        (*problem.inputs().values(), problem.dh_out, problem.final["h"]), before, strict=True
    ):
        np.testing.assert_array_equal(value, copy)
    assert not np.shares_memory(tape.h_n, tape.h)


@engines
def test_any_memory_layout_comes_in(engine: Engine):
    problem = draw("lstm", ragged=True, resets=True)
    wanted = problem.solve(engine)
    params = {name: np.asfortranarray(value) for name, value in problem.params.items()}
    initial = {name: np.asfortranarray(value) for name, value in problem.initial.items()}
    reset, lengths = problem.walk.reset, problem.walk.lengths
    assert reset is not None
    assert lengths is not None
    walk = Walk(lengths.astype(np.int32), np.asfortranarray(reset))
    x, dh_out = np.asfortranarray(problem.x), np.repeat(problem.dh_out, 2, axis=0)[::2]
    tape = unroll.forward("lstm", params, x, initial, walk=walk, engine=engine)
    unroll.backward(tape, dh_out, {name: np.asfortranarray(value) for name, value in problem.final.items()})
    for name, value in tape.arrays.items():
        np.testing.assert_allclose(value, wanted.arrays[name], rtol=0, atol=1e-14, err_msg=name)


@engines
def test_backward_again_replaces(engine: Engine):
    problem = draw("gru")
    tape = problem.solve(engine)
    first = {name: value.copy() for name, value in tape.arrays.items()}
    unroll.backward(tape, 2 * problem.dh_out, problem.final)
    unroll.backward(tape, problem.dh_out, problem.final)
    for name, value in tape.arrays.items():
        np.testing.assert_array_equal(value, first[name], err_msg=name)


@forms
def test_preactivations_are_those_that_ran(cell: Cell, P: int):
    """Through the cell's own point function they give the gates of the tape."""
    problem = draw(cell, Size(P=P), ragged=True, resets=True, reverse=True)
    tape = problem.solve()
    xw, hw = unroll.preactivations(tape)
    assert not xw[~tape.real()].any()
    if len(cell.stages) == 1:
        v = {
            f"{state}_prev": np.stack([tape.entering(state, t) for t in range(tape.T)])
            for state in cell.states
        }
        rows = {name: value.reshape(-1, value.shape[-1]) for name, value in v.items()}
        shape = (-1, *xw.shape[2:])
        given = cell.stages[0].point(xw.reshape(shape), hw.reshape(shape), rows)
        for k, gate in enumerate(cell.gates):
            ours = given[gate].reshape(xw.shape[0], xw.shape[1], -1)[tape.real()]
            np.testing.assert_allclose(ours, tape.gates[:, :, k][tape.real()], rtol=0, atol=1e-15)
    else:  # r z from the first stage, n = tanh of the second's sum
        n = np.tanh(xw[:, :, 2] + hw[:, :, 2])
        np.testing.assert_allclose(n, tape.gate("n"), rtol=0, atol=1e-15)


def test_auto_says_once_why_the_reference_runs(caplog: pytest.LogCaptureFixture):
    note.cache_clear()
    problem = draw(PEEPHOLE_LSTM)
    with caplog.at_level(logging.WARNING, logger="unrolled"):
        assert problem.forward("auto").engine == Engine("reference")
        problem.forward("auto")
    reason = native.why_not() or "peephole_lstm has no compiled version for float64"
    assert caplog.messages == [f"note: unroll runs the reference in NumPy, because {reason}"]


@pytest.mark.skipif(not native.available(), reason="needs the compiled core")
@pytest.mark.parametrize("cell", CELLS)
def test_auto_takes_the_compiled_core(cell: str):
    assert draw(cell).forward("auto").engine == Engine("native")
