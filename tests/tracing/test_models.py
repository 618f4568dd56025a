"""Models of all sorts: found, run with the same weights, left as they were."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled
from tests.tracing.cases import CELLS, WAYS, Called, Way, loss_of, make
from unrolled import native
from unrolled.errors import NotKeptError
from unrolled.traces import Trace

ALL = ("forward", "backward", "G")


def adds_up(trace: Trace) -> None:
    """And nothing was left unchecked."""
    checked = trace.check()
    assert checked.ok, str(checked)
    assert "not checked" not in str(checked)


def grads_of(model: nn.Module, x, loss) -> dict[str, Tensor]:
    """The .grad of an unrecorded run."""
    model.zero_grad()
    loss(model(x)).backward()
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("cell", CELLS)
def test_parts_add_up_to_the_grad_of_an_unrecorded_run(cell: str, way: Way, dtype: torch.dtype):
    layer, x, lengths, reset = make(cell, way, dtype)
    model = Called(layer, lengths, reset)
    trace = unrolled.trace(model, x, loss=loss_of, keep=ALL)
    adds_up(trace)
    limit = {torch.float32: 1e-6 if native.available() else 1e-5, torch.float64: 1e-12}[dtype]
    grads = grads_of(model, x, loss_of)
    for seen in trace.layers:
        own = f"l{seen.number}" + ("_reverse" if seen.reverse else "")
        names = {"W_xh": "weight_ih", "W_hh": "weight_hh", "b_xh": "bias_ih", "b_hh": "bias_hh"}
        names["W_hr"] = "weight_hr"
        for name, parts in seen.parts.items():
            grad = grads[f"layer.{names[name]}_{own}"].numpy()
            assert np.abs(parts.dense() - grad).max() <= limit * np.abs(grad).max(), name


@pytest.mark.skipif(not native.available(), reason="without the compiled core, unrecorded runs are torch's")
def test_a_recorded_run_is_an_unrecorded_one_to_the_bit():
    for cell in CELLS:
        layer, x, lengths, reset = make(cell, WAYS[-1], torch.float32)
        model = Called(layer, lengths, reset)
        trace = unrolled.trace(model, x, loss=loss_of)
        np.testing.assert_array_equal(trace["y"], model(x).detach())
        assert trace.facts["compared"]["the weights' gradients are those of an unrecorded run"] == 0


class Translator(nn.Module):
    """Torch's own layers: an encoder, its state handed on, the decoder called twice, batch first."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)
        self.decoder: Any = nn.ModuleDict({"rnn": nn.GRU(5, 8, batch_first=True)})
        self.head = nn.Linear(8, 2)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        encoded, (h, _) = self.encoder(source)
        begin = h[-2:].transpose(0, 1).flatten(1)[None] + encoded.mean(1)
        first, state = self.decoder["rnn"](target, begin)
        second, _ = self.decoder["rnn"](target.flip(1) * first[:, :, :5].tanh(), state)
        return self.head(second), {"first": first}


def test_a_model_of_torchs_layers_inside_free_code():
    torch.manual_seed(0)
    model, inputs = Translator().double(), (torch.randn(2, 6, 3).double(), torch.randn(2, 4, 5).double())
    classes = [type(module) for module in model.modules()]

    def loss(out) -> Tensor:
        return loss_of(out[0]) + out[1]["first"].square().sum()

    trace = unrolled.trace(model, inputs, loss=loss, keep=ALL)
    adds_up(trace)
    assert [type(module) for module in model.modules()] == classes
    assert [(layer.name, layer.module, layer.number, layer.call) for layer in trace.layers] == [
        ("l0", "encoder", 0, 0), ("l0.reverse", "encoder", 0, 0),
        ("l1", "encoder", 1, 0), ("l1.reverse", "encoder", 1, 0),
        ("l2", "decoder.rnn", 0, 0), ("l3", "decoder.rnn", 0, 1),
    ]  # fmt: skip
    assert trace["y"].shape == (4, 2, 2)
    both = sum(layer.parts["W_hh"].dense() for layer in trace.layers[-2:])  # one layer called twice
    loss(model(*inputs)).backward()
    np.testing.assert_allclose(both, model.decoder["rnn"].weight_hh_l0.grad, rtol=1e-11, atol=1e-13)
    reached = trace.layer("l0").G  # what the last outputs send back through the decoder to the encoder
    assert reached.shape == (4, 6)
    assert (reached > 0).all()


