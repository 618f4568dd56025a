"""Turns every recurrent layer inside somebody's model into ours."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from unrolled.errors import OptionError
from unrolled.nn.cells import GRUCell, LSTMCell, RNNCell
from unrolled.nn.layers import GRU, LSTM, RNN
from unrolled.nn.recurrent import Recurrent
from unrolled.nn.switching import base_class, deep_copy, switch
from unrolled.timing import in_turn, ratio

Model = TypeVar("Model", bound=nn.Module)

_OURS: dict[type[nn.Module], type[nn.Module]] = {
    ours.torch_class: ours for ours in (RNN, LSTM, GRU, RNNCell, LSTMCell, GRUCell)
}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}


def convert(model: Model, example: Any = None) -> Model:
    """Makes ours of every RNN, LSTM, GRU and cell of torch.nn in ``model``, itself included, and returns it.

    The layers stay the same objects with the same Parameters, hooks and mode; only their class changes. So an
    optimiser goes on, and the numbers stay what they were. Layers of a class derived from torch's are left
    alone.

    Args:
        model: any torch model.
        example: an input of the model, or a tuple of its arguments; then the gain is measured, in a copy, and
            printed.

    Shapes:
        example: whatever the model takes.

    Raises:
        OptionError: ``model`` is no model, has no layer to convert, or with an example cannot be copied.

    Example:
        >>> model = torch.nn.ModuleDict({"encoder": torch.nn.GRU(3, 4), "head": torch.nn.Linear(4, 2)})
        >>> convert(model)["encoder"]
        GRU(3, 4)
        >>> type(model["encoder"]).__module__
        'unrolled.nn.layers'
    """
    if not isinstance(model, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise OptionError(
            "convert: the model", "be a torch.nn.Module", type(model).__name__, "Hand over the model itself."
        )
    if not _layers(model):
        fix = "Layers of a class derived from torch's are not touched."
        raise OptionError(
            "convert: the model", "have an RNN, LSTM or GRU of torch.nn", type(model).__name__, fix
        )
    if example is not None:
        twin = deep_copy(model, "convert: with example=, the model")
        print(_gain(twin, example if isinstance(example, tuple) else (example,)))
    _use(_layers(model), ours=True)
    return model


@contextmanager
def as_ours(model: nn.Module) -> Generator[list[tuple[str, Recurrent]]]:
    """Within it, every RNN, LSTM and GRU of torch.nn in ``model`` is ours; gives all of ours and their paths.

    Layers of a class derived from torch's are left alone.
    """
    layers = {theirs: ours for theirs, ours in _OURS.items() if issubclass(ours, Recurrent)}
    before = [(module, type(module)) for module in model.modules() if base_class(module) in layers]
    try:
        for module, _ in before:
            switch(module, layers[base_class(module)])
        yield [(path, module) for path, module in model.named_modules() if isinstance(module, Recurrent)]
    finally:
        for module, own in before:
            module.__class__ = own


def _layers(model: nn.Module) -> list[nn.Module]:
    """The layers of ``model`` that are torch's or ours."""
    return [
        module for module in model.modules() if base_class(module) in _OURS or base_class(module) in _THEIRS
    ]


def _use(layers: list[nn.Module], ours: bool) -> None:
    for layer in layers:
        own = base_class(layer)
        switch(layer, _OURS.get(own, own) if ours else _THEIRS.get(own, own))


def _gain(model: nn.Module, example: tuple[Any, ...]) -> str:
    """Both kinds of layers in turn in the same model, as a sentence; ``model`` is left with ours."""
    layers = _layers(model)
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def forward() -> None:
        with torch.no_grad():
            model(*example)

    def both_ways() -> None:
        loss = torch.stack(
            [tensor.sum() for tensor in _tensors(model(*example)) if tensor.requires_grad]
        ).sum()
        torch.autograd.grad(loss, weights, allow_unused=True)

    def timed(run: Callable[[], None], ours: bool) -> Callable[[], None]:
        def once() -> None:
            _use(layers, ours)
            run()

        return once

    ways = {"forward": forward, "forward and backward": both_ways} if weights else {"forward": forward}
    gains: list[str] = []
    with torch.random.fork_rng(devices=[]):
        for name, run in ways.items():
            seconds = in_turn({"torch": timed(run, ours=False), "ours": timed(run, ours=True)})
            gains.append(f"{name} {ratio(seconds['torch'], seconds['ours'])} times as fast")
    return f"{type(model).__name__}, {len(layers)} recurrent layers converted: " + ", ".join(gains)


def _tensors(output: Any) -> list[torch.Tensor]:
    """All tensors in what a model returned."""
    if isinstance(output, torch.Tensor):
        return [output]
    inside = (
        output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    )
    return [tensor for part in inside for tensor in _tensors(part)]
