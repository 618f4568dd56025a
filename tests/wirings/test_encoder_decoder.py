"""Encoder and decoder, and one to many, beside the same in torch.nn, a sequence and a step at a time."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unrolled.errors import OptionError
from unrolled.wirings import (
    AdditiveAttention,
    DotAttention,
    Dropouts,
    EncoderDecoder,
    Ends,
    OneToMany,
    Recurrence,
    Tokens,
    greedy,
)

CELLS = ["rnn", "lstm", "gru"]
ATTENTIONS = ["none", "additive", "dot"]
LAYERS: dict[str, Any] = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
SOURCE, TARGET = [6, 2, 1, 4], [5, 3, 4, 1]


def torchs(stack: Any) -> Any:
    """The stack's layers as one of torch's."""
    of, first = stack.recurrence, stack[0]
    layer = LAYERS[of.cell](first.input_size, of.hidden, of.layers, bidirectional=of.bidirectional)
    weights = {
        n.replace("_l0", f"_l{k}"): w for k, one in enumerate(stack) for n, w in one.state_dict().items()
    }
    layer.load_state_dict(weights)
    return layer


def plainly(model: OneToMany, x: Tensor, regions: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The logits ``[T, V]`` and weights ``[T, R]`` of one sequence, from x ``[I]`` and regions ``[R, I]``."""
    layer, of = torchs(model.layers), model.layers.recurrence
    start = (model.first.weight @ x + model.first.bias).view(of.layers, -1, of.hidden)
    state: Any = start[:, 0].tanh()
    if of.cell == "lstm":
        state = (state, start[:, 1])
    logits, every = [], []
    for token in ids:
        h, state = layer(model.tokens.embedding.weight[token][None], state)
        h = h[0]
        attention: Any = model.attention
        if isinstance(attention, AdditiveAttention):
            U, W = attention.keys, attention.query
            scores = [
                attention.score.weight[0] @ torch.tanh(W.weight @ h + U.weight @ m + U.bias) for m in regions
            ]
        elif isinstance(attention, DotAttention):
            scores = [h @ (attention.keys.weight @ m) for m in regions]
        else:
            scores = []
        if scores:
            joined: Any = model.joined
            exponentials = torch.stack(scores).exp()
            weights = exponentials / exponentials.sum()
            every.append(weights)
            h = torch.tanh(joined.weight @ torch.cat([weights @ regions, h]))
        logits.append(model.head.weight @ h + model.head.bias)
    return torch.stack(logits), torch.stack(every) if every else torch.empty(0)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("two", [False, True])
