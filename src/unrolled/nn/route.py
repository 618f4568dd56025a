"""Which way a call is computed, how often each was taken, and the reason when it is not the compiled one.

    compiled    our kernels, on the CPU in float32 and float64
    torch       torch's own functions (cuDNN on a CUDA device)
    composite   one torch operation after the other, for what torch itself lacks: `unrolled.nn.composite`

`choose` decides, at every call.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Never

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.compiler import is_compiling
from torch.nn import Module, Parameter

from unrolled import cells, native
from unrolled.errors import OptionError, UnavailableError, note
from unrolled.nn import guards

taken = {"compiled": 0, "torch": 0, "composite": 0}
"""Calls since the start or the last `reset_paths`. Threads that call at the same moment may lose a count."""

TORCHS_OWN = frozenset(("rnn_tanh", "rnn_relu", "lstm", "gru"))
"""Cells that torch.nn has too."""

_C: Any = torch._C  # pyright: ignore[reportPrivateUsage]
_autocasts, _transforms = _C._is_any_autocast_enabled, _C._are_functorch_transforms_active
_dispatches, _traces = _C._len_torch_dispatch_stack, _C._get_tracing_state
"""Bound once, because `intercepted` is asked at every call."""

_refused: ContextVar[bool] = ContextVar("compiled path refused", default=False)

recorder: ContextVar[Any] = ContextVar("what records the calls of our layers", default=None)
"""Where one is set, it computes this thread's calls of our layers and keeps what it computed; see
`unrolled.tracing.record`."""

_PLAIN = frozenset((Tensor, Parameter))
"""Types whose memory is what it seems; any other class of tensor may compute something of its own."""

_DTYPES = {getattr(torch, name): name for name in native.DTYPES}


def paths() -> dict[str, int]:
    """How many calls of our layers took each path.

    Example:
        >>> reset_paths()
        >>> sum(paths().values())
        0
    """
    return dict(taken)


def reset_paths() -> None:
    """Sets the counts of `paths` to zero."""
    taken.update(dict.fromkeys(taken, 0))


@contextmanager
def torch_path() -> Generator[None]:
    """Within it, this thread's calls leave the kernels aside: for second derivatives and comparisons.

    Example:
        >>> from unrolled import nn
        >>> layer, x = nn.RNN(2, 3), torch.zeros(5, 1, 2)
        >>> reset_paths()
        >>> with torch_path():
        ...     output, h_n = layer(x)
        >>> paths()["compiled"]
        0
    """
    token = _refused.set(True)
    try:
        yield
    finally:
        _refused.reset(token)


def intercepted() -> bool:
    """Whether somebody watches or rewrites torch's operations just now, who must see them one by one.

    That is `torch_path`, tracing, compiling, a transform of ``torch.func``, a dispatch mode, autocast or
    forward-mode differentiation, each of which works on torch's operations and would not see into the
    kernels; and a `recorder`, which shows every module by itself.
    """
    return bool(
        is_compiling()
        or _refused.get()
        or _autocasts()
        or _transforms()
        or _dispatches()
        or _traces() is not None
        or forward_ad._current_level >= 0  # pyright: ignore[reportPrivateUsage]
        or recorder.get() is not None
    )


def uncompiled(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Makes torch.compile run ``forward``, and all that it calls, as it is wherever it meets it as a call.

    What `torch.compiler.disable` does, without its price: importing torch's compiler, which takes a second. A
    call that torch traces through all the same, a cell's inside a compiled model, is computed by torch.
    """
    dynamo = _C._dynamo.eval_frame
    if hasattr(dynamo, "set_code_exec_strategy"):  # else an older torch, which finds its own way through
        skip = dynamo._FrameAction.SKIP
        dynamo.set_code_exec_strategy(forward.__code__, dynamo._FrameExecStrategy(skip, skip))
    return forward


def count(way: str) -> None:
    """Counts a call; not while torch compiles, which would take the count for a part of the model."""
    if not is_compiling():
        taken[way] += 1


def plain(tensor: Tensor) -> bool:
    """Whether the kernels may read this tensor's memory: an ordinary one on the CPU."""
    return tensor.is_cpu and type(tensor) in _PLAIN and not tensor.is_neg()


