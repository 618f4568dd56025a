"""From tapes to named arrays: what was asked for, in the caller's order, and why the rest is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from unrolled.cells import Array
from unrolled.errors import OptionError
from unrolled.tape import as_rows
from unrolled.traces import Trace
from unrolled.traces.adding_up import apart
from unrolled.tracing import models
from unrolled.tracing.keep import ARRAYS, GROUPS, UNITS, Keep
from unrolled.tracing.record import OF_STEPS, Recording, array
from unrolled.unroll.stretches import recall

ALWAYS = ("lengths", "reset", "ids", "targets")
"""What the model was given to do is kept without being asked for; it is small."""


@dataclass
class Course:
    """One run of a model: what it gave and what the loss made of it.

    Attributes:
        y: what it gave, the first of it.
        loss: None where there is none.
        sources: the tensors that the loss's gradient enters by: the outputs, or what they are made of.
        direct: what each source does to the loss by itself, not through another; None for a single source,
            whose gradient that is.
        extra: further arrays of the whole model, ``[T, B, ...]``.
        timed: whether y may have an axis of time, which is then found by its length; else its loss is one.
        dy: the gradient of y, once it is known.
    """

    y: Any
    loss: Any
    sources: Sequence[Tensor]
    direct: Callable[[], Sequence[Tensor | None]] | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    timed: bool = True
    dy: Tensor | None = None


def trace(
    model: nn.Module, recordings: Sequence[Recording], course: Course, keep: Keep, facts: Mapping[str, Any]
) -> Trace:
    """The trace of a course that was recorded; ``facts`` take the place of those that are found."""
    arrays, layers, compared = dict[str, Array](), list[dict[str, Any]](), dict(facts.get("compared", {}))
    for recording in recordings:
        for name, value in _of_layer(recording, keep):
            arrays[f"{recording.name}/{name}"] = value
        layers.append(_about(recording, keep))
        if "G" in keep and course.loss is not None:
            what = f"the itemised gradients of {recording.name} add up to dh"
            compared[what] = apart(recording.tape.dh, recording.items.total)
    arrays |= _of_model(recordings, course, keep)
    first, end = keep.stretch(recordings[0].tape.T)
    loss = None if course.loss is None else float(course.loss.detach())
    found: dict[str, Any] = {
        "model": models.description(model),
        "weights_sha256": models.weights_sha256(model),
        "tokens": [],
        "versions": models.versions(),
        "seed": torch.initial_seed(),
        "keep": keep.facts(),
        "left_out": _left_out(arrays, keep, loss, recordings),
        "loss": _or_none(loss),
        "layers": layers,
    }
    found |= {**facts, "compared": {what: _or_none(apart) for what, apart in compared.items()}}
    _check_tokens(found["tokens"], recordings[0])
    found["tokens"] = [sequence[first:end] for sequence in found["tokens"]]
    return Trace(arrays, found)


def _check_tokens(tokens: Sequence[Sequence[str]], recording: Recording) -> None:
    """Refuses names that are not those of the steps.

    Raises:
        OptionError: not a list for each sequence, or not a name for each real step.
    """
    if not tokens:
        return
    T, B, lengths = recording.tape.T, recording.tape.B, recording.tape.walk.lengths
    fix = "Give a list of names for each sequence: tokens=[list('some'), list('text')]."
    if len(tokens) != B:
        raise OptionError("trace: tokens", f"be names for each of {B} sequences", len(tokens), fix)
    order = slice(None) if recording.order is None else recording.order
    real = [T] * B if lengths is None else lengths[order].tolist()
    for b, names in enumerate(tokens):
        if len(names) not in (T, real[b]):
            raise OptionError(f"trace: tokens[{b}]", f"be names of {real[b]} steps", len(names), fix)


def _or_none(value: float | None) -> float | None:
    """A number as facts have it: JSON has no NaN and no infinity."""
    return value if value is not None and isfinite(value) else None


def step_of(y: Tensor | PackedSequence, recording: Recording) -> Tensor | None:
    """Which step each number of a model's output belongs to; None where the output has no axis of time.

    Shapes:
        y: any; gives ints that broadcast with it.
    """
    T = recording.tape.T
    if isinstance(y, PackedSequence):
        return torch.repeat_interleave(torch.arange(len(y.batch_sizes)), y.batch_sizes)[:, None]
    axis = _time_axis(y, recording)
    if axis is None or T == 1:
        return None
    return torch.arange(T).view(*[1] * axis, T, *[1] * (y.dim() - axis - 1))


def _time_axis(y: Tensor, recording: Recording) -> int | None:
    """The axis of time in a model's output, as the last layer has it if both would do."""
    T, B = recording.tape.T, recording.tape.B
    orders = [((T, B), 0), ((B, T), 1)]
    for sizes, axis in reversed(orders) if recording.batch_first else orders:
        if tuple(y.shape[:2]) == sizes and y.dim() > 1:
            return axis
    return 0 if B == 1 and y.dim() and len(y) == T else None


def time_major(y: Tensor | PackedSequence, recording: Recording) -> Tensor:
    """A model's output as ``[T, B, ...]``, as far as it has those axes.

    Shapes:
        y: any.
    """
    if isinstance(y, PackedSequence):
        return pad_packed_sequence(y, total_length=recording.tape.T)[0]
    axis = _time_axis(y, recording)
    if axis == 1:
        return y.transpose(0, 1)
    return y[:, None] if axis == 0 and y.shape[:2] != (recording.tape.T, recording.tape.B) else y


