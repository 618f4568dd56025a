"""Text from a model, token by token, each at the same cost however long the text already is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.data.tokenizers import Tokenizer
from unrolled.errors import OptionError
from unrolled.wirings import Choice, TokenModel

Array = NDArray[Any]

ENTRIES = 1 << 20
"""Log probabilities that are computed at a time."""


class Speaker:
    """A model that reads tokens one by one, and after each has the logits of the next.

    Example:
        >>> from unrolled.wirings import Sizes
        >>> speaker = Speaker(TokenModel(Sizes(vocabulary=5, hidden=8, embedding=8)))
        >>> speaker.read(3).shape
        (5,)
    """

    def __init__(self, model: TokenModel) -> None:
        self._streams = model.stream()
        self._W_hy = model.head.weight.detach().numpy()
        self._b_y = model.head.bias.detach().numpy()
        self.logits = self._b_y.copy()

    def read(self, token: int) -> Array:
        """The logits of what follows ``token`` and all before it.

        Shapes:
            gives ``[V]``.
        """
        h = token
        for stream in self._streams:
            h = stream.step(h)
        np.dot(self._W_hy, h, out=self.logits)
        self.logits += self._b_y
        return self.logits

    def read_all(self, tokens: Iterable[int]) -> Array:
        """The same after several; after none, what it was."""
        for token in tokens:
            self.read(int(token))
        return self.logits


def tokens(speaker: Speaker, choice: Choice, seed: int | None, never: int | None = None) -> Iterator[int]:
    """Draws token after token, without end, and reads each; ``never`` is not drawn."""
    random = np.random.default_rng(seed)
    logits = speaker.logits
    while True:
        if never is not None:
            logits[never] = -np.inf
        token = choice.draw(logits, random)
        yield token
        speaker.read(token)


def log_probabilities(model: TokenModel, ids: Array) -> Iterator[Tensor]:
    """The log p of every token that may follow each of the ids, some ids at a time.

    Shapes:
        ids: ``[N]``; gives ``[n, V]``, of the first n ids, the next n and so on.

    Units: nats.
    """
    at_once, state = max(1, ENTRIES // model.sizes.vocabulary), None
    for begin in range(0, len(ids), at_once):
        block = torch.from_numpy(ids[begin : begin + at_once].astype(np.int64))
        with torch.inference_mode():
            logits, state = model(block[:, None], state)
            log_p = torch.log_softmax(logits[:, 0], -1)
        yield log_p


def opening(tokenizer: Tokenizer) -> list[int]:
    """What a text is begun with where no prompt is given: the end of a line."""
    ids = tokenizer.encode("\n").tolist()
    return ids if tokenizer.unknown not in ids else []


def sample(model: TokenModel, tokenizer: Tokenizer, characters: int, seed: int) -> str:
    """A text of about so many characters, drawn at temperature 0.8 from the beginning of a line."""
    speaker = Speaker(model)
    speaker.read_all(opening(tokenizer))
    decoder, text = tokenizer.decoder(), ""
    for token in tokens(speaker, Choice(temperature=0.8), seed, never=tokenizer.unknown):
        text += decoder.feed(token)
        if len(text) >= characters:
            return text[:characters]
    return text


def text(
    model: TokenModel,
    tokenizer: Tokenizer,
    prompt: str,
    choice: Choice,
    length: int,
    seed: int | None = None,
    stop: str | Sequence[str] = (),
) -> Iterator[str]:
    """Writes on from a prompt in pieces, up to ``length`` characters or to where a stop string begins.

    Prompt and pieces are one text: a word that follows a word begins with a blank.

    Raises:
        OptionError: a negative length or seed, or an empty stop string.
    """
    if length < 0:
        raise OptionError("generate: length", "be 0 or more", length, "Say how many characters to write.")
    if seed is not None and seed < 0:
        raise OptionError("generate: seed", "be 0 or more", seed, "Leave it out for another text each time.")
    stop = (stop,) if isinstance(stop, str) else stop
    if not all(stop):
        raise OptionError("generate: stop", "be a text", "an empty one", "Leave it out, or name a text.")
    return _held_back(_written(model, tokenizer, prompt, choice, seed), length, stop)


def _written(
    model: TokenModel, tokenizer: Tokenizer, prompt: str, choice: Choice, seed: int | None
) -> Iterator[str]:
    """Text without end."""
    speaker = Speaker(model)
    before = tokenizer.encode(prompt).tolist() or opening(tokenizer)
    speaker.read_all(before)
    decoder = tokenizer.decoder()
    if not prompt[-1:].isspace():
        for token in before[-1:]:
            decoder.feed(token)
    for token in tokens(speaker, choice, seed, never=tokenizer.unknown):
        yield decoder.feed(token)


def _held_back(pieces: Iterator[str], length: int, stop: Sequence[str]) -> Iterator[str]:
    """The pieces up to a length or a stop string; what may yet become a stop string waits."""
    longest = max(map(len, stop), default=1)
    waiting = ""
    for piece in pieces if length else ():
        waiting += piece
        found = [at for at in (waiting.find(text) for text in stop) if at >= 0]
        ready = min(found) if found else max(0, len(waiting) - longest + 1)
        ready = min(ready, length)
        if ready:
            yield waiting[:ready]
            waiting, length = waiting[ready:], length - ready
        if found or not length:
            return
