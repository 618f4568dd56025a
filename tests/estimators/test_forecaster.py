"""The forecaster as an estimator: series from anything, scikit-learn's manners, keeping, the commands."""

import csv
import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import unrolled
from unrolled import cli
from unrolled.errors import DataError, NotFittedError, OptionError
from unrolled.estimators import Forecaster
from unrolled.traces import Trace

SMALL = {"horizon": 4, "season": 6, "hidden": 8, "epochs": 1.0, "memoryless": False, "threads": 1}


def waves(count=3, length=60):
    t = np.arange(length)
    return [10 + k + 3 * np.sin(2 * np.pi * t / 6 + k) + 0.02 * t for k in range(count)]


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(**SMALL).fit(waves())


def test_it_says_how_its_series_go_on(fitted):
    found = fitted.predict()
    assert found.median.shape == (3, 4)
    low, high = found.interval(80)
    wide = found.interval(95)
    rising = np.stack([wide[0], low, found.median, high, wide[1]])
    assert (np.diff(rising, axis=0) >= 0).all()
    np.testing.assert_array_equal(fitted.predict(2).median, found.median[:, :2])


def test_other_series_and_of_other_kinds(fitted):
    one = waves(1)[0]
    expected = fitted.predict(series=one).median
    for same in (one.tolist(), [one], [one.tolist()], one[None], torch.from_numpy(one)):
        np.testing.assert_allclose(fitted.predict(series=same).median, expected, rtol=1e-6)


@pytest.mark.parametrize("horizon", [0, 5, 2.0])
def test_no_further_than_it_was_trained_for(fitted, horizon):
    with pytest.raises(OptionError, match="horizon must be 1 to 4, the steps that it was trained for"):
        fitted.predict(horizon)


def test_columns_of_a_frame():
    pandas = pytest.importorskip("pandas")
    days = pandas.date_range("2024-01-01", periods=60)
    frame = pandas.DataFrame({"day": days, "units": waves(1)[0]})
    found = Forecaster(**SMALL).fit(frame).predict()
    assert found.times[0][0] == "2024-03-01"
    assert "2024-03-01" in str(found)


def test_it_scores_and_is_back_tested(fitted):
    assert fitted.score(waves()) == -fitted.evaluate(waves()).rows[0].values["mase"]
    found = fitted.backtest(origins=3, every=2)
    assert (found.series, found.forecasts) == (3, 9)
    assert dict(found.coverages).keys() == {0.95, 0.9, 0.8, 0.6, 0.5, 0.4, 0.2}


def test_kept_and_loaded_it_foresees_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "shops")
    again = Forecaster.load(tmp_path / "shops")
    np.testing.assert_array_equal(again.predict(series=waves()).median, fitted.predict().median)
    with pytest.raises(DataError, match="the series must be given where it was loaded"):
        again.predict()


def test_what_comes_is_drawn(fitted):
    drawn = fitted.predict().figure()
    ElementTree.fromstring(drawn.svg())
    assert drawn.body.count('class="u-backward u-band"') == 2 * 3
    assert "series 2" in drawn.body
    assert "+4" in drawn.body
    assert drawn.svg() == fitted.predict()._repr_html_()


def test_not_fitted():
    with pytest.raises(NotFittedError, match="Call fit first"):
        Forecaster().predict()


def test_manners_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.base")
    model = Forecaster(**SMALL)
    copy = sklearn.clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.set_params(hidden=4).config.hidden == 4
    assert not model.__sklearn_is_fitted__()


def test_a_grid_is_searched_over_series():
    selection = pytest.importorskip("sklearn.model_selection")
    search = selection.GridSearchCV(Forecaster(**SMALL), {"hidden": [4, 8]}, cv=2)
    search.fit(waves(4))
    assert search.best_params_["hidden"] in (4, 8)
    assert np.isfinite(search.best_score_)


def test_the_same_seed_foresees_the_same(fitted):
    again = Forecaster(**SMALL).fit(waves())
    np.testing.assert_array_equal(again.predict().quantiles, fitted.predict().quantiles)


def test_what_is_computed_can_be_looked_at(fitted):
    traced = fitted.explain(waves(1))
    assert isinstance(traced, Trace)
    assert len(traced.facts["tokens"][0]) == fitted._kept.reader.history


def test_times_where_there_were_none(fitted):
    table = {"day": ["2024-01-01", "2024-01-02"], "units": [1.0, 2.0]}
    with pytest.raises(DataError, match="must have no times, as in training; got 1 day"):
        fitted.predict(series=table)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the command line on a file of months."""
    place = tmp_path_factory.mktemp("runs")
    months = np.datetime64("2015-01") + np.arange(60)
    rows = [f"{month},{value:.4f}" for month, value in zip(months, waves(1)[0], strict=True)]
    file = place / "months.csv"
    file.write_text("\n".join(["month,units", *rows]) + "\n")
    options = [f"{name}={value}" for name, value in {**SMALL, "memoryless": "off"}.items()]
    words = ["train", "forecast", str(file), "--quiet", *options]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNROLLED_RUNS", str(place))
        done = CliRunner().invoke(cli.main, words)
        assert done.exit_code == 0, done.output
        (folder,) = [path for path in place.iterdir() if path.is_dir()]
        yield file, folder


def test_the_command_predicts(run):
    file, folder = run
    done = CliRunner().invoke(cli.main, ["predict", str(folder), str(file), "--csv"])
    rows = list(csv.DictReader(io.StringIO(done.output)))
    assert [row["step"] for row in rows] == ["2020-01", "2020-02", "2020-03", "2020-04"]
    done = CliRunner().invoke(cli.main, ["predict", str(folder), str(file), "--json"])
    assert len(json.loads(done.output)[0]["median"]) == 4


def test_the_command_evaluates(run):
    file, folder = run
    for sources in ([], [str(file)]):
        done = CliRunner().invoke(cli.main, ["evaluate", str(folder), *sources])
        assert done.exit_code == 0, done.output
        assert "seasonal naive" in done.output
        assert "intervals, stated and held: 95%" in done.output


def test_the_command_refuses_in_words(run, tmp_path):
    _, folder = run
    path = tmp_path / "other.csv"
    path.write_text("month,unit\n2024-01,1\n2024-02,2\n")
    done = CliRunner().invoke(cli.main, ["predict", str(folder), str(path)])
    assert done.exit_code != 0
    assert "Did you mean unit?" in done.output
    assert "Traceback" not in done.output


def test_the_public_name():
    assert unrolled.Forecaster is Forecaster
