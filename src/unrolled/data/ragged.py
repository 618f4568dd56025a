"""Sequences of different length in one array, end to end, with where each of them begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, final, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from unrolled.errors import DtypeError, LengthsError, ShapeError

Rows: TypeAlias = "slice | Sequence[int] | NDArray[np.integer[Any]] | NDArray[np.bool]"


@final
class Ragged:
    """``E`` sequences in one array; sequence ``e`` is ``values[starts[e]:starts[e + 1]]``.

    Shapes:
        values: ``[N, ...]``, all steps of all sequences; what follows N is the shape of one step.
        starts: int64 ``[E+1]``, from 0 to N, never falling.

    Raises:
        DtypeError: the starts are no whole numbers, or the values are Python objects.
        LengthsError: the starts are not those of sequences that lie end to end.
        ShapeError: values without steps, or starts with more than one axis.

    Example:
        >>> songs = Ragged.of([[60, 62], [64, 65, 67]])
        >>> len(songs), songs.lengths, songs[1]
        (2, array([2, 3]), array([64, 65, 67]))
    """

    def __init__(self, values: ArrayLike, starts: ArrayLike) -> None:
        self.values, self.starts = np.asarray(values), np.asarray(starts)
        if self.values.ndim == 0:
            raise ShapeError(
                "Ragged: values", "have shape [N, ...]", "a single number", "Give a list of them."
            )
        if self.values.dtype == object:
            fix = "Give every sequence the same kind of numbers."
            raise DtypeError("Ragged: values", "be numbers", "Python objects", fix)
        _check_starts(self.starts, len(self.values))
        self.starts = self.starts.astype(np.int64)

    @classmethod
    def of(cls, sequences: Iterable[ArrayLike], dtype: DTypeLike | None = None) -> Ragged:
        """The sequences end to end; an empty one takes the shape of a step from the others.

        Shapes:
            sequences: each ``[T, ...]``, the T their own.

        Raises:
            DtypeError: a sequence that is no array of numbers.
            ShapeError: steps of different shapes, or a sequence that is a single number.
        """
        arrays = [_as_array(sequence, i, dtype) for i, sequence in enumerate(sequences)]
        filled = [array for array in arrays if array.size] or arrays
        if not arrays:
            return cls(np.zeros(0, dtype or np.float64), np.zeros(1, np.int64))
        step = filled[0].shape[1:]
        for i, array in enumerate(arrays):
            if array.size and array.shape[1:] != step:
                fix = "Give every step of every sequence the same features."
                shapes = f"steps of shape {list(step)}, as the sequences before it"
                raise ShapeError(f"Ragged.of: sequence {i}", f"have {shapes}", list(array.shape[1:]), fix)
        starts = np.concatenate([[0], np.cumsum([len(array) for array in arrays])])
        return cls(np.concatenate(filled), starts)

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Ragged:
        """Texts as their bytes in UTF-8, so that they can be kept among arrays.

        Example:
            >>> Ragged.of_texts(["né", ""]).texts()
            ['né', '']
        """
        data = [text.encode("utf-8", "surrogatepass") for text in texts]
        starts = np.concatenate([[0], np.cumsum([len(one) for one in data], dtype=np.int64)])
        return cls(np.frombuffer(b"".join(data), np.uint8), starts)

    def texts(self) -> list[str]:
        """The texts that `of_texts` was given."""
        data = self.values.astype(np.uint8).tobytes()
        bounds = zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True)
        return [data[start:stop].decode("utf-8", "surrogatepass") for start, stop in bounds]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The steps of each sequence, ``[E]``."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, row: int | np.integer[Any]) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, row: Rows) -> Ragged: ...
    def __getitem__(self, row: int | np.integer[Any] | Rows) -> NDArray[Any] | Ragged:
        """A sequence, as a view; or the sequences of a slice, of row numbers or of a mask."""
        if not isinstance(row, int | np.integer):
            return self.take(row)
        row = range(len(self))[int(row)]
        return self.values[self.starts[row] : self.starts[row + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True):
            yield self.values[start:stop]

    def __repr__(self) -> str:
        step = ", ".join(["N", *(str(size) for size in self.values.shape[1:])])
        return f"Ragged({len(self)} sequences, N = {len(self.values)}, {self.values.dtype} [{step}])"

    def take(self, rows: Rows) -> Ragged:
        """The sequences of these rows, copied end to end in their order.

        Example:
            >>> list(Ragged.of([[1], [2, 3], []]).take([1, 1]).values)
            [np.int64(2), np.int64(3), np.int64(2), np.int64(3)]
        """
        numbers = np.arange(len(self))[rows]
        lengths = self.lengths[numbers]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(starts[-1]) + np.repeat(self.starts[numbers] - starts[:-1], lengths)
        return Ragged(self.values[places], starts)

    def padded(self, rows: Rows | None = None, value: Any = 0) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The sequences of these rows as one batch, steps first, and their lengths.

        Shapes:
            returns: ``[T, B, ...]`` with T the longest length, ``value`` past each end; int64 ``[B]``.

        Example:
            >>> Ragged.of([[1], [2, 3]]).padded()
            (array([[1, 2],
                   [0, 3]]), array([1, 2]))
        """
        chosen = self if rows is None else self.take(rows)
        lengths = chosen.lengths
        steps = int(lengths.max(initial=0))
        batch = np.full((steps, len(chosen), *self.values.shape[1:]), value, self.values.dtype)
        sequence = np.repeat(np.arange(len(chosen)), lengths)
        batch[np.arange(len(chosen.values)) - np.repeat(chosen.starts[:-1], lengths), sequence] = (
            chosen.values
        )
        return batch, lengths

    def tensors(self, name: str) -> dict[str, NDArray[Any]]:
        """The two arrays under the names by which a safetensors file keeps them."""
        return {f"{name}.values": np.ascontiguousarray(self.values), f"{name}.starts": self.starts}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], name: str) -> Ragged:
        """What `tensors` named.

        Raises:
            KeyError: no tensors of that name.
        """
        return cls(tensors[f"{name}.values"], tensors[f"{name}.starts"])


