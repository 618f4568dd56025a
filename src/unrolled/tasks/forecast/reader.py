"""What turns series into the numbers that a forecaster reads, and its answers into values again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from unrolled import storage
from unrolled.config.forecast import ForecastConfig
from unrolled.data import seasons
from unrolled.data.series import Columns, Panel, Series
from unrolled.errors import DataError, RunError
from unrolled.tasks.forecast import naive

Floats = NDArray[np.float64]

FAR = 10.0
"""How many times the usual change a feature shows at most."""

POSITIVE = 0.02
"""The share of a series' median above which all its values are, where ratios are foreseen."""

STILL = 1e-6
"""The share of its values that a series counts as changing by where it does not change at all."""

TRIED = 40
"""Origins at which naive forecasts are compared, to choose which one is corrected."""


@dataclass(frozen=True)
class Steps:
    """A series as the network reads it.

    Shapes:
        x: float32 ``[T, I]``; y: ``[P + T]``, P steps before the first one too; ahead: ``[T + H, A]``, what
        is known of each step beforehand; real: bool ``[T]``.

    Attributes:
        period: of the naive forecast that is corrected.
        scale: what the series usually changes by.
    """

    x: NDArray[np.float32]
    y: Floats
    ahead: NDArray[np.float32]
    real: NDArray[np.bool]
    period: int
    scale: float


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """How data become numbers, the same at training and afterwards.

    Attributes:
        columns: of the tables that are read.
        step: from one time to the next; nothing where there are no times.
        season, lags: in steps.
        log: whether logarithms are foreseen.
        calendar: whether times are shown.
        missing: whether values were filled in where it learned.
        means, scales: of the past covariates, then of the future ones.
    """

    columns: Columns
    step: str
    horizon: int
    history: int
    season: int
    lags: tuple[int, ...]
    log: bool
    calendar: bool
    missing: bool
    means: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()

    @property
    def periods(self) -> tuple[int, ...]:
        """How many steps back naive forecasts look."""
        return tuple(dict.fromkeys((1, self.season, *self.lags)))

    @property
    def ahead(self) -> int:
        """A, the features that are known beforehand."""
        waves = seasons.calendar(np.zeros(1, "datetime64[us]"), self.step).shape[1] if self.calendar else 0
        return waves + len(self.columns.future)

    @property
    def inputs(self) -> int:
        """I, the features of a step."""
        return len(self.periods) + 1 + len(self.columns.past) + self.ahead + self.missing

    @classmethod
    def of(cls, config: ForecastConfig, panel: Panel) -> tuple[Reader, list[str]]:
        """What the config says, and the panel where it says nothing; and what was guessed."""
        values = [series.values for series in panel.series]
        season, longer = seasons.of_step(panel.step)
        remarks: list[str] = []
        if config.season:
            season = config.season
            longer = longer if season == seasons.of_step(panel.step)[0] else 0
        else:
            why = f"a step is {panel.step}" if season else "by how the series repeat themselves"
            season = season or seasons.of_values(values)
            found = f"A season has {season} steps, {why}" if season > 1 else "No season was found"
            remarks.append(f"{found}; --season says otherwise.")
        typical = int(np.median([len(one) for one in values]))
        lags = tuple(int(lag) for lag in config.lags) or ((longer,) if 0 < longer <= typical // 3 else ())
        horizon = config.horizon or (season if season > 1 else 10)
        if not config.horizon:
            remarks.append(f"{horizon} steps ahead are foreseen; --horizon says otherwise.")
        log = config.log == "on"
        if config.log == "guess":
            log = all(one.min() > POSITIVE * np.median(one) > 0 for one in values)
        elif log:
            _check_positive(panel)
        covariates = _covariates(panel)
        made = cls(
            columns=panel.columns,
            step=panel.step,
            horizon=horizon,
            history=config.history or min(512, max(2 * season, 2 * horizon, 16)),
            season=season,
            lags=lags,
            log=log,
            calendar=config.calendar and panel.series[0].times.dtype.kind == "M",
            missing=not all(series.real.all() for series in panel.series),
            means=tuple(float(mean) for mean in np.mean(covariates, axis=0)),
            scales=tuple(float(scale) or 1.0 for scale in np.std(covariates, axis=0)),
        )
        return made, remarks

    def steps(self, series: Series, known: int) -> Steps:
        """The features of all steps; scale and period follow from the first ``known`` values.

        Raises:
            DataError: the logarithm of a value that has none; too few rows of what is known ahead.
        """
        z = self.transformed(series)
        longest, learned = max(self.periods), z[:known]
        y = np.concatenate([_before(z, self.season, longest), z])
        period = self._period(learned)
        scale = _scale(learned, period)
        changes = [(z - y[longest - p : longest - p + len(z)]) / scale for p in self.periods]
        level = (z - _rolling(z, self.history)) / scale
        means, scales = np.array(self.means), np.array(self.scales)
        past, future = len(self.columns.past), len(self.columns.future)
        measured = (series.past - means[:past]) / scales[:past]
        ahead = self._ahead(series, (means[past:], scales[past:]) if future else None)
        absent = [(~series.real)[:, None]] if self.missing else []
        x = np.concatenate([np.stack([*changes, level], -1), measured, ahead[: len(z)], *absent], axis=1)
        x, ahead = (np.clip(each, -FAR, FAR).astype(np.float32) for each in (x, ahead))
        return Steps(x, y, ahead, series.real, period, scale)

    def transformed(self, series: Series) -> Floats:
        """The values, or their logarithms.

        Raises:
            DataError: a value that has none.
        """
        if not self.log:
            return series.values
        if series.values.min() <= 0:
            step = int(np.argmin(series.values))
            fix = "The model foresees ratios: train with --log off to allow such values."
            raise DataError(f"{series.name}: step {step + 1}", "be above 0", f"{series.values[step]:g}", fix)
        return np.log(series.values)

    def values(self, transformed: Floats) -> Floats:
        """The other way round."""
        return np.exp(transformed) if self.log else transformed

    def save(self, path: str | Path) -> None:
        """Writes a file that `load` reads.

        Raises:
            StorageError: it cannot be written.
        """
        storage.write(Path(path), msgspec.json.format(msgspec.json.encode(self)).decode())

    @staticmethod
    def load(path: str | Path) -> Reader:
        """Reads what `save` wrote.

        Raises:
            RunError: the file is missing or damaged.
        """
        try:
            return msgspec.json.decode(Path(path).read_bytes(), type=Reader)
        except (OSError, msgspec.MsgspecError) as error:
            fix = "Take it from the run it belongs to, or train anew."
            raise RunError(str(path), "be a readable file of columns and scales", error, fix) from error

    def _period(self, values: Floats) -> int:
        """Which naive forecast is best within the values."""
        horizon, best = self.horizon, (np.inf, 1)
        first = min(max(self.periods), len(values) // 2)
        origins = np.unique(np.linspace(first, len(values) - horizon, TRIED).astype(int))
        origins = origins[(origins > 0) & (origins <= len(values) - horizon)]
        for period in self.periods:
            errors = [
                np.abs(values[o : o + horizon] - naive.seasonal(values[:o], horizon, period)).mean()
                for o in origins
                if o >= period
            ]
            if errors:
                best = min(best, (float(np.mean(errors)), period))
        return best[1]

    def _ahead(self, series: Series, norm: tuple[Floats, Floats] | None) -> Floats:
        """What is known of each step and of the horizon after it, ``[T + H, A]``."""
        steps = len(series) + self.horizon
        found = [np.zeros((steps, 0))]
        if self.calendar:
            times, lacking = series.times, steps - len(series.times)
            if lacking > 0:
                times = np.concatenate([times, seasons.times_ahead(times, self.step, lacking)])
            found.append(seasons.calendar(times[:steps], self.step))
        if norm is not None:
            covariates = series.future[:steps]
            lacking = np.repeat(covariates[-1:], steps - len(covariates), axis=0)
            found.append((np.concatenate([covariates, lacking]) - norm[0]) / norm[1])
        return np.concatenate(found, axis=1)


def _before(z: Floats, season: int, count: int) -> Floats:
    """Values that stand for those before the first one: its first season, again and again."""
    first = z[: season if len(z) >= season else 1]
    return first[(np.arange(count) - count) % len(first)]


def _scale(values: Floats, period: int) -> float:
    """The mean change over the period, or from step to step, or next to nothing where nothing changes."""
    least = STILL * max(1.0, float(np.abs(values).max()))
    scales = [float(np.abs(values[lag:] - values[:-lag]).mean()) for lag in (period, 1) if len(values) > lag]
    return next((scale for scale in scales if scale > least), least)


def _rolling(z: Floats, window: int) -> Floats:
    """The mean of the last ``window`` values, or of as many as there are."""
    sums = np.concatenate([[0.0], np.cumsum(z - z[0])])
    ends = np.arange(1, len(z) + 1)
    begins = np.maximum(0, ends - window)
    return z[0] + (sums[ends] - sums[begins]) / (ends - begins)


def _covariates(panel: Panel) -> Floats:
    """The past and future covariates of all series, below each other."""
    return np.concatenate(
        [np.concatenate([one.past, one.future[: len(one)]], axis=1) for one in panel.series], axis=0
    )


def _check_positive(panel: Panel) -> None:
    for series in panel.series:
        if series.values.min() <= 0:
            step = int(np.argmin(series.values))
            fix = "Leave --log out, or say --log off."
            raise DataError(f"{series.name}: step {step + 1}", "be above 0", f"{series.values[step]:g}", fix)
