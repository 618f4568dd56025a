"""Forecasting as a task: what the windows hold, what is learned, what is judged, what is refused."""

import numpy as np
import pytest
import torch

from unrolled import config as configs
from unrolled.config import ForecastConfig, override
from unrolled.data import series
from unrolled.data.ragged import Ragged
from unrolled.data.series import Columns, Panel, Series
from unrolled.errors import DataError, OptionError, UnrolledError
from unrolled.tasks.base import Kept, Row
from unrolled.tasks.examples import batch_of
from unrolled.tasks.forecast import Forecasting, ahead, windows
from unrolled.tasks.forecast.backtest import backtest
from unrolled.tasks.forecast.judging import findings, verdict
from unrolled.tasks.forecast.network import INTERVALS, MEDIAN, QUANTILES, Forecaster, Sizes
from unrolled.tasks.forecast.reader import Reader
from unrolled.training import trainer
from unrolled.training.learner import Learner
from unrolled.wirings import Recurrence

SMALL = {"horizon": 4, "season": 6, "hidden": 8, "memoryless": False, "log": "off"}


def waves(count=4, length=60, season=6, seed=0):
    random = np.random.default_rng(seed)
    t = np.arange(length)
    return [
        10 + k + 3 * np.sin(2 * np.pi * t / season + k) + 0.1 * random.normal(size=length)
        for k in range(count)
    ]


def panel(values):
    return series.of_arrays(Ragged.of(values))


def prepared(values, **fields):
    config = override(ForecastConfig(), SMALL | fields)
    return config, Forecasting.prepare(config, lambda *_: None, panel(values))


def task(values, tmp_path, **fields):
    """A task with all three parts."""
    path = tmp_path / "series.csv"
    names = [f"s{i}" for i in range(len(values))]
    rows = [
        ",".join([name, *(f"{each:.6f}" for each in one)]) for name, one in zip(names, values, strict=True)
    ]
    head = ",".join(["id", *(f"t{i}" for i in range(max(map(len, values))))])
    path.write_text("\n".join([head, *rows]) + "\n")
    config = override(ForecastConfig(), SMALL | fields | {"sources": [str(path)]})
    return Forecasting.begin(config, tmp_path / "data.safetensors")


def test_windows_hold_what_was_and_what_comes():
    values = np.arange(30.0) ** 2
    config = override(ForecastConfig(), SMALL | {"history": 5, "season": 3})
    reader, _ = Reader.of(config, panel([values]))
    steps = reader.steps(panel([values]).series[0], 30)
    made = windows.windows([steps], [(0, 20)], reader)
    longest = max(reader.periods)
    y = made["y"][0] * steps.scale + values[20]
    np.testing.assert_allclose(y, values[16 - longest + 1 : 25], rtol=1e-5)
    assert made["x"][0].shape == (5, reader.inputs)
    np.testing.assert_allclose(made["x"][0][:, 0] * steps.scale, np.diff(values)[15:20], rtol=1e-5)
    assert made["real"][0].tolist() == [True] * 8


def test_the_parts_do_not_overlap():
    config = override(ForecastConfig(), SMALL | {"test": 0.2, "valid": 0.2})
    one = panel(waves(1, 100))
    kept, cut, _ = windows.cuts(one, config, 4)
    assert cut[0] == windows.Cut(60, 80, 100)
    reader, _ = Reader.of(config, one)
    parts = windows.parts(kept, cut, reader, config)
    assert len(parts["test"]["x"]) == len(parts["valid"]["x"]) == 17
    last = parts["train"]["y"][0][-1] * reader.steps(kept[0], 60).scale
    level = kept[0].values[59 - 4]
    np.testing.assert_allclose(last + level, kept[0].values[59], rtol=1e-5)