def packed(parts: Mapping[str, Mapping[str, Ragged | NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The columns of the parts of a data set as named tensors: ``train.x.values``, ``train.x.starts``, ...

    Example:
        >>> sorted(packed({"train": {"x": Ragged.of([[1, 2]]), "y": np.array([0])}}))
        ['train.x.starts', 'train.x.values', 'train.y']
    """
    tensors: dict[str, NDArray[Any]] = {}
    for part, columns in parts.items():
        for name, column in columns.items():
            key = f"{part}.{name}"
            tensors |= column.tensors(key) if isinstance(column, Ragged) else {key: column}
    return tensors


def unpacked(tensors: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, Ragged | NDArray[Any]]]:
    """The parts that `packed` was given."""
    parts: dict[str, dict[str, Ragged | NDArray[Any]]] = {}
    for key in tensors:
        if key.endswith(".starts"):
            continue
        whole = key.removesuffix(".values")
        part, _, name = whole.partition(".")
        is_ragged = f"{whole}.starts" in tensors
        parts.setdefault(part, {})[name] = Ragged.from_tensors(tensors, whole) if is_ragged else tensors[key]
    return parts


def _as_array(sequence: ArrayLike, number: int, dtype: DTypeLike | None) -> NDArray[Any]:
    subject = f"Ragged.of: sequence {number}"
    try:
        array = np.asarray(sequence, dtype)
    except (ValueError, TypeError, OverflowError) as error:
        fix = "Give every step the same number of features."
        raise DtypeError(subject, "be an array of numbers", str(error).rstrip("."), fix) from error
    if array.dtype.kind not in "biufcM":
        got = f"dtype {array.dtype}"
        raise DtypeError(subject, "be an array of numbers", got, "Turn its steps into numbers first.")
    if array.ndim == 0:
        raise ShapeError(subject, "have shape [T, ...]", "a single number", "Wrap it: [number].")
    return array


def _check_starts(starts: NDArray[Any], steps: int) -> None:
    if starts.ndim != 1 or not len(starts):
        raise ShapeError(
            "Ragged: starts", "have shape [E+1]", list(starts.shape), "Begin with 0, end with N."
        )
    if starts.dtype.kind not in "iu":
        fix = "Give whole numbers: starts.astype(int)."
        raise DtypeError("Ragged: starts", "be whole numbers", starts.dtype, fix)
    if starts[0] != 0 or starts[-1] != steps or np.any(starts[1:] < starts[:-1]):
        got = f"{starts[0]} to {starts[-1]}, falling {int(np.sum(starts[1:] < starts[:-1]))} times"
        fix = "Take the running sum of the lengths, with 0 before it."
        raise LengthsError("Ragged: starts", f"rise from 0 to N = {steps}", got, fix)
