"""How many times the speed of JAX and of ONNX Runtime, arrays of NumPy in and out?

All at the largest number of threads. JAX fixes its own when it first computes, so that another number wants
another process: ``python -m benchmarks peers --threads 1``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.cases import CELLS, GRID, PASSES, Pass, Run, make_run, ours_and_torchs, size_of
from benchmarks.measure import Setting, compare
from benchmarks.results import Limit, Row, Series
from unrolled import nn
from unrolled.speed import Shape, using_threads

JAX = Series("peers", "JAX's time / ours")
ONNX = Series("peers", "ONNX Runtime's time / ours")
STEP = Series("peers", "ONNX Runtime's time / ours, one step of a stream")
CALLED = Series("peers", "ONNX Runtime's time / ours, one step of a stream, arrays handed to session.run")

JAX_LIMIT = Limit(">=", 1.2)
"""The worst case with more than one step must hold it, forward and with backward."""

STEP_LIMITS = {64: Limit(">=", 5.0), 256: Limit(">=", 1.5)}
"""By the number of hidden units."""


def run(setting: Setting) -> Iterator[Row]:
    """Whichever peers are installed."""
    parts: dict[str, list[Callable[[Setting], Iterator[Row]]]] = {
        "jax": [against_jax],
        "onnxruntime": [against_onnx, steps_against_onnx],
    }
    for package, benchmarks in parts.items():
        if find_spec(package):
            for benchmark in benchmarks:
                yield from benchmark(setting)
        else:
            print(f'peers: {package} is not installed. Fix: pip install "unrolled[bench]"', file=sys.stderr)


def against_jax(setting: Setting) -> Iterator[Row]:
    """The grid's cases of more than one step; of JAX's ways the fastest."""
    os.environ["PJRT_NPROC"] = str(setting.most_threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    from benchmarks import jax_scan

    for cell in CELLS:
        rows: list[Row] = []
        for shape in _longer(setting, cell):
            for which in PASSES:
                layer, x, dh = _problem(shape)
                theirs = jax_scan.runs(cell, layer.state_dict(), which, x, dh)
                rows.append(
                    _measure(setting, JAX, shape, which, (_through_numpy(layer, which, x, dh), theirs))
                )
                yield rows[-1]
        yield from _worst(setting, cell, rows)


def against_onnx(setting: Setting) -> Iterator[Row]:
    """The same cases, forward."""
    from benchmarks import onnx_node

    for cell in CELLS:
        for shape in _longer(setting, cell):
            layer, x, dh = _problem(shape)
            theirs = onnx_node.whole(cell, layer.state_dict(), setting.most_threads, x)
            yield _measure(setting, ONNX, shape, PASSES[0], (_through_numpy(layer, PASSES[0], x, dh), theirs))


def steps_against_onnx(setting: Setting) -> Iterator[Row]:
    """`Stream.step` of one sequence; the fastest of ONNX Runtime, then of its calls with arrays."""
    from benchmarks import onnx_node

    for cell in CELLS:
        for shape in setting.shapes([Shape(cell, 1, 1, H, H) for H in STEP_LIMITS]):
            layer, x, _ = _problem(shape)
            for series, limit in ((STEP, STEP_LIMITS.get(shape.H)), (CALLED, None)):
                stream, row = layer.stream(), x[0]
                theirs = onnx_node.steps(cell, layer.state_dict(), setting.most_threads, row)
                if series is CALLED:
                    theirs = {name: run for name, run in theirs.items() if " run, " in name}
                contestants = (lambda stream=stream, row=row: [stream.step(row)], theirs)
                yield _measure(setting, series, shape, PASSES[0], contestants, limit)


def _longer(setting: Setting, cell: str) -> list[Shape]:
    return setting.shapes([Shape(cell, *sizes) for sizes in GRID if sizes[0] > 1])


def _problem(shape: Shape) -> tuple[nn.RNN | nn.GRU | nn.LSTM, NDArray[Any], NDArray[Any]]:
    layer: Any = ours_and_torchs(shape)[0]
    rng = np.random.default_rng(0)
    x, dh = (rng.standard_normal((shape.T, shape.B, size), np.float32) for size in (shape.I, shape.H))
    return layer, x, dh


def _through_numpy(layer: torch.nn.Module, which: Pass, x: NDArray[Any], dh: NDArray[Any]) -> Run:
    """Our pass as somebody calls it who has arrays and wants arrays."""
    tensors = torch.from_numpy(x), torch.from_numpy(dh)
    call = None if which.dx else lambda _: layer(torch.from_numpy(x))[0]
    run = make_run(layer, which, *tensors, call)
    return lambda: [array.numpy() for array in run()]


def _measure(
    setting: Setting,
    series: Series,
    shape: Shape,
    which: Pass,
    contestants: tuple[Run, dict[str, Run]],
    limit: Limit | None = None,
) -> Row:
    ours, theirs = contestants
    with using_threads(setting.most_threads):
        compared = compare(setting, ours, theirs)
    count = setting.most_threads
    return series.row(shape.cell, size_of(shape), which.name, count, compared.gain, limit, str(compared))


def _worst(setting: Setting, cell: str, rows: list[Row]) -> Iterator[Row]:
    for training, passed in enumerate(("forward", "forward + backward")):
        those = [row for row in rows if row.passed.startswith("forward + backward") == bool(training)]
        worst = min(those, key=lambda row: row.value)
        note = f"{worst.case}, {worst.passed}"
        yield JAX.row(cell, "worst", passed, setting.most_threads, worst.value, JAX_LIMIT, note)