def look_up(module: Module, names: Sequence[str]) -> list[Tensor]:
    """The weights that a layer or cell has under these names now; absent biases are left out.

    They are looked up at every call, because there is no end of ways to put another tensor in their place.
    """
    held = module._parameters  # pyright: ignore[reportPrivateUsage]
    try:
        found = [held[name] for name in names]
    except KeyError:  # pruned, normalised, parametrized: a plain attribute, or a property
        found = [getattr(module, name) for name in names]
    return [weight for weight in found if weight is not None]


def choose(
    name: str, cell: str, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
) -> int | None:
    """The number by which the compiled core knows this call's cell, or None where the core must not run.

    Shapes:
        any; they have been checked.

    Raises:
        LayerDtypeError, LayerDeviceError: the tensors do not go together.
    """
    dtype = x.dtype
    code = _code(cell, dtype)
    for tensor in (x, *states, *weights):
        if not (tensor.dtype is dtype and tensor.is_cpu and type(tensor) in _PLAIN) or tensor.is_neg():
            guards.together(name, x, states, weights)
            code = None
    if code is None or intercepted():
        explain(name, (x, *weights))
        return None
    return code


@cache
def _code(cell: str, dtype: torch.dtype) -> int | None:
    """The number by which the compiled core knows a cell in a dtype; None where it does not."""
    functions, name = cells.get(cell).functions, _DTYPES.get(dtype, "")
    return native.code(functions, name) if native.supports(functions, name) else None


def by_torch(cell: str) -> bool:
    """Whether torch's own function serves where the kernels do not; it has no rule for vmap, and no tape.

    Example:
        >>> by_torch("gru"), by_torch("gru_reset_before")
        (True, False)
    """
    return cell in TORCHS_OWN and not _transforms() and recorder.get() is None


def in_torch(name: str, cell: str) -> None:
    """Refuses to make torch's layer of a cell that torch has not.

    Raises:
        OptionError: it has not.
    """
    if cell not in TORCHS_OWN:
        raise OptionError(f"{name}.to_torch: the cell", "be one that torch has", cell, "Keep it as it is.")


def explain(cell: str, tensors: Sequence[Tensor]) -> None:
    """Says once why the kernels do not run for these tensors, where the user may not expect it.

    Silent where torch's way was asked for (`intercepted`) or is the fast one (CUDA, but see `explain_steps`).

    Shapes:
        tensors: any.
    """
    if intercepted() or any(tensor.is_cuda for tensor in tensors):
        return
    why = _obstacle(tensors)
    if why:
        note(f"{cell} runs on torch's path: {why}")


def explain_steps(name: str, cell: str, x: Tensor, option: str = "") -> None:
    """Says once that a call on CUDA takes one operation after the other, of which `explain` says nothing.

    It does so for a cell that torch has not, and for an ``option`` that torch's own functions have not.

    Shapes:
        x: any.
    """
    lacking = option if cell in TORCHS_OWN else f"cell {cell}"
    if x.is_cuda and lacking and not intercepted():
        why = f"torch's own function on CUDA has no {lacking}"
        note(f"{name} runs on torch's path, one operation after the other: {why}")


def needs_core(subject: str, got: object, tensors: Sequence[Tensor]) -> Never:
    """Refuses an option that the kernels alone have, where they do not run.

    Shapes:
        tensors: any.

    Raises:
        UnavailableError: always.
    """
    why = _obstacle(tensors)
    if intercepted():
        why = "torch_path, autocast, torch.compile or a transform of torch.func is at work"
    fix = "Set it to None there, or compute on the CPU in float32 or float64."
    raise UnavailableError(subject, f"be None where the kernels do not run ({why})", repr(got), fix)


def _obstacle(tensors: Iterable[Tensor]) -> str:
    """Why the kernels do not run for these tensors, in words."""
    for tensor in tensors:
        if not tensor.is_cpu:
            return f"the kernels do not reach the device {tensor.device.type}"
        if tensor.dtype not in _DTYPES:
            return f"the kernels do not compute in {tensor.dtype}"
        if tensor.is_neg():
            return "a minus sign waits to be applied; call .resolve_neg()"
        if not plain(tensor):
            return f"the kernels do not read a {type(tensor).__name__}"
    return native.why_not()
