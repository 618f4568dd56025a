"""Every way in which threads divide a pass, and sums so long that they are cut: compiled = reference.

The shapes are chosen by the core's own rule, which a small program (tests/native/division.cpp) is asked for,
so that a changed rule cannot leave a way untested.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.battery import compare
from tests.battery.cases import Case
from tests.battery.kernels import needs_core
from unrolled import native
from unrolled.cells import get

pytestmark = needs_core

ROOT = Path(__file__).parents[2]
COMPILER = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), "")
FLAGS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma"],
}
CELLS = ("rnn_tanh", "lstm", "gru", "gru_reset_before")
DTYPES = {"float32": 0, "float64": 1}


def shape(T: int, B: int, I: int, H: int) -> dict[str, int]:
    return dict(T=T, B=B, I=I, H=H)


WAYS = {
    ("rows", 1): shape(3, 5, 4, 9),
    ("rows", 2): shape(12, 7, 33, 100),
    ("rows", 3): shape(12, 30, 33, 100),
    ("units", 2): shape(9, 1, 20, 460),
    ("units", 3): shape(9, 2, 20, 600),
    ("products", 2): shape(150, 1, 70, 70),
    ("products", 3): shape(150, 2, 70, 70),
}
"""Shapes that the given number of threads divide in that way, whatever the cell and the instruction set."""

SHARED_CACHE = shape(5, 6, 20, 600)
"""Enough rows to share out, but weights too large for each thread to read alone: units again."""

LONG = {
    "input": Case("gru", "float64", H=20, I=1700, T=2, B=3),
    "input in float32": Case("rnn_relu", "float32", H=20, I=1700, T=2, B=3),
    "state": Case("rnn_tanh", "float64", H=800, I=5, T=2, B=3),
    "state in float32": Case("rnn_tanh", "float32", H=1600, I=5, T=2, B=3),
    "gates going back": Case("gru", "float32", H=530, I=5, T=2, B=3),
    "projected": Case("lstm P=1", "float64", H=800, I=5, T=2, B=3),
}
"""Cases in which one product's sums are longer than the core sums in one go."""


def asked(tmp_path: Path, isa: str, shapes: list[tuple[int, ...]]) -> list[str]:
    """What the core decides for each shape ``cell is_double T B I H threads``; then its longest sums."""
    program = tmp_path / "division"
    sources = [ROOT / "tests/native/division.cpp", ROOT / "csrc/order.cpp"]
    defined = ["-std=c++17", f"-I{ROOT / 'csrc'}", f"-DUNROLLED_ISA={isa}"]
    subprocess.run([COMPILER, *defined, *FLAGS[isa], *map(str, sources), "-o", str(program)], check=True)
    lines = "".join(" ".join(map(str, each)) + "\n" for each in shapes)
    return subprocess.run(
        [program], input=lines, capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.mark.skipif(not COMPILER, reason="asking the core for its rule needs a C++ compiler")
@pytest.mark.parametrize("isa", native.isas())
def test_the_shapes_reach_every_way(tmp_path: Path, isa: str):
    expected = [way for way in WAYS for _ in CELLS for _ in DTYPES]
    shapes = [
        (native.CELLS.index(cell), DTYPES[dtype], *sizes.values(), way[1])
        for way, sizes in WAYS.items()
        for cell in CELLS
        for dtype in DTYPES
    ]
    gated = [cell for cell in CELLS if cell != "rnn_tanh"]
    expected += [("units", 2) for _ in gated]
    shapes += [(native.CELLS.index(cell), 0, *SHARED_CACHE.values(), 2) for cell in gated]
    *divisions, longest = asked(tmp_path, isa, shapes)
    assert divisions == [f"{by} {threads}" for by, threads in expected]
    limits = dict(zip(DTYPES, map(int, longest.split()), strict=True))
    for case in LONG.values():
        gates = get(case.cell.partition(" ")[0]).gates
        assert max(case.I, len(gates) * case.H) > limits[case.dtype]


def cases() -> list[Case]:
    """Each way of dividing with every cell, and circumstances in turn."""
    turns = [
        dict(lengths="all", reset="none", reverse=False, dtype="float32"),
        dict(lengths="ragged", reset="some", reverse=True, dtype="float64"),
        dict(lengths="short", reset="some", reverse=False, dtype="float32"),
        dict(lengths="equal", reset="every", reverse=True, dtype="float64"),
    ]
    sizes = [*WAYS.values(), SHARED_CACHE]
    return [
        Case(cell, **sizes[i], **turns[(i + j) % 4])  # type: ignore[arg-type]
        for i in range(len(sizes))
        for j, cell in enumerate((*CELLS, "lstm P<H"))
    ]


@pytest.mark.parametrize("case", cases(), ids=str)
@pytest.mark.parametrize("isa", native.isas())
def test_however_divided(case: Case, isa: str):
    compare.forward(case, isa, (1, 2, 3), train=True)
    compare.forward(case, isa, (1, 2, 3), train=False)
    compare.backward(case, isa, (1, 2, 3))


@pytest.mark.parametrize("case", LONG.values(), ids=LONG.keys())
@pytest.mark.parametrize("isa", native.isas())
def test_long_sums(case: Case, isa: str):
    compare.forward(case, isa, (1, 2), train=True)
    compare.forward(case, isa, (1, 2), train=False)
    compare.backward(case, isa, (1, 2))
