"""Parquet, which polars reads."""

from __future__ import annotations

import io

from unrolled.data.formats.options import Options
from unrolled.data.tables import Places, Table
from unrolled.errors import DataError, UnavailableError


def read(data: bytes, name: str, options: Options) -> Table:
    """The columns of a Parquet file.

    Raises:
        DataError: it is none, or has no rows.
        UnavailableError: polars is not installed.
    """
    del options
    try:
        import polars
    except ImportError as error:
        fix = 'Reading Parquet needs polars. Fix: pip install "unrolled[data]", or save the table as CSV'
        raise UnavailableError(name, "be readable here", "no polars", f"{fix}.") from error
    try:
        frame = polars.read_parquet(io.BytesIO(data))
        columns = {column: frame[column].to_list() for column in frame.columns}
    except (KeyboardInterrupt, MemoryError, SystemExit):
        raise
    except BaseException as error:  # polars panics with exceptions that are no Exception
        got = str(error).split("\n")[0][:200].rstrip(".") or type(error).__name__
        raise DataError(name, "be a Parquet file", got, "Fetch it again, or save it as CSV.") from error
    if not frame.height:
        raise DataError(name, "have rows", "none", "Name a file with data in it.")
    return Table(columns, Places.of(f"{name}: row", range(1, 1 + frame.height)))
