"""A trace as a file: safetensors with a manifest, or the same two apart in a folder.

``docs/trace-format.md`` is the description that others may write readers and writers by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unrolled import storage
from unrolled.cells import Array
from unrolled.errors import NonFiniteError, OptionError, TraceError

FORMAT, VERSION = "unrolled-trace", 1
ARRAYS, MANIFEST = "arrays.safetensors", "manifest.json"
"""The two files of a folder."""

DTYPES = {"float32": "F32", "float64": "F64", "int64": "I64", "uint8": "U8"}
_NAMES = {letters: np.dtype(name) for name, letters in DTYPES.items()}

REQUIRED = ("model", "weights_sha256", "tokens", "versions", "seed", "keep", "left_out", "loss", "layers")
"""Facts that no trace lacks."""


def write(path: Path, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
    """Writes arrays and facts: one file if the name ends in ``.safetensors``, else a folder.

    Raises:
        OptionError: facts that JSON cannot hold.
        StorageError: the disk is full, or will not take it.
    """
    manifest = _described(arrays, facts)
    about = {"format": FORMAT, "version": str(VERSION), "sha256": _digest(manifest, arrays)}
    if path.suffix == ".safetensors":
        with storage.replacing(path) as file:
            file.writelines(_pieces({**about, "manifest": manifest}, arrays))
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage.refusal(path, error) from error
    storage.write(path / MANIFEST, manifest)
    with storage.replacing(path / ARRAYS) as file:
        file.writelines(_pieces(about, arrays))


def contents(arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> bytes:
    """What `write` puts into one file.

    Raises:
        OptionError: facts that JSON cannot hold.
    """
    manifest = _described(arrays, facts)
    about = {"format": FORMAT, "version": str(VERSION), "sha256": _digest(manifest, arrays)}
    return b"".join(_pieces({**about, "manifest": manifest}, arrays))


def read(path: Path, finite: bool) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and facts of what `write` wrote, every byte compared with the digest.

    Raises:
        TraceError: it is no trace, is damaged or cut short, or of a later version.
        NonFiniteError: an array has NaN or infinity although it is to be ``finite``.
    """
    folder = path.is_dir()
    where = path / ARRAYS if folder else path
    try:
        raw = np.fromfile(where, np.uint8)
        outside = (path / MANIFEST).read_text(encoding="utf-8") if folder else None
    except (OSError, UnicodeError) as error:
        got = "none" if isinstance(error, FileNotFoundError) else str(error).lower()
        raise TraceError(f"trace: {path}", "be a file or folder that can be read", got, _WRITE) from error
    about, spans, data = _opened(path, raw)
    manifest = about.get("manifest") if outside is None else outside
    version = about.get("version", "")
    if about.get("format") != FORMAT or manifest is None or not version.isdigit():
        raise TraceError(f"trace: {path}", "be a trace", "a file of something else", _WRITE)
    if int(version) > VERSION:
        fix = "Read it with a later unrolled: pip install --upgrade unrolled"
        raise TraceError(f"trace: {path}", f"have version {VERSION} or less", version, fix)
    try:
        facts, order = _manifest(manifest)
        arrays = {name: _array(data, **spans[name]) for name in order}
    except (KeyError, TypeError, ValueError) as error:
        raise TraceError(f"trace: {path}", _COMPLETE, f"a wrong entry, {error}", _AGAIN) from error
    if _digest(manifest, arrays) != about.get("sha256"):
        raise TraceError(f"trace: {path}", "have the digest written in it", "another", _AGAIN)
    if finite:
        _finite(path, arrays)
    return arrays, facts


# ---------------------------------------------------------------------------------------------- inside


_WRITE = "Write one with Trace.save."
_AGAIN = "It is damaged: put back a copy of it, or trace again."
_COMPLETE = "be complete and as it was written"


def _described(arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> str:
    """The manifest.

    Raises:
        OptionError: facts that JSON cannot hold.
    """
    try:
        return json.dumps({"version": VERSION, "facts": facts, "arrays": list(arrays)}, allow_nan=False)
    except (TypeError, ValueError) as error:
        fix = "Keep to numbers, text, None, and lists and dicts of them."
        raise OptionError("Trace.save: facts", "be what JSON can hold", str(error), fix) from error


def _pieces(about: dict[str, str], arrays: Mapping[str, Array]) -> Iterator[bytes | memoryview]:
    """A safetensors file: length of the header, header, and the arrays one after the other, widest first."""
    entries: dict[str, Any] = {"__metadata__": about}
    order, at = sorted(arrays, key=lambda name: -arrays[name].itemsize), 0
    for name in order:
        array = arrays[name]
        span = [at, at := at + array.nbytes]
        entries[name] = {"dtype": DTYPES[array.dtype.name], "shape": array.shape, "data_offsets": span}
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    yield len(header).to_bytes(8, "little") + header
    for name in order:
        yield _bytes(arrays[name])


def _opened(path: Path, raw: Array) -> tuple[dict[str, str], dict[str, Any], Array]:
    """The metadata of a safetensors file, the entries of its arrays, and their bytes."""
    end = 8 + int.from_bytes(raw[:8].tobytes(), "little")
    if not 8 < end <= len(raw):
        got = f"{len(raw)} bytes that are cut short, or of something else"
        raise TraceError(f"trace: {path}", _COMPLETE, got, _AGAIN)
    try:
        header = json.loads(raw[8:end].tobytes())
        about = header.pop("__metadata__", {})
        size = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TraceError(f"trace: {path}", _COMPLETE, "a header that cannot be read", _AGAIN) from error
    if end + size != len(raw):
        got = f"{len(raw)} bytes in place of {end + size}"
        raise TraceError(f"trace: {path}", _COMPLETE, got, _AGAIN)
    return about, header, raw[end:]


def _manifest(text: str) -> tuple[dict[str, Any], list[str]]:
    """Facts and the names of the arrays in their order.

    Raises:
        KeyError, TypeError, ValueError: they, or a fact that no trace lacks, are not there.
    """
    manifest = json.loads(text)
    facts, order = manifest["facts"], list(manifest["arrays"])
    missing = [name for name in REQUIRED if name not in facts]
    if missing:
        raise ValueError(f"no fact {missing[0]}")
    return facts, order


def _array(data: Array, dtype: str, shape: list[int], data_offsets: list[int]) -> Array:
    """One array, a view of the file's own memory."""
    begin, end = data_offsets
    return data[begin:end].view(_NAMES[dtype]).reshape(shape)


def _digest(manifest: str, arrays: Mapping[str, Array]) -> str:
    """SHA-256 of the manifest's text and, in its order, of every array's bytes."""
    hasher = hashlib.sha256(manifest.encode())
    for array in arrays.values():
        hasher.update(_bytes(array))
    return hasher.hexdigest()


def _bytes(array: Array) -> memoryview:
    """An array's elements in the order of its axes, little-endian."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


def _finite(path: Path, arrays: Mapping[str, Array]) -> None:
    """Refuses NaN and infinity."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            first = tuple(int(at) for at in np.argwhere(~np.isfinite(array))[0])
            fix = "Look at what the model was given there; Trace.load(path, finite=False) opens it."
            raise NonFiniteError(f"trace: {path}: {name}", "be finite", f"NaN or infinity at {first}", fix)