def _of_layer(recording: Recording, keep: Keep) -> Iterator[tuple[str, Array]]:
    """The arrays of one layer that are kept, by name."""
    tape, order = recording.tape, recording.order
    first, end = keep.stretch(tape.T)
    for name, value in {**tape.params, **tape.arrays}.items():
        state = name.removesuffix("_0")
        if name in keep and name.removeprefix("d") in tape.params:
            yield name, value.copy()
        elif name == f"{state}_0" and state in tape.cell.states and state in keep:
            yield name, value[order] if order is not None else value
    for name, value in _of_steps(recording, keep, first, end).items():
        kept = keep.of_units(name, value if order is None else value[:, order])
        yield name, np.ascontiguousarray(kept) if keep.steps is None else kept.copy()
    if "dh_0" in tape.arrays and recording.items.begun:
        yield "G", recording.items.G.astype(tape.x.dtype)[:, first:end].copy()
    for name, given in (("lengths", tape.walk.lengths), ("reset", tape.walk.reset)):
        if given is not None:
            whole = given if name == "lengths" else given[first:end].astype(np.uint8)
            yield name, (whole if order is None else whole[..., order]).copy()


def _of_steps(recording: Recording, keep: Keep, first: int, end: int) -> dict[str, Array]:
    """The arrays with an axis of time that are kept, by name.

    Shapes:
        gives ``[end - first, B, ...]``, a state with a row more for each step that it is read back.
    """
    tape = recording.tape
    found = recall(tape, first, end, [n for n in tape.cell.kept("W_hr" in tape.params) if n in keep])
    if "h" in found and tape.cell.order > 1:  # of those before the window, what no reset has cut off
        found["h"] = found["h"].copy()
        count, reverse = tape.cell.order, tape.walk.reverse
        rows = slice(-count, None) if reverse else slice(count)
        found["h"][rows] = as_rows(tape.before("h", end - 1 if reverse else first), count, reverse)
    if "x" in keep:
        found["x"] = np.where(tape.real()[first:end, :, None], tape.x[first:end], 0)
    for name in ("dx", *OF_STEPS):
        if name in keep and name in tape.arrays:
            is_cut = name != "dx" and recording.steps is not None
            found[name] = tape.arrays[name] if is_cut else tape.arrays[name][first:end]
    return found


def _about(recording: Recording, keep: Keep) -> dict[str, Any]:
    """What the facts say of a layer."""
    tape = recording.tape
    first, end = keep.stretch(tape.T)
    return {
        "name": recording.name,
        "module": recording.module,
        "number": recording.number,
        "call": recording.call,
        "cell": tape.cell.name,
        "direction": "reverse" if tape.walk.reverse else "forward",
        "T": end - first,
        "B": tape.B,
        "I": tape.x.shape[2],
        "H": tape.params["W_hh"].shape[0] // len(tape.cell.gates),
        "first_step": first,
        "whole_T": tape.T,
    }


def _of_model(recordings: Sequence[Recording], course: Course, keep: Keep) -> dict[str, Array]:
    """The arrays of the whole model that are kept; what it read has the steps of the first layer."""
    recording = recordings[-1]
    first, end = keep.stretch(recording.tape.T)
    held: dict[str, Tensor] = dict(course.extra)
    y = course.y
    if isinstance(y, Tensor | PackedSequence):
        held["y"] = _laid_out(y, recording, course.timed)
        if course.dy is not None:
            dy = y._replace(data=course.dy) if isinstance(y, PackedSequence) else course.dy
            held["dy"] = _laid_out(dy, recording, course.timed)
    found: dict[str, Array] = {}
    for name, value in held.items():
        of = recordings[0] if name == "ids" else recording
        plain = array(value) if name != "ids" else array(time_major(value, of)).astype(np.int64)
        if name == "ids" and plain.shape != (of.tape.T, of.tape.B):
            continue  # whole numbers that are no tokens
        if (name in keep or name in ALWAYS) and plain.dtype.name in ("float32", "float64", "int64"):
            timed = plain.shape[:2] == (of.tape.T, of.tape.B)
            found[name] = (plain[first:end] if timed else plain).copy()
    lengths = recording.tape.walk.lengths
    if lengths is not None:
        found["lengths"] = (lengths if recording.order is None else lengths[recording.order]).copy()
    return found


def _laid_out(y: Tensor | PackedSequence, recording: Recording, timed: bool) -> Tensor:
    """An output as a trace has it."""
    return time_major(y, recording) if timed or isinstance(y, PackedSequence) else y


def _left_out(
    arrays: Mapping[str, Array], keep: Keep, loss: float | None, recordings: Sequence[Recording]
) -> dict[str, str]:
    """What a reader may miss, and why it is not there."""
    there = {name.rpartition("/")[2] for name in arrays}
    backward = {*GROUPS["backward"], *GROUPS["itemised"]}
    reasons: dict[str, str] = {}
    for name in ARRAYS:
        if name not in there:
            if name not in keep:
                reasons[name] = "keep did not name it"
            elif name in backward and loss is None:
                reasons[name] = "there was no loss to go back from"
            else:
                reasons[name] = "the model has none"
    if loss is not None and not isfinite(loss):
        reasons["loss"] = f"not finite: {loss}"
    T = recordings[0].tape.T
    first, end = keep.stretch(T)
    if (first, end) != (0, T):
        reasons["steps"] = f"only steps {first} to {end - 1} of {T} were kept"
    if keep.units is not None and there & UNITS:
        reasons["units"] = f"only {len(keep.units)} hidden units were kept"
    return reasons
