"""What the layers refuse, before anything is computed, in torch's words and with the remedy.

The errors of `unrolled.errors` derive here from the class that torch raises for the same mistake as well, so
that ``except`` clauses written for torch.nn keep working.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Never

import torch
from torch import Tensor

from unrolled.errors import DtypeError, NonFiniteError, OptionError, ShapeError, UnrolledError

if TYPE_CHECKING:
    from torch.nn import Module

    from unrolled.nn.recurrent import Recurrent


class _InTorchsWords(UnrolledError):  # noqa: N818  a part of errors, none by itself
    """Begins with the sentence that torch.nn has for the mistake."""

    def __init__(self, words: str, subject: str, rule: str, got: object, fix: str) -> None:
        super().__init__(subject, rule, got, fix)
        self.args = (words, subject, rule, got, fix)
        self.words = words

    def __str__(self) -> str:
        return f"{self.words}. {super().__str__()}"


class LayerShapeError(_InTorchsWords, ShapeError, RuntimeError):
    """An input, a state or a weight has another rank or size than the layer needs."""


class LayerDtypeError(_InTorchsWords, DtypeError, ValueError, RuntimeError):
    """Input, states and weights differ in dtype."""


class LayerDeviceError(_InTorchsWords, RuntimeError):
    """Input, states and weights lie on different devices."""


class LayerOptionError(_InTorchsWords, OptionError, RuntimeError):
    """An option of the constructor has a value that is not offered."""


class LayerOptionTypeError(LayerOptionError, TypeError):
    """An option of the constructor is of another type."""


class LayerIndexError(_InTorchsWords, IndexError):
    """An id that the embedding has no row for."""


# ----------------------------------------------------------------------------------------- input and states


def no_tensor(name: str, value: object, subject: str = "input") -> Never:
    """Refuses what is no tensor.

    Raises:
        DtypeError: always.
    """
    fix = "Turn it into one: torch.as_tensor(...)."
    raise DtypeError(f"{name}.forward: {subject}", "be a torch.Tensor", type(value).__name__, fix)


def rank(name: str, got: int, ranks: tuple[int, int], subject: str = "input") -> None:
    """Checks the number of axes of an input or a state.

    Raises:
        LayerShapeError: it is neither of ``ranks`` (without and with the batch).
    """
    if got not in ranks:
        low, high = ranks
        kind = "D tensor" if name == "RNN" else "D"  # torch words its three layers apart
        words = f"{name}: Expected {subject} to be {low}D or {high}D, got {got}{kind} instead"
        axes = "[T, I] or [T, B, I] ([B, T, I] with batch_first)" if high == 3 else "[I] or [B, I]"
        if subject != "input":
            axes = "[H] or [B, H]"
        fix = "Add the missing axes with unsqueeze, or remove those of size 1 with squeeze."
        raise LayerShapeError(words, f"{name}.forward: {subject}", f"have axes {axes}", f"{got} axes", fix)


def steps(name: str) -> Never:
    """Refuses a sequence without steps, as torch does; `unrolled.unroll` takes it.

    Raises:
        LayerShapeError: always.
    """
    words, fix = "Expected sequence length to be larger than 0 in RNN", "Leave empty sequences out."
    raise LayerShapeError(words, f"{name}.forward: input", "have at least one step on axis T", 0, fix)


def together(name: str, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Checks that input, states and weights have one dtype and lie on one device; autocast mixes dtypes.

    Shapes:
        any.

    Raises:
        LayerDtypeError, LayerDeviceError: they differ.
    """
    named = [("weights", weight, "weight") for weight in weights]
    named += [("input", x, "input")]
    named += [(f"{letter}_0", state, "hidden") for letter, state in zip("hc", states, strict=False)]
    for subject, tensor, kind in named:
        same_device(name, subject, tensor, weights[0], kind)
        same_dtype(name, subject, tensor, weights[0], kind)


