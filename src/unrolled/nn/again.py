"""A compiled call once more, in torch's operations: there the derivatives of its gradients are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unrolled import native
from unrolled.nn import composite
from unrolled.nn.plan import Plan, five

if TYPE_CHECKING:
    from unrolled.nn.compiled import Call


def stack(
    call: Call,
    x: Tensor,
    h_0: Tensor | None,
    c_0: Tensor | None,
    weights: Sequence[Tensor],
    noises: Sequence[Tensor | None],
) -> list[Tensor]:
    """What `unrolled.nn.compiled.run` gives.

    Shapes:
        as there; noises: for each layer the factors of the dropout behind it.
    """
    plan, D = call.plan, call.plan.directions
    x = x.transpose(0, 1) if call.batch_first else x
    layers = [[five(weights, n * D + d, plan, None) for d in range(D)] for n in range(plan.layers)]
    if not x.is_floating_point():
        x, layers[0] = _looked_up(x, layers[0])
    B, zeros = x.size(1), weights[1].new_zeros
    h_0 = zeros(plan.layers * D, B, plan.kR) if h_0 is None else h_0
    states = (h_0,)
    if plan.c:
        states = h_0, zeros(plan.layers * D, B, plan.H) if c_0 is None else c_0
    behind = iter(noises)

    def drop(x: Tensor) -> Tensor:
        noise = next(behind)
        return x if noise is None else x * noise

    reset = None if call.reset is None else call.reset.bool()
    output, final = composite.stack(cell(call.code), x, states, layers, call.lengths, reset, drop)
    return [output.transpose(0, 1) if call.batch_first else output, *final]


def step(
    plan: Plan, code: int, x: Tensor, states: Sequence[Tensor | None], weights: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """What `unrolled.nn.compiled_cell.run` gives.

    Shapes:
        as there.
    """
    given = tuple(x.new_zeros(x.size(0), plan.H) if state is None else state for state in states)
    return composite.one_step(plan, cell(code), x, given[: 1 + plan.c], weights)


def cell(code: int) -> str:
    """The cell that the core knows by this number."""
    return native.CELLS[code // len(native.DTYPES)]


def _looked_up(
    ids: Tensor, tables: Sequence[Sequence[Tensor | None]]
) -> tuple[Tensor, list[tuple[Tensor | None, ...]]]:
    """An input and weights whose products are rows of the tables, one for each direction."""
    found = [table[ids] for table, *_ in tables if table is not None]
    x = torch.cat(found, 2)
    each = torch.eye(x.size(2), dtype=x.dtype).split(found[0].size(2))
    return x, [(one, W_hh, None, *rest) for one, (_, W_hh, _, *rest) in zip(each, tables, strict=True)]
