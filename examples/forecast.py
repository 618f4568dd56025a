"""Sales of twelve shops: a year of days each, with a week's rhythm, a trend, and offers that are known ahead.

A forecast of two weeks is judged on days that were kept aside, beside the value of a week before.
"""

from typing import Any

import numpy as np

import unrolled

SHOPS, DAYS, HORIZON = 12, 364, 14


def shop(number: int, random: np.random.Generator) -> dict[str, list[Any]]:
    """The rows of one shop: more on weekends, half as much again when there is an offer, growing slowly."""
    day = np.arange(DAYS)
    offer = random.random(DAYS) < 0.15
    usual = (20 + 5 * number) * (1 + 0.002 * day) * np.where(day % 7 >= 5, 1.6, 1.0)
    units = usual * np.where(offer, 1.5, 1.0) * random.normal(1, 0.05, DAYS)
    dates = np.datetime64("2024-01-01") + day
    return {
        "date": dates.astype(str).tolist(),
        "shop": [f"shop {number}"] * DAYS,
        "offer": offer.astype(float).tolist(),
        "units": units.tolist(),
    }


def table(rows: slice) -> dict[str, list[Any]]:
    """The same days of all shops, as columns."""
    random = np.random.default_rng(0)
    shops = [shop(number, random) for number in range(SHOPS)]
    return {name: [cell for one in shops for cell in one[name][rows]] for name in shops[0]}


def main() -> None:
    model = unrolled.Forecaster(
        time="date", target="units", by="shop", future_covariates="offer",
        horizon=HORIZON, hidden=32, epochs=3.0, learning_rate=5e-3, memoryless=False, threads=1,
    )  # fmt: skip
    model.fit(table(slice(0, DAYS - HORIZON)))
    everything = model.evaluate(table(slice(0, DAYS)))
    mase = {row.name: row.values["mase"] or 0.0 for row in everything.rows}
    for name, value in mase.items():
        print(f"{name:16} MASE {value:.3f}")
    held = dict(everything.coverages)
    print(f"intervals of 80 % hold {held[0.8]:.1%} of what came")
    assert mase["this model"] < 0.5 * mase["seasonal naive"]


if __name__ == "__main__":
    main()
