"""Series of tables: what is found, what is filled in, and what is refused in words."""

from typing import Any

import numpy as np
import pytest

from tests.data import sets
from unrolled.data import formats, seasons, series
from unrolled.data.ragged import Ragged
from unrolled.data.series import Columns, Panel
from unrolled.errors import DataError, OptionError, UnrolledError


def panel(tmp_path, text, name="sales.csv", **columns):
    path = tmp_path / name
    path.write_text(text)
    return series.read(formats.read([path]), Columns(**columns))


MONTHS = "month,units\n2024-01,3\n2024-02,4\n2024-03,5\n"


def test_a_row_a_step(tmp_path):
    found = panel(tmp_path, MONTHS)
    assert found.step == "1 month"
    assert (found.columns.time, found.columns.target) == ("month", ("units",))
    assert found.series[0].values.tolist() == [3, 4, 5]
    assert found.series[0].real.all()
    assert "units is foreseen" in found.remarks[0]


def test_series_are_told_apart_by_a_column(tmp_path):
    text = "shop,day,units\na,2024-01-01,1\nb,2024-01-01,10\na,2024-01-02,2\nb,2024-01-02,20\n"
    found = panel(tmp_path, text, by="shop")
    assert {one.name: one.values.tolist() for one in found.series} == {"a": [1, 2], "b": [10, 20]}


def test_several_targets_are_series_each(tmp_path):
    text = "day,units,price\n2024-01-01,1,9\n2024-01-02,2,8\n"
    found = panel(tmp_path, text, target=("units", "price"))
    assert [(one.name, one.values.tolist()) for one in found.series] == [("units", [1, 2]), ("price", [9, 8])]


def test_a_row_a_series_padded_with_empty_cells(tmp_path):
    text = '"V1",' + ",".join(f'"V{i}"' for i in range(2, 12)) + "\n"
    text += '"W1",' + ",".join(f'"{i}"' for i in range(10)) + "\n"
    text += '"W2","5","6","7"' + ',""' * 7 + "\n"
    found = panel(tmp_path, text)
    assert [one.name for one in found.series] == ["W1", "W2"]
    assert found.series[1].values.tolist() == [5, 6, 7]
    assert found.columns.layout == "series"


def test_m4_is_read():
    for name, count, shortest, longest in (("Hourly", 414, 700, 960), ("Weekly", 359, 80, 2597)):
        found = series.read(formats.read([sets.file(f"m4/{name}-train.csv.gz")]), Columns())
        lengths = [len(one) for one in found.series]
        assert (len(lengths), min(lengths), max(lengths)) == (count, shortest, longest)


def test_covariates_until_now_and_ahead(tmp_path):
    text = "day,units,rain,sale\n2024-01-01,1,5,0\n2024-01-02,2,6,1\n2024-01-03,,,1\n2024-01-04,,,0\n"
    found = panel(tmp_path, text, target=("units",), past=("rain",), future=("sale",))
    (one,) = found.series
    assert one.values.tolist() == [1, 2]
    assert one.past.tolist() == [[5], [6]]
    assert one.future[:, 0].tolist() == [0, 1, 1, 0]
    assert len(one.times) == 4
    assert any("the last 2 rows have no units and tell what is known ahead" in each for each in found.remarks)


@pytest.mark.parametrize(
    ("fill", "values"), [("previous", [1, 1, 1, 4]), ("linear", [1, 2, 3, 4]), ("zero", [1, 0, 0, 4])]
)
def test_missing_steps_are_put_in_and_filled(tmp_path, fill, values):
    text = "day,units\n2024-01-01,1\n2024-01-04,4\n2024-01-05,5\n2024-01-06,6\n"
    (one,) = panel(tmp_path, text, gaps="insert", fill=fill).series
    assert one.values.tolist() == [*values, 5, 6]
    assert one.real.tolist() == [True, False, False, True, True, True]
    assert str(one.times[1])[:10] == "2024-01-02"


def test_rows_may_be_taken_for_steps(tmp_path):
    text = "day,units\n2024-01-01,1\n2024-01-04,4\n2024-01-05,5\n2024-01-06,6\n"
    found = panel(tmp_path, text, gaps="keep")
    assert len(found.series[0]) == 4
    assert any("each row is taken for a step" in remark for remark in found.remarks)


def test_working_days_have_no_gaps(tmp_path):
    days = np.busday_offset(np.datetime64("2024-01-01"), np.arange(30))
    text = "day,close\n" + "".join(f"{day},{i}\n" for i, day in enumerate(days))
    found = panel(tmp_path, text)
    assert found.step == seasons.WORKING_DAY
    assert any("a step is a working day" in remark for remark in found.remarks)


def test_zeros_at_an_end_are_unknown(tmp_path):
    text = "day,units,rate\n" + "".join(f"2024-01-{i:02},{i},{i if i < 8 else 0.0}\n" for i in range(1, 11))
    found = panel(tmp_path, text, target=("units", "rate"))
    assert [len(one) for one in found.series] == [10, 7]
    assert any("rate: the last 3 values are 0 and no others" in remark for remark in found.remarks)
    kept = panel(tmp_path, text, target=("rate",), zeros="keep")
    assert kept.series[0].values.tolist()[-3:] == [0, 0, 0]