def test_what_comes_later_changes_no_window():
    """Training and its scales see nothing of what is judged."""
    config = override(ForecastConfig(), SMALL)
    values = waves(1, 80)[0]
    other = values.copy()
    other[-4:] = 1000
    made = []
    for each in (values, other):
        one = panel([each])
        reader, _ = Reader.of(config, one)
        kept, cut, _ = windows.cuts(one, config, 4)
        made.append(windows.parts(kept, cut, reader, config))
    for part in ("train", "valid"):
        for name, column in made[0][part].items():
            theirs = made[1][part][name]
            same = [c.values if isinstance(c, Ragged) else c for c in (column, theirs)]
            np.testing.assert_array_equal(*same, err_msg=f"{part} {name}")
    np.testing.assert_array_equal(made[0]["test"]["x"].values, made[1]["test"]["x"].values)


def model_of(periods=(1, 3), every=True, members=1, horizon=4):
    torch.manual_seed(0)
    model = Forecaster(Sizes(2, 0, horizon, periods, every, members), Recurrence(hidden=8))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model.eval()


def inputs(T=9, B=3, longest=3, horizon=4):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(T, B, 2, generator=generator)
    y = torch.randn(longest - 1 + T + horizon, B, generator=generator)
    return x, y, torch.zeros(T - 1 + horizon, B, 0), torch.full((B,), longest)


def test_it_begins_as_the_naive_forecast():
    model = Forecaster(Sizes(2, 0, 4, (1, 3)), Recurrence(hidden=8))
    x, y, known, period = inputs()
    found = model(x, y, known, period, torch.full((1, 3), 8))[0]
    naive = torch.stack([y[8], y[9], y[10], y[8]])  # the last three values, and again
    torch.testing.assert_close(found[..., MEDIAN], naive.T)
    assert (found.diff(dim=-1) > 0).all()


def test_a_forecast_knows_nothing_of_what_comes_after_its_origin():
    model = model_of()
    x, y, known, period = inputs()
    origins = torch.full((1, 3), 5)
    before = model(x, y, known, period, origins)
    x[6:], y[3 - 1 + 6 :] = 9.0, 9.0
    torch.testing.assert_close(model(x, y, known, period, origins), before)


def test_every_step_as_an_origin_is_the_window_that_ends_there():
    model = model_of()
    x, y, known, period = inputs()
    together = model(x, y, known, period, torch.stack([torch.full((3,), 8), torch.full((3,), 5)]))
    alone = model(x[:6], y[: 3 - 1 + 6 + 4], known[:9], period, torch.full((1, 3), 5))
    torch.testing.assert_close(together[1], alone[0])


def test_forecasts_follow_level_and_scale():
    """The network sees a series moved and stretched as the same."""
    config = override(ForecastConfig(), SMALL)
    values = waves(1)[0]
    found = []
    for each in (values, 50 + 7 * values):
        one = panel([each])
        reader, _ = Reader.of(config, one)
        torch.manual_seed(0)
        model = Forecasting.build(config, reader)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.2, generator=torch.Generator().manual_seed(weight.numel()))
        found.append(ahead.foresee(model, reader, one.series)[0])
    np.testing.assert_allclose(50 + 7 * found[0], found[1], rtol=1e-4)


def test_many_to_one_and_both_directions():
    model = model_of(every=False)
    x, y, known, period = inputs()
    assert model(x, y, known, period, torch.full((1, 3), 8)).shape == (1, 3, 4, len(QUANTILES))
    with pytest.raises(OptionError, match="bidirectional must be off where every step is an origin"):
        override(ForecastConfig(), {"bidirectional": "on"})
    assert override(ForecastConfig(), {"bidirectional": "on", "origins": "last"}).bidirectional


def test_members_are_averaged():
    model = model_of(members=3)
    x, y, known, period = inputs()
    origins = torch.full((1, 3), 8)
    whole = model(x, y, known, period, origins)
    parts = []
    for member in list(model.members):
        model.members = torch.nn.ModuleList([member])
        parts.append(model(x, y, known, period, origins))
    torch.testing.assert_close(whole, torch.stack(parts).mean(0))


def test_intervals_are_stretched_about_the_median():
    model = model_of()
    model.widening.fill_(2.0)
    rising = torch.arange(float(len(QUANTILES)))
    wide = model.intervals(rising.flip(0)[None])[0]
    torch.testing.assert_close(wide, MEDIAN + 2 * (rising - MEDIAN))


