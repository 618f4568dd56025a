"""What does it cost to look inside: recording a pass, the itemised matrix, a trace as a file?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.cases import CELLS, PASSES, Run, draw, make_run, ours_and_torchs, size_of
from benchmarks.measure import Setting, compare
from benchmarks.results import Limit, Row, Series
from unrolled import timing, trace
from unrolled.speed import Shape, using_threads
from unrolled.traces import Trace
from unrolled.tracing.items import Ends, itemise
from unrolled.tracing.keep import Keep
from unrolled.tracing.record import Recorder

RECORDED = Series("tracing", "time recorded / unrecorded")
ITEMISED = Series("tracing", "time of the itemised matrix / of one backward pass")
OPENED = Series("tracing", "seconds to open a trace")
WRITTEN = Series("tracing", "bytes of a trace / of its arrays")

KEPT = {
    "h, c, gates, dh": (Keep(("states", "gates", "dh")), Limit("<=", 1.15)),
    "parts of every gradient": (Keep(("forward", "dh", "dc", "da", "dweights")), Limit("<=", 1.3)),
}
"""What is kept, and what it may cost."""

SIZES = [(100, 32, 128, 128), (100, 64, 256, 256), (1000, 1, 256, 256)]
SMALL = (100, 8, 64, 64)
"""A pass of a millisecond, of which what a recorded call takes is a part; shown without a limit."""


def run(setting: Setting) -> Iterator[Row]:
    """The three questions in turn, for every cell."""
    for cell in CELLS:
        for shape in setting.shapes([Shape(cell, *sizes) for sizes in SIZES]):
            yield from _recorded(setting, shape, limited=True)
        yield from _recorded(setting, *setting.shapes([Shape(cell, *SMALL)]), limited=False)
        yield _itemised(setting, *setting.shapes([Shape(cell, 200, 1, 128, 128)]))
    yield from _file(setting, *setting.shapes([Shape("lstm", 1000, 1, 256, 256)]))


def _recorded(setting: Setting, shape: Shape, limited: bool) -> Iterator[Row]:
    layer, _ = ours_and_torchs(shape)
    x, dh = draw(shape)
    for what, (keep, limit) in KEPT.items():
        with using_threads(setting.most_threads):
            plain = make_run(layer, PASSES[1], x, dh)
            recorded = make_run(layer, PASSES[1], x, dh, _recording(layer, keep))
            compared = compare(setting, recorded, {"unrecorded": plain})
        place = (shape.cell, size_of(shape), what, setting.most_threads)
        yield RECORDED.row(*place, compared.cost, limit if limited else None, str(compared))


def _recording(layer: torch.nn.Module, keep: Keep) -> Any:
    """A call of the layer that keeps what it computes, until the next."""

    def call(x: torch.Tensor) -> torch.Tensor:
        with Recorder([("", layer)], keep).on():  # pyright: ignore[reportArgumentType]
            return layer(x)[0]

    return call


def _itemised(setting: Setting, shape: Shape) -> Row:
    layer: Any = ours_and_torchs(shape)[0]
    x, dh = draw(shape)
    weights, output = list(layer.parameters()), layer(x)[0]
    recorder = Recorder([("", layer)], Keep("G"))
    with recorder.on():
        recorded = layer(x)[0]
    torch.autograd.grad(recorded, [recorder.anchor, *weights], dh, retain_graph=True, allow_unused=True)
    ends = Ends([recorded], [dh], torch.arange(shape.T)[:, None, None])

    def backward() -> Sequence[Any]:
        return torch.autograd.grad(output, weights, dh, retain_graph=True)

    def matrix() -> Sequence[Any]:
        itemise(recorder.items(), recorder.anchor, ends)
        return []

    with using_threads(setting.most_threads):
        compared = compare(setting, matrix, {"backward": backward}, same=False)
    place = (shape.cell, size_of(shape), "backward", setting.most_threads)
    return ITEMISED.row(*place, compared.cost, Limit("<=", 40), str(compared))


def _file(setting: Setting, shape: Shape) -> Iterator[Row]:
    layer, _ = ours_and_torchs(shape)
    seen = trace(layer, draw(shape)[0], loss=lambda out: out[0].sum())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.safetensors"
        seen.save(path)
        opening: Run = lambda: [Trace.load(path)]  # noqa: E731
        seconds = timing.in_turn({"open": opening}, setting.rounds, setting.sample)["open"]
        bytes_ = path.stat().st_size
    arrays = sum(array.nbytes for array in seen.arrays.values())
    place = (shape.cell, size_of(shape), "", 1)
    note = f"{arrays / 2**20:.1f} MiB of arrays"
    yield OPENED.row(*place, sorted(seconds)[len(seconds) // 2], Limit("<=", 0.2), note)
    yield WRITTEN.row(*place, bytes_ / arrays, Limit("<=", 1.1), note)
