"""What the constructors refuse, in torch's words and with the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch

from unrolled.errors import nearest
from unrolled.nn.guards import LayerOptionError, LayerOptionTypeError
from unrolled.unroll.budget import read

NONLINEARITIES = ("tanh", "relu", "sigmoid", "identity")


def check_layer(name: str, options: Mapping[str, Any], unknown: Mapping[str, object]) -> None:
    """Checks what a recurrent layer is constructed with, in torch's order; ``unknown``: keywords it has not.

    Raises:
        LayerOptionError, LayerOptionTypeError: a value out of range, of another type, or an unknown keyword.
        OptionError: a ``memory`` that is none.
    """
    _known(name, options, unknown)
    dropout = options["dropout"]
    if isinstance(dropout, bool) or not isinstance(dropout, Real) or not 0 <= float(dropout) <= 1:
        words = (
            "dropout should be a number in range [0, 1] "
            "representing the probability of an element being zeroed"
        )
        fix = "Give the probability of a zero, e.g. 0.3."
        raise LayerOptionError(words, f"{name}: dropout", "be a number from 0 to 1", repr(dropout), fix)
    for option in ("bias", "batch_first", "reset_after"):
        _of_type(name, option, options.get(option, True), bool)
    for option in ("input_size", "hidden_size", "num_layers", *(("order",) if "order" in options else ())):
        _of_type(name, option, options[option], int)
        if options[option] <= 0:
            words, fix = f"{option} must be greater than zero", "Give at least 1."
            raise LayerOptionError(words, f"{name}: {option}", "be at least 1", options[option], fix)
    _projection(name, options.get("proj_size", 0), options["hidden_size"])
    _nonlinearity(name, options.get("nonlinearity", "tanh"))
    _dtype(name, options["dtype"])
    if options["memory"] is not None:
        read(f"{name}: memory", options["memory"])


def check_cell(name: str, options: Mapping[str, Any], unknown: Mapping[str, object]) -> None:
    """Checks what a cell is constructed with; as torch's, it may have size 0 and any truth as bias.

    Raises:
        LayerOptionError, LayerOptionTypeError: a value out of range, of another type, or an unknown keyword.
    """
    _known(name, options, unknown)
    _of_type(name, "reset_after", options.get("reset_after", True), bool)
    for option in ("input_size", "hidden_size"):
        _of_type(name, option, size := options[option], int)
        if size < 0:
            words, fix = f"Trying to create tensor with negative dimension {size}", "Give at least 1."
            raise LayerOptionError(words, f"{name}: {option}", "be at least 0", size, fix)
    _nonlinearity(name, options.get("nonlinearity", "tanh"))
    _dtype(name, options["dtype"])


def _known(name: str, options: Mapping[str, Any], unknown: Mapping[str, object]) -> None:
    for option in unknown:
        if option == "proj_size":
            words = "proj_size argument is only supported for LSTM, not RNN or GRU"
            raise LayerOptionError(words, f"{name}: proj_size", "be absent", unknown[option], "Use an LSTM.")
        words, rule = (
            f"{name}.__init__() got an unexpected keyword argument {option!r}",
            f"be one of {', '.join(options)}",
        )
        raise LayerOptionTypeError(words, f"{name}: a keyword", rule, option, nearest(option, options))


def _nonlinearity(name: str, value: str) -> None:
    if value not in NONLINEARITIES:
        words, rule = f"Unknown nonlinearity {value!r}", f"be one of {', '.join(NONLINEARITIES)}"
        fix = nearest(str(value), NONLINEARITIES)
        raise LayerOptionError(words, f"{name}: nonlinearity", rule, repr(value), fix)


def _dtype(name: str, value: object) -> None:
    fix = "Give e.g. dtype=torch.float32."
    if value is not None and not isinstance(value, torch.dtype):
        words, kind = "empty(): argument 'dtype' must be torch.dtype", type(value).__name__
        raise LayerOptionTypeError(f"{words}, not {kind}", f"{name}: dtype", "be a torch.dtype", kind, fix)
    if value is not None and not (value.is_floating_point or value.is_complex):
        words = "Only Tensors of floating point and complex dtype can require gradients"
        raise LayerOptionError(words, f"{name}: dtype", "be of floating point", value, fix)


def _projection(name: str, size: Any, hidden_size: int) -> None:
    _of_type(name, "proj_size", size, int)
    subject = f"{name}: proj_size"
    if size < 0:
        words = "proj_size should be a positive integer or zero to disable projections"
        raise LayerOptionError(words, subject, "be at least 0", size, "Give 0 for no projection.")
    if size >= hidden_size:
        words, rule = (
            "proj_size has to be smaller than hidden_size",
            f"be smaller than hidden_size = {hidden_size}",
        )
        raise LayerOptionError(words, subject, rule, size, "Choose a smaller one, or none: proj_size=0.")


def _of_type(name: str, option: str, value: object, wanted: type) -> None:
    if not isinstance(value, wanted):
        kind = type(value).__name__
        words = f"{option} should be of type {wanted.__name__}, got: {kind}"
        fix = "Give True or False." if wanted is bool else f"Give a whole number, e.g. {option}=64."
        raise LayerOptionTypeError(words, f"{name}: {option}", f"be of type {wanted.__name__}", kind, fix)
