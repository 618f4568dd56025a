"""Plants the faults of `tests.native.faults` in copies of the core: ``python -m tests.native.plant [WORD]``.

The copies are built as for every processor and without optimisation, some seconds each. `make faults` plants
them all; with WORD it is those that have it in their description.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.native import export
from tests.native.altered import copy
from tests.native.faults import FAULTS, Fault

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
COMPILE = [os.environ.get("CXX", "c++"), "-std=c++17", "-O0", "-w", "-pthread", "-DUNROLLED_ISA=baseline"]


def build(arguments: list[str]) -> None:
    """Runs the compiler; fails with the first of its errors."""
    done = subprocess.run([*COMPILE, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(next(line for line in done.stderr.splitlines() if "error" in line))


def prepare(folder: Path, which: str = "all") -> None:
    """Puts the cases and the core's own test, still without a core, into the folder."""
    export.write(folder / "cases", export.cases(which))
    for program in ("harness", "allocations"):
        build([f"-I{CSRC}", "-c", str(HERE / f"{program}.cpp"), "-o", str(folder / f"{program}.o")])


def run(fault: Fault, folder: Path) -> subprocess.CompletedProcess[str]:
    """The core's own test with the fault planted; ``folder`` is what `prepare` left."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        sources, program = Path(name) / "csrc", Path(name) / "faulty"
        copy(CSRC, sources, fault.alterations)
        core = [str(file) for file in sources.glob("*.cpp") if file.name != "bind.cpp"]
        build([*fault.flags, *core, str(folder / f"{fault.program}.o"), "-o", str(program)])
        stop = os.environ | {"TSAN_OPTIONS": "halt_on_error=1"}
        words = [program, folder / "cases"] if fault.program == "harness" else [program]
        return subprocess.run(words, env=stop, capture_output=True, text=True, timeout=300)


def noticed(fault: Fault, done: subprocess.CompletedProcess[str]) -> str:
    """The line that reports the fault as it must be; empty if none does, or the test did not fail."""
    lines = (done.stdout + done.stderr).splitlines() if done.returncode else []
    return next((line for line in lines if re.search(fault.noticed_as, line)), "")


def main(word: str = "") -> int:
    """Plants the faults with that word, says how each was noticed, and gives how many were not."""
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for fault in FAULTS:
            if word in fault.what:
                done = run(fault, folder)
                line = noticed(fault, done)
                missed += not line
                said = line or f"exit status {done.returncode}: {(done.stdout + done.stderr)[-400:]}"
                print(f"{'noticed' if line else 'NOT NOTICED'}: {fault.what}: {said}", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
