"""A checkpoint: tensors and facts in one safetensors file, under one digest with what belongs to it.

Any reader of safetensors reads the file. Its metadata has a ``manifest``, JSON of the facts and of the
SHA-256 of every covered file (the configuration, the vocabulary), and a ``digest``, the SHA-256 of every byte
of the file but its own 64. So one digest answers for weights, configuration and vocabulary together: whatever
bit of them changes, reading is refused and names the file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled import storage
from unrolled.errors import DtypeError, OptionError, RunError, note

SCHEMA = 1
"""Version of the manifest; raised when a reader of an older one would misunderstand it."""

NEWEST, PREVIOUS = "checkpoint.safetensors", "previous.safetensors"
"""The two files of a folder of checkpoints."""

_OPENING = b'{"__metadata__":{"digest":"'
_DIGEST_AT = 8 + len(_OPENING)  # the 8 bytes of the header's length stand before it
_DIGEST_SIZE = 2 * hashlib.sha256().digest_size

_DTYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.float32: "F32",
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float64: "F64",
}
_NAMES = {name: dtype for dtype, name in _DTYPES.items()}


class Checkpoint(NamedTuple):
    """What a checkpoint holds, every tensor in memory of its own and every number to the bit."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def write(
    path: Path,
    tensors: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    covers: Mapping[str, Path | str],
    previous: Path | None = None,
) -> None:
    """Writes a checkpoint in the place of ``path``, whole or not at all.

    Tensors that share memory are written each for itself. Facts are what JSON has, with whole numbers of any
    size; a tuple comes back as a list. ``covers`` has the files that belong to it, by name: a path, which is
    read now, or the `digest` that it had. Give digests of the training's start, so that a file edited
    meanwhile is noticed by `read`. The checkpoint that is replaced is kept as ``previous``, if that is given.

    Raises:
        OptionError: facts that JSON would change, or a tensor named as the format's own entry.
        DtypeError: a tensor of a kind that safetensors has not.
        RunError: a covered file cannot be read.
        StorageError: the disk is full, or will not take it; what stood there is unharmed.
    """
    sealed = {name: file if isinstance(file, str) else digest(file) for name, file in covers.items()}
    manifest = json.dumps({"schema": SCHEMA, "covers": sealed, "facts": _plain(facts, "facts")})
    header, order = _header(tensors, manifest)
    hasher = hashlib.sha256()
    with storage.replacing(path, previous) as file:
        file.write(header)
        hasher.update(header[:_DIGEST_AT])
        hasher.update(header[_DIGEST_AT + _DIGEST_SIZE :])
        for name in order:
            contents = _bytes(tensors[name])
            file.write(contents)
            hasher.update(contents)
        file.seek(_DIGEST_AT)
        file.write(hasher.hexdigest().encode())


def write_newest(
    folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], covers: Mapping[str, Path | str]
) -> None:
    """Writes a folder's newest checkpoint and keeps the one before, for `read_newest`; raises as `write`."""
    write(folder / NEWEST, tensors, facts, covers, previous=folder / PREVIOUS)


def read(path: Path, covers: Mapping[str, Path]) -> Checkpoint:
    """Reads a checkpoint once every byte of it, and of the files it covers, has been found as it was written.

    ``covers`` has the same names as it was written with, and where those files are now.

    Raises:
        RunError: a file is missing, damaged or another one; it is named.
    """
    found, sealed = _load(path)
    _compare(path, sealed, covers)
    return found


def read_newest(folder: Path, covers: Mapping[str, Path]) -> Checkpoint:
    """Reads the newest good checkpoint of a folder, and notes it when that is not the newest.

    Raises:
        RunError: there is no good one, or a file that it covers is missing, damaged or another one.
    """
    problems: list[str] = []
    for path in (folder / NEWEST, folder / PREVIOUS):
        try:
            found, sealed = _load(path)
        except RunError as error:
            problems.append(f"{path.name}: {error.args[2]}")
            continue
        _compare(path, sealed, covers)
        if problems:
            note(f"{folder}: {problems[0]}; {path.name} is used, the checkpoint before it")
        return found
    fix = "Nothing there can be resumed: train anew, or put back a copy of the folder."
    raise RunError(f"checkpoint: {folder}", "have a good checkpoint", "; ".join(problems), fix)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        RunError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


# ---------------------------------------------------------------------------------------------- writing


