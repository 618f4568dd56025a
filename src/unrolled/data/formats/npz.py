"""NumPy's own files: sequences of one length, padded ones with lengths, or end to end with starts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.data.formats.options import Options
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError, UnrolledError

KEYS = "x (sequences), y (labels), lengths, starts"


def read(data: bytes, name: str, options: Options) -> Table:
    """The sequences of x as column x, a `Ragged`; and the labels of y, if there are any, as column label.

    Shapes:
        x: ``[E, T]`` or ``[E, T, I]``, with ``lengths [E]`` where they differ; or ``[N, ...]`` with
            ``starts [E+1]``.
        y: ``[E]``; or, a label a step, ``[E, T]`` or ``[N]``.

    Raises:
        DataError: no such file, no x, Python objects in it, or arrays that do not go together.
    """
    del options
    arrays = _arrays(data, name)
    if "x" not in arrays:
        fix = "Save it so: numpy.savez(path, x=..., y=...)."
        raise DataError(name, f"have arrays named {KEYS}", ", ".join(arrays) or "none", fix)
    x, columns = _sequences(arrays["x"], arrays, name), dict[str, Column]()
    columns["x"] = x
    if "y" in arrays:
        columns["label"] = _labels(arrays["y"], x, arrays, name)
    return Table(columns, Places.of(f"{name}: sequence", range(1, 1 + len(x))))


def _arrays(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {key: np.asarray(file[key]) for key in file.files}
    except Exception as error:  # what damaged files raise in there has many types
        fix = "Save it so: numpy.savez(path, x=numpy.concatenate(sequences), starts=..., y=labels)."
        got = f"{type(error).__name__}: {error}".split("\n")[0][:120].rstrip(".")
        raise DataError(name, "be an .npz file of numbers and texts", got, fix) from error


def _sequences(array: NDArray[Any], arrays: Mapping[str, NDArray[Any]], name: str) -> Ragged:
    try:
        if array.dtype.kind not in "biuf":
            raise DataError(f"{name}: x", "be numbers", array.dtype, "Turn the steps into numbers first.")
        if "starts" in arrays:
            return Ragged(array, arrays["starts"])
        if array.ndim not in (2, 3) or 0 in array.shape:
            fix = "Give it an axis of steps, or starts for sequences of different length."
            raise DataError(f"{name}: x", "have shape [E, T] or [E, T, I]", list(array.shape), fix)
        lengths = arrays.get("lengths", np.full(len(array), array.shape[1]))
        wrong = lengths.shape != (len(array),) or lengths.dtype.kind not in "iu"
        if wrong or lengths.min() < 0 or lengths.max() > array.shape[1]:
            rule = f"have a whole number from 0 to {array.shape[1]} for each of {len(array)} sequences"
            raise DataError(f"{name}: lengths", rule, f"shape {list(lengths.shape)}", "Count the real steps.")
        real = np.arange(array.shape[1]) < lengths[:, None]
        return Ragged(array[real], np.concatenate([[0], np.cumsum(lengths)]))
    except DataError:
        raise
    except UnrolledError as error:
        raise DataError(f"{name}: {error.subject}", error.rule, error.got, error.fix) from error


def _labels(
    array: NDArray[Any], x: Ragged, arrays: Mapping[str, NDArray[Any]], name: str
) -> list[Any]:  # fmt: skip
    if array.shape == (len(x),):
        return array.tolist()
    if "starts" in arrays and array.shape == (len(x.values),):
        return [array[a:b].tolist() for a, b in zip(x.starts[:-1], x.starts[1:], strict=True)]
    if "starts" not in arrays and array.shape == arrays["x"].shape[:2]:
        return [row[:n].tolist() for row, n in zip(array, x.lengths, strict=True)]
    rule = f"have a label for each of {len(x)} sequences, or for each of their steps"
    raise DataError(f"{name}: y", rule, f"shape {list(array.shape)}", "Give one a sequence: [E].")
