"""A run in little memory: the bits of a whole run, the bytes it holds, and what may be asked of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.battery.problems import FORMS, NATIVE, OWN, WALKS
from unrolled import unroll
from unrolled.cells import Cell
from unrolled.checks import Problem, Size, draw
from unrolled.errors import NotKeptError, OptionError
from unrolled.tape import Engine, Tape
from unrolled.unroll import budget, reference, stretches
from unrolled.unroll.budget import Needs

ENGINES: list[Any] = [
    pytest.param(Engine("reference"), id="reference"),
    NATIVE,
    pytest.param(Engine("native", 1), id="native-alone", marks=NATIVE.marks),
]


def solved(problem: Problem, engine: Engine) -> Tape[Cell]:
    tape = problem.forward(engine)
    keep = ("dh_out", "dh_carry", "dh", "da", *(f"d{state}" for state in problem.cell.states[1:]))
    unroll.backward(tape, problem.dh_out, problem.final, keep=keep)
    return tape


def check(problem: Problem, engine: Engine, memory: str | int = "sqrt") -> Tape[Cell]:
    """Fails unless every array is that of a whole run, to the bit; gives the tape in little memory."""
    whole, little = solved(problem, engine), solved(problem, engine._replace(memory=memory))
    assert little.marks
    assert len(little.marks.states) > 2
    needed = {*problem.cell.kept("W_hr" in problem.params)} - {"h"}
    assert little.arrays.keys() == whole.arrays.keys() - needed
    for name, value in little.arrays.items():
        assert value.tobytes() == whole.arrays[name].tobytes(), name
    return little


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("cell", "P"), FORMS)
def test_bits_are_those_of_a_whole_run(cell: Cell, P: int, engine: Engine, walk: dict[str, bool], dtype: str):
    check(draw(cell, Size(T=75, B=40, I=5, H=7, P=P), **walk).astype(dtype), engine)


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize(("cell", "P"), OWN)
def test_of_a_users_own_cell_too(cell: Cell, P: int, walk: dict[str, bool]):
    check(draw(cell, Size(T=75, B=3, P=P), **walk), Engine("reference"))


def test_rounding_alone_stands_between_many_gradients_over_one_tape():
    problem = draw("lstm", Size(T=70, B=1))
    dh_out = np.random.default_rng(0).normal(size=(70, 4, 5))
    tapes = [problem.forward(Engine("reference", memory=memory)) for memory in (None, "sqrt")]
    for tape in tapes:
        unroll.backward(tape, dh_out)
    for name in ("dx", "dh_0", "dc_0", "dW_xh", "dW_hh", "db_xh", "db_hh"):
        np.testing.assert_allclose(tapes[1].arrays[name], tapes[0].arrays[name], rtol=1e-12, atol=1e-14)


# ------------------------------------------------------------------------------------------------- memory


def held_at_once(monkeypatch: pytest.MonkeyPatch, problem: Problem, memory: str | int) -> int:
    """Bytes of the states at the marks, and of the tape that goes back the furthest stretch."""
    tapes = list[Tape[Cell]]()
    right: Callable[..., None] = reference.backward

    def watched(tape: Tape[Cell], *arguments: Any, **named: Any) -> None:
        tapes.append(tape)
        right(tape, *arguments, **named)

    monkeypatch.setattr(reference, "backward", watched)
    tape = problem.forward(Engine("reference", memory=memory))
    unroll.backward(tape, problem.dh_out)
    assert tape.marks
    needed = problem.cell.kept("W_hr" in problem.params)
    rooms = {id(piece.arrays[name].base): piece.arrays[name].base for piece in tapes for name in needed}
    marks = sum(value.nbytes for states in tape.marks.states for value in states.values())
    return marks + sum(room.nbytes for room in rooms.values() if room is not None)


def test_two_sequences_of_steps_are_held_and_not_all(monkeypatch: pytest.MonkeyPatch):
    T, B, H = 3000, 2, 4
    problem = draw("lstm", Size(T=T, B=B, I=1, H=H))
    whole = 8 * T * B * H * (4 + 1)  # gates and c
    held = held_at_once(monkeypatch, problem, "sqrt")
    row, length = 8 * B * H, 64  # of √3000 = 54.8, in blocks of 32
    assert held == row * (4 * length + 2 * (length + 1)) + 47 * 2 * row
    assert held < 0.05 * whole


@pytest.mark.parametrize("bytes_", [26_000, 50_000, 200_000])
def test_a_budget_is_kept_and_used(monkeypatch: pytest.MonkeyPatch, bytes_: int):
    problem = draw("lstm", Size(T=3000, B=2, I=1, H=4))
    held = held_at_once(monkeypatch, problem, bytes_)
    assert 0.8 * bytes_ < held < bytes_ + 2 * 64  # and the states that enter the stretch


def test_what_fits_is_kept_whole():
    problem = draw("lstm", Size(T=300, B=2))
    assert problem.forward(Engine("reference", memory="1MB")).marks is None
    assert problem.forward(Engine("reference", memory="50KB")).marks is not None


def test_a_cell_whose_tape_is_its_output_is_within_any_budget():
    assert draw("rnn_tanh", Size(T=300)).forward(Engine("reference", memory=1)).marks is None


@pytest.mark.parametrize("lengths", [[0, 0], [3, 0]])
def test_hardly_any_step(lengths: list[int]):
    problem = draw("gru", Size(T=200, B=2))
    walk = dataclasses.replace(problem.walk, lengths=np.array(lengths))
    problem = dataclasses.replace(problem, walk=walk)
    whole, little = (solved(problem, Engine("reference", memory=memory)) for memory in (None, "sqrt"))
    for name, value in little.arrays.items():
        np.testing.assert_array_equal(value, whole.arrays[name])


# -------------------------------------------------------------------------------------------- the length


@pytest.mark.parametrize("T", [1, 31, 32, 33, 100, 1000])
@pytest.mark.parametrize("length", [1, 7, 32, 100])
@pytest.mark.parametrize("reverse", [False, True])
def test_stretches_are_all_steps_once_in_order(T: int, length: int, reverse: bool):
    parts = stretches.cut(T, length, reverse)
    run = [t for part in parts for t in range(part.start, part.stop)[:: -1 if reverse else 1]]
    assert run == [*range(T)][:: -1 if reverse else 1]
    assert all(part.stop - part.start == length for part in parts[:-1])


def needed(needs: Needs, length: int) -> int:
    return length * needs.step + needs.mark * -(-needs.steps // length)


@pytest.mark.parametrize("needs", [Needs(1000, 8, 10**6, 1000, 50), Needs(999, 32, 10**6, 10, 900)], ids=str)
def test_the_least_that_is_named_works_and_less_does_not(needs: Needs):
    with pytest.raises(OptionError) as refused:
        budget.stretch("LSTM: memory", 1, needs)
    least = int(str(refused.value).partition("at least ")[2].partition(" bytes")[0])
    length = budget.stretch("LSTM: memory", least, needs)
    assert needed(needs, length) == least
    assert least == min(needed(needs, k) for k in range(needs.block, needs.steps, needs.block))
    with pytest.raises(OptionError):
        budget.stretch("LSTM: memory", least - 1, needs)


@pytest.mark.parametrize(
    "memory", ["squirt", "", "MB", "-3MB", "3 apples", "0B", 0, -1, True, 2.5, "1e3", float("nan")]
)
def test_what_is_no_memory(memory: Any):
    with pytest.raises(OptionError, match=r'must be None, "sqrt" or an amount of memory; got .*Give e\.g\.'):
        draw("gru").forward(Engine("reference", memory=memory))


def test_too_little_says_the_least():
    problem = draw("gru", Size(T=500, B=4))
    with pytest.raises(
        OptionError, match=r"must be at least \d+ bytes for 500 steps.*got '100B'. Give memory="
    ):
        problem.forward(Engine("reference", memory="100B"))


def test_only_going_back_needs_no_tape():
    tape = draw("gru", Size(T=100)).forward(Engine("reference", memory="sqrt"))
    with pytest.raises(NotKeptError, match="must hold gates"):
        unroll.preactivations(tape)


@pytest.mark.parametrize("steps", [range(1), range(31, 70), range(74, 75)])
@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("engine", ENGINES[:2])
@pytest.mark.parametrize(("cell", "P"), FORMS)
def test_a_window_is_that_of_a_whole_run(
    cell: Cell, P: int, engine: Engine, walk: dict[str, bool], steps: range
):
    problem = draw(cell, Size(T=75, B=40, I=3, H=4, P=P), **walk)
    whole = solved(problem, engine)
    little = problem.forward(engine._replace(memory="sqrt"))
    assert little.marks
    kept = ("dh_out", "dh_carry", "dh", "da", *(f"d{state}" for state in cell.states[1:]))
    unroll.backward(little, problem.dh_out, problem.final, keep=kept, steps=steps)
    unroll.backward(whole, problem.dh_out, problem.final, keep=kept)
    for name in kept:
        assert little.arrays[name].tobytes() == whole.arrays[name][steps.start : steps.stop].tobytes(), name
    names = cell.recordable(bool(P))
    whole.arrays.update(problem.forward(engine, names).arrays)
    for tape in (little, whole):
        found = stretches.recall(tape, steps.start, steps.stop, names)
        for name in names:
            expected = whole.arrays[name][steps.start : steps.stop + cell.delay(name)]
            assert found[name].tobytes() == expected.tobytes(), name
    unroll.backward(whole, problem.dh_out, problem.final, keep=kept, steps=steps)
    for name in kept:
        assert little.arrays[name].tobytes() == whole.arrays[name].tobytes()


@pytest.mark.parametrize("steps", [range(0), range(3, 2), range(0, 5, 2), range(-1, 3), range(3, 9)], ids=str)
def test_steps_that_are_no_window(steps: range):
    with pytest.raises(OptionError, match="steps must be a stretch of 5 steps without gaps"):
        unroll.backward(draw("gru").forward(), steps=steps)


def test_naming_what_to_keep_keeps_it_of_all_steps():
    problem = draw("gru", Size(T=100))
    assert problem.forward(Engine("reference", memory="sqrt"), keep=("gates",)).marks is None
