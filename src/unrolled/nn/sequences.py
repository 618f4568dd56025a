"""Lengths, resets and packed sequences as they come in: read, and refused, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.errors import DtypeError, LengthsError, OptionError, ShapeError
from unrolled.nn.guards import LayerIndexError, LayerShapeError, same_device

_WHOLE = frozenset(
    (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32)
)


def absent_when_packed(name: str, **given: object) -> None:
    """Refuses what a PackedSequence says itself or cannot have.

    Raises:
        OptionError: lengths or reset beside a PackedSequence.
    """
    for option, value in given.items():
        if value is not None:
            fix = "Hand over the padded batch with lengths= instead: no packing is needed."
            raise OptionError(f"{name}.forward: {option}", "be absent with a PackedSequence", "both", fix)


def packed(name: str, data: Tensor, batch_sizes: Tensor) -> None:
    """Checks a PackedSequence, which anybody may have put together.

    Shapes:
        data: ``[N, I]``; batch_sizes: ``[T]``, none larger than the one before, of sum N.

    Raises:
        LayerShapeError: it is otherwise.
    """
    subject, got = f"{name}.forward: the data of the PackedSequence", data.dim()
    if got != 2:
        words, fix = f"input must have 2 dimensions, got {got}", "Pack sequences of shape [T, I]."
        raise LayerShapeError(words, subject, "have axes [N, I]", f"{got} axes", fix)
    sizes, fix = batch_sizes.tolist(), "Make it by torch.nn.utils.rnn.pack_padded_sequence."
    if not sizes or sizes[-1] < 1 or sizes != sorted(sizes, reverse=True):
        words, rule = "batch_sizes of the PackedSequence increase", "be at least 1 and never increase"
        if not sizes or sizes[-1] < 1:
            words = "batch_sizes of the PackedSequence have a step without sequences"
        raise LayerShapeError(words, f"{name}.forward: batch_sizes of the PackedSequence", rule, sizes, fix)
    if sum(sizes) != len(data):
        words = "the PackedSequence has another number of rows than its batch_sizes say"
        raise LayerShapeError(words, subject, f"have sum(batch_sizes) = {sum(sizes)} rows", len(data), fix)


def read_ids(subject: str, ids: object, N: int) -> Tensor:
    """Ids as an int64 tensor; on the CPU every one is looked at.

    Shapes:
        ids: any, whole numbers from 0 to N - 1: a tensor, a NumPy array, a list or a number.

    Raises:
        DtypeError: not whole numbers.
        LayerIndexError: one is out of range.
    """
    given = ids if isinstance(ids, Tensor) else torch.from_numpy(_read(subject, ids).copy())
    if given.dtype not in _WHOLE:
        fix = "Give positions of rows of the embedding, e.g. ids.long()."
        raise DtypeError(subject, "be whole numbers", given.dtype, fix)
    given = given.long()
    if given.is_cpu and given.numel():
        low, high = (int(end) for end in torch.aminmax(given))
        if low < 0 or high >= N:
            rule, got = f"be from 0 to {N - 1}, as the embedding has {N} rows", low if low < 0 else high
            fix = "Map what it does not know to a row of its own, or build it with more rows."
            raise LayerIndexError("index out of range in self", subject, rule, got, fix)
    return given


def read_lengths(name: str, lengths: object, T: int, B: int) -> Tensor:
    """Real steps of each sequence as our own int64 tensor on the CPU.

    Shapes:
        lengths: ``[B]`` whole numbers from 0 to T in any order: a list, NumPy array or tensor.

    Raises:
        LengthsError: another count, not whole, or out of range.
        DtypeError: no array, or one without values.
    """
    subject = f"{name}.forward: lengths"
    array = _read(subject, lengths)
    if array.ndim == 0 and B == 1:
        array = array[None]
    if array.shape != (B,):
        fix = "Give one length for each sequence of the batch."
        raise LengthsError(subject, f"have shape [B] = [{B}]", list(array.shape), fix)
    if array.dtype.kind not in "iu" and array.size:
        fix = "Convert them: lengths.long()." if isinstance(lengths, Tensor) else "Give integers."
        raise LengthsError(subject, "be whole numbers", array.dtype, fix)
    bad = np.flatnonzero((array < 0) | (array > T))
    if bad.size:
        got = f"{array[bad[0]]} at [{bad[0]}]"
        fix = "Lengths count steps, padding not included; cut or pad the input to match."
        raise LengthsError(subject, f"be from 0 to T = {T}", got, fix)
    return torch.tensor(array.astype(np.int64), device="cpu")


def _read(subject: str, given: object) -> NDArray[Any]:
    """What has been given as a list, NumPy array or tensor, in NumPy.

    Raises:
        DtypeError: it is none of them, is ragged, or lies on a device that stores no values.
    """
    fix = "Give a list, a NumPy array or a tensor."
    if isinstance(given, Tensor):
        if given.is_meta:
            raise DtypeError(subject, "have values", "a tensor on the device meta", fix)
        return given.detach().cpu().numpy()
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise DtypeError(subject, "have rows of one size", repr(given), fix) from error
    if array.dtype.kind not in "iufb":
        raise DtypeError(subject, "hold numbers or truth values", repr(given), fix)
    return array


def read_reset(name: str, reset: object, x: Tensor, batch_first: bool, batched: bool) -> Tensor:
    """Resets as a bool tensor ``[T, B]``.

    Shapes:
        reset: ``[T, B]``, ``[B, T]`` with batch_first, ``[T]`` for one sequence; a tensor or NumPy array.

    Raises:
        ShapeError, DtypeError, LayerDeviceError: another shape, not bool, or on another device.
    """
    subject = f"{name}.forward: reset"
    given = reset if isinstance(reset, Tensor) else torch.from_numpy(_read(subject, reset).copy())
    if given.dtype is not torch.bool:
        raise DtypeError(subject, "be of dtype bool", given.dtype, "Compare to get one, e.g. reset != 0.")
    wanted = tuple(x.shape[:2]) if batched else (x.size(0),)
    if tuple(given.shape) != wanted:
        letters = "[T]" if not batched else "[B, T]" if batch_first else "[T, B]"
        fix = "Give one truth value for each step of each sequence."
        raise ShapeError(subject, f"have shape {letters} = {list(wanted)}", list(given.shape), fix)
    same_device(name, "reset", given, x, "input")
    if not batched:
        return given[:, None]
    return given.t() if batch_first else given
