"""A forecaster of series of numbers as an estimator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np

from unrolled.data import seasons
from unrolled.data.series import Panel, Series
from unrolled.errors import DataError, OptionError
from unrolled.estimators.base import Estimator
from unrolled.report.forecasts import Forecasts, Worth, steps_as_text
from unrolled.tasks.base import Kept
from unrolled.tasks.examples import batch_of
from unrolled.tasks.forecast import Forecasting, ahead, backtest, judging, reading, windows
from unrolled.tasks.forecast.backtest import Backtest
from unrolled.tasks.forecast.network import MEDIAN, QUANTILES
from unrolled.tasks.forecast.reader import Reader
from unrolled.traces import Trace
from unrolled.tracing import Course
from unrolled.training.run_folder import RunFolder


@final
class Forecaster(Estimator):
    """Says how series of numbers go on, and how surely.

    The options are the fields of `unrolled.config.ForecastConfig`. Series are one list or array ``[T]``, or a
    list of them, whose T may differ; or a data frame, a dict of columns or a path of a file, with the columns
    that the options name. All is learned from but the last horizon of each, which chooses the weights.

    Raises:
        OptionError: a field that does not exist, or a value that cannot be.

    Example:
        >>> series = [10 + np.sin(np.arange(60) * np.pi / 6 + shift) for shift in range(4)]
        >>> model = Forecaster(horizon=6, season=12, hidden=8, epochs=2.0, memoryless=False).fit(series)
        >>> model.predict(3).median.shape
        (4, 3)
    """

    TASK: ClassVar[str] = "forecast"

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self._panel: Panel | None = None

    def fit(self, series: Any, y: None = None, *, verbose: bool = False) -> Self:
        """Learns how series go on, from all of them together.

        Args:
            y: nothing; scikit-learn's tools give it.

        Raises:
            DataError: no series, one that is too short, times out of order, gaps, or numbers missing.
            NonFiniteError: the loss is no number any more.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; what was best until then can be used, if there was time
                to judge any.
        """
        del y
        self._panel = self._series(series, self.config)
        return self._fit(self.config, self._panel, verbose)

    def predict(self, horizon: int | None = None, series: Any = None) -> Forecasts:
        """How the series go on that it learned from, or others.

        Args:
            horizon: steps ahead; by default, and at most, those it was trained for.

        Raises:
            OptionError: more steps ahead than it was trained for.
            DataError: series that are not as those it learned from; none, where it was loaded.
        """
        kept = self._fitted()
        steps = kept.reader.horizon if horizon is None else horizon
        if not isinstance(steps, int) or not 1 <= steps <= kept.reader.horizon:
            more = isinstance(steps, int) and steps > 0
            fix = f"Train for more: horizon={steps}." if more else "Leave it out for all of them."
            rule = f"be 1 to {kept.reader.horizon}, the steps that it was trained for"
            raise OptionError("Forecaster.predict: horizon", rule, steps, fix)
        return self._ahead(self._given(series), steps)

    def backtest(self, series: Any = None, *, origins: int = 1, every: int = 0) -> Backtest:
        """Judges it by rolling origin: from several steps of each series, ``every`` so many apart.

        Raises:
            OptionError: no origin.
            DataError: series too short for so many, or not as those it learned from.
        """
        kept = self._fitted()
        return backtest.backtest(kept.model, kept.reader, self._given(series).series, origins, every)

    def evaluate(self, series: Any) -> Backtest:
        """Judges it on the last horizon of each of other series.

        Raises:
            DataError: series that are too short, or not as those it learned from.
        """
        return self.backtest(series)

    def score(self, series: Any, y: None = None) -> float:
        """The MASE of the last horizon of each series, times -1, so that larger is better.

        Raises:
            DataError: as `evaluate`.
        """
        del y
        found = self.evaluate(series).rows[0].values["mase"]
        assert found is not None
        return -found

    def explain(self, series: Any) -> Trace:
        """All that is computed over the last window of a series, and back from its median forecast.

        Raises:
            DataError: a series that is not as those it learned from.
        """
        return self._explained(self._given(series).series[0])

    def evaluate_sources(self, sources: Sequence[str], run: RunFolder, **options: Any) -> Worth:
        """Judges the last horizon of each series of files; without any, what the run was judged on.

        Raises:
            DataError: series that are too short, or not as those it learned from.
        """
        self._without("evaluate", options)
        kept = self._fitted()
        if sources:
            panel = reading.read_as(list(sources), kept.config, kept.reader)
            found = backtest.backtest(kept.model, kept.reader, panel.series)
            what = f"{' '.join(sources)}: the last {kept.reader.horizon} steps of {found.series:,} series"
            return Worth(what, judging.MEASURES, found.rows, found.coverages)
        task: Any = Forecasting.reopen(kept.config, run.data, run.path / Forecasting.READER)
        rows, covered = task.concluded(kept.model)
        count = len(task.parts["test"]["period"])
        origins = f"{count:,} origin{'s' * (count > 1)}"
        what = f"what the run was judged on: {kept.reader.horizon} steps from {origins}"
        return Worth(what, judging.MEASURES, tuple(rows), tuple(covered))

    def predict_source(self, source: str, **options: Any) -> Forecasts:
        """How the series of a file, or of standard input, go on.

        Raises:
            DataError: series that are not as those it learned from.
        """
        self._without("predict", options)
        kept = self._fitted()
        return self._ahead(reading.read_as([source], kept.config, kept.reader), kept.reader.horizon)

    def explain_source(self, source: str) -> Trace:
        """The trace of the last window of the first series of a file.

        Raises:
            DataError: a series that is not as those it learned from.
        """
        kept = self._fitted()
        return self._explained(reading.read_as([source], kept.config, kept.reader).series[0])

    def _series(self, series: Any, config: Any) -> Panel:
        if isinstance(series, str | Path):
            return reading.read([series], config)
        return reading.panel_of(series, config)

    def _given(self, series: Any) -> Panel:
        """The series that are meant: given now, or learned from.

        Raises:
            DataError: none.
        """
        kept = self._fitted()
        if series is None:
            if self._panel is None:
                fix = "Give those that are to go on: predict(series=...)."
                raise DataError("Forecaster: the series", "be given where it was loaded", "none", fix)
            return self._panel
        if isinstance(series, str | Path):
            return reading.read_as([series], kept.config, kept.reader)
        return reading.checked(reading.panel_of(series, kept.config, kept.reader), kept.reader)

    def _ahead(self, panel: Panel, horizon: int) -> Forecasts:
        kept = self._fitted()
        reader: Reader = kept.reader
        quantiles = ahead.foresee(kept.model, reader, panel.series)[:, :horizon]
        times = tuple(_times(one, reader, horizon) for one in panel.series)
        names, past = zip(*((one.name, one.values) for one in panel.series), strict=True)
        return Forecasts(names, times, quantiles, QUANTILES, past)

    def _explained(self, one: Series) -> Trace:
        kept: Kept = self._fitted()
        reader: Reader = kept.reader
        steps = reader.steps(one, len(one))
        batch = batch_of(windows.windows([steps], [(0, len(one) - 1)], reader), np.arange(1), "x")
        origins = (batch.lengths - 1)[None]
        c = batch.columns

        def course() -> Course:
            y = kept.model(c["x"], c["y"], c["ahead"], c["period"], origins)
            return Course(y, y[..., MEDIAN].sum(), [y], timed=False)

        names = [str(step) for step in range(len(one) - len(c["x"]) + 1, len(one) + 1)]
        return self._traced(course, 1, tokens=[names], between=None, window=reader.history)

    def __sklearn_is_fitted__(self) -> bool:
        return self._kept is not None

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags  # pyright: ignore[reportMissingTypeStubs]

        reads = InputTags(one_d_array=True, two_d_array=True)
        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=reads)


def _times(one: Series, reader: Reader, horizon: int) -> tuple[str, ...]:
    """The times of the steps ahead of a series, as text."""
    if one.times.dtype.kind != "M":
        return steps_as_text(None, horizon)
    known = one.times[len(one) : len(one) + horizon]
    more = horizon - len(known)
    if more:
        known = np.concatenate([known, seasons.times_ahead(one.times, reader.step, more)])
    return steps_as_text(known, horizon)
