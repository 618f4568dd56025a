"""How far a signal reaches: Jacobians of the full state over a step and over a distance, true ones.

The state of a sequence alone is s = (h, c, …). Its Jacobian comes from the backward pass itself: as many
upstream gradients as the state has numbers, the rows of the identity, go back over one tape.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from unrolled import unroll
from unrolled.cells import Array, Cell
from unrolled.tape import Tape, Walk, as_rows


def alone(tape: Tape[Cell], b: int) -> Tape[Cell]:
    """Sequence b of a tape in the order it ran, as a forward tape of batch 1 without padding."""
    n = tape.T if tape.walk.lengths is None else int(tape.walk.lengths[b])
    order = slice(None, None, -1 if tape.walk.reverse else 1)

    def row(array: Array) -> Array:
        return np.ascontiguousarray(array[:n, b : b + 1][order])

    reset = None if tape.walk.reset is None else row(tape.walk.reset)
    arrays = {f"{state}_0": tape.arrays[f"{state}_0"][b : b + 1] for state in tape.cell.states}
    for name in tape.cell.kept("W_hr" in tape.params):
        count = tape.cell.delay(name)
        arrays[name] = row(tape.arrays[name] if tape.walk.reverse else tape.arrays[name][count:])
        if count:
            initial = as_rows(arrays[f"{name}_0"], count, reverse=False)
            arrays[name] = np.concatenate([initial, arrays[name]])
    return dataclasses.replace(tape, x=row(tape.x), walk=Walk(reset=reset), arrays=arrays)


def between(tape: Tape[Cell], first: int, end: int) -> Tape[Cell]:
    """Steps first … end - 1 of a tape that `alone` made."""
    arrays = {f"{state}_0": tape.before(state, first) for state in tape.cell.states}
    for name in tape.cell.kept("W_hr" in tape.params):
        arrays[name] = tape.arrays[name][first : end + tape.cell.delay(name)]
    reset = None if tape.walk.reset is None else tape.walk.reset[first:end]
    return dataclasses.replace(tape, x=tape.x[first:end], walk=Walk(reset=reset), arrays=arrays)


def jacobian(tape: Tape[Cell], rows: Array | None = None) -> Array:
    """``rows · ds_T / ds_0`` over a tape of batch 1; the Jacobian itself where no rows are given.

    Shapes:
        rows: ``[n, size of s]``; the result too.
    """
    sizes = {state: tape.arrays[f"{state}_0"].shape[1] for state in tape.cell.states}
    rows = np.eye(sum(sizes.values()), dtype=tape.x.dtype) if rows is None else rows
    split = np.split(rows, np.cumsum([*sizes.values()])[:-1], axis=1)
    final = dict(zip(sizes, map(np.ascontiguousarray, split), strict=True))
    tape = dataclasses.replace(tape, arrays=dict(tape.arrays))
    unroll.backward(tape, None, final, without=("dx", *(f"d{name}" for name in tape.params)))
    return np.concatenate([tape.arrays[f"d{state}_0"] for state in sizes], axis=1)


def norm(jacobian: Array) -> float:
    """The spectral norm: by how much it lengthens what it lengthens most.

    Shapes:
        jacobian: ``[n, n]``.
    """
    scale = float(np.abs(jacobian).max(initial=0))  # squares of what has all but vanished would be zero
    if not scale or not np.isfinite(scale):
        return scale
    scaled = jacobian / scale
    return scale * float(np.sqrt(np.linalg.eigvalsh(scaled @ scaled.T)[-1]))


def step_norms(tape: Tape[Cell]) -> Array:
    """`norm` of every step's Jacobian.

    Shapes:
        result: ``[T]``.
    """
    return np.array([norm(jacobian(between(tape, t, t + 1))) for t in range(tape.T)])


def product_norm(tape: Tape[Cell], first: int, last: int) -> float:
    """`norm` of ``ds_last / ds_first``, states that leave those steps."""
    return 1.0 if first == last else norm(jacobian(between(tape, first + 1, last + 1)))


def product_norms(tape: Tape[Cell]) -> Array:
    """`norm` of ``ds_last / ds_{last - d}`` for every distance d, the last step fixed.

    Shapes:
        result: ``[T]``.
    """
    rows, norms = None, [1.0]
    for t in range(tape.T - 1, 0, -1):
        rows = jacobian(between(tape, t, t + 1), rows)
        norms.append(norm(rows))
    return np.array(norms)


def signal(G: Array, reverse: bool) -> Array:
    """The median over loss steps of ``G[s, s ∓ d] / G[s, s]``, by distance d.

    Shapes:
        G: ``[S, T]``, S = T, or 1 for a loss at the end; gives ``[T]``.
    """
    S, T = G.shape
    found = np.full(T, np.nan)
    if S == 1 < T:
        row = G[0] if reverse else G[0, ::-1]
        return row / row[0] if row[0] else found
    own = np.diagonal(G)
    for d in range(T):
        far = np.diagonal(G, d if reverse else -d)
        near = own[: T - d] if reverse else own[d:]
        real = near > 0
        if real.any():
            found[d] = np.median(far[real] / near[real])
    return found


def falls_below(signal: Array, share: float) -> float:
    """The first distance at which the signal is ``share`` or less, between whole steps on a log scale.

    Shapes:
        signal: ``[T]``, by distance.
    """
    below = np.flatnonzero(signal <= share)
    if not len(below):
        return float("inf")
    d = int(below[0])
    if d == 0 or not signal[d] or not np.isfinite(signal[d - 1]):
        return float(d)
    before, after = np.log(signal[d - 1]), np.log(signal[d])
    return float(d - 1 + (before - np.log(share)) / (before - after))
