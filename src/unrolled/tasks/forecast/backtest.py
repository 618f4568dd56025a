"""A trained model judged on series by rolling origin: as if it had stood there, and there, and there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from unrolled.data.series import Series
from unrolled.errors import DataError, OptionError
from unrolled.tasks.base import Row
from unrolled.tasks.base import judging as as_judged
from unrolled.tasks.examples import batch_of
from unrolled.tasks.forecast import judging, windows
from unrolled.tasks.forecast.ahead import TOGETHER, called
from unrolled.tasks.forecast.network import Forecaster
from unrolled.tasks.forecast.reader import Reader


@dataclass(frozen=True)
class Backtest:
    """What forecasts from several origins of each series are worth.

    Attributes:
        series, forecasts: how many.
        loss: the pinball loss.
        rows: the model, and what needs no network.
        coverages: how much each interval is to hold, and how much it holds.
    """

    series: int
    forecasts: int
    loss: float
    rows: tuple[Row, ...]
    coverages: tuple[tuple[float, float], ...]


def backtest(
    model: Forecaster, reader: Reader, panel: Sequence[Series], origins: int = 1, every: int = 0
) -> Backtest:
    """Judges a model on the ends of series: from ``origins`` steps of each, ``every`` so many steps apart.

    The last origin stands a horizon before the end. From each, the network sees what comes before it; the
    scales of a series are those of what comes before its first origin.

    Args:
        every: 0: a horizon.

    Raises:
        OptionError: no origin.
        DataError: a series too short for so many.
    """
    if origins < 1:
        raise OptionError("backtest: origins", "be at least 1", origins, "Leave it out for one.")
    horizon, every = reader.horizon, every or reader.horizon
    begins: list[int] = []
    for one in panel:
        begin = len(one) - horizon - (origins - 1) * every
        if begin < 2:
            rule = f"have {2 + horizon + (origins - 1) * every} steps for {origins} origins"
            raise DataError(one.name, rule, len(one), "Take fewer origins, or closer ones.")
        begins.append(begin)
    steps = [reader.steps(one, begin) for one, begin in zip(panel, begins, strict=True)]
    places = [(n, begin - 1 + k * every) for n, begin in enumerate(begins) for k in range(origins)]
    examples = {
        **windows.windows(steps, places, reader),
        **windows.judging(panel, steps, places, begins, reader),
    }
    rows, quantiles = np.arange(len(places)), list[torch.Tensor]()
    with as_judged(model):
        for begin in range(0, len(places), TOGETHER):
            batch = batch_of(examples, rows[begin : begin + TOGETHER], "x")
            quantiles.append(model.intervals(called(model, batch, (batch.lengths - 1)[None])[0]))
    found = torch.cat(quantiles).double().numpy()
    loss, values = judging.score(examples, rows, found, reader)
    naives = judging.baselines(examples, reader.season, values)
    covered = judging.coverages(examples, rows, found, reader.log)
    return Backtest(len(panel), len(places), loss, (Row("this model", {**values}), *naives), tuple(covered))
