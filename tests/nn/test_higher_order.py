"""`HigherOrderRNN` beside a bare loop in torch, beside RNN, and as a user meets it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from tests.battery.pairs import all_pairs
from tests.tolerances import limit
from unrolled import native, nn
from unrolled.errors import OptionError
from unrolled.nn.guards import LayerOptionError, LayerOptionTypeError, LayerShapeError

ours: Any = nn

FUNCTIONS: dict[str, Any] = {
    "tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda a: a,
}  # fmt: skip
FACTORS: dict[str, tuple[Any, ...]] = {
    "order": (1, 2, 3, 9),
    "nonlinearity": (*FUNCTIONS,),
    "num_layers": (1, 2),
    "bidirectional": (False, True),
    "bias": (True, False),
    "batch_first": (False, True),
    "ragged": (False, True),
    "resets": (False, True),
    "begun": (False, True),
    "memory": (None, "sqrt"),
    "way": ("compiled", "composite"),
}
OPTIONS = ("order", "nonlinearity", "num_layers", "bidirectional", "bias", "batch_first", "memory")
I, H, B = 3, 5, 4


def loop(
    layer: Any, x: Tensor, h_0: Tensor | None, lengths: Any, reset: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Output and final states of one sequence after the other, one step and one weight after the other."""
    T, f, ends = len(x), FUNCTIONS[layer.nonlinearity], list[Tensor]()
    zero = x.new_zeros(H)
    for number in range(layer.num_layers):
        outputs: list[Tensor] = []
        for d in range(1 + layer.bidirectional):
            name = f"l{number}{'_reverse' if d else ''}"
            W_xh, W_hh = getattr(layer, f"weight_ih_{name}"), getattr(layer, f"weight_hh_{name}")
            b = getattr(layer, f"bias_ih_{name}") + getattr(layer, f"bias_hh_{name}") if layer.bias else zero
            W, k = W_hh.split(H, 1), number * (1 + layer.bidirectional) + d
            rows: list[Tensor] = []
            end: list[Tensor] = []
            for n in range(B):
                last = [zero] * layer.order if h_0 is None else [*h_0[k, n].split(H)]
                output = [zero] * T
                steps = T if lengths is None else lengths[n]
                for t in reversed(range(steps)) if d else range(steps):
                    if reset is not None and reset[t, n]:
                        last = [zero] * layer.order
                    h = f(W_xh @ x[t, n] + b + sum(W_j @ h_j for W_j, h_j in zip(W, last, strict=True)))
                    output[t], last = h, [h, *last[:-1]]
                rows.append(torch.stack(output))
                end.append(torch.cat(last))
            outputs.append(torch.stack(rows, 1))
            ends.append(torch.stack(end))
        x = torch.cat(outputs, 2)
    return x, torch.stack(ends)


@pytest.mark.parametrize("row", all_pairs(FACTORS), ids=lambda row: "-".join(map(str, row.values())))
def test_a_bare_loop_gives_the_same_and_autograd_its_gradients(row: dict[str, Any]):
    if row["way"] == "composite":
        row = row | {"memory": None}  # which only the core has
    elif not native.available():
        pytest.skip(native.why_not())
    torch.manual_seed(0)
    T = 40 if row["memory"] else 7
    layer = nn.HigherOrderRNN(I, H, dtype=torch.float64, **{name: row[name] for name in OPTIONS})
    with torch.no_grad():  # so that 9 states of 2 layers of 40 steps stay of order 1
        for name, weight in layer.named_parameters():
            weight.div_(row["order"] if "weight_hh" in name else 1)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    D = 1 + row["bidirectional"]
    h_0 = torch.randn(row["num_layers"] * D, B, row["order"] * H, dtype=torch.float64, requires_grad=True)
    begun = h_0 if row["begun"] else None
    lengths = [T, 0, 2, T - 1] if row["ragged"] else None
    reset = torch.rand(T, B) < 0.25 if row["resets"] else None
    swap = row["batch_first"]
    given = {"lengths": lengths, "reset": reset.t() if swap and reset is not None else reset}
    entering = x.transpose(0, 1) if swap else x
    nn.reset_paths()
    if row["way"] == "compiled":
        output, h_n = layer(entering, begun, **given)
    else:
        with nn.torch_path():
            output, h_n = layer(entering, begun, **given)
    assert nn.paths()[row["way"]] == 1
    output = output.transpose(0, 1) if swap else output
    found, expected = [output, h_n], [*loop(layer, x, begun, lengths, reset)]
    into = [x, *layer.parameters(), *([h_0] if row["begun"] else [])]
    upstream = [torch.randn_like(value) for value in found]
    found += torch.autograd.grad([output, h_n], into, upstream)
    expected += torch.autograd.grad(expected, into, upstream)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        assert (mine - theirs).abs().max() <= limit("parity") * max(1, theirs.abs().max())


def test_of_order_one_it_is_the_rnn_to_the_bit_initial_weights_included():
    torch.manual_seed(1)
    simple = nn.RNN(3, 20, 2, bidirectional=True)
    torch.manual_seed(1)
    layer, x = nn.HigherOrderRNN(3, 20, 2, order=1, bidirectional=True), torch.randn(9, 5, 3)
    for one, other in zip(layer(x), simple(x), strict=True):
        assert torch.equal(one, other)


