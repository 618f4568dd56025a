"""Decoding beside brute force: every sequence there is, of a decoder whose probabilities are a table."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.errors import OptionError
from unrolled.wirings import Choice, EncoderDecoder, Ends, Recurrence, Tokens, beam, greedy, sample

END, BEGIN = 0, 1


class Place(NamedTuple):
    """The source of each sequence and all that it has read, with the beginning."""

    source: Tensor
    read: Tensor


class Table:
    """Probabilities that depend on the source and on all that was said before, and on nothing else."""

    def __init__(self, vocabulary: int, sources: int) -> None:
        self.vocabulary, self.sources, self.steps = vocabulary, sources, 0

    def start(self) -> Place:
        return Place(torch.arange(self.sources), torch.empty((self.sources, 0), dtype=torch.int64))

    def row(self, source: int, read: list[int]) -> Tensor:
        seed = int("".join(map(str, [source + 1, *read])))
        return (2 * torch.randn(self.vocabulary, generator=torch.Generator().manual_seed(seed))).log_softmax(
            0
        )

    def step(self, ids: Tensor, state: Place) -> tuple[Tensor, Place]:
        self.steps += len(ids)
        read = torch.cat([state.read, ids[:, None]], 1)
        rows = [self.row(s, r) for s, r in zip(state.source.tolist(), read.tolist(), strict=True)]
        return torch.stack(rows), Place(state.source, read)

    def select(self, state: Place, rows: Tensor) -> Place:
        return Place(state.source[rows], state.read[rows])

    def log_p(self, source: int, said: tuple[int, ...]) -> float:
        read = [BEGIN, *said]
        return sum(float(self.row(source, read[: n + 1])[token]) for n, token in enumerate(said))

    def every(self, source: int, longest: int, alpha: float) -> list[tuple[float, float, tuple[int, ...]]]:
        """Score, log p and tokens of every sequence that has ended or is cut, the best first."""
        others = [token for token in range(self.vocabulary) if token != END]
        sequences = [
            (*said, END) for n in range(longest) for said in itertools.product(others, repeat=n)
        ] + list(itertools.product(others, repeat=longest))
        scored = []
        for said in sequences:
            nats = self.log_p(source, said)
            scored.append((nats / ((5 + len(said)) / 6) ** alpha, nats, said))
        return sorted(scored, reverse=True)


BEGINS = torch.full((3,), BEGIN)


def whole(said: list[int], ended: bool) -> tuple[int, ...]:
    return (*said, END) if ended else tuple(said)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize(("vocabulary", "longest"), [(3, 4), (4, 3), (2, 5)])
def test_a_beam_as_wide_as_there_are_sequences_is_exhaustive_search(
    vocabulary: int, longest: int, alpha: float
) -> None:
    table = Table(vocabulary, 3)
    width = len(table.every(0, longest, alpha))
    found = beam(table, table.start(), BEGINS, Ends(END, longest), width, alpha, best=width)
    for source, each in enumerate(found):
        expected = table.every(source, longest, alpha)
        assert [whole(one.ids, one.ended) for one in each] == [said for _, _, said in expected]
        np.testing.assert_allclose(
            [one.score for one in each], [score for score, _, _ in expected], rtol=1e-5
        )
        np.testing.assert_allclose([one.log_p for one in each], [nats for _, nats, _ in expected], rtol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy_and_greedy_takes_the_likeliest(seed: int) -> None:
    table = Table(5, 30)
    begin = torch.full((30,), seed + 1)
    ends = Ends(END, 6)
    one, narrow = (greedy(table, table.start(), begin, ends), beam(table, table.start(), begin, ends, 1))
    for source, (a, (b,)) in enumerate(zip(one, narrow, strict=True)):
        assert (a.ids, a.ended) == (b.ids, b.ended)
        assert abs(a.log_p - b.log_p) < 1e-4
        read = [seed + 1]
        for token in whole(a.ids, a.ended):
            assert token == int(table.row(source, read).argmax())
            read.append(token)
        assert a.ended or len(a.ids) == 6
    assert {a.ended for a in one} == {True, False}


def plain_beam(table: Table, source: int, longest: int, width: int, alpha: float) -> list[tuple[int, ...]]:
    """One source, in lists: the likeliest ``width`` at every length; others take the places of ended ones."""
    live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    done: list[tuple[float, tuple[int, ...]]] = []
    for _ in range(longest):
        longer = [
            (table.log_p(source, (*said, token)), (*said, token))
            for _, said in live
            for token in range(table.vocabulary)
        ]
        longer.sort(reverse=True)
        done += [one for one in longer[:width] if one[1][-1] == END]
        live = [one for one in longer if one[1][-1] != END][:width]
        scores = sorted((nats / ((5 + len(said)) / 6) ** alpha for nats, said in done), reverse=True)
        going = max((nats / ((5 + len(said)) / 6) ** alpha for nats, said in live), default=-np.inf)
        if len(done) >= width and scores[width - 1] >= going:
            live = []
            break
    ranked = [(nats / ((5 + len(said)) / 6) ** alpha, said) for nats, said in done + live]
    return [said for _, said in sorted(ranked, reverse=True)]


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_beams_of_many_sources_are_each_that_of_one_in_plain_lists(width: int, alpha: float) -> None:
    table = Table(4, 20)
    found = beam(table, table.start(), torch.full((20,), BEGIN), Ends(END, 5), width, alpha, best=width)
    for source, each in enumerate(found):
        expected = plain_beam(table, source, 5, width, alpha)[:width]
        assert [whole(one.ids, one.ended) for one in each] == expected


class Nearly(Table):
    """At each of eight steps one token is nearly certain, and the end next to it; then the end is."""

    def row(self, source: int, read: list[int]) -> Tensor:
        p = torch.full((self.vocabulary,), 0.01)
        p[END], p[2] = (0.05, 0.9) if len(read) <= 8 else (0.9, 0.05)
        return (p / p.sum()).log()


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_a_beam_waits_for_what_is_likelier_than_all_that_ended_early(width: int, alpha: float) -> None:
    table = Nearly(4, 2)
    found = beam(table, table.start(), BEGINS[:2], Ends(END, 20), width, alpha)
    assert [each[0].ids for each in found] == [[2] * 8] * 2


def test_what_is_never_said_is_not_and_ended_sources_cost_no_steps() -> None:
    table, ends = Table(5, 20), Ends(END, 6, never=(2, 4))
    begin, tokens = torch.full((20,), BEGIN), set[int]()
    for written in (
        greedy(table, table.start(), begin, ends),
        sample(table, table.start(), begin, ends, seed=0),
        [one for each in beam(table, table.start(), begin, ends, 3, best=3) for one in each],
    ):
        tokens |= {token for one in written for token in one.ids}
    assert tokens == {1, 3}
    table.steps = 0
    written = greedy(table, table.start(), begin, ends)
    assert table.steps == sum(len(one.ids) + one.ended for one in written) < 20 * 6


def test_samples_come_as_often_as_they_are_probable() -> None:
    """Within four standard deviations of 4,000 draws of whole sequences; drawn cold, they are greedy."""
    table = Table(3, 1)
    state, begin = (
        table.select(table.start(), torch.zeros(4000, dtype=torch.int64)),
        torch.full((4000,), BEGIN),
    )
    drawn = sample(table, state, begin, Ends(END, 2), seed=1)
    counts = {said: 0 for _, _, said in table.every(0, 2, 0)}
    for one in drawn:
        counts[whole(one.ids, one.ended)] += 1
    for _, nats, said in table.every(0, 2, 0):
        p = np.exp(nats)
        assert abs(counts[said] / 4000 - p) <= 4 * np.sqrt(p * (1 - p) / 4000)
    cold = sample(table, table.start(), BEGINS[:1], Ends(END, 2), Choice(temperature=0))
    assert cold == greedy(table, table.start(), BEGINS[:1], Ends(END, 2))
    assert drawn == sample(table, state, begin, Ends(END, 2), seed=1)


@pytest.mark.parametrize("attention", ["none", "additive", "dot"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_networks_beams_have_the_probabilities_of_its_forward_pass(attention: str, cell: str) -> None:
    """Of sources of different length, some done before others; what was found is said again in one call."""
    torch.manual_seed(2)
    model = EncoderDecoder(Tokens(7, 5), Tokens(6, 4), Recurrence(cell, 2, 8, True), attention).eval()
    with torch.no_grad():
        model.decoder.head.weight *= 8
        model.decoder.head.bias[END] += 2
    source, lengths = torch.randint(7, (6, 5)), [6, 2, 4, 1, 3]
    begin = torch.full((5,), BEGIN)
    found = beam(model, model.start(source, lengths), begin, Ends(END, 7), 4, best=4)
    assert len({len(one.ids) for each in found for one in each}) > 1
    for b, each in enumerate(found):
        for one in each:
            said = whole(one.ids, one.ended)
            ids = torch.tensor([[BEGIN], *([token] for token in said[:-1])])
            logits = model(source[: lengths[b], b : b + 1], ids).detach()
            log_p = logits[:, 0].log_softmax(1)[range(len(said)), list(said)].sum()
            np.testing.assert_allclose(one.log_p, float(log_p), rtol=1e-4)
    single = [beam(model, model.start(source[:n, b : b + 1]), begin[:1], Ends(END, 7), 4, best=4)[0]
              for b, n in enumerate(lengths)]  # fmt: skip
    assert [[one.ids for one in each] for each in single] == [[one.ids for one in each] for each in found]


def test_numbers_out_of_range_are_refused() -> None:
    table = Table(3, 3)
    with pytest.raises(OptionError, match="longest must be at least 1"):
        Ends(END, 0)
    with pytest.raises(OptionError, match="1 is greedy"):
        beam(table, table.start(), BEGINS, Ends(END, 2), width=0)
    with pytest.raises(OptionError, match="Widen the beam"):
        beam(table, table.start(), BEGINS, Ends(END, 2), width=2, best=3)
