"""How much of the machine's speed at matrix products is left where products are nearly all there is to do?"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.cases import CELLS, GRID, PASSES, Pass, draw, make_run, ours_and_torchs, size_of
from benchmarks.measure import Setting
from benchmarks.results import Limit, Row, Series, scaled
from unrolled import timing
from unrolled.speed import Shape, using_threads

SERIES = Series("peak", "share of the machine's peak")
SIZE = 1024
"""The product of two square matrices of this size is the machine's peak."""

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
FORWARD, TRAINING = Limit(">=", 0.80), Limit(">=", 0.85)


def run(setting: Setting) -> Iterator[Row]:
    """The large shapes of the grid, in turn with the product: each pair has its own peak beside it."""
    for count in setting.threads:
        for cell in CELLS:
            large = [Shape(cell, T, B, I, H) for T, B, I, H in GRID if H >= 256 and B >= 64]
            for shape in setting.shapes(large):
                for which in PASSES:
                    yield _measure(setting, shape, which, count)


def operations(shape: Shape, which: Pass) -> int:
    """Multiplications and additions that one layer in one direction requires.

    Backward are the products for dW_xh and dW_hh, that which carries dh back, and that for dx where it is
    wanted; operations on single numbers are not counted.
    """
    forward = 2 * shape.T * shape.B * GATES[shape.cell] * shape.H * (shape.I + shape.H)
    by_input = 2 * shape.T * shape.B * GATES[shape.cell] * shape.H * shape.I
    backward = 2 * forward - (0 if which.dx else by_input)
    return forward + (backward if which.training else 0)


def _measure(setting: Setting, shape: Shape, which: Pass, count: int) -> Row:
    ours, _ = ours_and_torchs(shape)
    x, dh = draw(shape)
    size = 64 if setting.quick else SIZE
    a, b, product = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
    contestants = {"product": lambda: torch.mm(a, b, out=product), "ours": make_run(ours, which, x, dh)}
    with using_threads(count):
        seconds = timing.in_turn(contestants, setting.rounds, setting.sample)
    share = scaled(
        timing.ratio(seconds["product"], seconds["ours"]), operations(shape, which) / (2 * size**3)
    )
    judged = count == setting.most_threads
    limit = (TRAINING if which.training else FORWARD) if judged else None
    peak = 2e-9 * size**3 / sorted(seconds["product"])[setting.rounds // 2]
    return SERIES.row(shape.cell, size_of(shape), which.name, count, share, limit, f"peak {peak:.0f} GFLOP/s")
