"""Fences the core's scratch memory, in a copy: ``python -m tests.native.fence FROM TO``.

The core takes its scratch memory in one allocation, inside which the address sanitizer sees nothing. In the
copy every piece ends in memory that it knows as forbidden.
"""

import shutil
import sys
from pathlib import Path

FILE, TAKES = "sequence.hpp", "        at_ += (std::uintptr_t(n) * sizeof(T) + 63) / 64 * 64;\n"
FENCED = """        at_ += (std::uintptr_t(n) * sizeof(T) + 63) / 64 * 64 + 64;
        if (begin_) {  // else it only counts
            ASAN_POISON_MEMORY_REGION(reinterpret_cast<void*>(piece), at_ - piece);
            ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<void*>(piece), std::uintptr_t(n) * sizeof(T));
        }
"""


def fence(source: Path, to: Path) -> None:
    """The core under ``source``, fenced, in a new folder."""
    shutil.copytree(source, to)
    text = (to / FILE).read_text()
    if text.count(TAKES) != 1:
        raise SystemExit(
            f"fence: {FILE} must take a piece of memory in the line\n{TAKES}Write it down here anew."
        )
    fenced = text.replace(TAKES, FENCED).replace(
        "#pragma once\n", "#pragma once\n\n#include <sanitizer/asan_interface.h>\n", 1
    )
    (to / FILE).write_text(fenced)


if __name__ == "__main__":
    fence(Path(sys.argv[1]), Path(sys.argv[2]))