def _header(tensors: Mapping[str, Tensor], manifest: str) -> tuple[bytes, list[str]]:
    """The file's beginning, with zeros for the digest, and the order in which the tensors follow it.

    Wide elements come first, and spaces fill the header to a multiple of 8, so that all are aligned.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in _DTYPES or tensor.layout is not torch.strided:
            fix = "Convert it before it is saved."
            got = f"{tensor.dtype}, {tensor.layout}"
            raise DtypeError(f"checkpoint: tensor {name}", "be dense, of real or whole numbers", got, fix)
    if "__metadata__" in tensors:
        rule = "not be named as the format's own entry"
        raise OptionError("checkpoint: a tensor", rule, "__metadata__", "Give it another name.")
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    ends = itertools.accumulate((tensors[name].nbytes for name in order), initial=0)
    spans = dict(zip(order, itertools.pairwise(ends), strict=True))
    entries = {
        "__metadata__": {"digest": "0" * _DIGEST_SIZE, "format": "pt", "manifest": manifest},
        **{
            name: {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": spans[name]}
            for name, tensor in tensors.items()
        },
    }
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    assert header.startswith(_OPENING)
    return len(header).to_bytes(8, "little") + header, order


def _bytes(tensor: Tensor) -> memoryview:
    """What a tensor's elements are in memory, in the order of its axes; a copy only where it must be."""
    whole = tensor.detach().cpu().contiguous()
    flat = whole.as_strided((whole.numel(),), (1,))  # a single element may be contiguous in a wider stride
    return flat.view(torch.uint8).numpy().data


def _plain(value: Any, where: str) -> Any:
    """The value itself, if JSON gives it back as it was, but for tuples."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_plain(entry, f"{where}[{k}]") for k, entry in enumerate(value)]
        case Mapping() if all(isinstance(key, str) for key in value):
            return {key: _plain(entry, f"{where}.{key}") for key, entry in value.items()}
        case _:
            rule = "be numbers, text, None, or lists and dicts by text of them"
            fix = "Convert it with int, float or str; arrays belong among the tensors."
            raise OptionError(f"checkpoint: {where}", rule, repr(value), fix)


# ---------------------------------------------------------------------------------------------- reading


def _load(path: Path) -> tuple[Checkpoint, dict[str, str]]:
    """A checkpoint whose own digest holds, and the digests of what it covers.

    Nothing is believed of the file before its digest, which is at a fixed place, has been compared.
    """
    try:
        raw = np.fromfile(path, np.uint8)
    except OSError as error:
        raise _unreadable(path, error) from error
    behind = _DIGEST_AT + _DIGEST_SIZE
    written = raw[_DIGEST_AT:behind].tobytes()
    hasher = hashlib.sha256(raw[:_DIGEST_AT].data)
    hasher.update(raw[behind:].data)
    if raw[8:_DIGEST_AT].tobytes() != _OPENING or written != hasher.hexdigest().encode():
        fix = "Put back a copy of it."
        got = f"{raw.size} bytes that are damaged, cut short or written by something else"
        raise RunError(f"checkpoint: {path}", "be as unrolled wrote it, to the bit", got, fix)
    start = 8 + int.from_bytes(raw[:8].tobytes(), "little")
    header = json.loads(raw[8:start].tobytes())
    manifest = json.loads(header.pop("__metadata__")["manifest"])
    if manifest["schema"] > SCHEMA:
        fix = "Install a later version: pip install --upgrade unrolled"
        raise RunError(f"checkpoint: {path}", f"have schema {SCHEMA} or less", manifest["schema"], fix)
    tensors = {name: _tensor(raw[start:], **entry) for name, entry in header.items()}
    return Checkpoint(tensors, manifest["facts"]), manifest["covers"]


def _tensor(data: np.ndarray[Any, Any], dtype: str, shape: list[int], data_offsets: list[int]) -> Tensor:
    """A tensor in memory of its own."""
    begin, end = data_offsets
    return torch.from_numpy(data[begin:end]).view(_NAMES[dtype]).reshape(shape).clone()


def _compare(path: Path, sealed: Mapping[str, str], covers: Mapping[str, Path]) -> None:
    """Refuses a covered file that is not the one which the checkpoint was written with."""
    if sealed.keys() != covers.keys():
        got = ", ".join(sealed) or "nothing"
        fix = "It was written for another purpose, or by another version of unrolled."
        raise RunError(f"checkpoint: {path}", f"cover {', '.join(covers) or 'nothing'}", got, fix)
    for name, file in covers.items():
        if digest(file) != sealed[name]:
            rule = f"be the {name} that {path.name} was written with, to the bit"
            fix = "Put the original back; the weights mean nothing beside another one."
            raise RunError(f"checkpoint: {file}", rule, "another one, or a damaged one", fix)


def _unreadable(path: Path, error: OSError) -> RunError:
    got = "none" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
    fix = "Put back a copy of it, or see to who may read it."
    return RunError(f"checkpoint: {path}", "be a file that can be read", got, fix)
