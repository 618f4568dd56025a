"""Sequences from a decoder: the likeliest token at a time, drawn ones, or the best that a beam finds.

A decoder is anything that steps: `OneToMany`, `EncoderDecoder`, or yours. Its ``start`` gives the state from
which all three begin, of as many sources as there are first tokens. They run in evaluation if the model does:
call its ``eval()``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from unrolled.errors import OptionError
from unrolled.wirings.choice import Choice

S = TypeVar("S")


class Steps(Protocol[S]):
    """What a decoder must offer; S is where it stands in N sequences."""

    def step(self, ids: Tensor, state: S) -> tuple[Tensor, S]:
        """Reads one token of each sequence: the log probabilities of the next, and where it then stands.

        Shapes:
            ids: int64 ``[N]``; gives ``[N, V]``.
        """
        ...

    def select(self, state: S, rows: Tensor) -> S:
        """The state of some sequences, in another order, a sequence more than once if need be.

        Shapes:
            rows: int64 ``[M]``, positions among N; gives the state of M sequences.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a sequence ends: behind the token ``end``, or after ``longest`` tokens; ``never`` are not said.

    Raises:
        OptionError: it is to have no token.
    """

    end: int
    longest: int
    never: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.longest < 1:
            fix = "Say how many tokens it may have."
            raise OptionError("Ends: longest", "be at least 1", self.longest, fix)


class Written(NamedTuple):
    """A sequence, and what the decoder thinks of it.

    Attributes:
        ids: without the first token and without the end.
        ended: whether the end was said, or it was cut at the greatest length.
        log_p: of all that was said, the end included, in nats.
        score: what a beam ranks by; else ``log_p``.
    """

    ids: list[int]
    ended: bool
    log_p: float
    score: float


@torch.inference_mode()
def greedy(decoder: Steps[S], state: S, begin: Tensor, ends: Ends) -> list[Written]:
    """Says the likeliest token, again and again.

    Shapes:
        begin: int64 ``[B]``, the token that each sequence begins with; gives B sequences.
    """
    return _one_each(decoder, state, begin, ends, lambda log_p: log_p.argmax(1))


@torch.inference_mode()
def sample(
    decoder: Steps[S],
    state: S,
    begin: Tensor,
    ends: Ends,
    choice: Choice | None = None,
    seed: int | None = None,
) -> list[Written]:
    """Draws each token by its probability, or as ``choice`` says.

    Shapes:
        begin: int64 ``[B]``; gives B sequences.
    """
    choice, random = choice or Choice(), np.random.default_rng(seed)

    def pick(log_p: Tensor) -> Tensor:
        rows = log_p.cpu().numpy()
        return torch.tensor([choice.draw(row, random) for row in rows], device=log_p.device)

    return _one_each(decoder, state, begin, ends, pick)


def _one_each(
    decoder: Steps[S], state: S, begin: Tensor, ends: Ends, pick: Callable[[Tensor], Tensor]
) -> list[Written]:
    """One sequence of each source; those that have ended are run no further."""
    said: list[list[int]] = [[] for _ in begin]
    total = [0.0] * len(begin)
    going, ids = [*range(len(begin))], begin
    while going and len(said[going[0]]) < ends.longest:
        log_p, state = decoder.step(ids, state)
        ids = pick(_without(log_p, ends))
        chosen = log_p.gather(1, ids[:, None])[:, 0].tolist()
        for row, token, nats in zip(going, ids.tolist(), chosen, strict=True):
            said[row].append(token)
            total[row] += nats
        kept = (ids != ends.end).nonzero()[:, 0]
        if len(kept) < len(going):
            state, ids = decoder.select(state, kept), ids[kept]
            going = [going[k] for k in kept.tolist()]
    return [_written(ids, ends, nats, nats) for ids, nats in zip(said, total, strict=True)]


def _without(log_p: Tensor, ends: Ends) -> Tensor:
    """The same where what is never said has no probability."""
    return (
        log_p.index_fill(1, torch.tensor(ends.never, device=log_p.device), -torch.inf)
        if ends.never
        else log_p
    )


def _written(ids: list[int], ends: Ends, log_p: float, score: float) -> Written:
    ended = ids[-1:] == [ends.end]
    return Written(ids[:-1] if ended else ids, ended, log_p, score)


@torch.inference_mode()
def beam(
    decoder: Steps[S],
    state: S,
    begin: Tensor,
    ends: Ends,
    width: int = 5,
    alpha: float = 0.6,
    best: int = 1,
) -> list[list[Written]]:
    """Keeps the ``width`` likeliest beginnings of each source at every length, and ranks what has ended.

    A source is done when ``width`` of its sequences have ended while they were among the ``width`` likeliest,
    and none that goes on would now come before its ``best``: where one word is nearly certain at every step,
    what ends too early is soon found, but is not what is looked for. Those still going on at the greatest
    length are ranked with them as they are. So a beam of width 1 is `greedy`, and one as wide as there are
    sequences tries them all.

    Maths:
        score = log p / ((5 + n) / 6)^alpha, n being the tokens said, the end included

    Shapes:
        begin: int64 ``[B]``; gives for each of B sources its ``best`` sequences, the best first.

    Source: Wu et al. 2016, Google's Neural Machine Translation System, equation 14, without coverage.

    Cost: each step, one of the decoder over B*width sequences.

    Raises:
        OptionError: a width below 1, or more of the best than the beam is wide.
    """
    if width < 1:
        raise OptionError("beam: width", "be at least 1", width, "1 is greedy decoding.")
    if not 1 <= best <= width:
        fix = "Widen the beam: it finds as many as it is wide."
        raise OptionError("beam: best", f"be from 1 to the width, {width}", best, fix)
    found: list[list[_Said]] = [[] for _ in begin]
    beams = _Beams(len(begin), width, begin.device)
    rows = torch.arange(len(begin), device=begin.device).repeat_interleave(width)
    state, ids = decoder.select(state, rows), begin[rows]
    for _ in range(ends.longest):
        log_p, state = decoder.step(ids, state)
        rows, ended = beams.advance(_without(log_p, ends), ends.end)
        for one in ended:
            found[one.source].append(one)
        going = beams.likeliest(alpha)
        rows = rows[beams.drop({s for s in going if _is_done(found[s], going[s], width, best, alpha)})]
        if not len(rows):
            break
        state, ids = decoder.select(state, rows), beams.said[:, -1]
    for one in beams.cut():
        found[one.source].append(one)
    written = [
        [_written(one.ids, ends, one.log_p, _score(one.log_p, len(one.ids), alpha)) for one in each]
        for each in found
    ]
    return [sorted(each, key=lambda one: -one.score)[:best] for each in written]


def _score(log_p: float, tokens: int, alpha: float) -> float:
    return log_p / ((5 + tokens) / 6) ** alpha


class _Said(NamedTuple):
    """A sequence of a beam, with its end if it has one."""

    source: int
    ids: list[int]
    log_p: float


def _is_done(ended: list[_Said], going: float, width: int, best: int, alpha: float) -> bool:
    """Whether so many have ended that what goes on, whose best score is ``going``, is not looked for."""
    scores = sorted((_score(one.log_p, len(one.ids), alpha) for one in ended), reverse=True)
    return len(scores) >= width and scores[best - 1] >= going


class _Beams:
    """The sequences that go on, ``width`` of each source.

    Attributes:
        sources: those that are not done.
        nats: log p of their sequences, ``[B, width]``; minus infinity where there are not so many.
        said: the tokens of each, int64 ``[B * width, n]``.
    """

    def __init__(self, sources: int, width: int, device: torch.device) -> None:
        self.sources = [*range(sources)]
        self.nats = torch.full((sources, width), -torch.inf, device=device)
        self.nats[:, 0] = 0
        self.said = torch.empty((sources * width, 0), dtype=torch.int64, device=device)

    def advance(self, log_p: Tensor, end: int) -> tuple[Tensor, list[_Said]]:
        """Lengthens the likeliest by a token: from which rows they come, and those that end by it.

        Twice as many as the beam is wide are looked at, since half of them may end.

        Shapes:
            log_p: ``[B * width, V]``; gives int64 ``[B * width]``.
        """
        (B, width), V = self.nats.shape, log_p.size(1)
        every = (self.nats.view(-1, 1) + log_p).view(B, width * V)
        nats, which = every.topk(min(2 * width, width * V), 1)
        at = which // V + width * torch.arange(B, device=which.device)[:, None]
        tokens = which % V
        ends = tokens == end
        likely = (ends & (nats > -torch.inf))[:, :width].nonzero().tolist()
        ended = [
            _Said(self.sources[b], [*self.said[at[b, k]].tolist(), end], float(nats[b, k])) for b, k in likely
        ]
        self.nats, place = nats.masked_fill(ends, -torch.inf).topk(width, 1)
        rows = at.gather(1, place).flatten()
        self.said = torch.cat([self.said[rows], tokens.gather(1, place).view(-1, 1)], 1)
        return rows, ended

    def likeliest(self, alpha: float) -> dict[int, float]:
        """Of each source that is not done, the best score of its sequences as they are."""
        most, n = self.nats.amax(1).tolist(), self.said.size(1)
        return {source: _score(nats, n, alpha) for source, nats in zip(self.sources, most, strict=True)}

    def drop(self, done: set[int]) -> Tensor:
        """Leaves out sources: the rows that stay.

        Shapes:
            gives int64 ``[B * width]``, B sources now.
        """
        kept = [b for b, source in enumerate(self.sources) if source not in done]
        (_, width), device = self.nats.shape, self.nats.device
        places = torch.tensor(kept, dtype=torch.int64, device=device)
        rows = (width * places[:, None] + torch.arange(width, device=device)).flatten()
        self.sources = [self.sources[b] for b in kept]
        self.nats, self.said = self.nats[places], self.said[rows]
        return rows

    def cut(self) -> list[_Said]:
        """What there is of those that go on."""
        every = zip(self.said.tolist(), self.nats.flatten().tolist(), strict=True)
        width = self.nats.size(1)
        return [
            _Said(self.sources[k // width], said, nats)
            for k, (said, nats) in enumerate(every)
            if nats > -torch.inf
        ]
