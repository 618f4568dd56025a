"""An answer for every step: the token model beside the same written plainly; any inputs, ragged, streamed."""

from typing import Any

import pytest
import torch
from torch import Tensor

from unrolled.errors import OptionError
from unrolled.losses import cross_entropy
from unrolled.wirings import Dropouts, Features, ManyToMany, Recurrence, Sizes, TokenModel, Tokens

CELLS = ["rnn", "lstm", "gru"]


def plainly(model: Any, ids: Tensor, masks: dict[str, Tensor] | None = None) -> Tensor:
    """The logits by torch.nn's cells, one step after the other."""
    masks = masks or {}
    kind = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}[model.sizes.cell]
    cells = []
    for layer in model.layers:
        cell = kind(layer.input_size, layer.hidden_size)
        cell.load_state_dict({n.removesuffix("_l0"): w for n, w in layer.state_dict().items()})
        if "steps" in masks:
            cell.weight_hh.data *= masks["steps"]
        cells.append(cell)
    states: list[Any] = [None] * len(cells)
    logits = []
    for step in ids:
        x = model.embedding(step) * masks.get("input", 1)
        for k, cell in enumerate(cells):
            states[k] = cell(x, states[k])
            x = states[k][0] if model.sizes.cell == "lstm" else states[k]
            x = x * (masks.get("layers", 1) if k < len(cells) - 1 else masks.get("output", 1))
        logits.append(model.head(x))
    return torch.stack(logits)


