"""Makes a `Trace` of a model and an input.

    keep.py      what is kept
    record.py    the recorder of our layers' calls: their tapes are the trace
    items.py     the itemised matrix
    models.py    what is said of the model
    assemble.py  from tapes to named arrays
    diagnosing.py  what is wrong, where there is a model; the figures of a training

`trace` is for any torch module with recurrent layers, `trace_run` for the language models of our runs. Both,
and the estimators of other tasks, say by a `Course` what one run of a model is; `trace_course` keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softmax
from torch.nn.utils.rnn import PackedSequence

from unrolled.errors import DataError, OptionError, UnavailableError, note
from unrolled.losses import cross_entropy_t
from unrolled.nn.conversion import as_ours
from unrolled.nn.recurrent import Recurrent
from unrolled.traces import Trace
from unrolled.tracing import assemble, models
from unrolled.tracing.assemble import Course
from unrolled.tracing.diagnosing import diagnose, figures
from unrolled.tracing.items import Ends, itemise
from unrolled.tracing.keep import Keep, read
from unrolled.tracing.record import Recorder

KEEP = Keep()
"""What is kept unless one says otherwise: everything but the itemised matrix."""


def trace(
    model: nn.Module,
    x: Any,
    *,
    loss: Callable[[Any], Tensor] | None = None,
    keep: Keep | str | Iterable[str] = KEEP,
    tokens: Sequence[Sequence[str]] = (),
) -> Trace:
    """Runs a model once, and back from its loss, and keeps what its recurrent layers computed.

    The model runs as it is, in its own mode and with its own weights: layers of torch.nn are computed by ours
    meanwhile, with the same numbers. With a loss it runs twice, the first time unrecorded, to compare the
    gradients. Nobody's ``.grad`` is touched.

    Args:
        model: a layer of ours or of torch.nn, or any module with such layers inside.
        x: the model's input, or a tuple of its arguments.
        loss: from what the model gives to one number; without, there is no way back, and no gradient.
        keep: arrays or groups of them (see `Keep`), steps and units; nothing else is kept.
        tokens: what each step of each sequence is called, for words and pictures. An input of whole numbers,
            the ids of tokens, is kept as ``ids``.

    Shapes:
        x: whatever the model takes.

    Raises:
        OptionError: ``model`` is no module or has no recurrent layer that ran; the loss is no scalar or has
            no graph; ``keep`` names what is not there; a device or dtype that cannot be recorded;
            ``tokens`` that are not those of the input.

    Example:
        >>> from unrolled import nn
        >>> model = nn.GRU(3, 4)
        >>> seen = trace(model, torch.ones(5, 2, 3), loss=lambda out: out[0].square().sum(), keep=("h", "dh"))
        >>> seen["l0/dh"].shape
        (5, 2, 4)
    """
    if not isinstance(model, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise OptionError(
            "trace: the model", "be a torch.nn.Module", type(model).__name__, "Hand over the model itself."
        )
    keep = read(keep)
    given = x if isinstance(x, tuple) and not isinstance(x, PackedSequence) else (x,)
    read_ = _ids(given[0])

    def run() -> Course:
        output = model(*given)
        value = None if loss is None else loss(output)
        sources = [tensor for tensor in models.tensors(output) if tensor.requires_grad]
        direct = None if loss is None else partial(_direct, loss, output)
        return Course(models.first(output), value, sources, direct, read_)

    names = [list(sequence) for sequence in tokens]
    between = " " if any(len(name) > 1 for sequence in names for name in sequence) else ""
    facts: dict[str, Any] = {"tokens": names, "between": between} if names else {}
    return trace_course(model, run, keep, facts, back=loss is not None)


class Run(Protocol):
    """What `trace_run` needs of a run: `unrolled.tasks.base.Kept` is one."""

    @property
    def model(self) -> Any:
        """A `TokenModel`."""
        ...

    @property
    def reader(self) -> Any:
        """From text to ids."""
        ...

    @property
    def config(self) -> Any:
        """Of the training; its seed."""
        ...


def trace_run(run: Run, text: str, *, keep: Keep | str | Iterable[str] = KEEP) -> Trace:
    """Runs a language model over a text and back from the mean surprise of every token but the first.

    Besides what `trace` keeps: ``ids``, ``targets``, ``loss_t`` in nats, ``p``; and the facts have tokens.

    Raises:
        DataError: a text of fewer than two tokens.
        OptionError: ``keep`` names what is not there.
    """
    keep, model = read(keep), run.model
    ids = np.asarray(run.reader.look_up(text)[0]).astype(np.int64)
    if len(ids) < 2:
        raise DataError("trace_run: the text", "have at least 2 tokens", len(ids), "Give a longer one.")
    read_, targets = (torch.from_numpy(part)[:, None] for part in (ids[:-1].copy(), ids[1:].copy()))

    def forward() -> Course:
        h, _ = model.hidden(read_)
        y = model.head(h)
        loss_t = cross_entropy_t(y, targets)
        extra = {"ids": read_, "targets": targets, "p": softmax(y, -1), "loss_t": loss_t}
        return Course(y, loss_t.mean(), [h], extra=extra)

    names = run.reader.vocabulary
    seed, window = run.config.seed, run.config.length
    tokens = [[names[k] for k in ids[:-1]]]
    facts = {"tokens": tokens, "between": " " if run.reader.name == "word" else "", "outputs": list(names)}
    return trace_course(model, forward, keep, {**facts, "seed": seed, "window": window or None})


def trace_course(
    model: nn.Module,
    run: Callable[[], Course],
    keep: Keep | str | Iterable[str],
    facts: Mapping[str, Any],
    *,
    back: bool = True,
) -> Trace:
    """The trace of what ``run`` does with a model, and if it goes ``back``, of what its loss does to it.

    Args:
        facts: they take the place of those that are found.

    Raises:
        OptionError: as of `trace`.
    """
    keep = read(keep)
    with torch.enable_grad(), as_ours(model) as layers:
        unseen = models.unseen(model)
        if not layers:
            fix = "Build it of RNN, LSTM or GRU; classes derived from torch's, and cells, are not seen."
            raise OptionError(
                "trace: the model", "hold a recurrent layer", unseen or type(model).__name__, fix
            )
        unrecorded = _unrecorded(model, run, layers, keep) if back else {}
        recorder = Recorder(layers, keep)
        with recorder.on():
            course = run()
        if not recorder.recordings:
            fix = "Run it in forward, as a layer over whole sequences."
            raise OptionError("trace: the model", "run a recurrent layer", "one that ran none", fix)
        compared: dict[str, float] = {}
        if back:
            recorded = _back(model, recorder, course, keep)
            compared["the weights' gradients are those of an unrecorded run"] = models.apart(
                recorded, unrecorded
            )
        found = {**facts, "compared": compared}
        traced = assemble.trace(model, recorder.recordings, course, keep, found)
        if unseen:
            traced.facts["left_out"]["modules"] = f"not recorded: {unseen}"
        return traced


def _direct(loss: Callable[[Any], Tensor], output: Any) -> Sequence[Tensor | None]:
    """What each tensor of an output does to a loss by itself; None for all where it reads something else."""
    leaves = models.apart_from_graph(output)
    wanted = [leaf for leaf in models.tensors(leaves) if leaf.requires_grad]
    value = loss(leaves)
    if not value.requires_grad:
        return [None] * len(wanted)
    return torch.autograd.grad(value, wanted, allow_unused=True)


def _ids(x: Any) -> dict[str, Tensor]:
    """An input that may be the ids of tokens, by its name in a trace."""
    whole = isinstance(x, Tensor) and not x.is_floating_point() and x.dtype != torch.bool
    return {"ids": x} if whole else {}


def _unrecorded(
    model: nn.Module, run: Callable[[], Course], layers: Sequence[tuple[str, Recurrent]], keep: Keep
) -> models.Gradients:
    """The weights' gradients of a run that nobody records; beside a window in little memory, as that is."""
    if keep.is_part:
        try:
            with models.rehearsal(model), models.in_little_memory(layer for _, layer in layers):
                return models.gradients(model, run().loss)
        except UnavailableError as error:
            why = f"memory= must {error.rule}"
            note(f"the trace of a window is compared with a run that holds its whole tape, because {why}")
    with models.rehearsal(model):
        return models.gradients(model, run().loss)


