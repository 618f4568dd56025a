"""What a training takes of the machine: threads, given back; and memory, whose lack is said in one way."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

import torch

from unrolled.errors import UnavailableError

FIX = "Take fewer --hidden, --layers or --batch, or a shorter --length; --dry-run tries it."

OF_TORCH = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")
"""What torch says; it has no class of its own for it on a CPU."""


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
        if not lacks_memory(error):
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
    if needed > has:
        got = f"{needed / 1e9:,.1f} GB where the machine has {has / 1e9:,.1f}"
        raise UnavailableError(f"{where}: the model and its windows", "fit into memory", got, FIX)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error is a lack of memory.

    Example:
        >>> lacks_memory(MemoryError()), lacks_memory(OSError(errno.ENOMEM, "no")), lacks_memory(OSError())
        (True, True, False)
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(words in str(error) for words in OF_TORCH)