def same_dtype(name: str, subject: str, tensor: Tensor, weight: Tensor, kind: str) -> None:
    """Checks that a tensor has the weights' dtype.

    Raises:
        LayerDtypeError: it has another, and no autocast is there to change it.
    """
    got, wanted = tensor.dtype, weight.dtype
    if got is wanted or torch._C._is_any_autocast_enabled():  # pyright: ignore[reportPrivateUsage]
        return
    words = (
        f"RNN {kind} dtype ({got}) does not match weight dtype ({wanted}). "
        f"Convert {kind}: {kind}.to({wanted}), or convert model: model.to({got})"
    )
    fix = f"Convert it: {subject}.to({wanted})."
    raise LayerDtypeError(words, f"{name}.forward: {subject}", f"have the weights' dtype {wanted}", got, fix)


def same_device(name: str, subject: str, tensor: Tensor, weight: Tensor, kind: str) -> None:
    """Checks that a tensor lies on the weights' device.

    Raises:
        LayerDeviceError: it lies on another.
    """
    got, wanted = tensor.device, weight.device
    if got == wanted:
        return
    words = (
        f"Input and parameter tensors are not at the same device, found input tensor at {got} and parameter"
    )
    words += f" tensor at {wanted}"
    if kind == "hidden":
        words = (
            f"Input and hidden tensors are not at the same device, found input tensor at {wanted} and hidden"
        )
        words += f" tensor at {got}"
    fix = f"Move it: {subject}.to({str(wanted)!r})."
    raise LayerDeviceError(
        words, f"{name}.forward: {subject}", f"lie on the weights' device {wanted}", got, fix
    )


def input_size(name: str, x: Tensor, size: int) -> None:
    """Checks the last axis of a layer's input.

    Raises:
        LayerShapeError: it is not ``size``.
    """
    got = x.size(-1)
    if got != size:
        words = f"input.size(-1) must be equal to input_size. Expected {size}, got {got}"
        rule = f"have input_size = {size} features on its last axis"
        fix = f"Build the layer with input_size={got}, or hand over [..., {size}]."
        raise LayerShapeError(words, f"{name}.forward: input", rule, list(x.shape), fix)


def read_states(layer: Recurrent, name: str, hx: Any, B: int, batched: bool) -> tuple[Tensor, ...]:
    """The initial states that ``hx`` holds, with their batch axis: h_0, and for an LSTM c_0.

    Shapes:
        h_0: ``[L*D, B, k*R]``, c_0: ``[L*D, B, H]``; without B where the input is one sequence.

    Raises:
        LayerShapeError: another rank or shape.
        DtypeError: no tensor, or for an LSTM no pair of them.
    """
    pair = name == "LSTM"
    states = _pair(name, hx) if pair else (hx,)
    for subject, state in zip(("h_0", "c_0"), states, strict=False):
        if not isinstance(state, Tensor):
            no_tensor(name, state, subject)
    ranks = [state.dim() for state in states]
    wanted = 3 if batched else 2
    if ranks != [wanted] * len(ranks):
        kind = "batched 3-D" if batched else "unbatched 2-D"
        who, found = "hx", f"{ranks[0]}-D tensor"
        if pair:
            who, found = "hx and cx", f"({ranks[0]}-D, {ranks[1]}-D) tensors"
        words = f"For {kind} input, {who} should also be {wanted}-D but got {found}"
        axes, fix = "[L*D, R]", "Remove the batch axis: .squeeze(1)."
        if batched:
            axes, fix = "[L*D, B, R]", "Add the batch axis: .unsqueeze(1)."
        raise LayerShapeError(words, f"{name}.forward: hx", f"have axes {axes}", f"{ranks[0]} axes", fix)
    if not batched:
        states = tuple(state.unsqueeze(1) for state in states)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    plan = layer.plan
    sizes = (plan.kR, plan.H)
    for k, state in enumerate(states):
        words = f"hidden[{k}] size" if pair else "hidden size"
        letters = "H" if k else "R" if plan.order == 1 else "k*R"
        _state_shape(name, "hc"[k], state, (count, B, sizes[k]), words, letters)
    return states


def _pair(name: str, hx: Any) -> tuple[Any, ...]:
    """Both states of an LSTM."""
    if not isinstance(hx, tuple | list) or len(hx := tuple(hx)) != 2:
        fix = "Give both states: (h_0, c_0)."
        raise DtypeError(f"{name}.forward: hx", "be a pair (h_0, c_0)", type(hx).__name__, fix)
    return hx


