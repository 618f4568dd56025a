"""The task: what is prepared, learned and judged of series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.config.forecast import ForecastConfig
from unrolled.data.series import Series
from unrolled.tasks.base import (
    Card,
    Carried,
    Kept,
    Row,
    Score,
    Step,
    Terms,
    Watched,
    never,
    parameters,
)
from unrolled.tasks.examples import Batch, ExamplesTask, OverExamples, Prepared, batch_of
from unrolled.tasks.forecast import accuracy, judging, reading, windows
from unrolled.tasks.forecast.ahead import called, foresee
from unrolled.tasks.forecast.network import INTERVALS, QUANTILES, Forecaster, Sizes, taken
from unrolled.tasks.forecast.reader import Reader
from unrolled.wirings import Dropouts, Recurrence

Floats = NDArray[np.float64]

ORIGINS = 32
"""Steps of a window from which it is foreseen in one update."""

BY_HEART = 0.1
"""The pinball loss, in usual changes, at which a few windows count as learned by heart."""


class Forecasting(ExamplesTask[Forecaster]):
    """How series go on: a network for all series of a file, judged on the end of each."""

    CARD: ClassVar[Card] = Card(
        pipeline="time-series-forecasting",
        tag="forecast",
        sentence="A recurrent forecaster ({cell})",
        commands="unrolled predict {run} FILE\nunrolled evaluate {run}",
        python='model = unrolled.Forecaster.load("{run}")\nprint(model.predict("FILE"))',
        limits="It foresees what is like the past it learned from: it knows nothing of what never happened "
        "before.\nIts intervals hold as often as they say only as long as the series go on as they did.",
    )

    config: ForecastConfig
    reader: Reader

    def __init__(self, config: ForecastConfig, prepared: Prepared) -> None:
        super().__init__(config, prepared)
        self.terms = Terms("step ahead", "pinball loss", "steps", judging.MEASURES[0])
        self.measures = judging.MEASURES
        self._found: dict[str, float] | None = None

    @classmethod
    def prepare(
        cls, config: ForecastConfig, heard: Callable[[str, int], None], given: Any
    ) -> Prepared:  # fmt: skip
        """Reads series, guesses what was not said, and cuts windows; what is ``given`` is all learned from.

        Raises:
            DataError: data that cannot be read; times out of order or with gaps; series that are too short.
        """
        panel = reading.read(config.sources, config) if given is None else reading.panel_of(given, config)
        heard("read", sum(map(len, panel.series)))
        reader, guessed = Reader.of(config, panel)
        kept, cut, lost = windows.cuts(panel, config, reader.horizon, judged=given is None)
        parts = windows.parts(kept, cut, reader, config)
        lengths = [len(one) for one in kept]
        sizes = {name: {"windows": len(examples["x"])} for name, examples in parts.items()}
        report = {
            "series": len(kept),
            "lengths": {"shortest": min(lengths), "longest": max(lengths), "total": sum(lengths)},
            "unknown": int(sum((~one.real).sum() for one in kept)),
            "step": reader.step,
            "parts": sizes,
            "problems": [],
            "remarks": [*panel.remarks, *guessed, *lost],
        }
        return Prepared({**parts}, reader, report)

    @classmethod
    def load_reader(cls, path: Path) -> Reader:
        """Columns, season and scales."""
        return Reader.load(path)

    @classmethod
    def build(cls, config: ForecastConfig, reader: Reader) -> Forecaster:
        """A model of these features and this horizon."""
        sizes = Sizes(
            inputs=reader.inputs,
            ahead=reader.ahead,
            horizon=reader.horizon,
            periods=reader.periods,
            every=config.origins == "every",
            members=config.members,
            context=config.context,
            readout=config.readout,
        )
        recurrence = Recurrence(config.cell, config.layers, config.hidden, config.bidirectional, config.order)
        dropouts = Dropouts(
            config.dropout_input, config.dropout_layers, config.dropout_steps, config.dropout_output
        )
        return Forecaster(sizes, recurrence, dropouts)

    @classmethod
    def description(cls, config: ForecastConfig, reader: Reader, model: Forecaster) -> dict[str, Any]:
        """Type, sizes and quantiles."""
        del config
        sizes, made = model.sizes, model.recurrence
        return {
            "model_type": "unrolled-forecast",
            **{name: getattr(sizes, name) for name in sizes.__slots__},
            **{name: getattr(made, name) for name in made.__slots__},
            "dropouts": model.dropouts._asdict(),
            "quantiles": QUANTILES,
            "season": reader.season,
            "parameters": parameters(model),
        }

    @classmethod
    def described(cls, kept: Kept) -> list[tuple[str, str]]:
        """What the model is, line by line."""
        task = f"forecast: the next {kept.reader.horizon} steps"
        return [("task", task), *_model(kept.config, kept.model, kept.reader)]

    @classmethod
    def rehearse(cls, kept: Kept) -> None:
        """Foresees a line."""
        reader: Reader = kept.reader
        line = np.arange(1.0, 2 + reader.history)
        columns, times = reader.columns, np.zeros(0)
        if reader.calendar:
            times = np.datetime64("2024-01-01", "us") + np.arange(len(line)) * np.timedelta64(1, "D")
        one = Series(
            "a line", line, np.ones(len(line), np.bool), times,
            np.zeros((len(line), len(columns.past))), np.zeros((len(line), len(columns.future))),
        )  # fmt: skip
        foresee(kept.model, reader, [one])

    def memory(self, model: Forecaster) -> int:
        """Weights and tapes of an update, and what is read out of its origins."""
        config, sizes = self.config, model.sizes
        origins = min(ORIGINS, max(1, self.reader.history // 2)) if sizes.every else 1
        each = sizes.context + len(sizes.periods) + sizes.ahead + 2 * sizes.readout + 4 * len(QUANTILES)
        tape = 4 * origins * config.batch * sizes.horizon * each * config.members
        return super().memory(model) + tape

    def about(self, model: Forecaster) -> list[tuple[str, str]]:
        """Task, data, split, what was guessed, model, parameters."""
        report, reader = self._report, self.reader
        lengths = report["lengths"]
        counts = " ".join(f"{part} {len(examples['x']):,}" for part, examples in self.parts.items())
        length = f"{lengths['shortest']:,} to {lengths['longest']:,}"
        many = f"{report['series']:,} series of {length} steps" if report["series"] > 1 else "one series"
        one = f" of {lengths['longest']:,} steps" if report["series"] == 1 else ""
        step = f", a step is {reader.step}" if reader.step else ""
        return [
            ("task", f"forecast: the next {reader.horizon} steps"),
            ("data", " ".join(self.config.sources)),
            ("series", many + one + step),
            ("windows", f"{counts}; the end of each series is judged"),
            *(("note", remark) for remark in report["remarks"][:6]),
            *_model(self.config, model, reader),
        ]

    def loss(
        self, model: Forecaster, batch: Batch, carried: Carried, generator: torch.Generator
    ) -> Step:  # fmt: skip
        """The mean pinball loss of all quantiles, from steps of the latter half of each window."""
        del carried
        half = max(1, self.reader.history // 2) if model.sizes.every else 1
        offsets = torch.randperm(half, generator=generator)[:ORIGINS]
        return Step(self._pinball(model, batch, offsets, generator), int(batch.lengths.sum()))

    def _pinball(
        self, model: Forecaster, batch: Batch, offsets: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        origins = batch.lengths - 1 - offsets[:, None]
        begins, origins = origins >= 0, origins.clamp(min=0)
        found = called(model, batch, origins, generator)
        steps = origins[..., None] + torch.arange(self.reader.horizon)
        longest = max(self.reader.periods)
        target = taken(batch.columns["y"][..., None], steps + longest)
        real = taken(batch.columns["real"][..., None], steps) & begins[..., None, None]
        error = target - found
        q = torch.tensor(QUANTILES)
        losses = torch.maximum(q * error, (q - 1) * error)
        return (losses * real).sum() / (real.sum() * len(QUANTILES)).clamp(min=1)

    def answers(self, model: Forecaster, batch: Batch) -> Floats:
        """The quantiles in rising order, ``[B, H, Q]``, in scales from the last value, not yet stretched."""
        found = called(model, batch, (batch.lengths - 1)[None])[0]
        return found.sort(-1).values.double().numpy()

    def judge(
        self, model: Forecaster, part: str, to_stop: Callable[[], bool] = never, memoryless: bool = False
    ) -> Score:
        """Judges a model on a part; on ``valid``, its intervals are stretched to hold what they state.

        Raises:
            AbandonedError: it was to stop.
        """
        answered = self.answered(model, part, to_stop, memoryless)
        if part == "valid":
            rows, quantiles = judging.together(answered)
            actual = judging.scaled(self.parts[part], rows, self.reader.log)
            factors = accuracy.widening(actual, quantiles, INTERVALS)
            with torch.inference_mode():
                model.widening.copy_(torch.from_numpy(factors))
        stretched = [(batch, model.stretched(quantiles)) for batch, quantiles in answered]
        score = self.score(part, stretched)
        if part == "test" and not memoryless:
            self._found = score.values
        return score

    def score(self, part: str, answered: list[tuple[Batch, Any]]) -> Score:
        """All measures; the best weights have the least MASE, or where the config says so the least loss."""
        loss, found = judging.score(self.parts[part], *judging.together(answered), self.reader)
        by_score = self.config.choose == "score" and np.isfinite(found["mase"])
        return Score(loss, found, found["mase"] if by_score else None)

    def baselines(self) -> list[Row]:
        """Last value, seasonal naive, drift and Naive2; whether the best of them was beaten."""
        return judging.baselines(self.parts["test"], self.reader.season, self._found)

    def findings(self, rows: Sequence[Row]) -> list[str]:
        """Whether memory was worth anything, and whether the best naive forecast was beaten."""
        return judging.findings(rows)

    def concluded(self, model: Forecaster) -> tuple[list[Row], list[tuple[float, float]]]:
        """A trained model on what is judged, beside baselines; what its intervals are to hold, and hold."""
        rows, quantiles = judging.together(self.answered(model, "test"))
        found, test = model.stretched(quantiles), self.parts["test"]
        _, values = judging.score(test, rows, found, self.reader)
        naives = judging.baselines(test, self.reader.season, values)
        covered = judging.coverages(test, rows, found, self.reader.log)
        return [Row("this model", {**values}), *naives], covered

    def watched(self) -> Watched:
        """A few windows, each foreseen from its end."""
        train = self.parts["train"]
        batch = batch_of(train, np.arange(min(8, len(train["period"]))), self.READ)
        origins = (batch.lengths - 1)[None]
        c = batch.columns
        x = (c["x"], c["y"], c["ahead"], c["period"], origins, batch.lengths)
        steps = origins[..., None] + torch.arange(self.reader.horizon) + max(self.reader.periods)
        target = taken(c["y"][..., None], steps)
        return Watched(x, lambda found: (found - target).abs().mean())

    def by_heart(self) -> tuple[OverExamples[Forecaster], float]:
        """One window."""
        some = {name: column[:1] for name, column in self.parts["train"].items()}
        return self._objective(some), BY_HEART


def _model(config: ForecastConfig, model: Forecaster, reader: Reader) -> list[tuple[str, str]]:
    layers = f"{config.layers} layer{'s' * (config.layers > 1)} of {config.hidden}"
    members = f", {config.members} of them together" if config.members > 1 else ""
    looks = " and ".join(map(str, reader.periods)) + " steps" if reader.season > 1 else "1 step"
    what = "ratios" if reader.log else "differences"
    return [
        ("reads", f"the last {reader.history} steps, {what} to {looks} before"),
        ("model", f"{config.cell_in_words}, {layers}{members}"),
        ("parameters", f"{parameters(model):,}, the same for any number of series"),
    ]
