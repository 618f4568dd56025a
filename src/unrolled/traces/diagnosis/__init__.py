"""A diagnosis in words, from a trace alone: no torch, so that whoever reads a trace can have one.

    thresholds.py  the one table of limits, each with its reason
    figures.py     what is measured on a layer: signal, flat gates, silent units
    rules.py       from figures to findings
    remedies.py    changes to try
    training.py    the training to begin anew with them
    finding.py     what a diagnosis is made of, and how it is said

`unrolled.diagnose` is this and, with torch, takes a model to run without its memory. ``docs/diagnosis.md``
says what may be concluded from a trace at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.cells import Array
from unrolled.errors import NotKeptError, OptionError
from unrolled.traces import Trace
from unrolled.traces.diagnosis import rules
from unrolled.traces.diagnosis.figures import Signal, flat, real, signal, still
from unrolled.traces.diagnosis.finding import Diagnosis, Figure, Finding, Remedy, finite
from unrolled.traces.diagnosis.rules import Clipping, Memory, Task
from unrolled.traces.diagnosis.thresholds import THRESHOLDS, Threshold, limit
from unrolled.traces.diagnosis.training import Training
from unrolled.traces.layer import LayerTrace

ORDER = {"severe": 0, "warning": 1, "fine": 2}

NONE = "no step's loss sends a gradient into it. Trace a loss that reads it."


def diagnose(
    trace: Trace,
    *,
    window: int | None = None,
    distance: int | None = None,
    clipped: float | Clipping | None = None,
    memoryless: float | Array | None = None,
) -> Diagnosis:
    """What a trace says of its network: see `unrolled.diagnose`.

    What is not given is taken from the trace's facts, where they tell of a training.

    Shapes:
        memoryless: the loss of a token without memory, or the losses of all, ``[T, B]``.

    Raises:
        OptionError: a window or a distance below 1, a share that is none.
    """
    for name, steps in (("window", window), ("distance", distance)):
        if steps is not None and steps < 1:
            raise OptionError(f"diagnose: {name}", "be at least 1", steps, "Leave it out if unknown.")
    window = window or trace.facts.get("window") or None
    task = Task(window, distance, Training.of(trace.facts))
    findings, untold = list[Finding](), list[str]()
    layers: dict[str, dict[str, Any]] = {}
    signals: list[tuple[LayerTrace, Signal]] = []
    for layer in trace.layers:
        broken = rules.not_finite(layer, task)
        if broken:
            findings.append(broken)
            layers[layer.name] = {"finite": False}
            continue
        about, own, missing = _of_layer(layer, task)
        layers[layer.name] = about
        findings += own
        untold += missing
        try:
            seen = signal(layer)
        except NotKeptError as error:
            untold.append(f"How far the signal of {layer.name} reaches: {error}")
            continue
        if seen.there:
            about |= _of_signal(seen)
            signals.append((layer, seen))
        else:
            untold.append(f"How far the signal of {layer.name} reaches: {NONE}")
    if _loss_is_broken(trace) and not any("finite" in about for about in layers.values()):
        findings.append(rules.loss_not_finite(trace.facts["left_out"]["loss"]))
    findings += _through_time(trace, signals, task, untold)
    findings += _of_training(trace, task, clipped, memoryless, untold)
    found = sorted(findings, key=lambda finding: ORDER[finding.severity])
    return Diagnosis(tuple(found) or (_healthy(layers),), tuple(untold), layers)


def figures(trace: Trace) -> dict[str, dict[str, Any]]:
    """The figures of each layer that the rules compare, without the rules; what JSON can hold.

    Where states, or what the loss sends in, are NaN or infinite there are none: ``{"finite": False}``.

    Raises:
        NotKeptError: what they follow from was not kept.
    """
    return {layer.name: _figures(layer) for layer in trace.layers}


def _figures(layer: LayerTrace) -> dict[str, Any]:
    if {"h", "dh_out"} & {*layer.not_finite}:
        return {"finite": False}
    saturated = {gate.gate: gate.harmful for gate in flat(layer)}
    return {"saturated": saturated, "dead": len(still(layer)), **_of_signal(signal(layer))}


def _of_signal(signal: Signal) -> dict[str, Any]:
    """The figures of a signal; None for what was not reached within the trace.

    Units: steps; ``signal`` is pairs of a distance and the share that is left there.
    """
    distances = [0, *(2**k for k in range(signal.seen.bit_length()))] if signal.there else []
    left = [[d, finite(signal.at(d))] for d in distances if d <= signal.seen]
    return {"half_life": finite(signal.half_life), "reach": finite(signal.reach), "signal": left}


def _of_layer(layer: LayerTrace, task: Task) -> tuple[dict[str, Any], list[Finding], list[str]]:
    """Gates and units of a layer: figures, findings, what could not be had."""
    about: dict[str, Any] = {}
    found: list[Finding | None] = []
    untold: list[str] = []
    try:
        gates = flat(layer)
        about["saturated"] = {gate.gate: gate.harmful for gate in gates}
        found.append(rules.saturated(layer, gates, task))
    except NotKeptError as error:
        untold.append(f"Saturated gates of {layer.name}: {error}")
    try:
        units, of = still(layer), layer.output.shape[2]
        about["dead"] = len(units)
        seen = int(real(layer).sum())
        if seen >= limit("seen"):
            found.append(rules.dead(layer, units, of, task))
        else:
            untold.append(
                f"Dead units of {layer.name}: {seen} values of each are too few; "
                f"{limit('seen'):.0f} would do."
            )
    except NotKeptError as error:
        untold.append(f"Dead units of {layer.name}: {error}")
    return about, [finding for finding in found if finding], untold


def _through_time(
    trace: Trace, signals: list[tuple[LayerTrace, Signal]], task: Task, untold: list[str]
) -> list[Finding]:
    """Exploding in any layer; vanishing and cut off in the layer of each direction that reaches farthest."""
    findings = [rules.exploding(layer, signal, task) for layer, signal in signals if signal.seen]
    for reverse in (False, True):
        of_direction = [pair for pair in signals if pair[0].reverse == reverse]
        if not of_direction:
            continue
        layer, signal = max(of_direction, key=lambda pair: (pair[1].reach, pair[1].half_life))
        module = [other for other in trace.layers if (other.module, other.call) == (layer.module, layer.call)]
        findings.append(rules.vanishing(layer, signal, task, module))
        findings.append(rules.short_window(layer, signal, task))
        needed = max(task.distance or 0, (task.window or 1) - 1)
        if signal.seen < needed and signal.reach == float("inf"):
            untold.append(
                f"Whether the signal of {layer.name} reaches {needed} steps: the trace shows {signal.seen}. "
                "Trace a longer input."
            )
    if task.window is None and not task.training.task:  # ours say it, or go back through whole sequences
        untold.append("Whether the window of training is long enough: say window=….")
    return [finding for finding in findings if finding]


def _of_training(
    trace: Trace,
    task: Task,
    clipped: float | Clipping | None,
    memoryless: float | Array | None,
    untold: list[str],
) -> list[Finding]:
    """What the arrays alone cannot know: what was given, else what the facts tell of the training."""
    found: list[Finding | None] = []
    told = trace.facts.get("training") or {}
    if clipped is None and "clipped" in told:
        clipped = Clipping(**told["clipped"])
    if clipped is None:
        untold.append("Whether the gradient is always clipped: say clipped=…, the share of updates.")
    else:
        clipping = clipped if isinstance(clipped, Clipping) else Clipping(float(clipped))
        if not 0 <= clipping.share <= 1:
            fix = "Give the share of updates that were clipped."
            raise OptionError("diagnose: clipped", "be a share from 0 to 1", clipping.share, fix)
        found.append(rules.clipped(clipping, task))
    if memoryless is None and "memory" in told:
        found.append(rules.memory_unused(Memory(**told["memory"]), task))
    elif memoryless is None:
        untold.append(
            "Whether the memory is used: say memoryless=…, a model of a run or its loss without memory."
        )
    elif isinstance(memoryless, np.ndarray) and "loss_t" in trace:
        found.append(_memory(trace, memoryless, task, untold))
    elif trace.facts["loss"] is not None:
        memory = Memory(trace.facts["loss"], float(np.mean(memoryless)))
        found.append(rules.memory_unused(memory, task))
    else:
        why = "the loss is not finite" if _loss_is_broken(trace) else "the trace has no loss"
        untold.append(f"Whether the memory is used: {why}.")
    return [finding for finding in found if finding]


def _loss_is_broken(trace: Trace) -> bool:
    """Whether there was a loss to go back from, but no finite one."""
    return trace.facts["loss"] is None and "loss" in trace.facts["left_out"]


def _memory(trace: Trace, memoryless: Array, task: Task, untold: list[str]) -> Finding | None:
    """The rule on the tokens' differences, where there are enough."""
    loss_t = trace["loss_t"].astype(np.float64)
    if loss_t.shape != memoryless.shape:
        rule = f"have a loss for every token, {list(loss_t.shape)}"
        raise OptionError("diagnose: memoryless", rule, list(memoryless.shape), "Give those of this trace.")
    if loss_t.size < limit("tokens"):
        untold.append(
            f"Whether the memory is used: {loss_t.size} tokens are too few; {limit('tokens'):.0f} would do."
        )
        return None
    if not (np.isfinite(loss_t).all() and np.isfinite(memoryless).all()):
        untold.append("Whether the memory is used: there are losses that are not finite.")
        return None
    differences = memoryless - loss_t
    error = float(differences.std(ddof=1) / np.sqrt(differences.size))
    memory = Memory(float(loss_t.mean()), float(memoryless.mean()), error)
    return rules.memory_unused(memory, task)


def _healthy(layers: dict[str, dict[str, Any]]) -> Finding:
    """What is said where no rule found anything."""
    figures = [
        Figure(f"{words} of {name}", about[key], "steps")
        for name, about in layers.items()
        for key, words in (("half_life", "half-life"), ("reach", "reach (1 % is left)"))
        if key in about
    ]
    says = "Nothing is wrong that these rules know of and that could be judged from this trace."
    return Finding("healthy", "", "fine", says, tuple(figures))


__all__ = [
    "THRESHOLDS",
    "Clipping",
    "Diagnosis",
    "Figure",
    "Finding",
    "Memory",
    "Remedy",
    "Threshold",
    "Training",
    "diagnose",
    "figures",
]