def _state_shape(
    name: str, letter: str, state: Tensor, wanted: tuple[int, int, int], words: str, size: str
) -> None:
    got = tuple(state.shape)
    if got == wanted:
        return
    fix = "Leave it out to begin with zeros."
    if got == (wanted[1], wanted[0], wanted[2]):
        fix = f"Swap the first two axes: {letter}_0.transpose(0, 1)."
    rule = f"have shape [L*D, B, {size}] = {list(wanted)}"
    said = f"Expected {words} {wanted}, got {list(got)}"
    raise LayerShapeError(said, f"{name}.forward: {letter}_0", rule, list(got), fix)


def read_cell_states(name: str, hx: Any) -> tuple[Tensor, ...]:
    """The states that a cell is given: h, and for an LSTMCell c.

    Shapes:
        each ``[B, H]`` or ``[H]``.

    Raises:
        LayerShapeError: another rank.
        DtypeError: no tensor, or for an LSTMCell no pair of them.
    """
    pair = name == "LSTMCell"
    states = _pair(name, hx) if pair else (hx,)
    for k, state in enumerate(states):
        if not isinstance(state, Tensor):
            no_tensor(name, state, f"hx[{k}]" if pair else "hx")
        rank(name, state.dim(), (1, 2), f"hx[{k}]" if pair else "hidden")
    return states


def cell_sizes(name: str, x: Tensor, states: Sequence[Tensor], input_size: int, hidden_size: int) -> None:
    """Checks the sizes of what a cell is given, with its batch axis.

    Shapes:
        x: ``[B, I]``; states: ``[B, H]``.

    Raises:
        LayerShapeError: a size differs from the cell's, or a batch from the input's.
    """
    B, got = x.shape
    if got != input_size:
        words = f"input has inconsistent input_size: got {got} expected {input_size}"
        rule, fix = f"have {input_size} features on its last axis", f"Build the cell with input_size={got}."
        raise LayerShapeError(words, f"{name}.forward: input", rule, got, fix)
    for k, state in enumerate(states):
        shape, subject = tuple(state.shape), f"{name}.forward: {'hc'[k]}"
        if shape == (B, hidden_size):
            continue
        words = f"hidden{k} has inconsistent hidden_size: got {shape[-1]}, expected {hidden_size}"
        if len(shape) == 3:  # a batch of states beside one input, which has its batch axis by now
            got, fix = list(shape[1:]), "Remove the batch axis: .squeeze(0)."
            words = f"hidden{k} has inconsistent hidden_size: got {shape[1]}, expected {hidden_size}"
            raise LayerShapeError(words, subject, f"have shape [H] = [{hidden_size}], as x has [I]", got, fix)
        if len(shape) != 2 or shape[0] != B:
            words = f"Input batch size {B} doesn't match hidden{k} batch size {shape[0]}"
        fix = "Leave it out to begin with zeros."
        raise LayerShapeError(words, subject, f"have shape [B, H] = {[B, hidden_size]}", list(shape), fix)


def weight_shapes(name: str, names: Sequence[str], weights: Sequence[Any], wanted: Sequence[Any]) -> None:
    """Checks weights that somebody may have put in another's place.

    Raises:
        LayerShapeError: one has another shape than its name asks for.
    """
    for parameter, weight, shape in zip(names, weights, wanted, strict=True):
        if tuple(weight.shape) != shape:
            got = list(weight.shape)
            words, fix = (
                f"Expected {parameter} of size {list(shape)}, got {got}",
                "Put back one of that shape.",
            )
            raise LayerShapeError(
                words, f"{name}.forward: {parameter}", f"have shape {list(shape)}", got, fix
            )


# ------------------------------------------------------------------------------------------------- weights


def finite(module: Module) -> None:
    """Looks for NaN and infinity in the weights of a layer or cell.

    Raises:
        NonFiniteError: naming the first parameter that has one, and how many.
    """
    for name, weight in module.named_parameters():
        bad = int((~torch.isfinite(weight)).sum())
        if bad:
            got = f"{bad} of {weight.numel()} that are not"
            fix = "Load an earlier checkpoint, or look for the step whose gradient overflowed."
            raise NonFiniteError(f"{type(module).__name__}.check_finite: {name}", "be finite", got, fix)
