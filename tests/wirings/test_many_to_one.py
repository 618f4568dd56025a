"""One answer for a sequence: beside torch.nn, padded and alone, part by part, and learning."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unrolled.errors import OptionError
from unrolled.wirings import AttentionOverSteps, Dropouts, Features, ManyToOne, Recurrence, Tokens
from unrolled.wirings.many_to_one import READ

LENGTHS = [7, 3, 1, 5]
TORCHS: dict[str, Any] = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def plainly(model: ManyToOne, x: Tensor) -> Tensor:
    """The logits of one unpadded sequence ``[T, I]``, one layer of torch.nn and the readings spelled out."""
    of = model.layers.recurrence
    layer = TORCHS[of.cell](x.size(1), of.hidden, bidirectional=of.bidirectional)
    layer.load_state_dict(next(model.layers.children()).state_dict())
    h, state = layer(x)
    if model.read == "last":
        summary = (state[0] if of.cell == "lstm" else state).flatten()
    elif model.read == "mean":
        summary = h.mean(0)
    elif model.read == "max":
        summary = h.max(0).values
    else:
        attention: Any = model.attention
        hidden = torch.tanh(h @ attention.hidden.weight.T + attention.hidden.bias)
        scores = torch.exp(hidden @ attention.score.weight[0])
        summary = (scores[:, None] * h).sum(0) / scores.sum()
    return model.head.weight @ summary + model.head.bias


@pytest.mark.parametrize("cell", TORCHS)
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("read", READ)
def test_padded_sequences_have_the_logits_and_gradients_of_each_alone(
    cell: str, two: bool, read: str
) -> None:
    torch.manual_seed(0)
    model = ManyToOne(Features(5), Recurrence(cell, 1, 4, two), 3, read)
    x = torch.randn(7, 4, 5)
    logits = model(x, lengths=LENGTHS)
    expected = torch.stack([plainly(model, x[:n, b]) for b, n in enumerate(LENGTHS)])
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-6)
    weights = [model.head.weight, *(model.attention.parameters() if model.attention else ())]
    found = torch.autograd.grad(logits.logsumexp(1).sum(), weights)
    wanted = torch.autograd.grad(expected.logsumexp(1).sum(), weights)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("read", READ)
def test_gradients_are_central_differences(read: str) -> None:
    torch.manual_seed(0)
    model = ManyToOne(Features(3), Recurrence("gru", 2, 4, True), 2, read).double()
    x = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: model(x, lengths=[5, 2, 0]), (x,), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("read", READ)
def test_the_order_of_the_batch_and_more_padding_change_nothing(read: str) -> None:
    model, x = ManyToOne(Features(5), Recurrence("lstm", 2, 4, True), 3, read), torch.randn(7, 4, 5)
    logits, order = model(x, lengths=LENGTHS), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(model(x[:, order], lengths=torch.tensor(LENGTHS)[order]), logits[order])
    torch.testing.assert_close(model(torch.cat([x, torch.randn(3, 4, 5)]), lengths=LENGTHS), logits)
    torch.testing.assert_close(model(x), model(x, lengths=[7] * 4))


@pytest.mark.parametrize("read", READ)
def test_an_empty_sequence_reads_as_zeros(read: str) -> None:
    model = ManyToOne(Features(5), Recurrence("gru", 1, 4, True), 3, read)
    logits = model(torch.randn(7, 2, 5), lengths=[7, 0])
    torch.testing.assert_close(logits[1], model.head.bias)
    logits.sum().backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())


def test_attention_worked_by_hand() -> None:
    """Scores log 3, log 1 and a padded one: weights 3/4, 1/4 and nothing."""
    attention = AttentionOverSteps(1)
    with torch.no_grad():
        attention.hidden.weight.fill_(1)
        attention.hidden.bias.fill_(0)
        attention.score.weight.fill_(2)
    h = torch.atanh(torch.log(torch.tensor([3.0, 1.0])) / 2)
    c, weights = attention(torch.cat([h, torch.tensor([9.0])])[:, None, None], lengths=[2])
    torch.testing.assert_close(weights[:, 0], torch.tensor([0.75, 0.25, 0]))
    torch.testing.assert_close(c[0, 0], 0.75 * h[0])


@pytest.mark.parametrize("read", ["mean", "max", "attention"])
def test_without_memory_the_order_of_steps_is_lost(read: str) -> None:
    model, x = ManyToOne(Features(5), Recurrence("gru", 1, 4), 3, read), torch.randn(7, 4, 5)
    reset = torch.ones(7, 4, dtype=torch.bool)
    torch.testing.assert_close(model(x.flip(0), reset=reset), model(x, reset=reset))
    assert not torch.allclose(model(x.flip(0)), model(x), atol=1e-3)


@pytest.mark.parametrize("cell", TORCHS)
@pytest.mark.parametrize("read", ["last", "mean", "max"])
@pytest.mark.parametrize("tokens", [False, True])
def test_parts_and_a_stream_give_what_the_whole_gives(cell: str, read: str, tokens: bool) -> None:
    torch.manual_seed(0)
    inputs = Tokens(9, 5) if tokens else Features(5, mean=[1.0] * 5)
    model = ManyToOne(inputs, Recurrence(cell, 2, 4), 3, read, Dropouts(0.5, 0.5, 0.5, 0.5)).eval()
    x = torch.randint(9, (9, 2)) if tokens else torch.randn(9, 2, 5)
    whole = model(x)
    _, state = model.go_on(x[:4])
    torch.testing.assert_close(model.go_on(x[4:], state)[0], whole)
    stream = model.train().stream(batch=2)
    logits = stream.chunk(x[:3])
    for x_t in x[3:]:
        logits = stream.step(x_t)
    torch.testing.assert_close(logits, whole.detach())
    stream.chunk(x.flip(0))
    stream.reset()
    torch.testing.assert_close(stream.chunk(x), whole.detach())


@pytest.mark.parametrize("read", ["last", "mean", "max"])
def test_ragged_parts_give_what_the_whole_gives(read: str) -> None:
    model, x = ManyToOne(Features(5), Recurrence("lstm", 1, 4), 3, read), torch.randn(7, 4, 5)
    _, state = model.go_on(x[:4], lengths=[4, 3, 1, 4])
    ended, _ = model.go_on(x[4:], state, lengths=[3, 0, 0, 1])
    torch.testing.assert_close(ended, model(x, lengths=LENGTHS))


def test_dropout_of_the_output_is_a_mask_of_what_the_head_reads() -> None:
    torch.manual_seed(0)
    model, x = (
        ManyToOne(Features(5), Recurrence("gru", 1, 6), 3, "max", Dropouts(output=0.5)),
        torch.randn(7, 4, 5),
    )
    found = model(x, generator=torch.Generator().manual_seed(5))
    mask = (torch.rand((4, 6), generator=torch.Generator().manual_seed(5)) >= 0.5) * 2.0
    h, _ = model.layers(x)
    torch.testing.assert_close(found, model.head(h.amax(0) * mask))


def test_what_is_not_offered_is_said() -> None:
    with pytest.raises(OptionError, match="Did you mean mean"):
        ManyToOne(Features(2), Recurrence(hidden=2), 2, read="means")
    with pytest.raises(OptionError, match="bidirectional=False"):
        ManyToOne(Features(2), Recurrence(hidden=2, bidirectional=True), 2).stream()
    model = ManyToOne(Features(2), Recurrence(hidden=2), 2, read="attention")
    _, state = model.go_on(torch.zeros(3, 1, 2))
    with pytest.raises(OptionError, match=r"go_on: the network must read from first to last step"):
        model.go_on(torch.zeros(3, 1, 2), state)


@pytest.mark.parametrize("read", READ)
def test_it_learns_whether_ones_are_odd(read: str) -> None:
    torch.manual_seed(0)
    bits, lengths = torch.randint(2, (8, 32)), torch.randint(1, 9, (32,))
    real = torch.arange(8)[:, None] < lengths
    odd = (bits * real).sum(0) % 2
    model = ManyToOne(Tokens(2, 8), Recurrence("gru", 1, 24), 2, read)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    loss = torch.zeros(())
    for _ in range(200):
        optimiser.zero_grad()
        loss = cross_entropy(model(bits, lengths=lengths), odd)
        loss.backward()
        optimiser.step()
    assert loss < 0.05, "chance is 0.69"
