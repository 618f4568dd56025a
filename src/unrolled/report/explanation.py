"""What a trace says of its model, in words and as data: how far a signal reaches, gates, strongest steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from rich.cells import cell_len

from unrolled.errors import NotKeptError
from unrolled.report.figures import layout, measures
from unrolled.report.figures.layout import Steps, percent
from unrolled.report.figures.shares import strongest
from unrolled.report.wording import visible
from unrolled.traces import LayerTrace, Trace
from unrolled.traces.diagnosis import diagnose
from unrolled.traces.diagnosis.figures import Signal, signal

T = TypeVar("T")

QUOTED = 60
"""Characters of the text that are repeated."""

DISTANCES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Steps back at which is said how much of a signal is left."""

LEAST = 1e-6
"""The share of a gradient under which it is as good as none."""

STRONGEST = 3
"""Steps that are named of a weight."""


@dataclass(frozen=True)
class Layer:
    """What is said of a layer; what the trace has not kept is None, or not there.

    Attributes:
        signal: what fades, ``gradient of c``; or why that cannot be said.

    Units: ``half_life`` and ``reach`` steps, infinite where the signal lasts longer than the trace; ``left``
    the share of a gradient by distance; ``saturated`` the share of a gate's values; ``shares`` each step's
    share of a weight's gradient.
    """

    name: str
    cell: str
    hidden: int
    signal: str
    half_life: float | None
    reach: float | None
    left: dict[int, float]
    saturated: dict[str, float]
    shares: dict[str, list[float]]


@dataclass(frozen=True)
class Explanation:
    """A trace in words; prints as them. `explain` makes it."""

    title: str
    text: str
    steps: Steps
    loss: str
    loss_t: list[float] | None
    layers: list[Layer]
    adds_up: str
    diagnosis: str

    def __str__(self) -> str:
        return f"{self.title}, {self.about}\n\n{self.tables()}"

    @property
    def about(self) -> str:
        """How much was read, the text, and what it cost."""
        text = f" “{_cut(self.text)}”" if self.text else ""
        return _steps(self.steps.count) + text + (f"; loss {self.loss}" if self.loss else "")

    def tables(self) -> str:
        """Everything else: of layers, distances, steps; whether it adds up, and what is wrong with it."""
        blocks = (self._reach(), self._left(), self._strongest(), self._worst(), self.adds_up, self.diagnosis)
        return "\n\n".join(filter(None, blocks))

    def as_data(self) -> dict[str, Any]:
        """As JSON can hold it; infinite is None."""
        layers = [asdict(layer) for layer in self.layers]
        for layer in layers:
            for name in ("half_life", "reach"):
                if layer[name] is not None and math.isinf(layer[name]):
                    layer[name] = None
            layer["left"] = [[distance, share] for distance, share in layer["left"].items()]
        first, names = self.steps.first, self.steps.names
        return {
            "title": self.title,
            "text": self.text,
            "steps": {"first": first, "names": list(names), "loss": _finite(self.loss_t)},
            "layers": layers,
            "adds_up": self.adds_up,
            "diagnosis": self.diagnosis,
        }

    def _reach(self) -> str:
        """A row for each layer: how far a signal reaches, and gates."""
        rows = [("layer", "signal", "half left", "1 % left", "saturated gates")]
        for layer in self.layers:
            gates = "  ".join(f"{gate} {percent(share)}" for gate, share in layer.saturated.items())
            name = f"{layer.name} {layer.cell} H={layer.hidden}"
            rows.append((name, layer.signal, self._after(layer.half_life), self._after(layer.reach), gates))
        return table(rows)

    def _after(self, steps: float | None) -> str:
        """When something is reached, in words."""
        if steps is None:
            return ""
        return f"not in {_steps(self.steps.count)}" if math.isinf(steps) else f"after {steps:.1f} steps"

    def _left(self) -> str:
        """How much of each layer's signal is left by distance."""
        layers = [layer for layer in self.layers if layer.left]
        distances = [d for d in DISTANCES if any(layer.left.get(d, 0) >= LEAST for layer in layers)]
        if not distances:
            return ""
        rows = [("signal left after", *(_steps(d) if d == 1 else str(d) for d in distances))]
        for layer in layers:
            shares = (_share(layer.left.get(d)) for d in distances)
            rows.append((f"{layer.name} {layer.signal}", *shares))
        return table(rows)

    def _strongest(self) -> str:
        """The steps that most of each weight's gradient comes from."""
        rows = [
            (f"{layer.name} {weight}", *(
                f"{percent(share[t])} {self.steps.said(t)}" for t in strongest(np.array(share), STRONGEST)
            ))
            for layer in self.layers
            for weight, share in layer.shares.items()
        ]  # fmt: skip
        heading = "steps with the largest share of a weight's gradient"
        return f"{heading}\n{table(rows)}" if rows else ""

    def _worst(self) -> str:
        """The steps that cost most."""
        if not self.loss_t:
            return ""
        worst = strongest(np.nan_to_num(self.loss_t, nan=np.inf), STRONGEST)
        told = (f"{self.loss_t[t]:.2f} nats after {self.steps.said(t)}" for t in worst)
        return "largest losses  " + "   ".join(told)


