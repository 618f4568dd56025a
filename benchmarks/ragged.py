"""What do sequences of different length cost, beside torch's packed ones and beside a full batch?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.cases import CELLS, PASSES, Pass, Run, draw, make_run, ours_and_torchs, size_of
from benchmarks.measure import Comparison, Setting, compare, must_agree
from benchmarks.results import Limit, Row, Series
from unrolled import timing
from unrolled.speed import Shape, using_threads

LENGTHS = Series("ragged", "torch packed's time / ours with lengths=")
PACKED = Series("ragged", "torch packed's time / ours packed")
FULL = Series("ragged", "our time / ours for a full batch of as many real steps")

AGAINST_PACKED = {"rnn": (15.0, 5.0), "gru": (25.0, 6.0), "lstm": (40.0, 5.0)}
"""What must be reached against torch: forward + backward, forward."""

AGAINST_FULL = Limit("<=", 1.15)


def run(setting: Setting) -> Iterator[Row]:
    """Lengths drawn uniformly, in no order; then pytorch#149194: two layers over evenly spread lengths."""
    for cell in CELLS:
        (shape,) = setting.shapes([Shape(cell, 1000, 32, 128, 128)])
        lengths = torch.randint(1, shape.T + 1, (shape.B,), generator=torch.Generator().manual_seed(0))
        lengths[shape.B // 2] = shape.T  # so that T is the longest, for torch unpacks to that
        case = f"{size_of(shape)}, lengths 1..{shape.T}"
        for which in PASSES:
            limit = Limit(">=", AGAINST_PACKED[shape.cell][not which.training])
            yield from _against_packed(setting, shape, case, which, lengths, limit)
            yield _against_full(setting, shape, case, which, lengths)
    (shape,) = setting.shapes([Shape("lstm", 4000, 8, 64, 64, layers=2)])
    lengths = torch.linspace(1, shape.T, shape.B).round().long()
    for which in PASSES[:2]:
        yield from _against_packed(setting, shape, f"{size_of(shape)}, pytorch#149194", which, lengths)


def _against_packed(
    setting: Setting, shape: Shape, case: str, which: Pass, lengths: Tensor, limit: Limit | None = None
) -> Iterator[Row]:
    """Ours, fed padded with lengths and fed packed, and torch's in turn."""
    ours, theirs = ours_and_torchs(shape)
    x, dh = draw(shape)
    contestants = {
        "lengths": _run_ragged(ours, which, x, dh, lengths),
        "packed": make_run(ours, which, x, dh, packed(ours, lengths)),
        "torch": make_run(theirs, which, x, dh, packed(theirs, lengths)),
    }
    count = setting.most_threads
    with using_threads(count):
        must_agree(contestants["lengths"], contestants)
        seconds = timing.in_turn(contestants, setting.rounds, setting.sample)
    for series, way, at_least in ((LENGTHS, "lengths", limit), (PACKED, "packed", None)):
        compared = Comparison(seconds[way], seconds["torch"], "torch")
        yield series.row(shape.cell, case, which.name, count, compared.gain, at_least, str(compared))


def _against_full(setting: Setting, shape: Shape, case: str, which: Pass, lengths: Tensor) -> Row:
    """Beside a batch of as many sequences, all of the mean length."""
    layer, _ = ours_and_torchs(shape)
    x, dh = draw(shape)
    steps = max(1, round(int(lengths.sum()) / shape.B))
    ragged = _run_ragged(layer, which, x, dh, lengths)
    full = make_run(layer, which, x[:steps].contiguous(), dh[:steps].contiguous())
    count = setting.most_threads
    with using_threads(count):
        compared = compare(setting, ragged, {f"full with T={steps}": full}, same=False)
    return FULL.row(shape.cell, case, which.name, count, compared.cost, AGAINST_FULL, str(compared))


def packed(layer: torch.nn.Module, lengths: Tensor) -> Callable[[Tensor], Tensor]:
    """Padded input to padded output by way of a PackedSequence, as torch has its users do.

    Shapes:
        lengths: ``[B]``; the function takes ``[T, B, I]`` and gives ``[T, B, D*H]``.
    """

    def call(x: Tensor) -> Tensor:
        output, _ = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return pad_packed_sequence(output)[0]

    return call


def _run_ragged(layer: torch.nn.Module, which: Pass, x: Tensor, dh: Tensor, lengths: Tensor) -> Run:
    return make_run(layer, which, x, dh, lambda x: layer(x, lengths=lengths)[0])
