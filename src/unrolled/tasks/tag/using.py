"""Labels from a trained tagger: of sentences, of sequences, and of frames as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.data import buckets
from unrolled.data.ragged import Ragged
from unrolled.errors import OptionError
from unrolled.tasks.base import Kept, judging
from unrolled.tasks.examples import Examples
from unrolled.tasks.tag import network
from unrolled.tasks.tag.frames import Frames, features
from unrolled.tasks.tag.words import Forms, Words
from unrolled.wirings import Spelled

AT_ONCE = 1 << 15
"""Steps that are read at a time: of all sequences of a batch together."""


def batch(values: NDArray[Any]) -> Tensor:
    """As the network reads it: numbers of words as int64, measurements as float32.

    Shapes:
        values: ``[T, B]`` or ``[T, B, I]``; gives the same.
    """
    kind = np.int64 if values.dtype.kind in "iu" else np.float32
    return torch.from_numpy(np.ascontiguousarray(values, kind))


def probabilities(kept: Kept, x: Sequence[Sequence[str]] | Ragged) -> list[NDArray[np.float32]]:
    """How likely each label is at every step of each sequence, ``[T, K]``.

    Read in one direction, a sequence takes no more memory than its own numbers, however long it is.
    """
    if isinstance(x, Ragged):
        assert isinstance(kept.reader, Frames)
        return shares(kept, features(x, kept.reader.own), None)
    assert isinstance(kept.reader, Words)
    forms = Forms(kept.reader)
    return shares(kept, forms.take(x), forms.columns())


def shares(kept: Kept, x: Ragged, forms: Examples | None) -> list[NDArray[np.float32]]:
    """As `probabilities`, of what is ready to be read: measurements, or numbers of ``forms``."""
    answers: list[Any] = [None] * len(x)
    side_by_side = max(1, AT_ONCE // max(1, int(x.lengths.max(initial=1))))
    with judging(kept.model):
        for rows in buckets.longest_first(x.lengths, side_by_side):
            padded, lengths = x.padded(rows)
            of_batch = _read(kept, padded, lengths, forms)
            for k, row in enumerate(rows.tolist()):
                answers[row] = of_batch[: lengths[k], k]
    return answers


def one(kept: Kept, x: Sequence[Sequence[str]] | Ragged) -> Tensor | Spelled:
    """What the network reads of a single sentence or sequence."""
    if isinstance(x, Ragged):
        return batch(features(x, kept.reader.own).padded()[0])
    known = Forms(kept.reader)
    numbers = known.take(x)
    return network.read(batch(numbers.padded()[0]), known.columns())


def stream(kept: Kept, frames: Iterable[Sequence[float]]) -> Iterator[NDArray[np.float32]]:
    """How likely each label is, ``[K]``, frame by frame as they come, in constant memory.

    Raises:
        OptionError: the network reads words, or needs frames that come later.
    """
    if isinstance(kept.reader, Words) or kept.reader.own:
        got = "words" if isinstance(kept.reader, Words) else "normalise = sequence"
        fix = "Use predict."
        raise OptionError("stream: the model", "read frames as they come", got, fix)
    read = kept.model.stream()
    for frame in frames:
        logits = read.step(torch.tensor([frame], dtype=torch.float32))
        yield torch.softmax(logits[0], -1).numpy()


def _read(
    kept: Kept, padded: NDArray[Any], lengths: NDArray[np.int64], forms: Examples | None
) -> NDArray[np.float32]:
    """Shapes: gives ``[T, B, K]``."""
    ends = torch.from_numpy(lengths)
    if kept.reader.bidirectional or not len(padded):
        logits = kept.model(network.read(batch(padded), forms), lengths=ends)
        return torch.softmax(logits, -1).numpy()
    parts, state, at_once = list[NDArray[np.float32]](), None, max(1, AT_ONCE // padded.shape[1])
    for begin in range(0, len(padded), at_once):
        window = network.read(batch(padded[begin : begin + at_once]), forms)
        left = (ends - begin).clamp(0, at_once)
        logits, state = kept.model.go_on(window, state, lengths=left)
        parts.append(torch.softmax(logits, -1).numpy())
    return np.concatenate(parts)
