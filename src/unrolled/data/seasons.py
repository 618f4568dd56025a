"""How many steps a season has, and where in the calendar a step stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WORKING_DAY = "1 working day"
"""The step of times that leave out Saturdays and Sundays."""

SEASONS = {
    "3 months": 4,
    "1 month": 12,
    "7 days": 52,
    "1 day": 7,
    WORKING_DAY: 5,
    "1 hour": 24,
    "30 minutes": 48,
    "15 minutes": 96,
    "10 minutes": 144,
    "1 minute": 60,
}
"""By the step of the times: a year, a week, a day or an hour."""

LONGER = {"1 day": 365, "1 hour": 168, "30 minutes": 336, "15 minutes": 672}
"""A second season above the first: a year of days, a week of hours."""

CLEAR = 0.3
"""The autocorrelation from where on a season is taken for one."""

NEAR = 0.8
"""The share of the highest autocorrelation from where on a shorter season is preferred."""

LOOKED_AT = 50
"""Series whose autocorrelation is looked at."""

MOST = 400
"""Steps of the longest season that is looked for."""


def autocorrelation(values: Floats, lags: int) -> Floats:
    """r_0, ..., r_lags of a series.

    Maths:
        r_k = sum_t (y_t - m) (y_{t-k} - m) / sum_t (y_t - m)^2

    Shapes:
        values: ``[T]``; gives ``[lags + 1]``, all but r_0 zero where nothing changes.
    """
    centred = values - values.mean()
    total = float(centred @ centred)
    found = np.zeros(lags + 1)
    found[0] = 1
    for lag in range(1, min(lags, len(values) - 1) + 1) if total > 0 else ():
        found[lag] = centred[lag:] @ centred[:-lag] / total
    return found


def of_step(step: str) -> tuple[int, int]:
    """The season that a step such as ``1 hour`` suggests, and a longer one; 0 for each that it does not.

    Example:
        >>> of_step("1 hour"), of_step("1 month"), of_step("")
        ((24, 168), (12, 0), (0, 0))
    """
    return SEASONS.get(step, 0), LONGER.get(step, 0)


def of_values(series: Sequence[Floats]) -> int:
    """The season in which series repeat themselves most, by their mean autocorrelation; 1 if none does.

    Shapes:
        series: each ``[T]``, without gaps.

    Example:
        >>> of_values([np.sin(np.arange(200) * 2 * np.pi / 24)])
        24
    """
    some = [values for values in series if len(values) >= 8]
    some = some[:: max(1, len(some) // LOOKED_AT)]
    if not some:
        return 1
    longest = min(MOST, int(np.median([len(values) for values in some])) // 3)
    found = np.mean([autocorrelation(np.diff(values), longest) for values in some], axis=0)
    least = np.minimum.accumulate(found)  # a season is where the series comes back to itself
    back = np.flatnonzero((found > CLEAR) & (least < found / 2))
    if not len(back):
        return 1
    first = int(back[found[back] > NEAR * found[back].max()][0])
    return first + int(found[first : first + first // 4 + 1].argmax())


def calendar(times: NDArray[Any], step: str) -> Floats:
    """Where each time stands in its day, week and year, as points on circles.

    A circle is left out where a step is as long as it, or longer.

    Shapes:
        times: datetime64 ``[T]``; gives ``[T, C]``, sine and cosine of each circle.
    """
    seconds = times.astype("datetime64[s]")
    day = seconds.astype("datetime64[D]")
    year = seconds.astype("datetime64[Y]")
    of_day = (seconds - day).astype(np.float64) / 86_400
    of_week = ((day.astype(np.int64) + 3) % 7 + of_day) / 7  # 1970-01-01 was a Thursday
    of_year = (day - year.astype("datetime64[D]")).astype(np.float64) / 365.25
    unit = step.rpartition(" ")[2].removesuffix("s")
    circles = {
        "month": [of_year],
        "day": [of_year] if step == "7 days" else [of_week, of_year],
    }.get(unit, [of_day, of_week])
    return np.stack([wave(2 * np.pi * circle) for circle in circles for wave in (np.sin, np.cos)], axis=-1)


def times_ahead(times: NDArray[Any], step: str, count: int) -> NDArray[Any]:
    """The times of the steps after the last one.

    Shapes:
        times: datetime64 ``[T]``; gives ``[count]``.

    Example:
        >>> print(times_ahead(np.array(["2024-11-01", "2024-12-01"], "datetime64[us]"), "1 month", 1)[0])
        2025-01-01T00:00:00.000000
    """
    last, steps = times[-1], np.arange(1, count + 1)
    if step == WORKING_DAY:
        day = last.astype("datetime64[D]")
        return np.busday_offset(day, steps) + (last - day)
    number, _, unit = step.partition(" ")
    if unit.startswith("month"):
        month = last.astype("datetime64[M]")
        return (month + steps * int(number)) + (last - month)
    return last + steps * np.median(np.diff(times[-1000:]).astype(np.int64)).astype("timedelta64[us]")
