"""What a trace says of the model it is of, and how a model is run once without being recorded."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

import unrolled
from unrolled import native
from unrolled.errors import OptionError
from unrolled.nn.recurrent import Recurrent
from unrolled.traces.adding_up import largest

Gradients = dict[str, Tensor | None]
"""Of every parameter that wants one, by name."""

LEADS = "have a graph that leads to the model"
"""What a loss must."""


def weights_sha256(model: nn.Module) -> str:
    """SHA-256 of what the model holds: name, dtype, shape and bytes of each tensor of its ``state_dict``."""
    hasher = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor):
            plain = tensor.detach().cpu().contiguous()
            hasher.update(f"{name} {plain.dtype} {list(plain.shape)}\n".encode())
            hasher.update(plain.reshape(-1).view(torch.uint8).numpy().data if plain.numel() else b"")
    return hasher.hexdigest()


def versions() -> dict[str, str]:
    """What computed it."""
    return {
        "unrolled": unrolled.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "compiled_core": native.isa() if native.available() else "",
    }


def description(model: nn.Module) -> dict[str, Any]:
    """Its name and size."""
    return {
        "name": type(model).__name__,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "training": model.training,
    }


def unseen(model: nn.Module) -> str:
    """The recurrent modules that cannot be recorded, with their paths; ask while ours stand in torch's place.

    A cell runs one step at a time, and what stands between its steps is the caller's; a class derived from
    torch's may compute something else.
    """
    found: list[str] = []
    for path, module in model.named_modules():
        if isinstance(module, nn.RNNCellBase):
            found.append(f"the cell {path or 'the model'} ({type(module).__name__})")
        elif isinstance(module, nn.RNNBase) and not isinstance(module, Recurrent):
            theirs = next(kind for kind in type(module).__mro__ if kind.__module__.startswith("torch.nn"))
            found.append(f"{path or 'the model'} ({type(module).__name__}, derived from {theirs.__name__})")
    return ", ".join(found)


@contextmanager
def rehearsal(model: nn.Module) -> Generator[None]:
    """Within it the model may run; afterwards random numbers and buffers are as they were before."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def in_little_memory(layers: Iterable[Recurrent]) -> Generator[None]:
    """Within it, layers that would hold the tape of all steps hold that of about √T."""
    whole = [layer for layer in layers if layer.memory is None]
    own = ["memory" in vars(layer) for layer in whole]  # those of torch.nn have none
    for layer in whole:
        layer.memory = "sqrt"
    try:
        yield
    finally:
        for layer, had in zip(whole, own, strict=True):
            if had:
                layer.memory = None
            else:
                del layer.memory


def scalar(loss: Any) -> Tensor:
    """A loss that has been given back by the user's function, as a number that knows where it comes from.

    Raises:
        OptionError: it is no scalar, or has no graph.
    """
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        got = f"shape {list(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        fix = "Reduce it: .sum() or .mean()."
        raise OptionError("trace: loss", "give one number, a tensor", got, fix)
    if not loss.requires_grad:
        fix = "Compute it from the model's output by torch's operations, without detach, no_grad or item."
        raise OptionError("trace: loss", LEADS, "a number without one", fix)
    return loss.reshape(())


def learning(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that want a gradient."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def gradients(model: nn.Module, loss: Any) -> Gradients:
    """The gradient of every parameter; None where the loss does not depend on it.

    Raises:
        OptionError: the loss is no scalar.
    """
    wanted = learning(model)
    if not wanted:
        return {}
    if isinstance(loss, Tensor) and not loss.requires_grad:  # of what is frozen, unless it is recorded
        return dict.fromkeys(wanted)
    found = torch.autograd.grad(scalar(loss), [*wanted.values()], allow_unused=True)
    return dict(zip(wanted, found, strict=True))


def apart(recorded: Gradients, other: Gradients) -> float:
    """The largest difference, in units of the largest number of each; not finite where one of them is not."""
    found: list[float] = []
    for name, d in recorded.items():
        e = other[name]
        d, e = (torch.zeros(()) if v is None else v.detach() for v in (d, e))  # noqa: PLW2901
        scale = float(e.abs().max()) if e.numel() else 0.0
        most = float((d - e).abs().max()) if e.numel() else 0.0
        found.append(most / scale if scale else most)
    return largest(found)


def tensors(output: Any) -> list[Tensor]:
    """All tensors in what a model gave, those of packed sequences as their data."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, PackedSequence):
        return [output.data]
    inside: Sequence[Any] = ()
    if isinstance(output, Mapping):
        inside = [*output.values()]
    elif isinstance(output, tuple | list):
        inside = output
    return [tensor for part in inside for tensor in tensors(part)]


def apart_from_graph(output: Any) -> Any:
    """The same output with every tensor a leaf of its own, which wants a gradient if the tensor had one."""
    if isinstance(output, Tensor):
        return output.detach().requires_grad_(output.requires_grad)
    if isinstance(output, PackedSequence):
        return output._replace(data=apart_from_graph(output.data))
    if isinstance(output, Mapping):
        return {name: apart_from_graph(part) for name, part in output.items()}
    if isinstance(output, tuple | list):
        parts = [apart_from_graph(part) for part in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    return output


def first(output: Any) -> Any:
    """The first tensor or packed sequence in what a model gave; None where there is none."""
    if isinstance(output, Tensor | PackedSequence):
        return output
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, tuple | list):
        return next((found for found in map(first, output) if found is not None), None)
    return None