def test_second_derivatives_and_a_transform_go_through_torchs_operations():
    layer, x = (
        nn.HigherOrderRNN(2, 3, order=2, dtype=torch.float64),
        torch.randn(4, 1, 2, dtype=torch.float64),
    )
    with nn.torch_path():
        assert torch.autograd.gradgradcheck(lambda x: layer(x)[0].square(), x.requires_grad_())
    assert torch.autograd.gradcheck(layer, x)


@pytest.mark.parametrize("way", ["compiled", "composite"])
@pytest.mark.parametrize("batch", [1, 3])
def test_steps_are_chunks_are_the_whole(way: str, batch: int):
    layer, x = nn.HigherOrderRNN(3, 20, 2, order=3), torch.randn(9, batch, 3)
    with torch.no_grad():
        whole, h_n = layer(x)
    if way == "compiled" and native.available():
        stream = layer.stream(batch)
    else:
        with nn.torch_path():
            stream = layer.stream(batch)
    steps = torch.stack([stream.step(x_t) for x_t in x])
    torch.testing.assert_close(steps, whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(stream.state, h_n, rtol=1e-5, atol=1e-6)
    twin = stream.clone()
    stream.reset()
    parts = torch.cat([stream.chunk(x[:2]), stream.chunk(x[2:3]), stream.chunk(x[3:])])
    torch.testing.assert_close(parts, steps, rtol=1e-5, atol=1e-6)
    if way == "compiled" and native.available():
        assert torch.equal(steps, whole)
        assert torch.equal(parts, steps)
    torch.testing.assert_close(twin.state, stream.state, rtol=1e-5, atol=1e-6)


def test_tokens_are_looked_up():
    layer, ids = nn.HigherOrderRNN(3, 6, order=3), torch.randint(5, (20, 2))
    model = nn.Embedded(torch.nn.Embedding(5, 3), layer)
    expected, _ = layer(model.embedding(ids))
    torch.testing.assert_close(model(ids)[0], expected, rtol=1e-5, atol=1e-6)
    stream = model.stream(2)
    torch.testing.assert_close(
        torch.stack([stream.step(step) for step in ids]), expected, rtol=1e-5, atol=1e-6
    )


def test_packed_sequences_in_any_order():
    layer = nn.HigherOrderRNN(3, 5, order=3, bidirectional=True)
    sequences = [torch.randn(n, 3) for n in (5, 2, 7)]
    output, h_n = layer(pack_sequence(sequences, enforce_sorted=False))
    for k, sequence in enumerate(sequences):
        alone, end = layer(sequence)
        torch.testing.assert_close(h_n[:, k], end)
        torch.testing.assert_close(torch.nn.utils.rnn.unpack_sequence(output)[k], alone)


def test_it_is_copied_saved_and_shown():
    layer, x = nn.HigherOrderRNN(3, 4, order=2, nonlinearity="relu"), torch.randn(5, 2, 3)
    twin = nn.HigherOrderRNN(3, 4, order=2, nonlinearity="relu")
    twin.load_state_dict(layer.state_dict())
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), twin):
        assert torch.equal(other(x)[0], layer(x)[0])
    assert repr(layer) == "HigherOrderRNN(3, 4, order=2, nonlinearity='relu')"
    assert layer.weight_hh_l0.shape == (4, 8)
    assert not isinstance(layer, torch.nn.RNN)


def test_what_is_refused():
    with pytest.raises(LayerOptionError, match="HigherOrderRNN: order must be at least 1; got 0"):
        nn.HigherOrderRNN(3, 4, order=0)
    with pytest.raises(LayerOptionTypeError, match="order should be of type int, got: float"):
        ours.HigherOrderRNN(3, 4, order=2.0)
    with pytest.raises(LayerOptionTypeError, match="Did you mean order"):
        ours.HigherOrderRNN(3, 4, ordre=2)
    layer = nn.HigherOrderRNN(3, 4, order=3)
    with pytest.raises(
        LayerShapeError, match=r"h_0 must have shape \[L\*D, B, k\*R\] = \[1, 2, 12\]; got \[1, 2, 4\]"
    ):
        layer(torch.zeros(5, 2, 3), torch.zeros(1, 2, 4))
    with pytest.raises(OptionError, match="the cell must be one that torch has"):
        layer.to_torch()
    with pytest.raises(OptionError, match=r"unrolled\.nn\.RNN\.from_torch"):
        nn.HigherOrderRNN.from_torch(torch.nn.RNN(3, 4))


def learned(order: int, delay: int, updates: int) -> float:
    """The mean loss of the last updates, in nats a step, of saying what was read ``delay`` steps ago."""
    torch.manual_seed(0)
    layer, head = nn.HigherOrderRNN(4, 16, order=order), torch.nn.Linear(16, 4)
    weights = [*layer.parameters(), *head.parameters()]
    optimiser, losses = torch.optim.Adam(weights, 5e-3), list[float]()
    for _ in range(updates):
        ids = torch.randint(4, (20, 16))
        logits = head(layer(torch.nn.functional.one_hot(ids, 4).float())[0])
        loss = torch.nn.functional.cross_entropy(logits[delay:].flatten(0, 1), ids[:-delay].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return sum(losses[-10:]) / 10


def test_what_was_read_k_steps_ago_is_learned_sooner_at_order_k():
    """Of four tokens, log 4 = 1.39 nats is guessing."""
    assert learned(order=6, delay=6, updates=150) < 0.1
    assert learned(order=1, delay=6, updates=150) > 0.4
