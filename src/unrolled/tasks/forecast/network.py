"""Recurrent layers that read a series, and what turns a state into quantiles of each step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.wirings import Dropouts, Features, ManyToMany, ManyToOne, Recurrence
from unrolled.wirings.stack import NO_DROPOUTS, Lengths

QUANTILES = (0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975)
"""What is foreseen of each step; the middle one, the median, is the point forecast."""

MEDIAN = len(QUANTILES) // 2

INTERVALS = tuple((i, len(QUANTILES) - 1 - i, round(1 - 2 * q, 3)) for i, q in enumerate(QUANTILES[:MEDIAN]))
"""Of each interval its two places among the quantiles, and how much it is to hold."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a `Forecaster` is built from.

    Attributes:
        inputs: features of a step.
        ahead: features of a step that are known beforehand.
        periods: how many steps back each naive forecast looks, 1 among them.
        every: a forecast from any step; else from the last one only, which may then read in both directions.
        context: features that a state gives each step ahead.
        readout: hidden units between these and the quantiles.
    """

    inputs: int
    ahead: int
    horizon: int
    periods: tuple[int, ...]
    every: bool = True
    members: int = 1
    context: int = 8
    readout: int = 32


class Forecaster(torch.nn.Module):
    """Quantiles of the steps to come, as corrections of a naive forecast.

    Each step of a window may be an origin. From the state there, a linear map makes ``context`` features for
    each step ahead; with what is known of that step beforehand, and with what each naive forecast says of it,
    a small network shared by all steps makes the quantiles. Those of several members are averaged.

    Units: all in the series' own scale, about the last value of the window.

    Source: Wen et al. 2017, A Multi-Horizon Quantile Recurrent Forecaster (there the naive forecasts are no
    inputs, and nothing is corrected).

    Example:
        >>> model = Forecaster(Sizes(2, 0, horizon=3, periods=(1, 4)), Recurrence(hidden=8))
        >>> x, y = torch.zeros(6, 5, 2), torch.zeros(3 + 6, 5)
        >>> ahead, period = torch.zeros(8, 5, 0), torch.full((5,), 4)
        >>> model(x, y, ahead, period, torch.full((1, 5), 5)).shape
        torch.Size([1, 5, 3, 15])
    """

    widening: Tensor

    def __init__(self, sizes: Sizes, recurrence: Recurrence, dropouts: Dropouts = NO_DROPOUTS) -> None:
        super().__init__()
        self.sizes, self.recurrence, self.dropouts = sizes, recurrence, dropouts
        self.members = torch.nn.ModuleList(_Member(sizes, recurrence, dropouts) for _ in range(sizes.members))
        self.register_buffer("widening", torch.ones(len(INTERVALS)))

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        ahead: Tensor,
        period: Tensor,
        origins: Tensor,
        lengths: Lengths = None,
        reset: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The quantiles of the steps after each origin; those of training may cross.

        Shapes:
            x: ``[T, B, I]``; y: ``[P-1+T+..., B]``, the values from P-1 steps before x on, P the longest
            period; ahead: ``[T-1+H, B, A]``, from the second step of x on; period: int64 ``[B]``, that of the
            naive forecast to correct; origins: int64 ``[O, B]``, steps of x; lengths: ``[B]``; reset: bool
            ``[T, B]``. Gives ``[O, B, H, Q]``.
        """
        naive = self.naive(y, origins)
        base = naive.gather(-1, self._place(period).expand(*naive.shape[:3], 1))
        steps = torch.arange(self.sizes.horizon, device=x.device)
        known = taken(ahead, origins[..., None] + steps)
        beside = torch.cat([naive - base, known], -1).clamp(-10, 10)
        options = {"lengths": lengths, "reset": reset, "generator": generator}
        made = [member(x, origins, beside, options) for member in self.members]
        return base + torch.stack(made).mean(0)

    def naive(self, y: Tensor, origins: Tensor) -> Tensor:
        """What was so many steps before each step ahead, for each period; repeated where that is ahead too.

        Shapes:
            as of `forward`; gives ``[O, B, H, periods]``.
        """
        longest = max(self.sizes.periods)
        steps = torch.arange(self.sizes.horizon, device=y.device)
        back = torch.stack([longest - p + steps % p for p in self.sizes.periods], -1)  # [H, periods]
        return taken(y[..., None], (origins[..., None] + back.flatten())).view(*origins.shape, *back.shape)

    def stretched(self, quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
        """`intervals` of arrays."""
        return self.intervals(torch.from_numpy(quantiles)).numpy()

    def intervals(self, quantiles: Tensor) -> Tensor:
        """Quantiles in rising order, each interval stretched as held-out values asked for.

        Shapes:
            quantiles: ``[..., Q]``; gives the same.
        """
        rising = quantiles.sort(-1).values
        factors = torch.cat([self.widening, self.widening.new_ones(1), self.widening.flip(0)])
        median = rising[..., MEDIAN : MEDIAN + 1]
        return (median + (rising - median) * factors).sort(-1).values

    def _place(self, period: Tensor) -> Tensor:
        """The place of each period in the list, ``[1, B, 1, 1]``."""
        periods = torch.tensor(self.sizes.periods, device=period.device)
        return (period[:, None] == periods).int().argmax(-1)[None, :, None, None]


class _Member(torch.nn.Module):
    """One network: layers, a map to each step ahead, and the readout."""

    def __init__(self, sizes: Sizes, recurrence: Recurrence, dropouts: Dropouts) -> None:
        super().__init__()
        self.sizes = sizes
        wiring = ManyToMany if sizes.every else ManyToOne
        outputs = sizes.horizon * sizes.context
        self.reader = wiring(Features(sizes.inputs), recurrence, outputs, dropouts=dropouts)
        last = torch.nn.Linear(sizes.readout, len(QUANTILES))
        torch.nn.init.zeros_(last.weight)  # it begins as the naive forecast, as far off as that usually is
        last.bias.data.copy_(usual(QUANTILES))
        self.readout = torch.nn.Sequential(
            torch.nn.Linear(sizes.context + len(sizes.periods) + sizes.ahead, sizes.readout),
            torch.nn.Tanh(),
            last,
        )

    def forward(
        self, x: Tensor, origins: Tensor, beside: Tensor, options: dict[str, Any]
    ) -> Tensor:  # fmt: skip
        """What is added to the naive forecast, ``[O, B, H, Q]``."""
        found = self.reader(x, **options)
        found = taken(found, origins[..., None]) if self.sizes.every else found[None]
        context = found.reshape(*beside.shape[:3], self.sizes.context)
        return self.readout(torch.cat([context, beside], -1))


def usual(levels: Sequence[float]) -> Tensor:
    """The quantiles of errors whose mean size is 1, as Laplace distributed."""
    return torch.tensor([log(2 * q) if q < 0.5 else -log(2 - 2 * q) for q in levels])


def taken(values: Tensor, places: Tensor) -> Tensor:
    """The rows of ``values [T, B, F]`` at ``places [O, B, K]``: ``[O, B, K, F]``."""
    origins, batch, count = places.shape
    rows = places.transpose(1, 2).reshape(-1, batch, 1).expand(-1, -1, values.size(-1))
    return values.gather(0, rows).view(origins, count, batch, -1).transpose(1, 2)
