"""The config of a forecaster."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from unrolled.config.base import DROPOUTS, HOW_LONG, MACHINE, OPTIMISER, at_odds
from unrolled.config.examples import KEEPING, MODEL, PARTS
from unrolled.config.field import Share, at_least
from unrolled.config.tables import READING, TableConfig


class ForecastConfig(TableConfig, frozen=True, kw_only=True):
    """How a forecaster of series of numbers is trained. Every field has a default.

    Parts are cut by time: of each series the end is judged, and what stands before it chooses the weights.

    Units: durations in seconds; ``horizon``, ``history``, ``season``, ``lags`` and ``stride`` in steps of the
    series; ``warmup`` and ``evaluate_every`` in updates.

    Raises:
        OptionError: a value of another type, outside its limits, or at odds with another field.

    Example:
        >>> from unrolled.config import override
        >>> override(ForecastConfig(), {"horizon": "12", "log": "on"}).horizon
        12
    """

    SECTIONS: ClassVar[dict[str, str]] = {
        "This file": "schema task",
        "Data": f"sources {READING}",
        "Columns": "layout time time_format target by past_covariates future_covariates",
        "What is missing": "sort gaps fill zeros drop_short",
        "What is foreseen": "horizon season lags log calendar",
        "Parts": f"{PARTS} judge_every",
        "Model": f"{MODEL} origins members context readout {DROPOUTS}",
        "Windows of the series": "history stride batch length",
        "How long": HOW_LONG,
        "Optimiser": OPTIMISER,
        "Judging and keeping": KEEPING,
        "Machine": MACHINE,
    }

    task: Annotated[Literal["forecast"], Meta(description="what is learned: how series go on")] = "forecast"

    layout: Annotated[Literal["guess", "step", "series"], Meta(description="what a row of the data is")] = (
        "guess"
    )
    time: Annotated[str, Meta(description="column of the times, instead of a guess")] = ""
    time_format: Annotated[str, Meta(description="how times are written, such as %d/%m/%Y")] = ""
    target: Annotated[
        tuple[str, ...], Meta(description="column that is foreseen; of several, each is a series")
    ] = ()
    by: Annotated[str, Meta(description="column that says to which series a row belongs")] = ""
    past_covariates: Annotated[
        tuple[str, ...], Meta(description="columns of numbers that are known until now")
    ] = ()
    future_covariates: Annotated[
        tuple[str, ...], Meta(description="columns of numbers that are known ahead too")
    ] = ()

    sort: Annotated[bool, Meta(description="put the rows of a series in the order of their times")] = False
    gaps: Annotated[
        Literal["refuse", "keep", "insert"],
        Meta(description="where times are missing: keep takes rows as steps, insert puts unknown values in"),
    ] = "refuse"
    fill: Annotated[
        Literal["refuse", "previous", "linear", "zero"], Meta(description="what stands for unknown values")
    ] = "refuse"
    zeros: Annotated[
        Literal["guess", "keep", "unknown"],
        Meta(description="zeros that stand for unknown values; guess: at an end, where no others are"),
    ] = "guess"
    drop_short: Annotated[bool, Meta(description="leave out series too short to be learned from")] = False

    horizon: Annotated[int, at_least(0, "steps ahead that are foreseen; 0: a season")] = 0
    season: Annotated[int, at_least(0, "steps of a season; 0: a guess, 1: none")] = 0
    lags: Annotated[
        tuple[str, ...], Meta(description="longer seasons to look back at, such as 168; none: a guess")
    ] = ()
    log: Annotated[
        Literal["guess", "on", "off"],
        Meta(description="foresee ratios, not differences; guess: where all is well above 0"),
    ] = "guess"
    calendar: Annotated[bool, Meta(description="show the network where a time is in its day, week, year")] = (
        True
    )

    valid: Annotated[
        Share, Meta(description="share of each series that chooses the weights; 0: a horizon, a tenth of few")
    ] = 0.0
    test: Annotated[
        Share, Meta(description="share of each series, its end, that is judged; 0: a horizon")
    ] = 0.0
    judge_every: Annotated[
        int, at_least(0, "steps between two judged origins of a series; 0: so that they are not too many")
    ] = 0

    hidden: Annotated[int, at_least(1, "hidden units of a layer")] = 64
    origins: Annotated[
        Literal["every", "last"],
        Meta(description="steps from which a window is foreseen in training: many to many, many to one"),
    ] = "every"
    members: Annotated[int, at_least(1, "networks that foresee together")] = 1
    context: Annotated[int, at_least(1, "features that a state gives each step ahead")] = 8
    readout: Annotated[int, at_least(1, "hidden units between these features and a forecast")] = 32

    history: Annotated[int, at_least(0, "steps that a forecast reads; 0: two seasons or horizons")] = 0
    stride: Annotated[int, at_least(0, "steps between windows; 0: so that they are not too many")] = 0
    epochs: Annotated[float, Meta(gt=0, description="passes over the data, if there is no budget")] = 30.0

    def check_shares(self) -> None:
        """Checks that something is left to learn from.

        Raises:
            OptionError: it is not.
        """
        if self.valid + self.test >= 1:
            raise at_odds("valid + test", "leave data to train on", self.valid + self.test, "Take less.")

    def check(self) -> None:
        """Checks what no field can see alone.

        Raises:
            OptionError: two fields are at odds.
        """
        super().check()
        for name, fix in (
            ("valid_sources", "Series are cut by time: --valid 0.1."),
            ("test_sources", "Series are cut by time; judge others with unrolled evaluate RUN FILE."),
            ("split", "Series are cut by time: --valid 0.1 --test 0.1."),
            ("group", "Name the column that tells series apart: --by."),
        ):
            if getattr(self, name):
                raise at_odds(name, "not be given for forecasts", getattr(self, name), fix)
        if self.length:
            fix = "Say how many steps a forecast reads: --history."
            raise at_odds("length", "be whole for forecasts", self.length, fix)
        if self.bidirectional and self.origins == "every":
            fix = "Leave it out, or add --origins last."
            raise at_odds("bidirectional", "be off where every step is an origin", "on", fix)
        for lag in self.lags:
            if not (lag.isascii() and lag.isdecimal() and int(lag) > 1):
                raise at_odds("lags", "be whole numbers above 1", repr(lag), "Such as --lags 168.")
