"""Forecasts that need no network, beside which one is judged.

Shapes:
    values: ``[T]``, what is known; each gives ``[H]``, the steps after it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unrolled.data.seasons import autocorrelation

Floats = NDArray[np.float64]

CRITICAL = 1.645
"""The standard normal's 95 % point: so many standard errors away from 0 counts as seasonal."""


def last(values: Floats, horizon: int) -> Floats:
    """It stays as it is."""
    return np.full(horizon, values[-1])


def seasonal(values: Floats, horizon: int, season: int) -> Floats:
    """It is as it was a season before; with less than a season, as it is.

    Example:
        >>> seasonal(np.array([1.0, 2, 3, 4]), 3, season=2)
        array([3., 4., 3.])
    """
    if len(values) < season:
        return last(values, horizon)
    return np.resize(values[-season:], horizon)


def drift(values: Floats, horizon: int) -> Floats:
    """It goes on along the line from the first value to the last."""
    slope = (values[-1] - values[0]) / max(1, len(values) - 1)
    return values[-1] + slope * np.arange(1, horizon + 1)


def naive2(values: Floats, horizon: int, season: int) -> Floats:
    """Naive2 of the M4 competition: the last value after the season is taken out, which is put in again.

    Where the series is not seasonal by `is_seasonal`, it is the last value.

    Source: Makridakis, Spiliotis and Assimakopoulos 2020, The M4 Competition, table 2 and its note;
    multiplicative classical decomposition.
    """
    if not is_seasonal(values, season):
        return last(values, horizon)
    indices = seasonal_indices(values, season)
    if not np.all(indices > 0):
        return last(values, horizon)
    n = len(values)
    phases = np.arange(n, n + horizon) % season
    return values[-1] / indices[(n - 1) % season] * indices[phases]


def is_seasonal(values: Floats, season: int) -> bool:
    """Whether the autocorrelation at the season is significant at 90 %; never with under three seasons.

    Maths:
        |r_m| > 1.645 sqrt((1 + 2 (r_1^2 + ... + r_{m-1}^2)) / T)
    """
    if season <= 1 or len(values) < 3 * season:
        return False
    r = autocorrelation(values, season)
    error = np.sqrt((1 + 2 * np.sum(r[1:season] ** 2)) / len(values))
    return bool(abs(r[season]) > CRITICAL * error)


def seasonal_indices(values: Floats, season: int) -> Floats:
    """By which factor each phase of the season lies above a centred moving average; their mean is 1.

    Shapes:
        values: ``[T]``, T at least two seasons; gives ``[season]``, from the phase of the first value on.
    """
    weights = np.ones(season) if season % 2 else np.array([0.5, *[1.0] * (season - 1), 0.5])
    trend = np.convolve(values, weights / season, mode="valid")
    first = len(weights) // 2
    inner = values[first : first + len(trend)]
    ratios = np.divide(inner, trend, out=np.full(len(trend), np.nan), where=trend != 0)
    phases = (first + np.arange(len(trend))) % season
    means = np.array([np.nanmean(ratios[phases == phase]) for phase in range(season)])
    return means / means.mean()
