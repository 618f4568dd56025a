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


def read(sources: Sequence[str | Path], config: ForecastConfig) -> Panel:
    """The series of files.

    Raises:
        DataError: they cannot be read, or something is missing in them.
    """
    header = {"guess": None, "on": True, "off": False}[config.header]
    options = Options(config.encoding, header, config.names, config.delimiter)
    return series.read(formats.read(sources, config.format, options), columns_of(config))


def panel_of(data: Any, config: ForecastConfig) -> Panel:
    """Series that Python holds: one as numbers, a list of them, or a table such as a data frame.

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
    return series.read(given.table(data), columns_of(config))


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
