"""Does forward + backward need more memory than torch's?

Each contestant runs in a process of its own: what its resident memory rises to above what it held before the
pass, and the bytes that autograd keeps between forward and backward. Needs Linux, whose /proc tells both.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.cases import CELLS, PASSES, Run, draw, make_run, ours_and_torchs, size_of, tiny
from benchmarks.measure import Setting
from benchmarks.ragged import packed
from benchmarks.results import Limit, Row, Series
from unrolled.speed import Shape, using_threads

PEAK = Series("memory", "our peak / torch's")
KEPT = Series("memory", "our bytes between forward and backward / torch's")
LIMIT = Limit("<=", 1.0)
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
SIZES = [(1000, 16, 128, 128), (100, 64, 256, 256), (50, 64, 1024, 1024), (784, 32, 1, 128)]


def run(setting: Setting) -> Iterator[Row]:
    """Full batches, then a ragged one, which torch packs."""
    if not CLEAR.exists():
        print("memory: this needs Linux's /proc; skipped", file=sys.stderr)
        return
    for cell in CELLS[-1:] if setting.quick else CELLS:  # a process a contestant is slow to rehearse
        for shape in setting.shapes([Shape(cell, *sizes) for sizes in SIZES]):
            yield from _compare(setting, shape, ragged=False)
        yield from _compare(setting, setting.shapes([Shape(cell, 1000, 32, 128, 128)])[0], ragged=True)


def _compare(setting: Setting, shape: Shape, ragged: bool) -> Iterator[Row]:
    ours, theirs = (_ask(shape, ragged, which, setting.most_threads) for which in ("ours", "torch"))
    case = size_of(shape) + (f", lengths 1..{shape.T}" if ragged else "")
    for series, key in ((PEAK, "peak"), (KEPT, "kept")):
        note = f"{ours[key] / 2**20:.1f} MiB, torch {theirs[key] / 2**20:.1f} MiB"
        limit = LIMIT if series is PEAK else None
        share = ours[key] / max(theirs[key], 1)
        yield series.row(shape.cell, case, PASSES[2].name, setting.most_threads, share, limit, note)


def _ask(shape: Shape, ragged: bool, which: str, count: int) -> dict[str, int]:
    question = json.dumps({"shape": asdict(shape), "ragged": ragged, "which": which, "count": count})
    command = [sys.executable, "-m", "benchmarks.memory", question]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def answer(shape: Shape, ragged: bool, which: str, count: int) -> dict[str, int]:
    """Runs one contestant in this process, after a small pass has loaded what every pass needs.

    Units: bytes.
    """
    with using_threads(count):
        _pass(tiny(shape), ragged, which)
        return _pass(shape, ragged, which)


def _pass(shape: Shape, ragged: bool, which: str) -> dict[str, int]:
    both = ours_and_torchs(shape)  # the other stays alive: what it freed could be used unseen
    layer = both[which == "torch"]
    x, dh = draw(shape)
    lengths = torch.linspace(1, shape.T, shape.B).round().long()[torch.randperm(shape.B)] if ragged else None
    call = None
    if lengths is not None:
        call = packed(layer, lengths) if which == "torch" else lambda x: layer(x, lengths=lengths)[0]
    run = make_run(layer, PASSES[2], x, dh, call)
    return {"peak": peak_of(run), "kept": _kept(run)}


def peak_of(run: Run) -> int:
    """Bytes that a pass holds at most beyond what is held before it."""
    CLEAR.write_text("5")  # the peak begins anew at what is held now
    before = _kib("VmRSS")
    run()
    return 1024 * (_kib("VmHWM") - before)


def _kept(run: object) -> int:
    """Bytes that autograd holds on to from a forward pass: those of every memory that it refers to, once."""
    held: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        memory = tensor.untyped_storage()
        held[memory.data_ptr()] = memory.nbytes()
        return tensor

    assert callable(run)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        run()
    return sum(held.values())


def _kib(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    assert found
    return int(found[1])


if __name__ == "__main__":
    question = json.loads(sys.argv[1])
    print(json.dumps(answer(**question | {"shape": Shape(**question["shape"])})))
