"""Files, and what Python holds, as series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unrolled.config.forecast import ForecastConfig
from unrolled.data import formats, given, series
from unrolled.data.formats import Options
from unrolled.data.ragged import Ragged
from unrolled.data.series import Columns, Panel
from unrolled.data.tables import Table
from unrolled.errors import DataError
from unrolled.tasks.forecast.reader import Reader


def read(sources: Sequence[str | Path], config: ForecastConfig) -> Panel:
    """The series of files.

    Raises:
        DataError: they cannot be read, or something is missing in them.
    """
    return series.read(_table(sources, config), columns_of(config))


def read_as(sources: Sequence[str | Path], config: ForecastConfig, reader: Reader) -> Panel:
    """The series of files, with the columns that a model learned from.

    Raises:
        DataError: they cannot be read, have not those columns, or another step.
    """
    return checked(series.read(_table(sources, config), _as_learned(reader, config)), reader)


def checked(panel: Panel, reader: Reader) -> Panel:
    """The same series.

    Raises:
        DataError: their times are another step apart than in training, or they have none.
    """
    if panel.step != reader.step:
        rule = f"have a step of {reader.step}" if reader.step else "have no times"
        fix = "Train a model of such series: unrolled train forecast FILE."
        raise DataError("the series", f"{rule}, as in training", panel.step or "no times", fix)
    return panel


def panel_of(data: Any, config: ForecastConfig, reader: Reader | None = None) -> Panel:
    """Series that Python holds: one as numbers, a list of them, or a table such as a data frame.

    With a ``reader``, tables have the columns that it learned from.

    Raises:
        DataError: no series, or something is missing in them.
    """
    if isinstance(data, Panel):
        return data
    if isinstance(data, Ragged):
        return series.of_arrays(data)
    if isinstance(data, list | tuple) and data and not isinstance(data[0], dict):
        data = data if np.ndim(data[0]) else [data]
        return series.of_arrays(given.sequences(list(data)))
    if not isinstance(data, Table | dict) and np.ndim(data) == 1:
        return series.of_arrays(Ragged.of([np.asarray(data)]))
    columns = _as_learned(reader, config) if reader else columns_of(config)
    return series.read(given.table(data), columns)


def columns_of(config: ForecastConfig) -> Columns:
    """What the config says of the columns."""
    return Columns(
        time=config.time,
        target=config.target,
        by=config.by,
        past=config.past_covariates,
        future=config.future_covariates,
        layout=config.layout,
        form=config.time_format,
        sort=config.sort,
        gaps=config.gaps,
        fill=config.fill,
        zeros=config.zeros,
    )


def _table(sources: Sequence[str | Path], config: ForecastConfig) -> Table:
    header = {"guess": None, "on": True, "off": False}[config.header]
    options = Options(config.encoding, header, config.names, config.delimiter)
    return formats.read(sources, config.format, options)


def _as_learned(reader: Reader, config: ForecastConfig) -> Columns:
    """The columns that were learned from, by their names; where rows were series, they name nothing."""
    return columns_of(config) if reader.columns.layout == "series" else reader.columns