def test_the_dividends_that_are_not_known_yet():
    table = formats.read([sets.file("series/s-and-p-500-monthly.csv")])
    found = series.read(table, Columns(target=("Dividend",)))
    assert len(found.series[0]) < len(table)
    assert found.series[0].values.min() > 0
    assert any("Dividend" in remark and "taken for unknown" in remark for remark in found.remarks)


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "out of order": (
        "day,units\n2024-01-01,1\n2024-01-03,2\n2024-01-02,3\n", {},
        (
            'line 4, column "day" must be later than the row before it; got 2024-01-02 after 2024-01-03. '
            "Sort the rows by time: --sort."
        ),
    ),
    "doubled": (
        "day,units\n2024-01-01,1\n2024-01-01,2\n2024-01-02,3\n", {},
        (
            'line 3, column "day" must be later than the row before it; got 2024-01-01 after 2024-01-01. '
            "Keep one row for each time; of several series, name the column that tells them apart: --by."
        ),
    ),
    "gap": (
        "day,units\n2024-01-01,1\n2024-01-02,2\n2024-01-05,3\n2024-01-06,3\n", {},
        (
            'line 4, column "day" must be 1 day after the row before it; got 2024-01-05 after 2024-01-02. '
            "Take each row for a step: --gaps keep; or put the missing steps in: --gaps insert --fill linear."
        ),
    ),
    "missing": (
        "day,units\n2024-01-01,1\n2024-01-02,\n2024-01-03,3\n", {},
        (
            "have a number at every step; got nothing at step 2. "
            "Say how it is filled in: --fill previous, linear or zero."
        ),
    ),
    "infinite": (
        "day,units\n2024-01-01,1\n2024-01-02,inf\n", {},
        'line 3, column "units" must be finite; got inf.',
    ),
    "no number": (
        "day,units\n2024-01-01,1\n2024-01-02,two\n", {"target": ("units",)},
        "line 3, column \"units\" must hold a number; got 'two'.",
    ),
    "no time": (
        "day,units\n2024-01-01,1\nlater,2\n", {"time": "day"},
        "line 3, column \"day\" must hold a time; got 'later'.",
    ),
    "misnamed": (MONTHS, {"target": ("unit",)}, 'Did you mean units?'),
    "several": (
        "day,a,b\n2024-01-01,1,1\n2024-01-02,2,1\n", {}, "Name it: --target b.",
    ),
    "none": ("day,a\n2024-01-01,x\n2024-01-02,y\n", {}, "Name it: --target COLUMN."),
    "empty": ("day,a,b\n2024-01-01,,1\n2024-01-02,,2\n", {"target": ("a",)}, "Leave the series out."),
    "two roles": (MONTHS, {"target": ("units",), "past": ("units",)}, "target and another"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_series_are_refused_in_words(tmp_path, name):
    text, columns, words = BAD[name]
    with pytest.raises(UnrolledError) as refused:
        panel(tmp_path, text, **columns)
    assert isinstance(refused.value, DataError | OptionError)
    assert words in str(refused.value)


def test_rows_in_any_order_are_sorted_where_asked(tmp_path):
    text = "day,units\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n"
    assert panel(tmp_path, text, sort=True).series[0].values.tolist() == [1, 2, 3]


def test_lists_are_series():
    found = series.of_arrays(Ragged.of([[1.0, 2.0], [3.0, 4.0, 5.0]]))
    assert isinstance(found, Panel)
    assert [len(one) for one in found.series] == [2, 3]
    with pytest.raises(DataError, match="series 1 must be finite; got nan at step 1"):
        series.of_arrays(Ragged.of([[1.0, 2.0], [3.0, np.nan]]))


def test_seasons_are_found_in_values():
    random = np.random.default_rng(0)
    t = np.arange(400)
    assert seasons.of_values([np.sin(2 * np.pi * t / 24) + 0.1 * random.normal(size=400) + t / 50]) == 24
    assert seasons.of_values([random.normal(size=400).cumsum()]) == 1


def test_times_go_on():
    months = np.array(["2023-11-15", "2023-12-15"], "datetime64[us]")
    ahead = seasons.times_ahead(months, "1 month", 3).astype("datetime64[D]").astype(str).tolist()
    assert ahead == ["2024-01-15", "2024-02-15", "2024-03-15"]
    friday = np.array(["2024-01-04", "2024-01-05"], "datetime64[us]")
    days = seasons.times_ahead(friday, seasons.WORKING_DAY, 2).astype("datetime64[D]").astype(str)
    assert days.tolist() == ["2024-01-08", "2024-01-09"]


def test_the_calendar_goes_round():
    hours = np.datetime64("2024-01-01", "us") + np.arange(24 * 14) * np.timedelta64(1, "h")
    waves = seasons.calendar(hours, "1 hour")
    np.testing.assert_allclose(waves[0], waves[24 * 7], atol=1e-12)
    np.testing.assert_allclose(np.hypot(waves[:, 0], waves[:, 1]), 1)
    assert abs(waves[0, 2] - waves[24, 2]) > 0.1
