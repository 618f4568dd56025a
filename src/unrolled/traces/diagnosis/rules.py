"""The rules: from figures to findings. Each gives a finding, or None where nothing is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from unrolled.traces import through_time
from unrolled.traces.diagnosis import remedies
from unrolled.traces.diagnosis.figures import KEEPS, Flat, Signal, real
from unrolled.traces.diagnosis.finding import Figure, Finding, Severity, finite, number
from unrolled.traces.diagnosis.thresholds import limit
from unrolled.traces.diagnosis.training import NO_TRAINING, Training
from unrolled.traces.layer import LayerTrace


@dataclass(frozen=True)
class Task:
    """What is known of the task besides the trace.

    Units: both in steps; None where unknown.

    Attributes:
        window: how many steps gradients go back through in training.
        distance: how far back the task needs what it has read.
        training: what the trace tells of it.
    """

    window: int | None
    distance: int | None
    training: Training = NO_TRAINING


class Clipping(NamedTuple):
    """How often gradients were clipped.

    Attributes:
        share: of the updates; norm: the gradients' mean norm before clipping, None where unknown.
    """

    share: float
    norm: float | None = None

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, float]]) -> Self:
        """From the rows of a run's ``metrics.jsonl``.

        Example:
            >>> Clipping.of([{"clipped": 1.0, "gradient_norm": 3.0}, {"valid_loss": 2.0}])
            Clipping(share=1.0, norm=3.0)
        """
        told = [row for row in rows if "clipped" in row]
        return cls(*(float(np.mean([row[name] for row in told])) for name in ("clipped", "gradient_norm")))


def vanishing(layer: LayerTrace, signal: Signal, task: Task, module: Sequence[LayerTrace]) -> Finding | None:
    """The signal is gone before the distance that the task needs, or in the first quarter of the window.

    Args:
        module: all layers and directions of the layer's module.
    """
    window = task.window or layer.T
    if task.distance is None:
        if min(window, signal.seen) < limit("steps"):
            return None
        least, severity = limit("of window") * window, "warning"
    else:
        least, severity = task.distance, "severe"
    if signal.reach >= least:
        return None
    steps = number(signal.reach)
    says = f"The gradient of a step's loss is down to 1 % of its length {steps} steps back. "
    if task.distance is None:
        says += (
            f"The window is of {window}. Whether that costs anything depends on the task: what it does "
            "not need from further back is not missed. Say distance=… to have it judged."
        )
    else:
        says += f"What lies {task.distance} steps back, which the task needs, can hardly be learned."
    figures = (
        Figure("reach (1 % is left)", finite(signal.reach), "steps", least, "below"),
        Figure("half-life", finite(signal.half_life), "steps"),
        *(_kept(layer) or _norm(layer)),
    )
    remedy = remedies.remember(layer, task.distance or window, task.training, module)
    return Finding("vanishing", layer.name, severity, says, figures, _fading(layer), (remedy,))


def exploding(layer: LayerTrace, signal: Signal, task: Task) -> Finding | None:
    """A gradient grows a hundred times on its way back."""
    distance = signal.farthest
    most = signal.at(distance)
    if most < limit("grown"):
        return None
    severity = "severe" if most >= limit("grown much") else "warning"
    says = (
        f"The gradient of a loss is {number(most)} times as long {distance} steps back as where it set out. "
        "What happened long ago outweighs what is near, and a clipped update hears nothing else."
    )
    norm = _norm(layer)
    figures = (
        Figure("longest gradient on the way", most, "times", limit("grown"), "above"),
        Figure("growth of a step", most ** (1 / distance), "times"),
        *norm,
    )
    cause = "recurrent weights that lengthen what goes through them at every step."
    remedy = remedies.shorten(layer, task.training)
    return Finding("exploding", layer.name, severity, says, figures, cause, (remedy,))


def not_finite(layer: LayerTrace, task: Task) -> Finding | None:
    """States or gradients are no numbers any more."""
    names = layer.not_finite
    if not names:
        return None
    says = f"There is NaN or infinity in {', '.join(names)}: nothing else can be said of the layer."
    figures = (Figure("arrays that are not finite", len(names), "arrays", 0, "above"),)
    remedy = remedies.shorten(layer, task.training)
    return Finding(
        "exploding", layer.name, "severe", says, figures, "weights that grew too large.", (remedy,)
    )


def loss_not_finite(reason: str) -> Finding:
    """The loss is no number any more, and no layer shows why."""
    says = f"The loss is {reason}. What was kept of the layers is finite; keep more to see where it began."
    figures = (Figure("losses that are not finite", 1, "", 0, "above"),)
    cause = "weights that grew too large, or a logarithm of 0 in the loss itself."
    return Finding("exploding", "", "severe", says, figures, cause)


def short_window(layer: LayerTrace, signal: Signal, task: Task) -> Finding | None:
    """Gradients are cut off while there is much left of them, or before they come to where they should.

    Not where they explode: there the window is not what is wrong.
    """
    window = task.window
    if window is None:
        return None
    moves = "more of the gradient lies within the window"
    if task.distance is not None and task.distance >= window:
        says = (
            f"Gradients go back through {window} steps, and the task needs what lies {task.distance} steps "
            "back. Nothing teaches the network to keep it."
        )
        figures = (Figure("window", window, "steps", task.distance, "below"),)
        remedy = remedies.lengthen(_power(2 * task.distance), moves, task.training)
        cause = "a window shorter than the distance."
        return Finding("short window", layer.name, "severe", says, figures, cause, (remedy,))
    if signal.seen < window - 1 or signal.at(signal.farthest) >= limit("grown"):
        return None
    left = signal.at(window - 1)
    if not limit("cut off") <= left:
        return None
    says = (
        f"After {window} steps, where the window ends, {left:.0%} of a loss's gradient is left and is cut "
        "off. The network carries further than it is taught to."
    )
    figures = (Figure("left at the window's edge", left, "of the gradient", limit("cut off"), "above"),)
    cause = "a window shorter than the network's memory."
    enough = through_time.falls_below(signal.left, limit("cut off"))
    longer = _power(enough if np.isfinite(enough) else 2 * signal.seen)
    remedy = remedies.lengthen(longer, moves, task.training)
    return Finding("short window", layer.name, "warning", says, figures, cause, (remedy,))


def saturated(layer: LayerTrace, gates: list[Flat], task: Task) -> Finding | None:
    """A gate lies where its function is flat, more than half of the time."""
    worst = max(gates, key=lambda gate: gate.harmful, default=None)
    if worst is None or worst.harmful <= limit("saturated"):
        return None
    severity: Severity = "severe" if worst.harmful > limit("saturated much") else "warning"
    bad = [gate for gate in gates if gate.harmful > limit("saturated")]
    names = ", ".join(gate.gate for gate in bad)
    says = (
        f"{names}: more than half of the values lie at an end of their range, where a change of what "
        "comes in changes next to nothing. They switch and do not weigh, and learn slowly."
    )
    figures = tuple(
        Figure(
            f"{gate.gate} saturated ({gate.low:.0%} low, {gate.high:.0%} high)",
            gate.harmful, "of the values", limit("saturated"), "above",
        )
        for gate in bad
    )  # fmt: skip
    cause = "weights or inputs so large that the gates have no middle."
    remedy = remedies.calm(layer, task.training)
    return Finding("saturated", layer.name, severity, says, figures, cause, (remedy,))


def dead(layer: LayerTrace, units: list[int], of: int, task: Task) -> Finding | None:
    """Units that say the same at every step of what was read."""
    share = len(units) / of
    if share < limit("dead"):
        return None
    severity: Severity = "severe" if share >= limit("dead much") else "warning"
    shown = ", ".join(map(str, units[:8])) + (", …" if len(units) > 8 else "")
    says = f"{len(units)} of {of} units never change over all that was read: {shown}. They carry nothing."
    cause = "updates so large that they pushed the units to where no gradient brings them back."
    if layer.cell.functions == "rnn_relu":
        cause = "pre-activations below 0 at every step, where relu passes no gradient: nothing revives them."
    figures = (Figure("units that never change", share, "of the units", limit("dead"), "above"),)
    remedy = remedies.revive(layer, units, task.training)
    return Finding("dead", layer.name, severity, says, figures, cause, (remedy,))


def clipped(clipping: Clipping, task: Task) -> Finding | None:
    """The limit on the gradient holds at nearly every update."""
    if clipping.share < limit("clipped"):
        return None
    says = (
        f"{clipping.share:.0%} of the updates were clipped. The gradient's length no longer counts: with sgd "
        "every step is as long as the rate times the limit; Adam, which divides by that length, mostly "
        "does not mind."
    )
    norm = () if clipping.norm is None else (Figure("mean norm of the gradient", clipping.norm, ""),)
    figures = (Figure("clipped", clipping.share, "of the updates", limit("clipped"), "above"), *norm)
    proposed = () if clipping.norm is None else (remedies.loosen(clipping.norm, task.training),)
    cause = "a limit below the usual length of the gradient."
    return Finding("clipped", "", "warning", says, figures, cause, proposed)


class Memory(NamedTuple):
    """What the memory of a network is worth.

    Attributes:
        loss, without: with memory, and of one that is reset at every step.
        error: the standard error of their difference.
        where: what both read.
        unit: of both.
    """

    loss: float
    without: float
    error: float = 0.0
    where: str = "on this input"
    unit: str = "nats a token"


def memory_unused(memory: Memory, task: Task) -> Finding | None:
    """Taking the memory away, at every step, costs next to nothing."""
    gain = memory.without - memory.loss
    least = limit("gain") * memory.without
    if gain + 2 * memory.error >= least:
        return None
    says = (
        f"{memory.where.capitalize()} the loss without memory is {memory.without:.3f} {memory.unit}, with it "
        f"{memory.loss:.3f}: a network does as well if it forgets everything at every step. So the memory is "
        "one but in name."
    )
    figures = (
        Figure("gain by memory", gain, memory.unit, least, "below"),
        *([Figure("its standard error", memory.error, memory.unit)] if memory.error else []),
    )
    cause = "too little training, a window too short to learn from, or data whose steps do not depend on "
    cause += "those before the last."
    moves, training = "the gain by memory becomes larger", task.training
    if task.window is None and training.task not in ("", "lm"):  # whole sequences are its windows
        remedy = remedies.learn_longer(moves, training)
    else:
        remedy = remedies.lengthen(_power(max(64, 2 * (task.window or 1))), moves, training)
    return Finding("memory unused", "", "warning", says, figures, cause, (remedy,))


def _kept(layer: LayerTrace) -> tuple[Figure, ...]:
    """How much the gate that keeps the state keeps, for cells that have one, where the gates are there."""
    gate = KEEPS.get(layer.cell.name)
    if gate is None or "gates" not in layer.arrays:
        return ()
    mean = float(layer.gate(gate)[real(layer)].mean())
    return (Figure(f"{gate}, the gate that keeps the state, in the mean", mean, ""),)


def _norm(layer: LayerTrace) -> tuple[Figure, ...]:
    """By how much the recurrent weights lengthen what they lengthen most, where they are there."""
    if "W_hh" not in layer.arrays:
        return ()
    return (Figure("|W_hh|", through_time.norm(layer.W_hh.T), "times"),)


def _fading(layer: LayerTrace) -> str:
    """Why a signal fades."""
    if layer.cell.name in KEEPS:
        return f"the gate {KEEPS[layer.cell.name]} lets go of too much of the state at every step."
    return (
        "the gradient goes through W_hh and the slope of the non-linearity at every step; without gates "
        "nothing keeps that product near 1."
    )


def _power(steps: float) -> int:
    """The next power of two."""
    return 2 ** int(np.ceil(np.log2(max(2, steps))))