def _back(model: nn.Module, recorder: Recorder, course: Course, keep: Keep) -> models.Gradients:
    """Back from the loss over every tape, and in pieces if they are wanted; gives the weights' gradients."""
    weights = models.learning(model)
    ys = [tensor for tensor in models.tensors(course.y) if tensor.requires_grad]
    wanted = [recorder.anchor, *weights.values(), *ys, *course.sources]
    _, *found = torch.autograd.grad(models.scalar(course.loss), wanted, retain_graph=True, allow_unused=True)
    recorded: models.Gradients = dict(zip(weights, found, strict=False))
    course.dy = found[len(weights)] if ys else None
    if not recorder.went_back:
        fix = "Compute it from what the model gave, by its recurrent layers."
        raise OptionError("trace: loss", models.LEADS, "one that leads to none of its recurrent layers", fix)
    recorder.complete()
    if "G" in keep:
        gradients = course.direct() if course.direct else found[len(weights) + len(ys) :]
        itemise(recorder.items(), recorder.anchor, _ends(recorder, course, gradients))
    return recorded


def _ends(recorder: Recorder, course: Course, gradients: Sequence[Tensor | None]) -> Ends:
    """Where the pieces of the loss's gradient go in."""
    used = [(source, d) for source, d in zip(course.sources, gradients, strict=True) if d is not None]
    step_of = None
    if course.timed and used and gradients[0] is not None:
        whole = course.y if isinstance(course.y, PackedSequence) else course.sources[0]
        step_of = assemble.step_of(whole, recorder.recordings[-1])
    return Ends([source for source, _ in used], [d for _, d in used], step_of)


__all__ = ["KEEP", "Course", "Keep", "diagnose", "figures", "trace", "trace_course", "trace_run"]