def explain(trace: Trace, b: int = 0) -> Explanation:
    """What is to be said of a trace; of steps and losses, those of sequence ``b``."""
    model, loss = trace.facts["model"], trace.facts["loss"]
    broken = trace.facts["left_out"].get("loss", "")
    steps = layout.steps(trace, b)
    loss_t = measures.losses(trace, b, steps.count)
    unit = (" nats a token" if "ids" in trace else " nats a step") if "loss_t" in trace else ""
    return Explanation(
        title=model.get("run", model["name"]),
        text=_text(trace, b),
        steps=steps,
        loss=broken if loss is None else f"{loss:.4g}{unit}",
        loss_t=None if loss_t is None else loss_t.tolist(),
        layers=[_layer(layer) for layer in trace.layers],
        adds_up=adds_up(trace),
        diagnosis="" if loss is None and not broken else str(diagnose(trace)),
    )


def adds_up(trace: Trace) -> str:
    """`Trace.check` in a sentence, or all that does not add up."""
    checked = trace.check()
    wrong = [str(found) for found in checked.sums if not found.ok]
    if wrong:
        return "\n".join(wrong)
    looked = [found.apart for found in checked.sums if found.apart is not None]
    if not looked:
        return "Nothing was kept that could be added up."
    return (
        f"It adds up: {len(looked)} checks of recorded against recomputed, at most {max(looked):.1e} apart."
    )


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as what is in them, two spaces between."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    padded = (
        (text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _text(trace: Trace, b: int) -> str:
    """What was read, as text; empty where the steps have no names but their numbers."""
    between = trace.facts.get("between", "")
    return "" if between is None or not trace.tokens else between.join(trace.tokens[b])


def _layer(layer: LayerTrace) -> Layer:
    """What is said of a layer, as far as it was kept."""
    seen, why = _signal(layer)
    left = seen.left if seen else np.zeros(0)
    return Layer(
        name=layer.name,
        cell=layer.cell.name,
        hidden=layer.H,
        signal=seen.of if seen else why,
        half_life=seen.half_life if seen else None,
        reach=seen.reach if seen else None,
        left={d: float(left[d]) for d in DISTANCES if d < len(left) and np.isfinite(left[d])},
        saturated=_kept(lambda: measures.saturated(layer), {}),
        shares={} if layer.not_finite else _kept(lambda: _shares(layer), {}),
    )


def _signal(layer: LayerTrace) -> tuple[Signal | None, str]:
    """The signal that the diagnosis judges, or why there is none."""
    if layer.not_finite:
        return None, "not finite"
    try:
        if "dh_out" not in layer.arrays:
            measures.at_once(layer)
        seen = signal(layer)
    except NotKeptError:
        return None, "not kept"
    return (seen, "") if seen.there else (None, "no gradient")


def _shares(layer: LayerTrace) -> dict[str, list[float]]:
    """Each step's share of the gradient of each matrix."""
    return {
        name: measures.shares(parts).tolist() for name, parts in layer.parts.items() if name.startswith("W")
    }


def _kept(found: Callable[[], T], otherwise: T) -> T:
    """What is found, or something else where the trace lacks what it needs."""
    try:
        return found()
    except NotKeptError:
        return otherwise


def _finite(values: list[float] | None) -> list[float | None] | None:
    """Numbers as JSON can hold them."""
    return None if values is None else [value if math.isfinite(value) else None for value in values]


def _steps(count: int) -> str:
    return f"{count:,} step" if count == 1 else f"{count:,} steps"


def _share(share: float | None) -> str:
    """A share of any size."""
    if share is None:
        return ""
    if share < LEAST:
        return f"< {LEAST:g}"
    return percent(share) if share >= 0.01 else f"{share:.1g}"


def _cut(text: str) -> str:
    text = visible(text.replace("\n", "↵"))
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"
