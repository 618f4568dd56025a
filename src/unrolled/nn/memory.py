"""Memory for what the backward pass needs of long sequences."""

from __future__ import annotations

import mmap
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np
import torch
from torch import Tensor

LARGE = 8 << 20
"""Bytes of a block above which the C library may give it back to the system when it is freed."""

KEPT = 1 << 30
"""Bytes of free blocks that wait for their next use, at most."""

PAGE = 2 << 20
"""Bytes of a large page."""


def room(like: Tensor, count: int) -> Callable[..., Tensor]:
    """``like.new_empty``, or `large_empty` where the largest of the tensors to come has that many numbers.

    Example:
        >>> room(torch.zeros(1), 12)(3, 4).shape
        torch.Size([3, 4])
    """
    return partial(large_empty, like) if count * like.itemsize > LARGE else like.new_empty


def large_empty(like: Tensor, *sizes: int) -> Tensor:
    """What ``like.new_empty(*sizes)`` gives, in pages of 2 MiB where the system has them, and used again.

    A block above `LARGE` comes from the system each time, and its first use stops at every page: half a
    millisecond a MiB in pages of 4 KiB, a quarter of that in large ones, where a layer takes one or two
    milliseconds to compute that MiB. So a block whose tensor is gone waits for the next of its size. Waiting,
    it is the system's to take, page by page, should memory be short.

    Shapes:
        like: any; gives ``sizes``.

    Example:
        >>> large_empty(torch.zeros(1), 3, 4).shape
        torch.Size([3, 4])
    """
    count = torch.Size(sizes).numel()
    block = _blocks.take(count * like.itemsize) if count else None
    if block is None:
        return like.new_empty(*sizes)
    array = np.frombuffer(block, np.uint8, count * like.itemsize)
    weakref.finalize(array, _blocks.give_back, block).atexit = False
    return torch.from_numpy(array).view(like.dtype).view(sizes)


class Blocks:
    """Blocks of memory in large pages; those that were given back wait to be taken again, `KEPT` at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._back: deque[mmap.mmap] = deque()
        self._free: list[mmap.mmap] = []

    def take(self, size: int) -> mmap.mmap | None:
        """A block with room for so many bytes, at most a quarter too large; None on a system without them.

        Where none fits, the one that has waited longest is let go.
        """
        with self._lock:
            while self._back:
                self._free.append(self._back.popleft())
            fitting = [block for block in self._free if size <= len(block) <= size + size // 4 + PAGE]
            if fitting:
                block = min(fitting, key=len)
                self._free.remove(block)
                return block
            del self._free[:1]
        return _mapped(-(-size // PAGE) * PAGE)

    def give_back(self, block: mmap.mmap) -> None:
        """For the next, if there is room; waits for nobody, as tensors die anywhere."""
        if sum(map(len, (block, *self._back, *self._free))) > KEPT:
            return
        with suppress(AttributeError, OSError):  # a system that cannot take pages back stays without them
            block.madvise(mmap.MADV_FREE)
        self._back.append(block)


def _mapped(size: int) -> mmap.mmap | None:
    """New memory; None where the system has no large pages."""
    advice = getattr(mmap, "MADV_HUGEPAGE", None)  # Linux alone
    if advice is None:
        return None
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        block.madvise(advice)
    except OSError:  # a kernel without them
        return None
    return block


_blocks = Blocks()