def test_no_distance_lies_between_a_decoders_loss_and_its_encoder():
    torch.manual_seed(0)
    inputs = torch.randn(2, 6, 3).double(), torch.randn(2, 4, 5).double()
    trace = unrolled.trace(Translator().double(), inputs, loss=lambda out: loss_of(out[0]), keep=ALL)
    for name, to_end in (("l0", lambda d: (5 - d, 5)), ("l1.reverse", lambda d: (d, 0))):
        encoder = trace.layer(name)
        assert encoder.own_losses is None
        of_jacobians = [encoder.product_norm(*to_end(d)) for d in range(6)]
        np.testing.assert_allclose(encoder.signal(), of_jacobians, rtol=1e-9)
    decoder = trace.layer("l3")
    np.testing.assert_array_equal(decoder.own_losses, decoder.G)
    matrix_alone = unrolled.trace(Translator().double(), inputs, loss=lambda out: loss_of(out[0]), keep="G")
    assert np.isfinite(matrix_alone.layer("l3").signal()).all()
    with pytest.raises(NotKeptError, match="l0/x must be kept"):
        matrix_alone.layer("l0").signal()


@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_packed_input_stands_in_the_callers_order(enforce_sorted: bool):
    lengths = [6, 4, 2] if enforce_sorted else [2, 6, 4]
    layer, x = nn.GRU(3, 4, bidirectional=True).double(), torch.randn(6, 3, 3).double()
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=enforce_sorted)
    trace = unrolled.trace(layer, packed, loss=lambda out: loss_of(out[0].data), keep=ALL)
    adds_up(trace)
    np.testing.assert_array_equal(trace["lengths"], lengths)
    output, _ = pad_packed_sequence(layer(packed)[0])
    np.testing.assert_allclose(trace["y"], output.detach(), rtol=1e-12)
    real = np.arange(6)[:, None] < lengths
    np.testing.assert_array_equal(trace.layers[0].x, np.where(real[:, :, None], x, 0))
    np.testing.assert_allclose(trace.layers[0].output, output[:, :, :4].detach(), rtol=1e-12)
    assert trace.G.shape == (6, 6)


def test_one_sequence_without_a_batch():
    layer, x = nn.LSTM(3, 4).double(), torch.randn(5, 3).double()
    trace = unrolled.trace(layer, x, loss=lambda out: loss_of(out[0]), keep=ALL)
    adds_up(trace)
    assert trace["y"].shape == (5, 1, 4)
    assert trace.G.shape == (5, 5)


