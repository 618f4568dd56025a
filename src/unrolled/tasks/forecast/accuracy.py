"""How good forecasts are, in the measures of the M4 competition and those of quantiles.

Shapes:
    actual, forecast: ``[E, H]``; what is unknown of ``actual`` is NaN and does not count.

Source: Makridakis, Spiliotis and Assimakopoulos 2020, The M4 Competition: 100,000 time series and 61
forecasting methods, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SCALELESS = 1e-12
"""Below this share of its values, what changes in a series is rounding."""


def smape(actual: Floats, forecast: Floats) -> Floats:
    """Symmetric mean absolute percentage error of each forecast, ``[E]``, 0 to 200.

    Maths:
        200 / H * sum_h |y_h - f_h| / (|y_h| + |f_h|), where 0/0 is 0

    Example:
        >>> smape(np.array([[100.0, 100.0]]), np.array([[100.0, 300.0]]))
        array([50.])
    """
    size = np.abs(actual) + np.abs(forecast)
    return 200 * _mean(np.divide(np.abs(actual - forecast), size, out=0 * size, where=size != 0))


def mase(actual: Floats, forecast: Floats, scale: Floats) -> Floats:
    """Mean absolute scaled error of each forecast, ``[E]``; NaN where the scale is 0.

    Shapes:
        scale: ``[E]``, what `scale_of` gives for the values before.
    """
    return _ratio(_mean(np.abs(actual - forecast)), scale)


def scale_of(values: Floats, season: int) -> float:
    """The mean absolute error of the seasonal naive forecast one step ahead, within values ``[T]``.

    Where nothing changes but by rounding, it is 0.
    """
    season = season if len(values) > season else 1
    if len(values) < 2:
        return 0.0
    scale = float(np.abs(values[season:] - values[:-season]).mean())
    return scale if scale > SCALELESS * np.abs(values).max() else 0.0


def owa(smapes: Sequence[Floats], mases: Sequence[Floats]) -> float:
    """Overall weighted average of a method, first, relative to Naive2, second; 1 is as good as Naive2.

    Maths:
        (mean sMAPE / mean sMAPE of Naive2 + mean MASE / mean MASE of Naive2) / 2

    Shapes:
        each ``[E]``.
    """
    ratios = [(mean(ours), mean(theirs)) for ours, theirs in (smapes, mases)]
    return sum(ours / theirs if theirs > 0 else np.nan for ours, theirs in ratios) / 2


def pinball(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> float:
    """The mean loss of quantiles.

    Shapes:
        quantiles: ``[E, H, Q]`` of the ``levels``, Q of them.
    """
    error = actual[..., None] - quantiles
    q = np.asarray(levels)
    return float(np.nanmean(np.maximum(q * error, (q - 1) * error)))


def coverage(actual: Floats, low: Floats, high: Floats) -> float:
    """The share of values that lie from ``low`` to ``high``, each ``[E, H]``."""
    inside = (low <= actual) & (actual <= high)
    return float(inside[~np.isnan(actual)].mean())


def widening(actual: Floats, quantiles: Floats, stated: Sequence[tuple[int, int, float]]) -> Floats:
    """By which factor each interval must be stretched about the median to hold as much as it states.

    Split conformal prediction with the distance from the median, in half widths of the interval, as score.

    Shapes:
        quantiles: ``[E, H, Q]``, rising, Q odd, the median in the middle; stated: of each interval its two
        places among the quantiles and its share. Gives ``[len(stated)]``.

    Source: Romano, Patterson and Candès 2019, Conformalized Quantile Regression; the score is relative here,
    as series differ in scale.
    """
    known = ~np.isnan(actual)
    median = quantiles[..., quantiles.shape[-1] // 2][known]
    error = actual[known] - median
    factors: list[float] = []
    for low, high, share in stated:
        below, above = median - quantiles[..., low][known], quantiles[..., high][known] - median
        half = np.maximum(np.where(error < 0, below, above), 1e-9)
        level = min(1.0, share * (1 + 1 / max(1, len(error))))
        factors.append(float(np.quantile(np.abs(error) / half, level)))
    return np.array(factors)


def mean(values: Floats) -> float:
    """The mean of what is known, NaN where nothing is."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else np.nan


def _mean(values: Floats) -> Floats:
    """Over the steps that are known, NaN where none is."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0).sum(-1), known.sum(-1).astype(np.float64))


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
