"""What does a call cost with next to nothing to compute, and what do resets, float64 and weight norm add?"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch.nn.utils.parametrizations import weight_norm

from benchmarks.cases import CELLS, PASSES, Pass, draw, make_run, ours_and_torchs, size_of
from benchmarks.measure import Setting, compare
from benchmarks.results import Limit, Row, Series
from unrolled.speed import Shape, using_threads

CALL = Series("fixed", "our time / torch's, one step of eight units")
RESETS = Series("fixed", "time with resets on every tenth step / without")
DOUBLE = Series("fixed", "speed in float64 / in float32")
NORMED = [
    Series("fixed", f"{whose} time with weight norm on both weights / without")
    for whose in ("our", "torch's")
]

CALL_LIMITS = {"gru": (0.6, 0.5)}
"""What must not be exceeded: forward + backward, forward. The other cells are shown beside it."""

RESETS_LIMIT, DOUBLE_LIMIT = Limit("<=", 1.05), Limit(">=", 0.4)


def run(setting: Setting) -> Iterator[Row]:
    """The questions in turn, for every cell."""
    for cell in CELLS:
        for which in PASSES:
            yield _call(setting, Shape(cell, 1, 1, 8, 8), which)
        middling = [
            Shape(cell, 100, 8, 64, 64),
            Shape(cell, 100, 32, 128, 128),
            Shape(cell, 100, 64, 256, 256),
        ]
        for shape in setting.shapes(middling):
            for which in PASSES[:2]:
                yield _resets(setting, shape, which)
                yield _double(setting, shape, which)
                yield from _normed(setting, shape, which)


def _call(setting: Setting, shape: Shape, which: Pass) -> Row:
    ours, theirs = ours_and_torchs(shape)
    x, dh = draw(shape)
    with using_threads(setting.most_threads):
        compared = compare(setting, make_run(ours, which, x, dh), {"torch": make_run(theirs, which, x, dh)})
    limits = CALL_LIMITS.get(shape.cell)
    limit = limits and Limit("<=", limits[not which.training])
    place = (shape.cell, size_of(shape), which.name, setting.most_threads)
    return CALL.row(*place, compared.cost, limit, str(compared))


def _resets(setting: Setting, shape: Shape, which: Pass) -> Row:
    layer, _ = ours_and_torchs(shape)
    x, dh = draw(shape)
    reset = torch.zeros(shape.T, shape.B, dtype=torch.bool)
    reset[::10] = True
    cleared = make_run(layer, which, x, dh, lambda x: layer(x, reset=reset)[0])
    without = make_run(layer, which, x, dh)
    with using_threads(setting.most_threads):
        compared = compare(setting, cleared, {"without": without}, same=False)
    place = (shape.cell, size_of(shape), which.name, setting.most_threads)
    return RESETS.row(*place, compared.cost, RESETS_LIMIT, str(compared))


def _double(setting: Setting, shape: Shape, which: Pass) -> Row:
    layer, _ = ours_and_torchs(shape)
    wide, _ = ours_and_torchs(shape, torch.float64)
    wide.load_state_dict(layer.state_dict())
    x, dh = draw(shape)
    double, single = make_run(wide, which, x.double(), dh.double()), make_run(layer, which, x, dh)
    with using_threads(setting.most_threads):
        compared = compare(setting, double, {"float32": single})
    place = (shape.cell, size_of(shape), which.name, setting.most_threads)
    return DOUBLE.row(*place, compared.gain, DOUBLE_LIMIT, str(compared))


def _normed(setting: Setting, shape: Shape, which: Pass) -> Iterator[Row]:
    x, dh = draw(shape)
    for series, layer in zip(NORMED, ours_and_torchs(shape), strict=True):
        twin = deepcopy(layer)
        for weight in ("weight_ih_l0", "weight_hh_l0"):
            weight_norm(twin, weight)
        normed, plain = make_run(twin, which, x, dh), make_run(layer, which, x, dh)
        with using_threads(setting.most_threads):
            compared = compare(setting, normed, {"without": plain}, same=False)
        place = (shape.cell, size_of(shape), which.name, setting.most_threads)
        yield series.row(*place, compared.cost, note=str(compared))
