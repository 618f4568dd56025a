"""Measures and naive forecasts against numbers worked out by hand, and against other ways to them."""

import numpy as np
import pytest

from unrolled.tasks.forecast import accuracy, naive


def test_smape_of_the_competition():
    actual, forecast = np.array([[10.0, 20.0]]), np.array([[12.0, 16.0]])
    assert accuracy.smape(actual, forecast)[0] == pytest.approx(100 * (2 * 2 / 22 + 2 * 4 / 36) / 2)


def test_smape_of_zeros_is_none():
    assert accuracy.smape(np.zeros((1, 2)), np.zeros((1, 2)))[0] == 0


def test_mase_of_the_seasonal_naive_within_the_series_is_one():
    values = np.random.default_rng(0).normal(size=60).cumsum() + 50
    scale = accuracy.scale_of(values, 12)
    error = accuracy.mase(values[None, 12:], values[None, :-12], np.array([scale]))
    assert error[0] == pytest.approx(1)


def test_a_constant_series_has_no_scaled_error():
    assert accuracy.scale_of(np.full(20, 0.1), 4) == 0
    assert np.isnan(accuracy.mase(np.ones((1, 2)), np.zeros((1, 2)), np.zeros(1)))[0]


def test_naive2_is_one_owa():
    smapes, mases = np.array([10.0, 20.0]), np.array([1.0, 3.0])
    assert accuracy.owa([smapes, smapes], [mases, mases]) == 1
    assert accuracy.owa([smapes / 2, smapes], [mases, mases]) == pytest.approx(0.75)


def test_what_is_unknown_does_not_count():
    actual, forecast = np.array([[10.0, np.nan]]), np.array([[12.0, 100.0]])
    assert accuracy.mase(actual, forecast, np.ones(1))[0] == 2


def test_the_median_is_half_the_absolute_error():
    actual, quantiles = np.array([[3.0, 5.0]]), np.array([[[1.0], [9.0]]])
    assert accuracy.pinball(actual, quantiles, [0.5]) == pytest.approx((2 + 4) / 2 / 2)


def test_pinball_is_least_at_the_quantile():
    actual = np.random.default_rng(0).normal(size=(1, 4001))
    tried = np.linspace(-2, 2, 401)
    losses = [accuracy.pinball(actual, np.full((1, 4001, 1), each), [0.9]) for each in tried]
    assert tried[int(np.argmin(losses))] == pytest.approx(np.quantile(actual, 0.9), abs=0.02)


def test_widened_intervals_hold_what_they_state():
    random = np.random.default_rng(1)
    actual = random.normal(size=(100, 10)) * 3
    quantiles = np.tile(np.array([-1.28, 0, 1.28]), (100, 10, 1))  # those of a third of the spread
    (factor,) = accuracy.widening(actual, quantiles, [(0, 2, 0.8)])
    assert factor == pytest.approx(3, rel=0.1)
    held = accuracy.coverage(
        random.normal(size=(400, 10)) * 3, *(quantiles[:1, :, [0, 2]] * factor).T[..., 0]
    )
    assert held == pytest.approx(0.8, abs=0.03)


def seasonal_series(length=60):
    t = np.arange(float(length))
    return (100 + t) * np.resize([0.8, 1.1, 1.3, 0.8], length)


def test_seasonal_indices_are_those_that_were_put_in():
    np.testing.assert_allclose(naive.seasonal_indices(seasonal_series(), 4), [0.8, 1.1, 1.3, 0.8], rtol=5e-3)


def test_indices_of_an_odd_season():
    values = 50.0 * np.resize([0.9, 1.0, 1.1], 30)
    np.testing.assert_allclose(naive.seasonal_indices(values, 3), [0.9, 1.0, 1.1], rtol=1e-12)


def test_naive2_puts_the_season_back():
    values = 50.0 * np.resize([0.9, 1.0, 1.1, 1.0], 42)  # the last is of the second phase
    np.testing.assert_allclose(naive.naive2(values, 3, 4), [55, 50, 45])


def test_naive2_without_a_season_is_the_last_value():
    values = np.random.default_rng(0).normal(size=80).cumsum() + 100
    assert not naive.is_seasonal(values, 12)
    np.testing.assert_array_equal(naive.naive2(values, 3, 12), naive.last(values, 3))
    assert not naive.is_seasonal(seasonal_series(11), 4)


def test_the_test_of_seasonality_by_its_formula():
    values, m = seasonal_series(), 4
    n, centred = len(values), values - values.mean()
    r = [float(centred[k:] @ centred[: n - k]) / float(centred @ centred) for k in range(m + 1)]
    limit = 1.645 * np.sqrt((1 + 2 * sum(each**2 for each in r[1:m])) / n)
    assert naive.is_seasonal(values, m) == (abs(r[m]) > limit)


def test_drift_goes_on_along_the_line():
    np.testing.assert_allclose(naive.drift(np.array([1.0, 5.0, 3.0]), 2), [4, 5])


def test_seasonal_naive_of_less_than_a_season():
    np.testing.assert_array_equal(naive.seasonal(np.array([1.0, 2.0]), 3, 5), [2, 2, 2])
