"""The stack beside torch's layers with the same weights, alone, padded, permuted and under its masks."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from unrolled.errors import DtypeError, OptionError
from unrolled.nn import HigherOrderRNN
from unrolled.wirings import Dropouts, ManyToMany, Recurrence, Stack, Tokens

CELLS = ["rnn", "lstm", "gru"]
EVERY = [*CELLS, "hornn"]
TORCHS: dict[str, Any] = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
LENGTHS = [7, 3, 0, 5]


def plainly(layers: Stack, x: Tensor, lengths: list[int]) -> tuple[list[Tensor], Tensor]:
    """Each sequence alone through torch's layer of the same weights: its outputs, the last layer's end."""
    of = layers.recurrence
    reference = TORCHS[of.cell](x.size(2), of.hidden, of.layers, bidirectional=of.bidirectional)
    names = {
        name.replace("_l0", f"_l{k}"): weight
        for k, layer in enumerate(layers)
        for name, weight in layer.state_dict().items()
    }
    reference.load_state_dict(names)
    outputs, ends, D = [], [], 1 + of.bidirectional
    for b, n in enumerate(lengths):
        output, state = reference(x[:n, b])
        h_n = state[0] if of.cell == "lstm" else state
        outputs.append(output)
        ends.append(h_n[-D:].flatten())
    return outputs, torch.stack(ends)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("tokens", [False, True])
def test_ragged_sequences_are_each_alone_through_torchs_layers(cell: str, two: bool, tokens: bool) -> None:
    torch.manual_seed(0)
    table = torch.nn.Embedding(6, 5)
    layers = Stack(table if tokens else 5, Recurrence(cell, 2, 4, two))
    ids = torch.randint(6, (7, 4))
    h, state = layers(ids if tokens else table(ids), lengths=[7, 3, 1, 5])
    outputs, ends = plainly(layers, table(ids), [7, 3, 1, 5])
    for b, output in enumerate(outputs):
        torch.testing.assert_close(h[: len(output), b], output, rtol=1e-5, atol=1e-6)
        assert h[len(output) :, b].count_nonzero() == 0
    torch.testing.assert_close(layers.last(state), ends, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", EVERY)
def test_an_empty_sequence_ends_where_it_began(cell: str) -> None:
    layers = Stack(5, Recurrence(cell, 2, 4, bidirectional=True))
    _, state = layers(torch.randn(7, 4, 5), lengths=LENGTHS)
    assert layers.last(state)[2].count_nonzero() == 0
    assert (layers.last(state)[[0, 1, 3]].count_nonzero(1) == 8).all()


@pytest.mark.parametrize("cell", EVERY)
def test_permuted_sequences_and_longer_padding_change_nothing(cell: str) -> None:
    layers, x = Stack(5, Recurrence(cell, 2, 4, bidirectional=True)), torch.randn(7, 4, 5)
    order = torch.tensor([2, 0, 3, 1])
    h, state = layers(x, lengths=LENGTHS)
    permuted, end = layers(x[:, order], lengths=torch.tensor(LENGTHS)[order])
    padded, far = layers(torch.cat([x, torch.randn(3, 4, 5)]), lengths=LENGTHS)
    torch.testing.assert_close(permuted, h[:, order])
    torch.testing.assert_close(layers.last(end), layers.last(state)[order])
    torch.testing.assert_close(padded[:7], h)
    torch.testing.assert_close(layers.last(far), layers.last(state))


@pytest.mark.parametrize("cell", EVERY)
@pytest.mark.parametrize("two", [False, True])
def test_a_reset_at_every_step_leaves_no_memory(cell: str, two: bool) -> None:
    layers, x = Stack(5, Recurrence(cell, 2, 4, two)), torch.randn(7, 4, 5)
    h, _ = layers(x, reset=torch.ones(7, 4, dtype=torch.bool))
    alone, _ = layers(x.reshape(1, 28, 5))
    torch.testing.assert_close(h, alone.view(7, 4, -1))


@pytest.mark.parametrize("two", [False, True])
def test_the_mask_between_steps_is_drawn_for_each_direction(two: bool) -> None:
    layers = Stack(5, Recurrence("lstm", 1, 6, two), Dropouts(steps=0.5))
    layers(torch.randn(9, 3, 5), generator=torch.Generator().manual_seed(5))[0].sum().backward()
    random, first = torch.Generator().manual_seed(5), next(layers.children())
    for suffix in ["", "_reverse"] if two else [""]:
        kept = torch.rand(6, generator=random) >= 0.5
        gradient: Any = getattr(first, f"weight_hh_l0{suffix}").grad
        assert 0 < kept.count_nonzero() < 6
        assert gradient[:, ~kept].count_nonzero() == 0
        assert (gradient[:, kept].count_nonzero(0) > 0).all()


def test_the_stream_of_the_layers_gives_what_they_give() -> None:
    layers, ids = Stack(torch.nn.Embedding(6, 5), Recurrence("gru", 2, 4)), torch.randint(6, (9, 1))
    first, second = layers.stream()
    torch.testing.assert_close(second.chunk(first.chunk(ids)), layers(ids)[0])


def test_of_higher_order_it_is_the_layer_and_hands_on_all_its_states() -> None:
    torch.manual_seed(0)
    layers, x = Stack(5, Recurrence("hornn", 2, 4, bidirectional=True, order=3)), torch.randn(9, 3, 5)
    layer = HigherOrderRNN(5, 4, 2, order=3, bidirectional=True)
    for k, own in enumerate(layers):
        names = {name.replace("_l0", f"_l{k}"): weight for name, weight in own.state_dict().items()}
        layer.load_state_dict(names, strict=False)
    h, state = layers(x, lengths=[9, 4, 6])
    expected, h_n = layer(x, lengths=[9, 4, 6])
    torch.testing.assert_close(h, expected)
    torch.testing.assert_close(torch.cat([part[0] for part in state]), h_n)
    torch.testing.assert_close(layers.last(state)[:, :4], h_n[-2, :, :4])

    one_way = Stack(5, Recurrence("hornn", 2, 4, order=3))
    first, carried = one_way(x[:2])
    rest, _ = one_way(x[2:], carried)
    torch.testing.assert_close(torch.cat([first, rest]), one_way(x)[0])


def test_a_copy_has_its_own_weights_and_its_own_embedding_to_look_up() -> None:
    model, ids = ManyToMany(Tokens(6, 5), Recurrence("gru", 2, 4), 3), torch.randint(6, (20, 2))
    before, copy = model(ids), deepcopy(model)
    with torch.no_grad():
        for weight in copy.parameters():
            weight.zero_()
    assert torch.equal(model(ids), before)
    assert copy(ids).count_nonzero() == 0


def test_what_cannot_be_built_or_read_is_said() -> None:
    with pytest.raises(OptionError, match="rnn, lstm, gru"):
        Stack(3, Recurrence("transformer"))
    with pytest.raises(OptionError, match="at least 1"):
        Stack(3, Recurrence(layers=0))
    with pytest.raises(DtypeError, match=r"over a torch\.nn\.Embedding"):
        Stack(3, Recurrence(hidden=4))(torch.zeros(5, 2, dtype=torch.int64))