@pytest.mark.parametrize("cell", CELLS)
def test_logits_are_those_of_a_plain_loop(cell: str) -> None:
    torch.manual_seed(0)
    model = TokenModel(Sizes(7, cell, layers=2, hidden=6, embedding=5))
    ids = torch.randint(7, (9, 3))
    torch.testing.assert_close(model(ids)[0], plainly(model, ids), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_text_in_two_windows_is_the_text_in_one(cell: str) -> None:
    model = TokenModel(Sizes(7, cell, layers=2, hidden=6, embedding=5))
    ids = torch.randint(7, (9, 3))
    whole, end = model(ids)
    first, state = model(ids[:4])
    second, last = model(ids[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(last, end)


def test_a_reset_forgets_all_layers() -> None:
    model = TokenModel(Sizes(7, "gru", layers=2, hidden=6, embedding=5))
    ids = torch.randint(7, (9, 3))
    reset = torch.zeros(9, 3, dtype=torch.bool)
    reset[4] = True
    torch.testing.assert_close(model(ids, reset=reset)[0][4:], model(ids[4:])[0])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("where", ["input", "layers", "steps", "output"])
def test_a_dropout_is_one_mask_for_all_steps(cell: str, where: str) -> None:
    """The masks are drawn again from the same seed and put into the plain loop."""
    torch.manual_seed(0)
    model = TokenModel(Sizes(7, cell, layers=1 + (where == "layers"), hidden=6, embedding=5),
                       Dropouts(**{where: 0.5}))  # fmt: skip
    ids = torch.randint(7, (9, 3))
    logits = model(ids, generator=torch.Generator().manual_seed(5))[0]
    width = 5 if where == "input" else 6
    shape = (6,) if where == "steps" else (3, width)
    mask = (torch.rand(shape, generator=torch.Generator().manual_seed(5)) >= 0.5) * 2.0
    assert 0 < mask.count_nonzero() < mask.numel()
    torch.testing.assert_close(logits, plainly(model, ids, {where: mask}), rtol=1e-5, atol=1e-6)
    model.eval()
    torch.testing.assert_close(model(ids)[0], plainly(model, ids), rtol=1e-5, atol=1e-6)


def test_dropout_between_steps_reaches_the_weights_gradient() -> None:
    model = TokenModel(Sizes(7, "lstm", hidden=6, embedding=5), Dropouts(steps=0.5))
    logits, _ = model(torch.randint(7, (9, 3)), generator=torch.Generator().manual_seed(5))
    logits.sum().backward()
    kept = torch.rand(6, generator=torch.Generator().manual_seed(5)) >= 0.5
    layer: Any = model.layers[0]
    gradient = layer.weight_hh_l0.grad
    assert gradient[:, ~kept].count_nonzero() == 0
    assert gradient[:, kept].count_nonzero() > 0


def test_tied_weights_are_one() -> None:
    model = TokenModel(Sizes(7, hidden=6, embedding=6, tied=True))
    assert model.head.weight is model.embedding.weight
    assert sum(w.numel() for w in model.parameters()) == 7 * 6 + 2 * (18 * 6 + 18) + 7


def test_what_cannot_be_built_is_said() -> None:
    with pytest.raises(OptionError, match=r"Set embedding=6"):
        TokenModel(Sizes(7, hidden=6, embedding=5, tied=True))
    with pytest.raises(OptionError, match="rnn, lstm, gru"):
        TokenModel(Sizes(7, cell="transformer"))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("two", [False, True])
def test_steps_of_padded_sequences_are_those_of_each_alone(cell: str, two: bool) -> None:
    model, x = ManyToMany(Features(5), Recurrence(cell, 2, 4, two), 3), torch.randn(7, 4, 5)
    lengths, order = torch.tensor([7, 3, 1, 5]), torch.tensor([2, 0, 3, 1])
    logits = model(x, lengths=lengths)
    permuted = model(x[:, order], lengths=lengths[order])
    for b, n in enumerate(lengths.tolist()):
        torch.testing.assert_close(logits[:n, b], model(x[:n, b : b + 1])[:, 0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(permuted, logits[:, order])


@pytest.mark.parametrize("cell", CELLS)
def test_parts_and_a_stream_give_the_steps_of_the_whole(cell: str) -> None:
    model, ids = ManyToMany(Tokens(9, 5), Recurrence(cell, 2, 4), 3), torch.randint(9, (9, 2))
    whole = model(ids)
    first, state = model.go_on(ids[:4])
    torch.testing.assert_close(torch.cat([first, model.go_on(ids[4:], state)[0]]), whole)
    stream = model.stream(batch=2)
    steps = torch.stack([stream.step(ids_t) for ids_t in ids[:3]])
    torch.testing.assert_close(torch.cat([steps, stream.chunk(ids[3:])]), whole.detach())


def test_a_token_model_is_many_to_many_over_tokens() -> None:
    torch.manual_seed(0)
    old = TokenModel(Sizes(7, "lstm", layers=2, hidden=6, embedding=5), Dropouts(0.1, 0.2, 0.3, 0.4))
    new = ManyToMany(Tokens(7, 5), Recurrence("lstm", 2, 6), 7, Dropouts(0.1, 0.2, 0.3, 0.4))
    new.load_state_dict(
        {n.replace("embedding.", "inputs.embedding."): w for n, w in old.state_dict().items()}
    )
    ids, random = torch.randint(7, (9, 3)), [torch.Generator().manual_seed(1) for _ in "ab"]
    assert torch.equal(old(ids, generator=random[0])[0], new(ids, generator=random[1]))


def test_it_learns_to_say_what_it_read_a_step_ago() -> None:
    torch.manual_seed(0)
    ids = torch.randint(6, (12, 8))
    model = ManyToMany(Tokens(6, 8), Recurrence("rnn", 1, 24), 6)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    loss = torch.zeros(())
    for _ in range(150):
        optimiser.zero_grad()
        loss = cross_entropy(model(ids)[1:], ids[:-1])
        loss.backward()
        optimiser.step()
    assert loss < 0.05, "chance is 1.79"


def test_a_state_cannot_come_from_the_future() -> None:
    model = ManyToMany(Features(2), Recurrence(hidden=2, bidirectional=True), 2)
    _, state = model.go_on(torch.zeros(3, 1, 2))
    with pytest.raises(OptionError, match="bidirectional=False"):
        model.go_on(torch.zeros(3, 1, 2), state)
    with pytest.raises(OptionError):
        model.stream()


def test_a_token_model_of_higher_order_carries_all_its_states() -> None:
    model = TokenModel(Sizes(7, "hornn", layers=2, hidden=6, embedding=5, order=3))
    ids = torch.randint(7, (9, 2))
    whole, _ = model(ids)
    first, state = model(ids[:4])
    assert [layer[0].shape for layer in state] == [(1, 2, 18)] * 2
    torch.testing.assert_close(torch.cat([first, model(ids[4:], state)[0]]), whole)
