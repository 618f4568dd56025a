"""What a training takes of the machine: threads, given back; and memory, whose lack is said in one way."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from unrolled.errors import UnavailableError, UnrolledError

FIX = "Take fewer --hidden, --layers or --batch, or a shorter --length; --dry-run tries it."

OF_TORCH = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "overflow")
"""What torch says; it has no class of its own for it on a CPU. Sizes overflow where no memory has as many."""


@contextmanager
def using(threads: int) -> Generator[None]:
    """Lets torch use so many threads inside, and as many as before afterwards; 0 changes nothing."""
    before = torch.get_num_threads()
    try:
        if threads:
            torch.set_num_threads(threads)
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def enough_memory(where: str, fix: str = FIX) -> Generator[None]:
    """Turns a lack of memory inside into an error of ours, which says how to ``fix`` it.

    Raises:
        UnavailableError: memory was asked for that this machine has not.
    """
    try:
        yield
    except (MemoryError, OSError, RuntimeError) as error:
        if isinstance(error, UnrolledError) or not lacks_memory(error):
            raise
        got = str(error).split(". Error code")[0].split("\n")[0].rpartition("] ")[2] or "none left"
        raise UnavailableError(f"{where}: the model and its windows", "fit into memory", got, fix) from error


def check(where: str, needed: int) -> None:
    """Refuses what cannot fit into this machine at all, before the system has to end a process for it.

    Units: needed in bytes.

    Raises:
        UnavailableError: it is more than the machine has.
    """
    if sys.platform == "win32":
        return
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = min(of_control_groups(), default=has)
    if needed > min(has, allowed):
        what = "the machine has" if has <= allowed else "the control group of this process allows"
        got = f"{needed / 1e9:,.1f} GB where {what} {min(has, allowed) / 1e9:,.1f}"
        raise UnavailableError(f"{where}: the model and its windows", "fit into memory", got, FIX)


def of_control_groups(
    listed: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """What Linux lets this process's control group have, and each around it, where there is a limit.

    Units: bytes.

    Source: cgroups(7); version 2 in one tree, version 1 in a tree for each kind of limit.
    """
    with suppress(OSError):
        for line in listed.read_text().splitlines():
            _, kinds, place = line.split(":", 2)
            tree, name = (root / "memory", "memory.limit_in_bytes") if kinds else (root, "memory.max")
            if kinds and "memory" not in kinds.split(","):
                continue
            group = tree / place.lstrip("/")
            for folder in (group, *group.parents):
                with suppress(OSError, ValueError):  # not there, or the word max
                    yield int((folder / name).read_text())
                if folder == tree:
                    break


def lacks_memory(error: BaseException) -> bool:
    """Whether an error is a lack of memory.

    Example:
        >>> lacks_memory(MemoryError()), lacks_memory(OSError(errno.ENOMEM, "no")), lacks_memory(OSError())
        (True, True, False)
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(words in str(error) for words in OF_TORCH)
