"""Memory for what the backward pass needs of long sequences."""

from __future__ import annotations

import mmap

import torch
from torch import Tensor

LARGE = 32 << 20
"""Bytes above which the C library gives a freed block back to the system, and maps the next one anew."""


def large_empty(like: Tensor, *sizes: int) -> Tensor:
    """What ``like.new_empty(*sizes)`` gives, in pages of 2 MiB where the system has them.

    A block above `LARGE` comes from the system each time, and its first use stops at every page: half a
    millisecond a MiB in pages of 4 KiB, a quarter of that in large ones. A layer takes one or two
    milliseconds to compute that MiB.

    Shapes:
        like: any; gives ``sizes``.

    Example:
        >>> large_empty(torch.zeros(1), 3, 4).shape
        torch.Size([3, 4])
    """
    advice = getattr(mmap, "MADV_HUGEPAGE", None)  # Linux alone
    count = torch.Size(sizes).numel()
    if advice is None or not count:
        return like.new_empty(*sizes)
    block = mmap.mmap(-1, count * like.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        block.madvise(advice)
    except OSError:  # a kernel without them
        return like.new_empty(*sizes)
    return torch.frombuffer(block, dtype=like.dtype).view(sizes)
