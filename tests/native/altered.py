"""Copies the core with some of its lines altered: ``python -m tests.native.altered KIND FROM TO``.

steady      threads are used on a busy machine too, where the core would do without them for a while
impatient   the same, and a team parts at the first chance, as if every other member were late
fenced      steady, and between the pieces of scratch memory lies memory that the address sanitizer forbids;
            the core takes all pieces in one allocation, inside which it would see nothing. A piece itself is
            never forbidden, not for a moment: packed weights may be another thread's too
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Alteration(NamedTuple):
    """Text in a file of the core, what stands there instead, and how often it is there."""

    file: str
    before: str
    after: str
    times: int = 1


STEADY = Alteration("pool.cpp", "kRest = 10'000'000;", "kRest = 0;")
KINDS = {
    "steady": [STEADY],
    "impatient": [
        STEADY,
        Alteration("pool.cpp", "constexpr int kSpins = 4000;", "constexpr int kSpins = 0;"),
        Alteration("pool.cpp", "arrive(kLate + 2 * (now() - met_));", "arrive(0);"),
    ],
    "fenced": [
        STEADY,
        Alteration(
            "sequence.hpp", "#pragma once\n", "#pragma once\n\n#include <sanitizer/asan_interface.h>\n"
        ),
        Alteration(
            "sequence.hpp",
            "        at_ += (std::uintptr_t(n) * sizeof(T) + 63) / 64 * 64;\n",
            "        const std::uintptr_t bytes = std::uintptr_t(n) * sizeof(T);\n"
            "        at_ += (bytes + 63) / 64 * 64 + 64;\n"
            "        if (begin_) {  // else it only counts\n"
            "            ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<void*>(piece), bytes);\n"
            "            ASAN_POISON_MEMORY_REGION(reinterpret_cast<void*>(piece + bytes), "
            "at_ - piece - bytes);\n"
            "        }\n",
        ),
    ],
}


def text(source: Path, alterations: Iterable[Alteration]) -> dict[str, str]:
    """The altered files by name; fails where one no longer reads as an alteration expects."""
    files: dict[str, str] = {}
    for file, before, after, times in alterations:
        now = files.get(file) or (source / file).read_text()
        found = now.count(before)
        assert found == times, f"{file} must have {before.strip()!r} {times} times; got {found}"
        files[file] = now.replace(before, after)
    return files


def copy(source: Path, to: Path, alterations: Iterable[Alteration]) -> None:
    """The core under ``source``, altered, in a new folder."""
    shutil.copytree(source, to)
    for file, altered in text(source, alterations).items():
        (to / file).write_text(altered)


if __name__ == "__main__":
    copy(Path(sys.argv[2]), Path(sys.argv[3]), KINDS[sys.argv[1]])
