"""The network of a translator, and how it writes: greedily while it trains, by a beam for its result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from unrolled.config.translate import TranslateConfig
from unrolled.data import buckets
from unrolled.data.ragged import Ragged
from unrolled.tasks.base import AbandonedError, judging, never
from unrolled.tasks.translate.texts import Pair
from unrolled.wirings import Dropouts, EncoderDecoder, Ends, Recurrence, Tokens, Written, beam, greedy

SIDE_BY_SIDE = 4096
"""Sequences that are written at the same time, at most: their logits are what takes memory."""

ENTRIES = 1 << 24
"""Logits that are held at the same time, at most."""


def build(config: TranslateConfig, reader: Pair) -> EncoderDecoder:
    """The network that the config says, for the tokens of the reader."""
    size = config.embedding or config.hidden
    return EncoderDecoder(
        Tokens(reader.source.size, size),
        Tokens(reader.target.size, size),
        Recurrence(config.cell, config.layers, config.hidden, config.bidirectional, config.order),
        config.attention,
        Dropouts(config.dropout_input, config.dropout_layers, config.dropout_steps, config.dropout_output),
        config.tied,
    )


@contextmanager
def remembering(model: EncoderDecoder, memory: bool) -> Generator[None]:
    """With its memory, or reset before every step of encoder and decoder."""
    before = model.memoryless, model.decoder.memoryless
    model.memoryless = model.decoder.memoryless = not memory
    try:
        yield
    finally:
        model.memoryless, model.decoder.memoryless = before


def nats(
    model: EncoderDecoder,
    source: tuple[Tensor, Tensor],
    target: Tensor,
    begin: int,
    smoothing: float = 0.0,
    teacher: float = 1.0,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, int]:
    """The mean loss of the real tokens of targets, and how many they are.

    The head, most of the work where the vocabulary is large, sees no step past a target's end.

    Shapes:
        source: ids ``[S, B]`` and lengths ``[B]``; target: int64 ``[T, B]``, each with its end, the token
        ``begin + 1``.

    Units: nats a token.
    """
    lengths = (target == begin + 1).int().argmax(0) + 1
    real = torch.arange(len(target))[:, None] < lengths
    told = torch.cat([torch.full_like(target[:1], begin), target[:-1]])
    h = model.before_head(
        source[0], told, lengths=source[1], target_lengths=lengths, teacher=teacher, generator=generator
    )
    logits = model.head(h[real])
    return cross_entropy(logits, target[real], label_smoothing=smoothing), len(logits)


@dataclass(frozen=True)
class Search:
    """How translations are looked for.

    Attributes:
        width: of the beam; 1 is greedy.
        penalty: alpha of its length penalty.
    """

    width: int = 1
    penalty: float = 0.6


def write(
    model: EncoderDecoder,
    reader: Pair,
    sources: Ragged,
    search: Search,
    to_stop: Callable[[], bool] = never,
) -> list[Written]:
    """Translates ids, of which as many as memory allows go side by side.

    Shapes:
        sources: E sequences of source ids with their ends; gives E translations.

    Raises:
        AbandonedError: it was to stop.
    """
    target = reader.target
    ends = Ends(target.end, 2 * reader.longest, target.never)
    size = max(1, min(SIDE_BY_SIDE, ENTRIES // target.size) // search.width)
    found: dict[int, Written] = {}
    with judging(model):
        for rows in buckets.longest_first(sources.lengths, size):
            ids, lengths = sources.padded(rows)
            state = model.start(torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(lengths))
            begin = torch.full((len(rows),), target.begin)
            if search.width == 1:
                written = greedy(model, state, begin, ends)
            else:
                every = beam(model, state, begin, ends, search.width, search.penalty)
                written = [best[0] for best in every]
            found.update(zip(rows.tolist(), written, strict=True))
            if to_stop():
                raise AbandonedError
    return [found[row] for row in range(len(sources))]


def texts(reader: Pair, written: Sequence[Written]) -> list[str]:
    """What was written, as text."""
    return [reader.target.text(one.ids) for one in written]


@dataclass(frozen=True)
class Alignment:
    """Where a decoder looked in a source as it wrote a target, their ends included.

    Shapes:
        weights: float32 ``[T, S]``, for T tokens of the target and S of the source; rows sum to 1.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: NDArray[np.float32]


def alignment(model: EncoderDecoder, reader: Pair, source: Ragged, target: Sequence[int]) -> Alignment:
    """The attention of one pair.

    Shapes:
        source: one sequence of ids with its end; target: ``[T]`` with its end.

    Raises:
        OptionError: the network has no attention.
    """
    ids = torch.from_numpy(source.padded()[0].astype(np.int64))
    told = torch.tensor([reader.target.begin, *target[:-1]])[:, None]
    with judging(model):
        weights = model.weights(ids, told)[:, :, 0].numpy()
    return Alignment(tuple(reader.source.names(source[0])), tuple(reader.target.names(target)), weights)
