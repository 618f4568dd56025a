"""The network of a classifier: how it is made, learns from long sequences, and answers in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.config import ClassifyConfig
from unrolled.data import buckets
from unrolled.data.ragged import Ragged
from unrolled.tasks.base import judging, seeded
from unrolled.tasks.classify.reader import Reader, SensorReader, TextReader
from unrolled.wirings import Dropouts, Features, ManyToOne, Recurrence, Tokens

SMALL = 0.1
"""Standard deviation of the tokens' first vectors: of a word that is rarely met, chance says little then."""

WINDOW = 1024
"""Steps that are read at a time where no gradient is wanted."""

AT_ONCE = 1 << 17
"""Steps of all sequences of a batch, with padding, that are read side by side at most."""


def build(config: ClassifyConfig, reader: Reader) -> ManyToOne:
    """A new network, its first weights drawn from the config's seed alone."""
    return seeded(config, lambda: _network(config, reader))


def _network(config: ClassifyConfig, reader: Reader) -> ManyToOne:
    if isinstance(reader, TextReader):
        known = reader.tokenizer
        inputs = Tokens(known.size, config.embedding, known.unknown, config.word_dropout)
        torch.nn.init.normal_(inputs.embedding.weight, std=SMALL)
    else:
        assert isinstance(reader, SensorReader)
        inputs = Features(len(reader.mean), reader.mean, reader.scale, reader.missing)
    layers = Recurrence(config.cell, config.layers, config.hidden, config.bidirectional, config.order)
    dropouts = Dropouts(
        config.dropout_input, config.dropout_layers, config.dropout_steps, config.dropout_output
    )
    return ManyToOne(inputs, layers, len(reader.labels), config.read, dropouts)


def logits(
    model: ManyToOne,
    x: Tensor,
    lengths: Tensor,
    reset: Tensor | None = None,
    length: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The logits of a batch, with gradients through the last ``length`` steps of each sequence; 0: all.

    What stands before is read for its state alone, in windows. Where the network is reset before every step
    and reads out the last state, that of one step, the mean of all steps is read out instead: so the network
    without memory sees all that the other sees.

    Shapes:
        x: ``[T, B, I]`` or ids ``[T, B]``; lengths ``[B]``; reset bool ``[T, B]``; gives ``[B, K]``.
    """
    if reset is not None and model.read == "last":
        model = copy(model)
        model.read = "mean"
    if not length or len(x) <= length:
        return model(x, lengths=lengths, reset=reset, generator=generator)
    before = (lengths - length).clamp(min=0)
    with torch.no_grad():
        _, state = in_windows(model, x, before, reset, generator)
    rows = (before + torch.arange(length)[:, None]).clamp(max=len(x) - 1)
    ends = x.gather(0, rows if x.dim() == 2 else rows[..., None].expand(-1, -1, x.size(2)))
    again = None if reset is None else reset[:length]
    return model.go_on(ends, state, lengths=lengths - before, reset=again, generator=generator)[0]


def in_windows(
    model: ManyToOne,
    x: Tensor,
    lengths: Tensor,
    reset: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
    """The logits and the state at the end of each sequence, read `WINDOW` steps at a time.

    Shapes:
        as `logits`; the state is that of `ManyToOne.go_on`.

    Raises:
        OptionError: the network needs all steps at once.
    """
    made, state = None, None
    for begin in range(0, max(1, int(lengths.max())), WINDOW):
        part = x[begin : begin + WINDOW]
        again = None if reset is None else reset[begin : begin + WINDOW]
        left = (lengths - begin).clamp(0, len(part))
        made, state = model.go_on(part, state, lengths=left, reset=again, generator=generator)
    assert made is not None
    assert state is not None
    return made, state


def is_one_way(model: ManyToOne) -> bool:
    """Whether the network can be read part by part."""
    return not (model.layers.recurrence.bidirectional or model.attention)


def answers(model: ManyToOne, x: Tensor, lengths: Tensor, reset: Tensor | None = None) -> Tensor:
    """The logits of a batch where no gradient is wanted, in windows where that can be.

    Shapes:
        as `logits`.
    """
    if len(x) > WINDOW and is_one_way(model) and reset is None:
        return in_windows(model, x, lengths)[0]
    return logits(model, x, lengths, reset)


def probabilities(model: ManyToOne, x: Ragged) -> NDArray[np.float64]:
    """The probability of each class for each sequence, in memory that does not grow with their lengths.

    Networks that read in both directions or by attention need all steps of a sequence at once.

    Shapes:
        x: ``[N, I]`` or ids ``[N]`` of E sequences; gives ``[E, K]``.
    """
    made = np.zeros((len(x), model.head.out_features))
    with judging(model):
        for rows in _batches(x.lengths):
            found = _streamed(model, x, rows) if is_one_way(model) else _whole(model, x, rows)
            made[rows] = found.double().softmax(-1).numpy()
    return made


def _batches(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The longest first, as many side by side as `AT_ONCE` allows."""
    order = buckets.longest_first(lengths, max(1, len(lengths)))
    rest = order[0] if order else np.zeros(0, np.int64)
    while len(rest):
        count = max(1, min(len(rest), AT_ONCE // max(1, int(lengths[rest[0]]))))
        yield rest[:count]
        rest = rest[count:]


def _whole(model: ManyToOne, x: Ragged, rows: NDArray[np.int64]) -> Tensor:
    batch, lengths = x.padded(rows)
    return model(tensor(batch), lengths=torch.from_numpy(lengths))


def _streamed(model: ManyToOne, x: Ragged, rows: NDArray[np.int64]) -> Tensor:
    """The logits of sequences of which a window at a time is made a batch."""
    made, state, lengths = None, None, x.lengths[rows]
    for begin in range(0, int(lengths.max()), WINDOW):
        left = np.clip(lengths - begin, 0, WINDOW)
        starts = np.append(0, np.cumsum(left))
        places = np.arange(starts[-1]) + np.repeat(x.starts[rows] + begin - starts[:-1], left)
        part, _ = Ragged(x.values[places], starts).padded()
        made, state = model.go_on(tensor(part), state, lengths=torch.from_numpy(left))
    assert made is not None
    return made


def tensor(batch: NDArray[Any]) -> Tensor:
    """A batch as torch reads it: ids as int64, measurements in float32."""
    kind = np.int64 if batch.dtype.kind in "iu" else np.float32
    return torch.from_numpy(batch.astype(kind))
