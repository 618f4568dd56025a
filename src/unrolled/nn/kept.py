"""Packed weights that stay with a layer from call to call, for calls too short to repay packing them.

The core itself looks, at every call, whether the weights are still what it packed, number by number: neither
a tensor's version nor its address tells of an edit through NumPy or ``.data``. So nothing here can be out of
date, and it is no part of the layer: not saved, not copied, gone with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor
from torch.nn import Module

from unrolled import native

FEW = range(3, 129)
"""Rows of x for which keeping pays: fewer the core reads unpacked, for more packing is little of the work."""

LARGE = 20_000
"""Numbers in W_hh from which on it pays."""

_kept: WeakKeyDictionary[Module, list[tuple[int, Any]]] = WeakKeyDictionary()


def addresses(owner: Module | None, count: int, rows: int, W_hh: Tensor) -> Sequence[int]:
    """Where the core keeps the packed weights of ``count`` layers and directions; zeros where it shall not.

    Shapes:
        W_hh: ``[G*H, R]``, the first of them.
    """
    if owner is None or rows not in FEW or W_hh.numel() < LARGE:
        return [0] * count
    kept = _kept.get(owner)
    if kept is None:
        kept = _kept.setdefault(owner, [])
    while len(kept) < count:  # never replaced: another thread may be at work in it
        new = native.Kept()
        kept.append((new.address(), new))
    return [address for address, _ in kept]
