"""The network of a tagger, and what it reads of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import torch
from torch import Tensor

from unrolled.config.tag import TagConfig
from unrolled.data.ragged import Ragged
from unrolled.errors import RunError
from unrolled.tasks.examples import Examples
from unrolled.tasks.tag.frames import Frames
from unrolled.tasks.tag.words import UNKNOWN, Words
from unrolled.wirings import Dropouts, Features, ManyToMany, Recurrence, Spelled, Tokens, WordsAndCharacters

Reader: TypeAlias = "Words | Frames"


def load(path: Path) -> Reader:
    """What turns data into numbers, from the file that its ``save`` wrote.

    Raises:
        RunError: the file is missing or damaged.
    """
    fix = "Take it from the run it belongs to, or train anew."
    try:
        return msgspec.json.decode(path.read_bytes(), type=Words | Frames)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RunError(str(path), "be a readable reader of a tagger", error, fix) from error


def network(config: TagConfig, reader: Reader) -> ManyToMany:
    """The network that a config asks for, over what a reader gives."""
    if isinstance(reader, Frames):
        inputs = Features(len(reader.mean), reader.mean, reader.scale, reader.missing)
    else:
        inputs = Tokens(len(reader.vocabulary) + 1, config.embedding, UNKNOWN, config.word_dropout)
        if reader.characters:
            letters = Tokens(len(reader.characters) + 1, config.character_embedding)
            spelling = Recurrence(config.cell, 1, config.character_hidden, True, config.order)
            inputs = WordsAndCharacters(inputs, letters, spelling)
    recurrence = Recurrence(config.cell, config.layers, config.hidden, reader.bidirectional, config.order)
    dropouts = Dropouts(
        config.dropout_input, config.dropout_layers, config.dropout_steps, config.dropout_output
    )
    return ManyToMany(inputs, recurrence, len(reader.labels), dropouts)


def read(x: Tensor, forms: Examples | None) -> Tensor | Spelled:
    """What the network reads of the column x of a batch: measurements as they are, of words their numbers.

    Shapes:
        x: float ``[T, B, I]``, or numbers ``[T, B]`` of the ``forms`` that words have.
    """
    if forms is None:
        return x
    numbers = forms["word"]
    assert isinstance(numbers, np.ndarray)
    words = torch.from_numpy(numbers.astype(np.int64))[x]
    characters = forms.get("characters")
    if characters is None:
        return words
    assert isinstance(characters, Ragged)
    different, which = torch.unique(x, return_inverse=True)
    letters, lengths = characters.padded(different.numpy())
    return Spelled(words, torch.from_numpy(letters.astype(np.int64)), torch.from_numpy(lengths), which)
