"""Forecasts beside what came, in all measures, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.tasks.base import Measure, Row
from unrolled.tasks.examples import Examples
from unrolled.tasks.forecast import accuracy
from unrolled.tasks.forecast.network import INTERVALS, MEDIAN, QUANTILES
from unrolled.tasks.forecast.reader import Reader

Floats = NDArray[np.float64]

BASELINES = ("last value", "seasonal naive", "drift", "Naive2")

SHOWN = (0.8, 0.95)
"""The intervals whose coverage stands in the result."""

ALIKE = 0.02
"""By which share two errors differ that count as the same."""

MEASURES = (
    Measure("mase", "MASE"),
    Measure("smape", "sMAPE\n%", ".2f"),
    Measure("owa", "OWA"),
    Measure("scaled_mse", "scaled\nMSE"),
    Measure("scaled_mae", "scaled\nMAE"),
    *(Measure(f"coverage_{share:.0%}"[:-1], f"within\n{share:.0%}", ".1%", higher=True) for share in SHOWN),
)
"""Of the median; scaled: by the standard deviation of what the series was before."""


def scaled(examples: Examples, rows: NDArray[np.int64], log: bool) -> Floats:
    """What came, as the network says it: in scales from the last value, ``[E, H]``."""
    actual, level, scale = (column(examples, name)[rows] for name in ("actual", "level", "scale"))
    return ((np.log(actual) if log else actual) - level[:, None]) / scale[:, None]


def score(
    examples: Examples, rows: NDArray[np.int64], quantiles: Floats, reader: Reader
) -> tuple[float, dict[str, float]]:
    """The pinball loss as trained, and all measures by their keys.

    Shapes:
        rows: ``[E]``, of the examples that quantiles ``[E, H, Q]`` are of, in scales from the last value.
    """
    loss = accuracy.pinball(scaled(examples, rows, reader.log), quantiles, QUANTILES)
    level, scale = (column(examples, name)[rows][:, None, None] for name in ("level", "scale"))
    values = reader.values(level + scale * quantiles)
    found = measured(examples, rows, values[..., MEDIAN])
    actual = column(examples, "actual")[rows]
    for low, high, share in INTERVALS:
        if share in SHOWN:
            covered = accuracy.coverage(actual, values[..., low], values[..., high])
            found[f"coverage_{share:.0%}"[:-1]] = covered
    return loss, found


def measured(examples: Examples, rows: NDArray[np.int64], forecast: Floats) -> dict[str, float]:
    """Point forecasts ``[E, H]`` in the measures that need no quantiles."""
    actual, naive2, scale = (column(examples, name)[rows] for name in ("actual", "Naive2", "mase"))
    smapes = [accuracy.smape(actual, each) for each in (forecast, naive2)]
    mases = [accuracy.mase(actual, each, scale) for each in (forecast, naive2)]
    deviation = column(examples, "deviation")[rows]
    error = (actual - forecast) / np.where(deviation > 0, deviation, 1.0)[:, None]
    return {
        "mase": accuracy.mean(mases[0]),
        "smape": accuracy.mean(smapes[0]),
        "owa": accuracy.owa(smapes, mases),
        "scaled_mse": accuracy.mean(error**2),
        "scaled_mae": accuracy.mean(np.abs(error)),
    }


def baselines(examples: Examples, season: int, ours: Mapping[str, float] | None) -> list[Row]:
    """The naive forecasts of a part; the best of them says so where it is not beaten by ``ours``."""
    rows = np.arange(len(column(examples, "level")))
    found = {name: measured(examples, rows, column(examples, name)) for name in BASELINES}
    remarks = {"seasonal naive": f"of {season} step{'s' * (season > 1)}", "Naive2": "of the M4 competition"}
    best = min(BASELINES, key=lambda name: found[name]["mase"])
    said = verdict(ours["mase"], found[best]["mase"]) if ours else ""
    remarks[best] = "; ".join(filter(None, [remarks.get(best, ""), said]))
    nothing: dict[str, float | None] = dict.fromkeys((each.key for each in MEASURES), None)
    return [Row(name, {**nothing, **found[name]}, remarks.get(name, "")) for name in BASELINES]


def verdict(ours: float, best: float) -> str:
    """What is to be said where the best baseline is not beaten; nothing where it is.

    Example:
        >>> verdict(0.99, 1.0)
        'no worse than the model: nothing more was to be had'
    """
    if not best > 0 or ours < (1 - ALIKE) * best:
        return ""
    if ours <= (1 + ALIKE) * best:
        return "no worse than the model: nothing more was to be had"
    return f"better than the model by {1 - best / ours:.0%}: take this one"


def findings(rows: Sequence[Row]) -> list[str]:
    """What the rows say where one beside the model, the first, is as good or better."""
    ours = rows[0].values["mase"] or 0.0
    if np.isnan(ours):
        return ["no MASE or OWA: the seasonal naive forecast makes no error on these series, take that one"]
    others = [(row.values["mase"] or np.inf, row.name) for row in rows[1:]]
    best, name = min((pair for pair in others if pair[1] in BASELINES), default=(np.inf, ""))
    twins = [error for error, other in others if other not in BASELINES and verdict(ours, error)]
    said = [f"memory was worth nothing: MASE {ours:.3f} with it, {error:.3f} without" for error in twins]
    words = verdict(ours, best)
    return [*said, *([f"{name} is {words}"] if words else [])]


def coverages(
    examples: Examples, rows: NDArray[np.int64], quantiles: Floats, log: bool
) -> list[tuple[float, float]]:
    """How much each interval is to hold, and how much it holds."""
    actual = scaled(examples, rows, log)
    return [
        (share, accuracy.coverage(actual, quantiles[..., low], quantiles[..., high]))
        for low, high, share in INTERVALS
    ]


def column(examples: Mapping[str, Any], name: str) -> Floats:
    """A column with one value, or one row, an example."""
    found = examples[name]
    assert isinstance(found, np.ndarray)
    return found


def together(answered: Sequence[tuple[Any, Any]]) -> tuple[NDArray[np.int64], Floats]:
    """The rows of the batches that were answered, and the answers."""
    return np.concatenate([batch.rows for batch, _ in answered]), np.concatenate([one for _, one in answered])
