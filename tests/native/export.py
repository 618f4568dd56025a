"""Writes cases for the core's own test: ``python -m tests.native.export FILE [all|few|divided]``.

A case is numbers and arrays by name. What goes in has the case's dtype; what should come out is in float64,
under ``=`` and its name. Going back the harness reads the reference's tape, rounded to the dtype, and so does
the reference: each way is compared by itself. The input of every case comes as rows and again as ids with a
table. All is little-endian, as every machine this runs on.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.battery import compare, kernels, truth
from tests.battery.cases import FACTORS, Case
from tests.battery.kernels import WANTED, How
from tests.battery.pairs import all_pairs
from tests.battery.tokens import tokens
from tests.tolerances import limit
from unrolled.cells import Array

SMALL = FACTORS | {"H": (1, 2, 5, 16, 33, 66), "I": (1, 3, 14, 33), "T": (1, 2, 3, 9), "B": (1, 2, 5, 13)}
"""Sizes that a sanitizer or an emulator gets through in minutes."""

DIVIDED = [
    Case(cell, dtype, T=T, B=B, I=20, H=H, lengths=lengths, reset=reset, reverse=reverse)  # type: ignore[arg-type]
    for T, B, H in [(5, 1, 460), (4, 2, 600), (100, 1, 70), (12, 13, 66), (30, 13, 33)]
    for cell, dtype, lengths, reset, reverse in [
        ("gru", "float32", "all", "some", False),
        ("gru_reset_before", "float32", "ragged", "some", True),
        ("lstm", "float64", "all", "none", False),
    ]
]
"""Shapes that threads divide by units, as a relay, and by rows; the last over several blocks of steps."""


def cases(which: str) -> list[Case]:
    """All of them, or few: one of every cell in every dtype; or those divided among threads, and the few."""
    covering = [Case(**row) for row in all_pairs(SMALL)]
    few = [*{(case.cell, case.dtype): case for case in covering}.values()]
    return {"all": [*covering, *DIVIDED], "few": few, "divided": [*few, *DIVIDED]}[which]


def arrays(case: Case) -> Iterator[tuple[str, Array]]:
    """Everything that goes into a case and comes out of it, by name."""
    problem, coded = tokens(case.problem())
    tape, forward = truth.forward(problem)
    recorded = {
        name: forward[name].astype(case.dtype) for name in ("h", "gates", "saved", "c") if name in forward
    }
    backward = truth.backward(problem, tape, recorded)
    backward["dtable"] = coded.dtable(backward["da"])
    yield from problem.params.items()
    walk = problem.walk
    yield from (
        (f"{name}_0", problem.initial[name]) for name in compare.initial(case) if name in problem.initial
    )
    yield from {"x": problem.x, **coded._asdict(), **recorded}.items()
    upstream = {"dh_out": problem.dh_out} | {f"d{state}_n": value for state, value in problem.final.items()}
    yield from ((name, upstream[name]) for name in compare.UPSTREAM[case.upstream] if name in upstream)
    if walk.lengths is not None:
        yield "lengths", walk.lengths.astype(np.int64)
    if walk.reset is not None:
        yield "reset", walk.reset.astype(np.uint8)
    yield from ((f"={name}", value.astype(np.float64)) for name, value in (forward | backward).items())


def numbers(case: Case) -> dict[str, int]:
    """Sizes and circumstances of a case."""
    given = kernels.arguments(case.problem(), How("", layout="plain"))
    named = {name: int(given[name]) for name in ("T", "B", "I", "H", "P", "reverse")}
    named |= {"cell": given["code"] // 2, "is_double": given["code"] % 2, "tape_batch": case.B}
    named |= {"order": given["order"], "N": len(tokens(case.problem())[1].table)}
    named |= {"G": len(case.problem().cell.gates), "layout": FACTORS["layout"].index(case.layout)}
    named |= {f"wanted {name}": 1 for name in WANTED[case.wanted]}
    return named | {"limit * 1e18": round(limit("compiled", case.dtype) * 1e18)}


def packed(data: bytes | str) -> bytes:
    """Bytes behind their number."""
    data = data.encode() if isinstance(data, str) else data
    return struct.pack("<q", len(data)) + data


def write(path: Path, chosen: list[Case]) -> None:
    """The file of these cases."""
    with path.open("wb") as file:
        file.write(struct.pack("<q", len(chosen)))
        for case in chosen:
            file.write(packed(str(case)))
            named = numbers(case)
            file.write(struct.pack("<q", len(named)))
            file.writelines(packed(name) + struct.pack("<q", value) for name, value in named.items())
            given = dict(arrays(case))
            file.write(struct.pack("<q", len(given)))
            file.writelines(
                packed(name) + packed(np.ascontiguousarray(value).tobytes()) for name, value in given.items()
            )


if __name__ == "__main__":
    write(Path(sys.argv[1]), cases(sys.argv[2] if len(sys.argv) > 2 else "all"))