def test_a_batch_is_learned_and_the_naive_forecast_beaten(tmp_path):
    rising = [one + (k + 1) * 0.2 * np.arange(60) for k, one in enumerate(waves())]
    one = task(rising, tmp_path, learning_rate=0.01)
    learner = Learner(one.objective)
    learner.position.updates = 100
    first = one.judge(learner.model, "valid").values["mase"]
    for _ in range(100):
        learner.step()
    found = one.judge(learner.model, "test").values
    naive = {row.name: row.values["mase"] or np.inf for row in one.baselines()}
    assert found["mase"] < 0.8 * naive["seasonal naive"] < 0.8 * naive["last value"]
    assert found["mase"] < 0.8 * first


def test_the_twin_without_memory_sees_one_step(tmp_path):
    one = task(waves(), tmp_path)
    model = one.objective.model()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    whole = batch_of(one.parts["valid"], np.arange(4), "x")
    before = whole.columns | {"x": whole.columns["x"].clone()}
    before["x"][: int(whole.lengths.min()) - 1] = 0
    other = whole._replace(columns=before)
    with torch.no_grad():
        apart = [one.answers(model, batch.without_memory()) for batch in (whole, other)]
        assert np.abs(one.answers(model, whole) - one.answers(model, other)).max() > 1e-3
    np.testing.assert_allclose(*apart, rtol=1e-5)


def test_intervals_hold_on_the_part_that_chooses(tmp_path):
    one = task(waves(30, seed=3), tmp_path)
    model = one.objective.model()
    found = one.judge(model, "valid").values
    assert found["coverage_80"] == pytest.approx(0.8, abs=0.02)
    assert found["coverage_95"] == pytest.approx(0.95, abs=0.02)
    assert [share for _, _, share in INTERVALS] == [0.95, 0.9, 0.8, 0.6, 0.5, 0.4, 0.2]


def test_reopened_it_is_the_same(tmp_path):
    one = task(waves(), tmp_path)
    one.reader.save(tmp_path / "reader.json")
    again = Forecasting.reopen(one.config, tmp_path / "data.safetensors", tmp_path / "reader.json")
    assert again.reader == one.reader
    model = one.objective.model()
    assert again.judge(model, "test") == one.judge(model, "test")


def test_a_run_is_judged_and_says_what_was_worth(tmp_path):
    one = task(waves(3), tmp_path)
    found = trainer.train(override(one.config, {"epochs": 2.0, "memoryless": True}))
    names = [row.name for row in found.rows]
    assert names[:2] == ["this model", "the same without memory"]
    assert {"last value", "seasonal naive", "drift", "Naive2"} <= set(names)
    Forecasting.rehearse(Kept(one.objective.model(), one.reader, one.config, {}))


def test_it_says_where_nothing_was_to_be_had():
    assert verdict(0.5, 1.0) == ""
    assert "nothing more was to be had" in verdict(1.01, 1.0)
    assert "better than the model by 50%" in verdict(2.0, 1.0)
    errors = {"this model": 1.0, "drift": 1.2, "last value": 1.01, "the same without memory": 0.99}
    said = findings([Row(name, {"mase": error}) for name, error in errors.items()])
    memory = "memory was worth nothing: MASE 1.000 with it, 0.990 without"
    assert said == [memory, "last value is no worse than the model: nothing more was to be had"]


def test_back_testing_by_rolling_origin():
    config, made = prepared(waves(2, 80))
    model = Forecasting.build(config, made.reader).eval()
    found = backtest(model, made.reader, panel(waves(2, 80)).series, origins=3, every=2)
    assert (found.series, found.forecasts) == (2, 6)
    rows = {row.name: row.values["mase"] or np.inf for row in found.rows}
    best = min(rows["last value"], rows["seasonal naive"])
    assert rows["this model"] == pytest.approx(best, rel=1e-3)  # untrained, it is the naive forecast
    with pytest.raises(DataError, match="series 0 must have 406 steps for 101 origins; got 80"):
        backtest(model, made.reader, panel(waves(2, 80)).series, origins=101)


