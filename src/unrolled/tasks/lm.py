"""Language modelling: a model from its config, judged on text it has not seen, with and without memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax

from unrolled.config import LanguageModelConfig
from unrolled.losses import cross_entropy, cross_entropy_t
from unrolled.tasks.base import AbandonedError, judging, never, parameters, seeded
from unrolled.wirings import Dropouts, Sizes, TokenModel

AT_ONCE = 2048
"""Rows of logits computed at a time where no gradient is wanted."""

WATCHED = 128
"""Steps of the window on which gradients are looked at."""

BLOCK = 1 << 20
"""Tokens of a text whose pairs are counted together."""


def unit_of(config: LanguageModelConfig) -> str:
    """What a token is, in a word."""
    return {"char": "character", "byte": "byte", "word": "word", "bpe": "piece"}[config.tokens]


def model(config: LanguageModelConfig, vocabulary: int) -> TokenModel:
    """A new model of the config, its initial weights drawn from the config's seed alone.

    Raises:
        OptionError: tied weights of unequal size.
    """
    sizes = Sizes(
        vocabulary, config.cell, config.layers, config.hidden,
        config.embedding or config.hidden, config.tied, config.order,
    )  # fmt: skip
    dropouts = Dropouts(
        config.dropout_input, config.dropout_layers, config.dropout_steps, config.dropout_output
    )
    return seeded(config, lambda: TokenModel(sizes, dropouts))


def memoryless_loss(model: TokenModel, ids: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
    """The loss of a network that is reset before every step, so that it sees one token and nothing before it.

    What it says depends on that token alone. So each different token of the window is run once, from the zero
    state, and the loss and its gradients are those of all steps run with ``reset`` (under dropout, equal
    tokens share a mask).

    Shapes:
        ids, targets: int64 ``[T, B]``; gives a scalar.

    Units: nats a token.
    """
    distinct, which = torch.unique(ids, return_inverse=True)
    logits, _ = model(distinct[None], generator=generator)
    return -log_softmax(logits[0], -1)[which.flatten(), targets.flatten()].mean()


def judge(
    model: TokenModel,
    ids: NDArray[np.unsignedinteger],
    streams: int = 1,
    to_stop: Callable[[], bool] = never,
) -> float:
    """Mean loss of every token but the first, given all that stands before it.

    With more ``streams`` the text is cut into as many pieces read side by side, each from the zero state: a
    little worse and quicker. ``to_stop`` is asked every few thousand tokens.

    Shapes:
        ids: ``[N]``, N > 1.

    Units: nats a token.

    Raises:
        AbandonedError: it was to stop.
    """
    steps = (len(ids) - 1) // streams
    at_once = max(1, AT_ONCE // streams)
    total, state = 0.0, None
    with judging(model):
        for from_ in range(0, steps, at_once):
            count = min(at_once, steps - from_)
            window = _side_by_side(ids, streams, steps, from_, count + 1)
            logits, state = model(window[:-1], state)
            total += float(cross_entropy(logits, window[1:])) * count
            if to_stop():
                raise AbandonedError
    return total / steps


def _side_by_side(
    ids: NDArray[np.unsignedinteger], streams: int, steps: int, from_: int, count: int
) -> Tensor:
    """Shapes: gives int64 ``[count, streams]``, stream s beginning at s * steps + from_."""
    columns = [ids[s * steps + from_ : s * steps + from_ + count] for s in range(streams)]
    return torch.from_numpy(np.stack(columns, 1).astype(np.int64))


def judge_memoryless(
    model: TokenModel, ids: NDArray[np.unsignedinteger], to_stop: Callable[[], bool] = never
) -> float:
    """What `judge` gives where the network is reset before every step.

    Shapes:
        ids: ``[N]``, N > 1.

    Units: nats a token.

    Raises:
        AbandonedError: it was to stop.
    """
    V, total = model.sizes.vocabulary, 0.0
    with judging(model):
        for from_ in range(0, len(ids) - 1, BLOCK):
            block = ids[from_ : from_ + BLOCK + 1].astype(np.int64)
            pairs, counts = np.unique(block[:-1] * V + block[1:], return_counts=True)
            tokens, which = np.unique(pairs // V, return_inverse=True)
            for k in range(0, len(tokens), AT_ONCE):
                logits, _ = model(torch.from_numpy(tokens[None, k : k + AT_ONCE]))
                begin, end = np.searchsorted(which, (k, k + AT_ONCE))
                rows, next_ = torch.from_numpy(which[begin:end] - k), torch.from_numpy(pairs[begin:end] % V)
                chosen = log_softmax(logits[0], -1)[rows, next_].double().numpy()
                total -= float((chosen * counts[begin:end]).sum())
                if to_stop():
                    raise AbandonedError
    return total / (len(ids) - 1)


def memory(config: LanguageModelConfig, model: TokenModel, steps: int) -> int:
    """About what one update takes: weights, gradients and optimiser; tapes; logits and their gradients.

    Units: bytes.
    """
    gates = {"rnn": 1, "hornn": 1, "lstm": 6, "gru": 5}[config.cell]  # beside x: gates, saved, c, h
    rows, size = steps * config.batch, 4
    tape = config.layers * rows * config.hidden * (gates + 3)
    logits = 3 * rows * model.sizes.vocabulary
    weights = parameters(model) * (4 if config.optimiser != "sgd" else 2) * (2 if config.memoryless else 1)
    return size * (tape + logits + weights)


def evaluation_interval(config: LanguageModelConfig, updates: int, per_epoch: int, held_out: int) -> int:
    """After how many updates the held-out slice of so many tokens is judged.

    Some twenty times a run and at least once an epoch, but no oftener than a tenth of the time allows: to
    judge a token takes a third of what it takes to learn it.
    """
    affordable = ceil(3 * held_out / (config.batch * max(1, config.length)))
    return config.evaluate_every or max(1, min(per_epoch, max(ceil(updates / 20), affordable)))


def watched(ids: NDArray[np.unsignedinteger], length: int) -> Tensor:
    """The window of a held-out text on which gradients are looked at while a model trains, always the same.

    Shapes:
        ids: ``[N]``, N > 1; gives int64 ``[T+1, B]``, B at most 2, T at most 128 and at most ``length``.
    """
    B = min(2, len(ids) - 1)
    steps = (len(ids) - 1) // B
    return _side_by_side(ids, B, steps, 0, min(steps, length or WATCHED, WATCHED) + 1)


def streams_to_judge(config: LanguageModelConfig, tokens: int) -> int:
    """How many streams the held-out slice is read in: many are quick, long ones lose little."""
    return max(1, min(config.batch, tokens // 1000))


def streams_to_conclude(tokens: int) -> int:
    """How many streams the judged text is read in: one, or one a million tokens of a very long one."""
    return max(1, min(256, tokens // 1_000_000))


def judge_by_position(
    model: TokenModel, ids: NDArray[np.unsignedinteger], longest: int
) -> list[tuple[int, int, float]]:
    """Mean loss by how many tokens stand before the one predicted, up to ``longest``, in doubling ranges.

    The text is cut into pieces of ``longest`` tokens and one, each read from the zero state.

    Shapes:
        ids: ``[N]``, N > longest. Gives (from, to, loss), ``to`` included.

    Units: tokens, tokens, nats a token.
    """
    pieces = min(len(ids) // (longest + 1), AT_ONCE)
    cut = np.asarray(ids[: pieces * (longest + 1)]).reshape(pieces, longest + 1).T
    losses, state = np.zeros(longest), None
    at_once = max(1, AT_ONCE // pieces)
    with judging(model):
        for from_ in range(0, longest, at_once):
            window = torch.from_numpy(cut[from_ : from_ + at_once + 1].astype(np.int64, order="C"))
            logits, state = model(window[:-1], state)
            losses[from_ : from_ + at_once] = cross_entropy_t(logits, window[1:]).double().mean(1).numpy()
    edges = [0, *(2**k for k in range(longest.bit_length()) if 2**k < longest), longest]
    return [(a + 1, b, float(losses[a:b].mean())) for a, b in pairwise(edges)]
