"""Series cut into windows: to learn from, to choose the weights, to judge, each later than the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.config.forecast import ForecastConfig
from unrolled.data.ragged import Ragged
from unrolled.data.series import Panel, Series
from unrolled.errors import DataError
from unrolled.tasks.forecast import accuracy, naive
from unrolled.tasks.forecast.judging import BASELINES
from unrolled.tasks.forecast.reader import Reader, Steps

Floats = NDArray[np.float64]

MANY = 2000
"""Windows that a part has about, where the config leaves it open; more where steps would be no origins."""

FEW = 30
"""Series below which a tenth of each chooses the weights, and not one horizon."""


@dataclass(frozen=True)
class Cut:
    """Where the parts of a series begin: those that choose, and those that are judged; and its end."""

    valid: int
    test: int
    end: int


def cuts(
    panel: Panel, config: ForecastConfig, horizon: int, judged: bool = True
) -> tuple[list[Series], list[Cut], list[str]]:
    """The series that are long enough, where each is cut, and what is remarked.

    Where nothing is to be ``judged``, the end of each series chooses the weights.

    Raises:
        DataError: a series that is too short, by its name; or all of them are.
    """
    kept: list[Series] = []
    found: list[Cut] = []
    share = config.valid or (0.1 if len(panel.series) < FEW else 0.0)
    for series in panel.series:
        n = len(series)
        test = n - max(horizon, round(config.test * n)) if judged else n
        valid = test - max(horizon, round(share * n))
        if valid >= horizon + 2:
            kept.append(series)
            found.append(Cut(valid, test, n))
        elif not config.drop_short:
            if n < horizon:
                rule = f"be longer than the horizon, {horizon} steps"
            else:
                least = n - valid + horizon + 2
                rule = f"have at least {least} steps: to learn, to choose the weights, to judge"
            fix = "Foresee less: --horizon, or leave short series out: --drop-short."
            raise DataError(series.name, rule, f"{n} steps", fix)
    if not kept:
        fix = "Foresee less: --horizon."
        longest = max(map(len, panel.series))
        raise DataError("the series", f"be several times as long as {horizon} steps", longest, fix)
    lost = len(panel.series) - len(kept)
    remark = f"{lost} of {len(panel.series)} series were left out: they are too short."
    return kept, found, [remark] if lost else []


def parts(
    series: Sequence[Series], cut: Sequence[Cut], reader: Reader, config: ForecastConfig
) -> dict[str, dict[str, Ragged | NDArray[Any]]]:
    """The windows of all parts."""
    steps = [reader.steps(one, at.valid) for one, at in zip(series, cut, strict=True)]
    horizon, most = reader.horizon, max(1, MANY // len(series))
    train: list[tuple[int, int]] = []
    judged: dict[str, list[tuple[int, int]]] = {"valid": [], "test": []}
    for number, at in enumerate(cut):
        last, least = at.valid - horizon - 1, min(reader.history // 2, at.valid - horizon - 1)
        stride = config.stride or max(1, min((last - least) // most, max(1, reader.history // 2)))
        train += [(number, origin) for origin in range(last, max(0, least - 1), -stride)]
        for part, begin, end in (("valid", at.valid, at.test), ("test", at.test, at.end)):
            origins = max(0, end - begin - horizon + 1)
            every = config.judge_every or max(1, -(-origins // most))
            judged[part] += [(number, end - horizon - 1 - k) for k in range(0, origins, every)]
    made: dict[str, dict[str, Ragged | NDArray[Any]]] = {"train": windows(steps, train, reader)}
    for part, origins in judged.items():
        if not origins:
            continue
        begins = [at.valid if part == "valid" else at.test for at in cut]
        made[part] = {
            **windows(steps, origins, reader),
            **judging(series, steps, origins, begins, reader),
        }
    return made


def windows(
    steps: Sequence[Steps], origins: Sequence[tuple[int, int]], reader: Reader
) -> dict[str, Ragged | NDArray[Any]]:
    """A window for each last origin: (number of the series, step of it).

    Shapes:
        x: ``[T, I]`` each; y: ``[P-1+T+H]``, in scales from the last value; ahead: ``[T-1+H, A]`` and real:
        ``[T-1+H]``, from the second step on; period: ``[E]``. What comes after a series is zero, not real.
    """
    longest, horizon = max(reader.periods), reader.horizon
    x: list[Any] = []
    y: list[Any] = []
    ahead: list[Any] = []
    real: list[Any] = []
    for number, origin in origins:
        one = steps[number]
        begin, end = max(0, origin - reader.history + 1), origin + 1 + horizon
        lacking = max(0, end - len(one.x))
        values = (one.y[begin + 1 : longest + end] - one.y[longest + origin]) / one.scale
        x.append(one.x[begin : origin + 1])
        y.append(np.append(values, np.zeros(lacking)).astype(np.float32))
        ahead.append(one.ahead[begin + 1 : end])
        real.append(np.append(one.real[begin + 1 : end], np.zeros(lacking, np.bool)))
    period = np.array([steps[number].period for number, _ in origins], np.int64)
    return {
        "x": Ragged.of(x),
        "y": Ragged.of(y),
        "ahead": _ragged(ahead),
        "real": _ragged(real),
        "period": period,
    }


def judging(
    series: Sequence[Series],
    steps: Sequence[Steps],
    origins: Sequence[tuple[int, int]],
    begins: Sequence[int],
    reader: Reader,
) -> dict[str, Ragged | NDArray[Any]]:
    """What forecasts are judged by and beside.

    Shapes:
        series, level, scale, mase, deviation: ``[E]``; actual, NaN where it is not known, and each of
        `BASELINES`: ``[E, H]``, in the units of the series.
    """
    horizon, season = reader.horizon, reader.season
    naives: dict[str, list[Floats]] = {name: [] for name in BASELINES}
    actual: list[Floats] = []
    facts: list[tuple[float, float, float, float]] = []
    scales = [
        (accuracy.scale_of(one.values[:begin], season), float(one.values[:begin].std()))
        for one, begin in zip(series, begins, strict=True)
    ]
    for number, origin in origins:
        one = series[number]
        known, ahead = one.values[: origin + 1], slice(origin + 1, origin + 1 + horizon)
        actual.append(np.where(one.real[ahead], one.values[ahead], np.nan))
        level = steps[number].y[max(reader.periods) + origin]
        facts.append((level, steps[number].scale, *scales[number]))
        naives["last value"].append(naive.last(known, horizon))
        naives["seasonal naive"].append(naive.seasonal(known, horizon, season))
        naives["drift"].append(naive.drift(known, horizon))
        naives["Naive2"].append(naive.naive2(known, horizon, season))
    level, scale, mase, deviation = np.array(facts).T.copy()
    return {
        "series": np.array([number for number, _ in origins]),
        "level": level, "scale": scale, "mase": mase, "deviation": deviation,
        "actual": np.stack(actual), **{name: np.stack(made) for name, made in naives.items()},
    }  # fmt: skip


def _ragged(arrays: Sequence[NDArray[Any]]) -> Ragged:
    """As `Ragged.of`, for arrays that may have no features."""
    starts = np.concatenate([[0], np.cumsum([len(one) for one in arrays])])
    return Ragged(np.concatenate(arrays), starts)
