"""What must hold for any cell, whatever its numbers: one run against another run of the same engine.

Every function gives the relative error of each array by which the two can be compared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from unrolled.cells import Array
from unrolled.checks.oracle import relative_error
from unrolled.checks.problem import Problem
from unrolled.tape import Engine, Walk

Errors: TypeAlias = dict[str, float]
Results: TypeAlias = dict[str, Array]


def split_and_carry(problem: Problem, at: int, engine: Engine | str = "reference") -> Errors:
    """Two runs, steps before ``at`` and from ``at`` on, that hand on states and gradients, are one run.

    Example:
        >>> from unrolled.checks import draw
        >>> max(split_and_carry(draw("gru"), at=2).values()) < 1e-14
        True
    """
    pieces = [_steps(problem, 0, at), _steps(problem, at, len(problem.x))]
    first, last = reversed(pieces) if problem.walk.reverse else pieces
    tape = first.forward(engine)
    states = {state: tape.arrays[f"{state}_n"] for state in problem.cell.states}
    late = _results(dataclasses.replace(last, initial=states), engine)
    carried = {state: late[f"d{state}_0"] for state in problem.cell.states}
    early = _results(dataclasses.replace(first, final=carried), engine)

    joined: Results = {}
    for name in early:
        kind = _kind(problem, name)
        if kind == "step":
            in_order = (late[name], early[name]) if problem.walk.reverse else (early[name], late[name])
            joined[name] = np.concatenate(in_order)
        elif kind == "parameter":
            joined[name] = early[name] + late[name]
        else:
            joined[name] = (early if kind == "initial" else late)[name]
    return _compare(joined, _results(problem, engine))


def permute_batch(problem: Problem, order: Array, engine: Engine | str = "reference") -> Errors:
    """Sequences in another order give the same, in that order.

    Shapes:
        order: ``[B]``, a permutation.

    Example:
        >>> from unrolled.checks import draw
        >>> max(permute_batch(draw("gru"), np.array([2, 0, 1])).values()) < 1e-14
        True
    """
    lengths, reset, reverse = _parts(problem)
    permuted = dataclasses.replace(
        problem,
        x=problem.x[:, order],
        dh_out=problem.dh_out[:, order],
        initial={state: value[order] for state, value in problem.initial.items()},
        final={state: value[order] for state, value in problem.final.items()},
        walk=Walk(lengths[order], reset[:, order], reverse),
    )
    wanted = _results(problem, engine)
    for name, value in wanted.items():
        kind = _kind(problem, name)
        if kind != "parameter":
            wanted[name] = value[:, order] if kind == "step" else value[order]
    return _compare(_results(permuted, engine), wanted)


def extend_padding(problem: Problem, more: int, engine: Engine | str = "reference") -> Errors:
    """``more`` steps of padding behind all sequences change nothing, whatever stands there (here: NaN).

    Example:
        >>> from unrolled.checks import draw
        >>> max(extend_padding(draw("gru", ragged=True), more=2).values()) < 1e-14
        True
    """
    lengths, reset, reverse = _parts(problem)

    def longer(array: Array, fill: float) -> Array:
        return np.concatenate([array, np.full((more, *array.shape[1:]), fill, array.dtype)])

    x, dh_out = longer(problem.x, np.nan), longer(problem.dh_out, np.nan)
    walk = Walk(lengths, longer(reset, fill=True), reverse)
    padded = dataclasses.replace(problem, x=x, dh_out=dh_out, walk=walk)
    return _compare(_results(padded, engine), _on_steps(problem, engine, lambda array: longer(array, 0)))


def reverse_twice(problem: Problem, engine: Engine | str = "reference") -> Errors:
    """Walking the other way over sequences turned round, each within its own length, is the same walk.

    Example:
        >>> from unrolled.checks import draw
        >>> max(reverse_twice(draw("gru", ragged=True)).values()) < 1e-14
        True
    """
    lengths, reset, reverse = _parts(problem)
    T, B = reset.shape
    steps = np.arange(T)[:, None]
    turned = np.where(steps < lengths, lengths - 1 - steps, steps)

    def turn(array: Array) -> Array:
        return array[turned, np.arange(B)]

    walk = Walk(lengths, turn(reset), not reverse)
    other = dataclasses.replace(problem, x=turn(problem.x), dh_out=turn(problem.dh_out), walk=walk)
    return _compare(_results(other, engine), _on_steps(problem, engine, turn))


def share_tape(problem: Problem, engine: Engine | str = "reference") -> Errors:
    """A batch of gradients over the tape of its first sequence is a batch of copies of that sequence.

    Example:
        >>> from unrolled.checks import draw
        >>> max(share_tape(draw("gru")).values()) < 1e-14
        True
    """
    lengths, reset, reverse = _parts(problem)
    B = reset.shape[1]

    def copies(count: int) -> Problem:
        only = np.zeros(count, dtype=np.int64)
        initial = {state: value[only] for state, value in problem.initial.items()}
        walk = Walk(lengths[only], reset[:, only], reverse)
        return dataclasses.replace(problem, x=problem.x[:, only], initial=initial, walk=walk)

    shared, wanted = _results(copies(1), engine), _results(copies(B), engine)
    gradients = [name for name in wanted if name.startswith("d")]
    return _compare(shared, {name: wanted[name] for name in gradients})


def _parts(problem: Problem) -> tuple[Array, Array, bool]:
    """Lengths ``[B]`` and resets ``[T, B]`` written out where the walk has none, and the direction."""
    T, B = problem.x.shape[:2]
    lengths, reset = problem.walk.lengths, problem.walk.reset
    lengths = np.full(B, T) if lengths is None else lengths
    return lengths, np.zeros((T, B), dtype=bool) if reset is None else reset, problem.walk.reverse


def _steps(problem: Problem, start: int, stop: int) -> Problem:
    """The part of a problem from step ``start`` to before ``stop``."""
    lengths, reset, reverse = _parts(problem)
    walk = Walk(np.clip(lengths - start, 0, stop - start), reset[start:stop], reverse)
    return dataclasses.replace(problem, x=problem.x[start:stop], dh_out=problem.dh_out[start:stop], walk=walk)


def _results(problem: Problem, engine: Engine | str) -> Results:
    """Everything on the solved tape; of the states the rows that leave each step, ``[T, B, ...]``."""
    tape = problem.solve(engine)
    ahead = not tape.walk.reverse
    first = {state: ahead * problem.cell.delay(state) for state in problem.cell.states}
    leaving = {state: tape.arrays[state][row : row + tape.T] for state, row in first.items()}
    return tape.arrays | leaving


def _kind(problem: Problem, name: str) -> Literal["step", "parameter", "initial", "final"]:
    """What the first axis of a result is about."""
    bare = name.removeprefix("d")
    if bare in problem.params:
        return "parameter"
    if bare in {f"{state}_0" for state in problem.cell.states}:
        return "initial"
    return "final" if bare in {f"{state}_n" for state in problem.cell.states} else "step"


def _on_steps(problem: Problem, engine: Engine | str, f: Callable[[Array], Array]) -> Results:
    """The results of a problem, those of steps after ``f``."""
    results = _results(problem, engine)
    return {name: f(v) if _kind(problem, name) == "step" else v for name, v in results.items()}


def _compare(ours: Results, wanted: Results) -> Errors:
    return {name: relative_error(ours[name], value) for name, value in wanted.items()}
