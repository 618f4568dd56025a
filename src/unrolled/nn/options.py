"""What the constructors refuse, in torch's words and with the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from unrolled.nn.guards import LayerOptionError, LayerOptionTypeError

NONLINEARITIES = ("tanh", "relu", "sigmoid", "identity")


def unknown_options(name: str, unknown: Mapping[str, object], offered: Sequence[str]) -> None:
    """Refuses keywords that the constructor of ``name`` does not have.

    Raises:
        LayerOptionError, LayerOptionTypeError: there is one; the message names the nearest.
    """
    for option in unknown:
        if option == "proj_size":
            words = "proj_size argument is only supported for LSTM, not RNN or GRU"
            raise LayerOptionError(words, f"{name}: proj_size", "be absent", unknown[option], "Use an LSTM.")
        words = f"{name}.__init__() got an unexpected keyword argument {option!r}"
        near = difflib.get_close_matches(option, offered, n=1)
        fix = f"Did you mean {near[0]}?" if near else "Leave it out."
        raise LayerOptionTypeError(
            words, f"{name}: a keyword", f"be one of {', '.join(offered)}", option, fix
        )


def nonlinearity(name: str, value: str) -> None:
    """Refuses a nonlinearity that is not offered.

    Raises:
        LayerOptionError: naming those that are.
    """
    if value not in NONLINEARITIES:
        offered = ", ".join(NONLINEARITIES)
        words = f"Unknown nonlinearity {value!r}"
        raise LayerOptionError(
            words, f"{name}: nonlinearity", f"be one of {offered}", repr(value), "Choose one."
        )


def layer_options(name: str, options: Mapping[str, Any], unknown: Mapping[str, object]) -> None:
    """Checks what a recurrent layer is constructed with, in torch's order; ``unknown``: keywords it has not.

    Raises:
        LayerOptionError, LayerOptionTypeError: a value out of range, or of another type.
    """
    unknown_options(name, unknown, list(options))
    dropout = options["dropout"]
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        words = (
            "dropout should be a number in range [0, 1] "
            "representing the probability of an element being zeroed"
        )
        fix = "Give the probability of a zero, e.g. 0.3."
        raise LayerOptionError(words, f"{name}: dropout", "be a number from 0 to 1", repr(dropout), fix)
    for option in [option for option in ("bias", "batch_first", "reset_after") if option in options]:
        _of_type(name, option, options[option], bool, "Give True or False.")
    for option in ("input_size", "hidden_size", "num_layers"):
        _of_type(name, option, options[option], int, f"Give a whole number, e.g. {option}=64.")
        if options[option] <= 0:
            words, fix = f"{option} must be greater than zero", "Give at least 1."
            raise LayerOptionError(words, f"{name}: {option}", "be at least 1", options[option], fix)
    _projection(name, options.get("proj_size", 0), options["hidden_size"])


def cell_options(
    name: str, input_size: Any, hidden_size: Any, bias: Any, unknown: Mapping[str, object]
) -> None:
    """Checks what a cell is constructed with; like torch's, a cell may have size 0.

    Raises:
        LayerOptionError, LayerOptionTypeError: a value out of range, of another type, or an unknown keyword.
    """
    unknown_options(name, unknown, ["input_size", "hidden_size", "bias", "device", "dtype"])
    _of_type(name, "bias", bias, bool, "Give True or False.")
    for option, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        _of_type(name, option, value, int, f"Give a whole number, e.g. {option}=64.")
        if value < 0:
            words = f"Trying to create tensor with negative dimension {value}"
            raise LayerOptionError(words, f"{name}: {option}", "be at least 0", value, "Give a size.")


def _projection(name: str, size: Any, hidden_size: int) -> None:
    _of_type(name, "proj_size", size, int, "Give a whole number, or 0 for no projection.")
    if size < 0:
        words = "proj_size should be a positive integer or zero to disable projections"
        raise LayerOptionError(
            words, f"{name}: proj_size", "be at least 0", size, "Give 0 for no projection."
        )
    if size >= hidden_size:
        words, rule = (
            "proj_size has to be smaller than hidden_size",
            f"be smaller than hidden_size = {hidden_size}",
        )
        fix = "Choose a smaller projection, or none: proj_size=0."
        raise LayerOptionError(words, f"{name}: proj_size", rule, size, fix)


def _of_type(name: str, option: str, value: object, wanted: type, fix: str) -> None:
    if not isinstance(value, wanted):
        kind = type(value).__name__
        words = f"{option} should be of type {wanted.__name__}, got: {kind}"
        raise LayerOptionTypeError(words, f"{name}: {option}", f"be of type {wanted.__name__}", kind, fix)
