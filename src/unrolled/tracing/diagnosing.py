"""A diagnosis where there is a model at hand, and the same figures, cheaply, while it is trained.

The rules need a trace alone and are `unrolled.traces.diagnosis`. Torch is needed here: to run a model without
its memory, and to trace it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from unrolled import tracing
from unrolled.cells import Array
from unrolled.errors import OptionError
from unrolled.losses import cross_entropy_t
from unrolled.traces import Trace, diagnosis
from unrolled.traces.diagnosis import Clipping, Diagnosis

FIGURES = ("states", "saved", "gates", "x", "weights", "dh_out", "dh")
"""What the figures of training are made of."""


def diagnose(
    of: Trace,
    *,
    window: int | None = None,
    distance: int | None = None,
    clipped: float | Clipping | None = None,
    memoryless: float | Array | nn.Module | None = None,
) -> Diagnosis:
    """What is wrong with a network, as far as a trace of it tells; in words when printed.

    Looked for are vanishing and exploding gradients, saturated gates, dead units, an ever clipped gradient, a
    memory that is not used, and a window too short. Each finding has the figures it rests on, the likely
    cause, and a change to try. What is not given is taken from the facts of a run's trace, which tell of its
    training. ``docs/diagnosis.md`` has the rules, their limits, and the reasons.

    Args:
        of: a trace with a loss. Everything is of that input and those weights, and of nothing else.
        window: how many steps gradients go back through in training.
        distance: how far back the task needs what it has read; nobody else can know.
        clipped: the share of updates whose gradient was clipped, or a `Clipping`, with their norm.
        memoryless: what the loss is without memory: a model of a run, which is run over the trace's tokens
            again, reset at every step; or the loss of a token, or of all of them.

    Shapes:
        memoryless: ``[]`` or ``[T, B]``.

    Units: window and distance in steps; memoryless in nats a token.

    Raises:
        OptionError: no trace, a number that cannot be; a model and a trace that has no tokens.

    Example:
        >>> from unrolled import nn, trace
        >>> _ = torch.manual_seed(0)
        >>> seen = trace(nn.RNN(3, 16), torch.randn(60, 4, 3), loss=lambda out: out[0].square().sum())
        >>> [finding.name for finding in diagnose(seen, distance=50).findings]
        ['vanishing']
    """
    if not isinstance(of, Trace):
        fix = "Make one: unrolled.trace(model, x, loss=…); or open one: unrolled.Trace.load(path)."
        raise OptionError("diagnose", "be given a Trace", type(of).__name__, fix)
    if isinstance(memoryless, nn.Module):
        memoryless = _without_memory(of, memoryless)
    return diagnosis.diagnose(of, window=window, distance=distance, clipped=clipped, memoryless=memoryless)


def figures(model: nn.Module, x: Any, loss: Callable[[Any], Tensor]) -> dict[str, dict[str, Any]]:
    """The figures of a model in training, by layer, for a row of ``metrics.jsonl``.

    On one batch of a few sequences, always the same, they tell of the weights and not of the data. The model
    is left as it was, and no random number is drawn.

    Args:
        x, loss: as of `unrolled.trace`; x of 1 to 4 sequences.

    Units: ``half_life`` and ``reach`` in steps, None where not reached within the window; ``signal`` pairs of
    a distance and the share of the gradient that is left there; ``saturated`` shares of each gate's values;
    ``dead`` units.

    Cost: two passes forward over the window and one back, without the weights' gradients, and some two more
    back over the layers alone: with two sequences, less than an update on 32.

    Example:
        >>> from unrolled.losses import cross_entropy
        >>> from unrolled.wirings import Sizes, TokenModel
        >>> model, ids = TokenModel(Sizes(vocabulary=5, hidden=8, embedding=8)), torch.zeros(32, 2).long()
        >>> sorted(figures(model, ids, lambda out: cross_entropy(out[0], ids))["l0"])
        ['dead', 'half_life', 'reach', 'saturated', 'signal']
    """
    with _observed(model):
        seen = tracing.trace(model, x, loss=loss, keep=FIGURES)
    return diagnosis.figures(seen)


def _without_memory(of: Trace, model: nn.Module) -> Array:
    """The losses of a trace's tokens where the model is reset before each.

    Shapes:
        result: ``[T, B]``.
    """
    if "ids" not in of or "targets" not in of:
        fix = "Give the loss without memory as a number."
        raise OptionError("diagnose: memoryless", "be a number for a trace without tokens", "a model", fix)
    ids, targets = (torch.from_numpy(of[name].copy()) for name in ("ids", "targets"))
    with _observed(model), torch.inference_mode():
        y, _ = model(ids, reset=torch.ones_like(ids, dtype=torch.bool))
        return cross_entropy_t(y, targets).double().numpy()


@contextmanager
def _observed(model: nn.Module) -> Generator[None]:
    """Within it the model has no dropout and its weights want no gradients, which would cost the most."""
    training, wanting = model.training, [weight for weight in model.parameters() if weight.requires_grad]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        model.train(training)
        for weight in wanting:
            weight.requires_grad_(True)
