"""A layer against torch's: every output, final state and gradient, from the same input and random stream.

The two must hold the same weights. The loss is linear in all that comes out, with drawn coefficients, so that
no part of a gradient can hide behind another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from unrolled.cells import Array, Values

Module = nn.RNNBase | nn.RNNCellBase


def compare(ours: Module, theirs: Module, x: Any, hx: Any = None, seed: int = 0) -> dict[str, float]:
    """The error of everything that ``ours`` answers, against ``theirs``.

    In units of the largest true number of an array, or of 1, the size of the drawn gradients, where all its
    numbers are smaller: an array of one number may be what is left of two that cancelled.

    Shapes:
        x, hx: as the layers take them.

    Example:
        >>> from unrolled import nn
        >>> theirs = torch.nn.GRU(3, 4)
        >>> errors = compare(nn.GRU.from_torch(theirs), theirs, torch.randn(5, 2, 3))
        >>> sorted(errors)[:5], max(errors.values()) < 1e-5
        (['dbias_hh_l0', 'dbias_ih_l0', 'dinput', 'dweight_hh_l0', 'dweight_ih_l0'], True)
    """
    mine, truth = answers(ours, x, hx, seed), answers(theirs, x, hx, seed)
    if mine.keys() != truth.keys():
        return dict.fromkeys(mine.keys() ^ truth.keys(), float("inf"))
    return {name: _error(mine[name], truth[name]) for name in truth}


def answers(layer: Module, x: Any, hx: Any = None, seed: int = 0, **options: Any) -> Values:
    """Everything that a layer or cell answers, by name: what it returns, and the gradients of what went in.

    They are called ``output h c`` and, with a d in front, ``dinput dh_0 dc_0`` and the parameters. ``seed``
    sets torch's random numbers before the call, for dropout, and draws the loss; ``.grad`` is left alone.

    Shapes:
        x, hx: as the layer takes them, and ``options`` likewise.
    """
    data = (x.data if isinstance(x, PackedSequence) else x).detach().requires_grad_()
    given = [] if hx is None else [state.detach().requires_grad_() for state in tensors(hx)]
    states = tuple(given) if isinstance(hx, tuple) else given[0] if given else None
    torch.manual_seed(seed)
    result = layer(x._replace(data=data) if isinstance(x, PackedSequence) else data, states, **options)
    names = ("h", "c") if isinstance(layer, nn.RNNCellBase) else ("output", "h", "c")
    returned = dict(zip(names, tensors(result), strict=False))
    generator = torch.Generator().manual_seed(seed)
    upstream = [
        torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in returned.values()
    ]
    into = {"input": data, **dict(zip(("h_0", "c_0"), given, strict=False)), **dict(layer.named_parameters())}
    gradients = torch.autograd.grad(list(returned.values()), list(into.values()), upstream)
    named = {f"d{name}": d for name, d in zip(into, gradients, strict=True)}
    return {name: value.detach().numpy() for name, value in (returned | named).items()}


def _error(value: Array, truth: Array) -> float:
    if value.shape != truth.shape:
        return np.inf
    error = np.abs(value - truth).max(initial=0.0) / max(1.0, np.abs(truth).max(initial=0.0))
    return float(error) if np.isfinite(error) else np.inf


def tensors(given: Any) -> Iterator[Tensor]:
    """The tensors in what a layer takes or returns, in order; of a packed batch, its rows."""
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, PackedSequence):
        yield given.data
    else:
        for part in given:
            yield from tensors(part)