class Classifier(nn.Module):
    """A label for a sequence: there is one loss step, at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.rnn, self.head = nn.Embedding(9, 3), nn.GRU(3, 4), nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.rnn(self.embedding(ids))[1][-1])


def test_a_loss_at_the_end_is_one_piece():
    trace = unrolled.trace(Classifier().double(), torch.randint(9, (6, 2)), loss=loss_of, keep=ALL)
    adds_up(trace)
    assert trace.G.shape == (1, 6)
    np.testing.assert_allclose(
        trace.G[0], np.sqrt(np.square(trace.layers[0].dh).sum(axis=(1, 2))), rtol=1e-12
    )
    assert trace["y"].shape == (2, 2)
    left = trace.layers[0].signal()
    np.testing.assert_allclose(left, trace.G[0, ::-1] / trace.G[0, -1])


def test_frozen_weights_still_let_gradients_through():
    model = Classifier().double().requires_grad_(False)
    trace = unrolled.trace(model, torch.randint(9, (6, 2)), loss=loss_of, keep=ALL)
    adds_up(trace)
    assert np.abs(trace.layers[0].dh).max() > 0


def test_normalised_weights_and_no_bias():
    layer = nn.LSTM(3, 4, bias=False).double()
    weight_norm(layer, "weight_hh_l0")
    own = type(layer)
    trace = unrolled.trace(layer, torch.randn(5, 2, 3).double(), loss=lambda out: loss_of(out[0]), keep=ALL)
    adds_up(trace)
    assert type(layer) is own
    assert "l0/b_xh" not in trace


@pytest.mark.parametrize("packed", [False, True])
def test_dropout_is_drawn_as_in_an_unrecorded_run(packed: bool):
    layer, x = nn.GRU(3, 4, num_layers=3, dropout=0.5), torch.randn(6, 3, 3)
    given = pack_padded_sequence(x, torch.tensor([6, 4, 2])) if packed else x
    torch.manual_seed(5)
    trace = unrolled.trace(
        layer, given, loss=lambda out: loss_of(out[0].data if packed else out[0]), keep=ALL
    )
    adds_up(trace)
    after = torch.rand(1)
    torch.manual_seed(5)
    output = layer(given)[0]
    expected = pad_packed_sequence(output)[0] if packed else output
    np.testing.assert_allclose(trace["y"], expected.detach(), rtol=1e-6, atol=1e-7)
    assert torch.rand(1) == after, "random numbers go on as after one run"


def test_the_model_is_left_as_it_was():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.norm = nn.RNN(3, 4), nn.BatchNorm1d(4)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.rnn(x)[0].flatten(0, 1))

    torch.manual_seed(0)
    model, twin, x = Model(), Model(), torch.randn(5, 2, 3)
    twin.load_state_dict(model.state_dict())
    unrolled.trace(model, x, loss=loss_of)
    twin(x)
    assert all(weight.grad is None for weight in model.parameters())
    assert not model.rnn._forward_pre_hooks
    for one, other in zip(model.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(one, other)  # of one run, not of two


def test_within_no_grad_and_after_an_error():
    model, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    with torch.no_grad():
        trace = unrolled.trace(model, x, loss=lambda out: out[0].sum())
    adds_up(unrolled.trace(model, x, loss=lambda out: out[0].sum(), keep=ALL))
    assert "l0/dh" in trace

    def fails(out) -> Tensor:
        raise KeyError("the user's own")

    with pytest.raises(KeyError):
        unrolled.trace(model, x, loss=fails)
    assert type(model) is nn.GRU
    assert not model._forward_pre_hooks
    unrolled.nn.reset_paths()
    unrolled.nn.GRU(3, 4)(x)
    assert unrolled.nn.paths()["compiled"] + unrolled.nn.paths()["torch"] == 1, "nothing is recorded any more"


def test_what_the_loss_does_not_read_gets_zeros():
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.GRU(3, 4), nn.GRU(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            self.idle(x)
            return self.used(x)[0]

    trace = unrolled.trace(Idle(), torch.randn(5, 2, 3), loss=loss_of, keep=ALL)
    adds_up(trace)
    assert not trace.layer("l0").dh.any()
    assert not trace.layer("l0").G.any()
    assert trace.layer("l1").G.any()


def test_an_operation_without_a_rule_for_many_at_once_goes_step_by_step(caplog):
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, *d):
            return torch.from_numpy(2 * d[0].numpy())

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.below, self.above = nn.GRU(3, 4), nn.GRU(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return Twice.apply(self.above(Twice.apply(self.below(x)[0]))[0])

    trace = unrolled.trace(Model().double(), torch.randn(5, 2, 3).double(), loss=loss_of, keep=ALL)
    adds_up(trace)
    assert trace.G.shape == (5, 5)


def test_an_edit_in_place_of_what_was_recorded_is_an_error():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            output = self.rnn(x)[0]
            output += 1
            return output

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        unrolled.trace(Model(), torch.randn(5, 2, 3), loss=loss_of)


def test_a_packed_call_before_a_padded_one_leaves_no_order_behind():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            packed = pack_padded_sequence(x, torch.tensor([2, 5]), enforce_sorted=False)
            padded, _ = pad_packed_sequence(self.rnn(packed)[0])
            return self.rnn.forward(padded)[0]  # by forward itself, which no hook sees

    x = torch.randn(5, 2, 3).double()
    trace = unrolled.trace(Model().double(), x, loss=loss_of, keep=ALL)
    adds_up(trace)
    first, second = trace.layers
    np.testing.assert_array_equal(first.x[:, 1], x[:, 1])
    np.testing.assert_array_equal(second.x, first.output)
    np.testing.assert_array_equal(second.output, trace["y"])


def test_float32s_rounding_is_told_from_a_mistake():
    """Large weights round by more than 1e-6 in float32; float64 shows that nothing else is wrong."""
    torch.manual_seed(0)
    layer = nn.GRU(8, 256)
    for weight in layer.parameters():
        weight.data.uniform_(-2, 2)
    x = torch.randn(40, 1, 8)
    single = unrolled.trace(layer, x, loss=lambda out: out[0].square().sum()).check()
    double = unrolled.trace(layer.double(), x.double(), loss=lambda out: out[0].square().sum()).check()
    assert double.ok
    assert not single.ok
    assert "DOES NOT" not in str(single)
    assert "UNSETTLED: l0: " in str(single)
    assert "more than 1e-06: float32's rounding or a mistake; float64 settles it" in str(single)
    lines = str(single).splitlines()
    assert [line.startswith("adds up") for line in lines] == [found.ok for found in single.sums]


def test_a_mistake_of_a_thousandth_is_no_rounding():
    seen = unrolled.trace(nn.GRU(8, 16), torch.randn(9, 1, 8), loss=lambda out: out[0].square().sum())
    wrong = seen["l0/gates"].copy()
    wrong[4, 0, 1, 3] += 1e-3
    found = Trace({**seen.arrays, "l0/gates": wrong}, seen.facts).check()
    assert "DOES NOT ADD UP: l0: the cell's functions" in str(found)