def test_logits_weights_and_gradients_are_those_of_each_sequence_alone(
    cell: str, attention: str, two: bool
) -> None:
    torch.manual_seed(0)
    model = EncoderDecoder(Tokens(7, 5), Tokens(6, 4), Recurrence(cell, 2, 8, two), attention)
    source, ids = torch.randint(7, (6, 4)), torch.randint(6, (5, 4))
    logits = model(source, ids, lengths=SOURCE, target_lengths=TARGET)
    encoder, D = torchs(model.encoder), 1 + two
    inputs: Any = model.inputs
    found, expected = [], []
    for b, (S, T) in enumerate(zip(SOURCE, TARGET, strict=True)):
        h, state = encoder(inputs.embedding.weight[source[:S, b]])
        end = (state[0] if cell == "lstm" else state)[-D:].flatten()
        alone, weights = plainly(model.decoder, end, h, ids[:T, b])
        torch.testing.assert_close(logits[:T, b], alone, rtol=1e-5, atol=1e-6)
        if attention != "none":
            looked = model.weights(source, ids, lengths=SOURCE)
            torch.testing.assert_close(looked[:T, :S, b], weights, rtol=1e-5, atol=1e-6)
            assert looked[:, S:, b].count_nonzero() == 0
        found.append(logits[:T, b])
        expected.append(alone)
    of: Any = model.decoder
    parts = [of.head, of.first, *([] if attention == "none" else [of.attention, of.joined])]
    learned = [inputs.embedding.weight, *(weight for part in parts for weight in part.parameters())]
    gradients = [torch.autograd.grad(torch.cat(y).logsumexp(1).sum(), learned) for y in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_gradients_are_central_differences(attention: str) -> None:
    torch.manual_seed(0)
    model = OneToMany(3, Tokens(5, 4), Recurrence("lstm", 2, 4), attention).double()
    x, regions = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((2, 3), (4, 2, 3)))
    ids = torch.randint(5, (3, 2))

    def logits(x: Tensor, regions: Tensor) -> Tensor:
        of = {} if attention == "none" else {"regions": regions, "lengths": [4, 2]}
        return model(x, ids, **of)

    assert torch.autograd.gradcheck(logits, (x, regions), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_order_of_the_batch_and_more_padding_change_nothing(attention: str) -> None:
    model = EncoderDecoder(Tokens(7, 5), Tokens(6, 4), Recurrence("lstm", 1, 8, True), attention)
    source, ids, order = torch.randint(7, (6, 4)), torch.randint(6, (5, 4)), torch.tensor([2, 0, 3, 1])
    logits = model(source, ids, lengths=SOURCE)
    longer = torch.cat([source, torch.randint(7, (2, 4))])
    permuted = model(source[:, order], ids[:, order], lengths=torch.tensor(SOURCE)[order])
    torch.testing.assert_close(permuted, logits[:, order])
    torch.testing.assert_close(model(longer, ids, lengths=SOURCE), logits)


def test_dot_attention_worked_by_hand() -> None:
    """Scores log 3, log 1, and one of padding: weights 3/4, 1/4 and nothing."""
    attention = DotAttention(1, 1)
    with torch.no_grad():
        attention.keys.weight.fill_(2)
    values = torch.log(torch.tensor([3.0, 1.0, 50.0]))[:, None, None]
    c, weights = attention(torch.full((1, 1, 1), 0.5), attention.memory(values, [2]))
    torch.testing.assert_close(weights.flatten(), torch.tensor([0.75, 0.25, 0]))
    torch.testing.assert_close(c.flatten(), 0.75 * values[0, 0])


def test_a_teacher_who_tells_all_step_by_step_gives_what_one_call_gives() -> None:
    model = EncoderDecoder(Tokens(7, 5), Tokens(6, 4), Recurrence("lstm", 2, 8), "dot")
    source, ids = torch.randint(7, (6, 4)), torch.randint(6, (5, 4))
    torch.testing.assert_close(model(source, ids, teacher=1 - 1e-9), model(source, ids))


def test_without_a_teacher_it_reads_what_it_says() -> None:
    torch.manual_seed(0)
    model = EncoderDecoder(Tokens(7, 5), Tokens(6, 4), Recurrence("gru", 2, 8), "dot")
    source, ids = torch.randint(7, (6, 4)), torch.randint(6, (5, 4))
    own = model(source, ids, teacher=0.0)
    torch.testing.assert_close(model(source, torch.cat([ids[:1], own.argmax(2)[:-1]])), own)
    torch.testing.assert_close(own[0], model(source, ids)[0])
    assert not torch.allclose(own, model(source, ids), atol=1e-3)


def test_step_by_step_too_a_mask_stays_for_all_steps() -> None:
    """A network without memory that reads one token at every step says the same at every step."""
    torch.manual_seed(0)
    dropouts = Dropouts(input=0.5, layers=0.5, output=0.5)
    model = OneToMany(3, Tokens(6, 20), Recurrence("gru", 2, 20), dropouts=dropouts, memoryless=True)
    x, ids = torch.randn(4, 3), torch.full((5, 4), 2)
    logits = model(x, ids, teacher=1 - 1e-9)
    torch.testing.assert_close(logits, logits[:1].expand(5, 4, 6))
    assert not torch.allclose(logits, model(x, ids, teacher=1 - 1e-9), atol=1e-3), "the next call draws anew"


def test_half_a_teacher_tells_half(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = OneToMany(3, Tokens(50, 4), Recurrence("gru", 1, 8))
    read = list[Tensor]()
    run = model._run

    def noting(ids: Tensor, *rest: Any) -> Any:
        read.append(ids[0])
        return run(ids, *rest)

    monkeypatch.setattr(model, "_run", noting)
    ids = torch.randint(50, (40, 30))
    logits = model(torch.randn(30, 3), ids, teacher=0.5, generator=torch.Generator().manual_seed(0))
    told = torch.stack(read) == ids
    own = torch.stack(read)[1:] == logits.argmax(2)[:-1]
    assert told[0].all()
    assert (told[1:] | own).all()
    assert 0.44 < told[1:].float().mean() < 0.58, "half, one of 50 by chance; 4 standard deviations of 1,170"


@pytest.mark.parametrize("cell", [*CELLS, "hornn"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_network_without_memory_knows_the_token_before_and_what_it_attends_to(
    cell: str, attention: str
) -> None:
    model = EncoderDecoder(
        Tokens(7, 5), Tokens(6, 4), Recurrence(cell, 1, 8, True), attention, memoryless=True
    )
    source, ids = torch.randint(7, (6, 4)), torch.randint(6, (5, 4))
    other = ids.clone()
    other[0] = (other[0] + 1) % 6
    logits = model(source, ids)
    torch.testing.assert_close(model(source, other)[1:], logits[1:])
    of_same_use = (source + 1) % 7 if attention == "none" else source[torch.randperm(6)]
    torch.testing.assert_close(model(of_same_use, ids), logits)
    log_p, _ = model.step(ids[3], model.step(ids[0], model.start(source))[1])
    torch.testing.assert_close(log_p, logits[3].log_softmax(1))


def test_tied_weights_are_one() -> None:
    model = EncoderDecoder(Tokens(7, 5), Tokens(6, 8), Recurrence("gru", 1, 8), "dot", tied=True)
    assert model.decoder.head.weight is model.decoder.tokens.embedding.weight


def test_what_cannot_be_built_is_said() -> None:
    tokens, one_way = Tokens(6, 4), Recurrence(hidden=8)
    with pytest.raises(OptionError, match=r"Set the tokens' size to 8"):
        OneToMany(3, tokens, one_way, tied=True)
    with pytest.raises(OptionError, match="Did you mean additive"):
        OneToMany(3, tokens, one_way, "aditive")
    with pytest.raises(OptionError, match="from left to right"):
        OneToMany(3, tokens, Recurrence(hidden=8, bidirectional=True))
    with pytest.raises(OptionError, match=r"Give regions"):
        OneToMany(3, tokens, one_way, "dot").start(torch.zeros(2, 3))
    with pytest.raises(OptionError, match="attention='dot'"):
        OneToMany(3, tokens, one_way).start(torch.zeros(2, 3), torch.zeros(4, 2, 3))
    with pytest.raises(OptionError, match="have attention"):
        OneToMany(3, tokens, one_way).weights(torch.zeros(2, 3), torch.zeros(4, 2).long())


def trained(model: Any, loss_of: Any, updates: int) -> float:
    optimiser, loss = torch.optim.Adam(model.parameters(), lr=0.01), torch.zeros(())
    for _ in range(updates):
        optimiser.zero_grad()
        loss = loss_of()
        loss.backward()
        optimiser.step()
    model.eval()
    return loss.item()


@pytest.mark.parametrize("attention", ["additive", "dot"])
@pytest.mark.parametrize("teacher", [1.0, 0.8])
def test_it_learns_to_say_a_word_backwards(attention: str, teacher: float) -> None:
    """Tokens 3 to 8; 0 is padding, 1 begins, 2 ends. What it then says by itself is right too."""
    torch.manual_seed(0)
    lengths = torch.randint(2, 7, (24,))
    words = [torch.randint(3, 9, (int(n),)) for n in lengths]
    source, target = torch.zeros(6, 24, dtype=torch.int64), torch.zeros(8, 24, dtype=torch.int64)
    for b, word in enumerate(words):
        source[: len(word), b] = word
        target[: len(word) + 2, b] = torch.tensor([1, *word.flip(0).tolist(), 2])
    model = EncoderDecoder(Tokens(9, 12), Tokens(9, 12), Recurrence("gru", 1, 32, True), attention)

    def loss() -> Tensor:
        logits = model(source, target[:-1], lengths=lengths, target_lengths=lengths + 1, teacher=teacher)
        return cross_entropy(logits.flatten(0, 1), target[1:].flatten(), ignore_index=0)

    assert trained(model, loss, 150) < 0.05, "chance is 1.9"
    said = greedy(model, model.start(source, lengths), torch.ones(24, dtype=torch.int64), Ends(2, 9))
    assert [one.ids for one in said] == [word.flip(0).tolist() for word in words]


@pytest.mark.parametrize("attention", ["none", "dot"])
def test_one_to_many_learns_a_saying_for_each_vector(attention: str) -> None:
    torch.manual_seed(0)
    x, target = torch.randn(8, 5), torch.randint(1, 6, (7, 8))
    target[0], target[-1] = 1, 0
    model = OneToMany(5, Tokens(6, 8), Recurrence("lstm", 1, 32), attention)
    regions = torch.stack([x, -x]) if attention == "dot" else None

    def loss() -> Tensor:
        return cross_entropy(model(x, target[:-1], regions=regions).flatten(0, 1), target[1:].flatten())

    assert trained(model, loss, 200) < 0.05, "chance is 1.8"
    said = greedy(model, model.start(x, regions), target[0], Ends(0, 9))
    assert [one.ids for one in said] == target[1:-1].T.tolist()


def test_of_higher_order_a_step_at_a_time_is_the_whole() -> None:
    """The vector starts all k states of every layer, and what is selected keeps them."""
    torch.manual_seed(0)
    recurrence = Recurrence("hornn", 2, 8, bidirectional=True, order=3)
    model = EncoderDecoder(Tokens(7, 5), Tokens(6, 4), recurrence)
    source, ids = torch.randint(7, (6, 4)), torch.randint(6, (5, 4))
    expected, state = (
        model(source, ids, lengths=[6, 2, 5, 3]).log_softmax(-1),
        model.start(source, [6, 2, 5, 3]),
    )
    assert [layer[0].shape for layer in state.layers] == [(1, 4, 24)] * 2
    rows = torch.tensor([2, 0, 1, 3])
    state = model.select(state, rows)
    for t, token in enumerate(ids[:, rows]):
        log_p, state = model.step(token, state)
        torch.testing.assert_close(log_p, expected[t, rows])
