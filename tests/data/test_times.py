"""Times are read as they are written, held to their order, and their gaps are found where they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import sets
from unrolled.data import formats, times
from unrolled.data.tables import Places, Table
from unrolled.data.times import Gap
from unrolled.errors import DataError


def table(*cells: object) -> Table:
    return Table({"t": list(cells)}, Places.of("a.csv: line", range(2, 2 + len(cells))))


@pytest.mark.parametrize(
    ("cell", "form", "expected"),
    [
        ("1949-01", "", "1949-01-01"),
        ("2016-07-01 05:30", "", "2016-07-01T05:30"),
        ("2016-07-01T05:30:10.5", "", "2016-07-01T05:30:10.5"),
        ("2016-07-01T05:30:00+02:00", "", "2016-07-01T03:30"),
        ("2016-07-01T05:30:00Z", "", "2016-07-01T05:30"),
        ("31/12/2016", "%d/%m/%Y", "2016-12-31"),
        ("1949", "%Y", "1949-01-01"),
    ],
)
def test_dates_are_read(cell: str, form: str, expected: str):
    assert times.read(table(cell), "t", form)[0] == np.datetime64(expected, "us")


def test_numbers_stay_numbers_and_arrays_of_dates_are_taken():
    assert times.read(table("1", 2.5), "t").tolist() == [1, 2.5]
    dates = np.array(["2020-01-01"], "datetime64[D]")
    assert times.read(Table({"t": dates}, Places.of("row", [0])), "t").dtype == "datetime64[us]"


@pytest.mark.parametrize("cell", ["31/12/2016", "2016-13-01", "now", "NaT", "today", [1], "2016-02-30"])
def test_what_is_no_time_is_named(cell: object):
    with pytest.raises(DataError, match=r'a.csv: line 3, column "t" must hold a time; got .*--time-format'):
        times.read(table("2016-01-01", cell), "t")
    with pytest.raises(DataError, match="got nothing"):
        times.read(table("2016-01-01", ""), "t")


def test_times_out_of_order_and_twice():
    moments = table("2016-01-02", "2016-01-03", "2016-01-01")
    with pytest.raises(DataError) as caught:
        times.check_order(times.read(moments, "t"), moments, "t")
    assert str(caught.value) == (
        'a.csv: line 4, column "t" must be later than the row before it; got 2016-01-01 after 2016-01-03. '
        "Sort the rows by time: --sort."
    )
    twice = table(1, 1, 2)
    with pytest.raises(DataError, match=r"got 1 after 1\. Keep one row for each time"):
        times.check_order(times.read(twice, "t"), twice, "t")
    times.check_order(np.array([1, 2, 3]), table(1, 2, 3), "t")


@settings(max_examples=200)
@given(
    st.sampled_from([(1, "1 second"), (90, "90 seconds"), (3600, "1 hour"), (7 * 86_400, "7 days")]),
    st.sets(st.integers(1, 28), max_size=8),
)
def test_gaps_are_found_where_rows_were_taken_out(step: tuple[int, str], gone: set[int]):
    whole = np.datetime64("2020-03-17T05:00", "us") + np.arange(60) * np.timedelta64(
        step[0] * 1_000_000, "us"
    )
    kept = [i for i in range(60) if i not in gone]
    found = times.regularity(whole[kept])
    assert (found.step, found.missing, found.uneven) == (step[1], len(gone), ())
    assert {kept[gap.row] + 1 + i for gap in found.gaps for i in range(gap.missing)} == gone


def test_months_years_and_plain_numbers():
    def of(*cells: str) -> times.Regularity:
        return times.regularity(np.array(cells, "datetime64[us]"))

    assert of("2024-01-31T12", "2024-02-01", "2024-02-01T12").step == "12 hours"
    assert of("2024-01", "2024-02", "2024-03", "2024-04").gaps == ()
    assert of("2020-06-01", "2021-06-01", "2023-06-01", "2024-06-01") == times.Regularity(
        "12 months", (Gap(1, 1),), ()
    )
    assert times.regularity(np.array([1.0, 3.0, 5.0, 6.0])) == times.Regularity("2", (), (2,))
    assert times.regularity(np.array([1.0])) == times.Regularity("", (), ())


def test_a_clock_may_be_a_second_off():
    seconds = np.array([0, 60, 120, 180, 239, 300, 420])
    found = times.regularity(np.datetime64("2020-01-01", "us") + seconds * np.timedelta64(1_000_000, "us"))
    assert (found.step, found.gaps, found.uneven) == ("1 minute", (Gap(5, 1),), ())


@pytest.mark.parametrize(
    ("name", "column", "step", "missing"),
    [
        ("series/airline-passengers.csv", "Month", "1 month", 0),
        ("series/monthly-sunspots.csv", "Month", "1 month", 0),
        ("series/s-and-p-500-monthly.csv", "Date", "1 month", 0),
        ("series/daily-min-temperatures.csv", "Date", "1 day", 2),
        ("ett/ETTh1-rows00000-11519.csv.gz", "date", "1 hour", 0),
        ("occupancy/datatraining.txt.gz", "date", "1 minute", 0),
    ],
)
def test_real_series(name: str, column: str, step: str, missing: int):
    read = formats.read([sets.file(name)])
    moments = times.read(read, column)
    times.check_order(moments, read, column)
    found = times.regularity(moments)
    assert (found.step, found.missing, found.uneven) == (step, missing, ())


def test_the_missing_days_are_those_of_leap_years():
    read = formats.read([sets.file("series/daily-min-temperatures.csv")])
    gaps = times.regularity(times.read(read, "Date")).gaps
    assert [read["Date"][gap.row] for gap in gaps] == ["1984-12-30", "1988-12-30"]