def test_ratios_are_foreseen_of_what_grows():
    grows = [np.exp(0.05 * np.arange(60)) * 100]
    reader, _ = Reader.of(override(ForecastConfig(), {"horizon": 4, "season": 6}), panel(grows))
    assert reader.log
    model = Forecasting.build(override(ForecastConfig(), SMALL), reader)
    assert (ahead.foresee(model, reader, panel(grows).series) > 0).all()
    with pytest.raises(DataError, match="step 3 must be above 0; got -1"):
        ahead.foresee(model, reader, panel([[1.0, 2.0, -1.0, 3.0]]).series)


def test_what_is_known_ahead_must_be_told():
    days = np.datetime64("2024-01-01", "us") + np.arange(64) * np.timedelta64(1, "D")
    sale = (np.arange(64) % 5 == 0).astype(float)
    values = 10 + 5 * sale[:60]
    none = np.zeros((60, 0))
    one = Series("shop", values, np.ones(60, bool), days, none, sale[:, None])
    columns = Columns(time="day", target=("units",), future=("sale",), layout="step")
    config = override(ForecastConfig(), SMALL)
    reader, _ = Reader.of(config, Panel((one,), "1 day", columns))
    model = Forecasting.build(config, reader)
    assert ahead.foresee(model, reader, [one]).shape == (1, 4, len(QUANTILES))
    short = Series("shop", values, one.real, days[:62], none, sale[:62, None])
    with pytest.raises(DataError, match="shop must have 4 rows more that tell sale ahead; got 2"):
        ahead.foresee(model, reader, [short])
    other = Series("shop", values, one.real, days, none, 1 - sale[:, None])
    first, second = (
        windows.windows([reader.steps(each, 60)], [(0, 59)], reader)["ahead"][0][-4:, -1]
        for each in (one, other)
    )
    assert (first != second).all()


BAD = {
    "shorter than the horizon": (
        {},
        [waves(1)[0], np.arange(3.0)],
        "series 1 must be longer than the horizon",
    ),
    "too short to learn": ({}, [waves(1)[0], np.arange(9.0)], "series 1 must have at least 10 steps"),
    "no logarithm": ({"log": "on"}, [np.arange(60.0) - 5], "series 0: step 1 must be above 0; got -5"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_series_are_refused_in_words(name):
    fields, values, words = BAD[name]
    with pytest.raises(UnrolledError) as refused:
        prepared(values, **fields)
    assert words in str(refused.value)


def test_short_series_may_be_left_out():
    _, made = prepared([waves(1)[0], np.arange(9.0)], drop_short=True)
    assert made.report["series"] == 1
    assert "1 of 2 series were left out: they are too short." in made.report["remarks"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("split", "part", "split must not be given for forecasts"),
        ("length", "8", "length must be whole for forecasts"),
        ("lags", ["x"], "lags must be whole numbers above 1"),
        ("valid_sources", ["a"], "valid_sources must not be given"),
    ],
)
def test_fields_that_forecasts_have_not(field, value, words):
    with pytest.raises(OptionError, match=words):
        override(ForecastConfig(), {field: value})


def test_series_that_do_not_change():
    _, made = prepared([np.full(60, 5.0), waves(1)[0]])
    config = override(ForecastConfig(), SMALL)
    quantiles = ahead.foresee(
        Forecasting.build(config, made.reader), made.reader, panel([np.full(60, 5.0)]).series
    )
    np.testing.assert_allclose(quantiles, 5.0, rtol=1e-4)


def test_the_config_is_kept_as_text():
    config = override(ForecastConfig(), {"lags": ["168"], "future_covariates": ["sale"]})
    assert configs.loads(configs.dumps(config)) == config


def test_the_watched_batch_has_a_gradient(tmp_path):
    one = task(waves(), tmp_path)
    watched = one.watched()
    assert watched
    x, loss = watched
    model = one.objective.model()
    loss(model(*x)).backward()
    assert all(weight.grad is not None for weight in model.parameters())
    batch = batch_of(one.parts["train"], np.arange(2), "x")
    assert torch.isfinite(one.loss(model, batch, None, torch.Generator()).loss)
