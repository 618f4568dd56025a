"""A trained model asked how series go on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.data.series import Series
from unrolled.errors import DataError
from unrolled.tasks.examples import Batch, batch_of
from unrolled.tasks.forecast import windows
from unrolled.tasks.forecast.network import Forecaster
from unrolled.tasks.forecast.reader import Reader

Floats = NDArray[np.float64]

TOGETHER = 256
"""Series that are foreseen side by side."""


def called(
    model: Forecaster, batch: Batch, origins: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """What a model says of a batch from these origins, ``[O, B, H, Q]``."""
    c = batch.columns
    return model(c["x"], c["y"], c["ahead"], c["period"], origins, batch.lengths, batch.reset, generator)


def foresee(model: Forecaster, reader: Reader, panel: Sequence[Series]) -> Floats:
    """The quantiles of the horizon after each series, ``[E, H, Q]``, in its units.

    Raises:
        DataError: a series without values enough, or one without a logarithm where these are foreseen.
    """
    for one in panel:
        _check(one, reader)
    steps = [reader.steps(one, len(one)) for one in panel]
    origins = [(number, len(one) - 1) for number, one in enumerate(panel)]
    examples = windows.windows(steps, origins, reader)
    made: list[Floats] = []
    model.eval()
    for begin in range(0, len(origins), TOGETHER):
        batch = batch_of(examples, np.arange(begin, min(begin + TOGETHER, len(origins))), "x")
        with torch.inference_mode():
            found = model.intervals(called(model, batch, (batch.lengths - 1)[None])[0])
        made.append(found.double().numpy())
    level = np.array([one.y[-1] for one in steps])[:, None, None]
    scale = np.array([one.scale for one in steps])[:, None, None]
    return reader.values(level + scale * np.concatenate(made))


def _check(one: Series, reader: Reader) -> None:
    """Holds a series to what a forecast needs of it.

    Raises:
        DataError: fewer than two values, or covariates that are not known as far as the horizon.
    """
    if len(one) < 2:
        raise DataError(one.name, "have at least 2 steps", len(one), "Give more of its past.")
    known, names = len(one.future) - len(one), ", ".join(reader.columns.future)
    if names and known < reader.horizon:
        fix = f"Add rows with {names} and without a {' or '.join(reader.columns.target)}."
        raise DataError(one.name, f"have {reader.horizon} rows more that tell {names} ahead", known, fix)
