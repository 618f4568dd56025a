"""The loss over real tokens alone, writing by either search, and where the decoder looks."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from unrolled.config import TranslateConfig
from unrolled.data.ragged import Ragged
from unrolled.errors import OptionError
from unrolled.tasks.base import AbandonedError
from unrolled.tasks.translate import Alignment, Pair, Search, alignment, network
from unrolled.wirings import EncoderDecoder

SOURCES, TARGETS = ["abc", "b", "ca", "abcab"], ["xy", "yyx", "x", "xyxyx"]


def made(**fields: Any) -> tuple[EncoderDecoder, Pair]:
    config = TranslateConfig(tokens="char", hidden=6, **fields)
    reader = Pair.fit(config, SOURCES, TARGETS)
    torch.manual_seed(0)
    model = network.build(config, reader).double()
    for weight in model.parameters():
        torch.nn.init.uniform_(weight, -0.7, 0.7)
    return model, Pair(reader.source, reader.target, reader.metric, longest=6)


def batch(reader: Pair) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
    x, y = reader.source.ids(SOURCES), reader.target.ids(TARGETS)
    (ids, lengths), (target, _) = x.padded(), y.padded()
    return (torch.from_numpy(ids).long(), torch.from_numpy(lengths)), torch.from_numpy(target).long()


@pytest.mark.parametrize("attention", ["none", "additive", "dot"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_each_pair_by_itself(attention: str, smoothing: float) -> None:
    model, reader = made(attention=attention, layers=2)
    loss, seen = network.nats(model, *batch(reader), reader.target.begin, smoothing)
    total, count = torch.zeros((), dtype=torch.float64), 0
    for source, target in zip(reader.source.ids(SOURCES), reader.target.ids(TARGETS), strict=True):
        told = torch.tensor([reader.target.begin, *target[:-1]])[:, None]
        logits = model(torch.tensor(source)[:, None].long(), told)[:, 0]
        y = torch.tensor(target).long()
        total = total + cross_entropy(logits, y, reduction="sum", label_smoothing=smoothing)
        count += len(target)
    assert seen == count
    torch.testing.assert_close(loss, total / count)


@pytest.mark.parametrize("attention", ["none", "dot"])
def test_without_memory_no_source_token_but_those_looked_at_counts(attention: str) -> None:
    """Without attention either, all that the encoder's end knows is the end: every source is the same."""
    model, reader = made(attention=attention, bidirectional=False)
    (ids, lengths), target = batch(reader)
    other = ids.clone()
    other[0] = reader.source.tokenizer.encode("b")[0]
    with network.remembering(model, memory=False):
        one, another = (
            network.nats(model, (x, lengths), target, reader.target.begin)[0] for x in (ids, other)
        )
    assert not model.memoryless
    assert not model.decoder.memoryless
    assert torch.equal(one, another) is (attention == "none")
    assert not torch.equal(one, network.nats(model, (ids, lengths), target, reader.target.begin)[0])


@pytest.mark.parametrize("width", [1, 4])
def test_what_is_written_does_not_depend_on_what_stands_beside_it(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, reader = made()
    x = reader.source.ids(SOURCES)
    together = network.write(model, reader, x, Search(width))
    monkeypatch.setattr(network, "SIDE_BY_SIDE", width)
    alone = network.write(model, reader, x, Search(width))
    assert [one.ids for one in together] == [one.ids for one in alone]
    assert all(not set(reader.target.never) & set(one.ids) for one in together)
    assert all(len(one.ids) <= 2 * reader.longest for one in together)


def test_a_beam_finds_what_is_at_least_as_likely_and_alone_is_greedy() -> None:
    model, reader = made()
    x = reader.source.ids(SOURCES)
    greedy = network.write(model, reader, x, Search())
    wide = network.write(model, reader, x, Search(width=30, penalty=0.0))
    assert [one.log_p <= other.log_p + 1e-9 for one, other in zip(greedy, wide, strict=True)] == [True] * 4


def test_writing_may_be_stopped_and_leaves_the_model_in_its_mode() -> None:
    model, reader = made()
    model.train()
    with pytest.raises(AbandonedError):
        network.write(model, reader, reader.source.ids(SOURCES), Search(), lambda: True)
    assert model.training


def test_where_the_decoder_looks_sums_to_one_and_has_names() -> None:
    model, reader = made(attention="additive")
    x, y = reader.source.ids(["abc"]), reader.target.ids(["xy"])
    found = alignment(model, reader, x, y[0].tolist())
    assert found.source == ("a", "b", "c", "<end>")
    assert found.target == ("x", "y", "<end>")
    assert found.weights.shape == (3, 4)
    np.testing.assert_allclose(found.weights.sum(1), 1, rtol=1e-6)
    assert isinstance(found, Alignment)


def test_without_attention_there_is_nowhere_to_look() -> None:
    model, reader = made(attention="none")
    with pytest.raises(OptionError, match="must have attention"):
        alignment(model, reader, reader.source.ids(["abc"]), [1])


def test_nothing_to_write_is_nothing_written() -> None:
    model, reader = made()
    assert network.write(model, reader, Ragged.of([]), Search()) == []
