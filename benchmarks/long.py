"""What does little memory cost over a long sequence, and how little is it?

A layer that holds the tape of all steps, and the same layer with ``memory="sqrt"``, in turn. Memory is what a
process of its own holds at most, beside x, the output and their gradients; Linux alone tells it.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.cases import CELLS, PASSES, Run, draw, make_run, ours_and_torchs, size_of, tiny
from benchmarks.measure import Setting, compare
from benchmarks.memory import CLEAR, peak_of
from benchmarks.results import Limit, Row, Series
from unrolled.speed import Shape, using_threads

TIME = Series("long", 'time with memory="sqrt" / without')
SHARE = Series("long", 'memory with "sqrt" / without, beside x, output and their gradients')
SIZE = (100_000, 16, 128, 128)
PAIRS = 3
"""A pass takes half a minute."""


def run(setting: Setting) -> Iterator[Row]:
    """Time, then memory, for every cell; an RNN's tape is its output, and so is held either way."""
    setting = replace(setting, rounds=min(PAIRS, setting.rounds))
    for cell in CELLS:
        (shape,) = setting.shapes([Shape(cell, *SIZE)])
        place = (cell, size_of(shape), PASSES[2].name, setting.most_threads)
        plain, little = _passes(shape)
        with using_threads(setting.most_threads):
            compared = compare(setting, little, {"plain": plain})
        yield TIME.row(*place, compared.cost, Limit("<=", 1.4), str(compared))
        del plain, little
        if cell != "rnn" and CLEAR.exists():
            held = [max(1, _ask(shape, which, setting.most_threads)) for which in (1, 0)]
            note = " of ".join(f"{bytes_ / 2**20:.1f} MiB" for bytes_ in held)
            yield SHARE.row(*place, held[0] / held[1], Limit("<=", 0.03), note)


def _passes(shape: Shape) -> tuple[Run, Run]:
    """The same pass, with the tape of all steps and in little memory."""
    plain: Any = ours_and_torchs(shape)[0]
    little = copy.deepcopy(plain)
    little.memory = "sqrt"
    x, dh = draw(shape)
    return make_run(plain, PASSES[2], x, dh), make_run(little, PASSES[2], x, dh)


def _ask(shape: Shape, which: int, count: int) -> int:
    question = json.dumps({"shape": asdict(shape), "which": which, "count": count})
    command = [sys.executable, "-m", "benchmarks.long", question]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def answer(shape: Shape, which: int, count: int) -> int:
    """Bytes that one of both passes holds in this process beside input, output and their gradients.

    A small pass has loaded before what every pass needs.
    """
    with using_threads(count):
        _passes(tiny(shape))[which]()
        own = 4 * shape.T * shape.B * (shape.H + shape.I)  # the output and dx
        return peak_of(_passes(shape)[which]) - own


if __name__ == "__main__":
    question = json.loads(sys.argv[1])
    print(json.dumps(answer(**question | {"shape": Shape(**question["shape"])})))
