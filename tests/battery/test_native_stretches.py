"""The core in stretches of a whole number of blocks, each going back on its own tape = the core in one call.

To the bit, whatever the cell, the walk, the threads and the instruction set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.battery import kernels
from tests.battery.cases import Case
from tests.battery.compare import assert_same_bits, initial
from tests.battery.kernels import BACKWARD, WANTED, How, needs_core
from tests.battery.tokens import Tokens, tokens
from unrolled import native
from unrolled.cells import Array, Values
from unrolled.checks import Problem
from unrolled.tape import Stretch
from unrolled.unroll.stretches import cut

pytestmark = needs_core

CELLS = ("rnn_tanh", "rnn_relu", "lstm", "lstm P<H", "gru", "gru_reset_before", "hornn_tanh_3")
TURNS: list[dict[str, Any]] = [
    dict(lengths="all", reset="none", initial="none", dtype="float32", I=40, layout="plain"),
    dict(lengths="ragged", reset="some", initial="all", dtype="float64", I=3, layout="half"),
    dict(lengths="short", reset="some", initial="h", dtype="float32", I=33, layout="batch_first"),
    dict(lengths="ragged", reset="none", initial="none", dtype="float32", I=5, bias="b_hh", wanted="weights"),
]
"""Circumstances, among them inputs narrower and wider than a register."""

SIZES = [dict(T=21, B=60, H=17), dict(T=30, B=34, H=66), dict(T=70, B=5, H=260), dict(T=600, B=1, H=72)]
"""Blocks of 4, 7, 102 and 256 steps; the last is divided as a relay."""


def cases() -> list[Case]:
    """Every cell both ways, sizes and circumstances in turn."""
    return [
        Case(cell, reverse=bool(k // 2 % 2), **SIZES[(k + j) % 4], **TURNS[(k + k // 4) % 4])
        for j, cell in enumerate(CELLS)
        for k in range(8)
    ]


def joined(parts: list[Array], case: Case) -> Array:
    """Arrays of stretches, in the order they ran, as one of all steps."""
    return np.concatenate(parts[::-1] if case.reverse else parts)


def piece(problem: Problem, part: slice, states: Values) -> Problem:
    """A stretch of a problem that begins with those states; its final states have no gradient yet."""
    walk = problem.walk
    here = None if walk.lengths is None else np.clip(walk.lengths - part.start, 0, part.stop - part.start)
    reset = None if walk.reset is None else np.ascontiguousarray(walk.reset[part])
    stretch = Stretch(here, reset, walk.reverse, whole=walk.lengths)
    changed = dict(x=problem.x[part], dh_out=problem.dh_out[part], walk=stretch, initial=states)
    return dataclasses.replace(problem, **changed)


def in_stretches(case: Case, how: How, blocks: int, looked_up: bool = False, off: int = 0) -> Values:
    """Everything a case gives, in stretches of so many blocks and ``off`` steps."""
    problem = case.problem()
    coded = None
    if looked_up:
        problem, coded = tokens(problem)
    length = native.block_steps(case.B, case.H) * blocks + off
    parts = cut(
        case.T if problem.walk.lengths is None else int(problem.walk.lengths.max()), length, case.reverse
    )
    states, names = dict(problem.initial), initial(case)
    pieces, runs, given = list[Problem](), list[Values](), list[list[str]]()
    for part in parts:
        here = None if coded is None else Tokens(coded.ids[part], coded.table)
        pieces.append(piece(problem, part, states))
        given.append(names)
        runs.append(kernels.forward(pieces[-1], how, names, tokens=here))
        states, names = {state: runs[-1][f"{state}_n"] for state in states}, [*states]
    found = {name: joined([run[name] for run in runs], case) for name in runs[0] if not name.endswith("_n")}
    found |= {f"{state}_n": value for state, value in states.items()}
    final, onto, of_steps = problem.final, dict[str, Array](), dict[str, list[Array]]()
    for k in reversed(range(len(parts))):
        here = None if coded is None else Tokens(coded.ids[parts[k]], coded.table)
        each = dataclasses.replace(pieces[k], final=final)
        wanted = {*WANTED[case.wanted], *WANTED["initial"]}
        onto = kernels.backward(each, runs[k] | onto, how, given[k], wanted=wanted, tokens=here)
        final = {state: onto[f"d{state}_0"] for state in final}
        for name in onto.keys() & {"dx", "dh", "dh_carry", "dc", "da"}:
            of_steps.setdefault(name, []).insert(0, onto[name])
    return found | onto | {name: joined(values, case) for name, values in of_steps.items()}


def whole(case: Case, how: How, looked_up: bool = False) -> Values:
    """The same in one call each way, as far as the longest sequence."""
    problem, coded = case.problem(), None
    if looked_up:
        problem, coded = tokens(problem)
    found = kernels.forward(problem, how, initial(case), tokens=coded)
    wanted = {*WANTED[case.wanted], *WANTED["initial"]}
    found |= kernels.backward(problem, found, how, initial(case), wanted=wanted, tokens=coded)
    end = case.T if problem.walk.lengths is None else int(problem.walk.lengths.max())
    of_steps = found.keys() & {"h", "gates", "saved", "c", "dx", "dh", "dh_carry", "dc", "da"}
    return found | {name: found[name][:end] for name in of_steps}


def check(case: Case, isa: str, *, looked_up: bool = False, off: int = 0) -> None:
    """Fails unless stretches of one and two blocks give the bits of the whole, on 1 to 3 threads."""
    expected = whole(case, How(isa, 1, case.layout), looked_up)
    for blocks, threads in ((1, 1), (1, 2), (2, 3)):
        found = in_stretches(case, How(isa, threads, case.layout), blocks, looked_up, off)
        assert found.keys() == expected.keys()
        for name in ("gates", "saved", "c"):  # past a sequence's end, where nothing is written
            if name in found:
                found[name] = np.nan_to_num(found[name])
        assert_same_bits([{name: np.nan_to_num(value) for name, value in expected.items()}, found])


@pytest.mark.parametrize("case", cases(), ids=str)
@pytest.mark.parametrize("isa", native.isas())
def test_stretches_have_the_bits_of_the_whole(case: Case, isa: str):
    check(case, isa)


@pytest.mark.parametrize("case", cases()[::3], ids=str)
def test_looked_up_too(case: Case):
    check(case, native.isa(), looked_up=True)


def test_a_stretch_without_steps_adds_nothing_and_hands_gradients_on():
    case = Case("lstm", "float64", H=9, I=3, T=4, B=5, lengths="all")
    problem = case.problem()
    walk = Stretch(np.zeros(case.B, np.int64), problem.walk.reset, whole=np.full(case.B, 2))
    problem = dataclasses.replace(problem, walk=walk)
    how = How(native.isa())
    tape = kernels.forward(problem, how)
    before = {name: np.random.default_rng(0).normal(size=v.shape) for name, v in problem.params.items()}
    onto = {f"d{name}": value for name, value in before.items()}
    found = kernels.backward(problem, tape | onto, how)
    for name, value in onto.items():
        np.testing.assert_array_equal(found[name], value)
    for state, value in problem.final.items():
        np.testing.assert_array_equal(found[f"d{state}_0"], value)


def replaced(name: str, value: int) -> Callable[..., None]:
    right = native.backward

    def wrong(*arguments: int) -> None:
        given = dict(zip(BACKWARD, arguments, strict=True))
        right(*(given | {name: value}).values())

    return wrong


@pytest.mark.parametrize("name", ["add", "whole"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "reverse"])
def test_an_argument_ignored_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str, reverse: bool):
    case = Case("gru", "float32", H=17, I=5, T=21, B=60, reverse=reverse)
    check(case, native.isa())
    monkeypatch.setattr(native, "backward", replaced(name, 0))
    with pytest.raises(AssertionError):
        check(case, native.isa())


def test_a_stretch_that_begins_within_a_block_is_noticed():
    case = Case("gru", "float32", H=17, I=5, T=21, B=60)
    with pytest.raises(AssertionError):
        check(case, native.isa(), off=1)
