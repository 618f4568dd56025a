"""What cannot be traced is refused with a sentence that says what to do."""

import pytest
import torch

import unrolled
from unrolled import nn
from unrolled.errors import OptionError, UnavailableError

X = torch.zeros(5, 2, 3)


def test_no_module():
    with pytest.raises(OptionError, match=r"the model must be a torch\.nn\.Module; got function"):
        unrolled.trace(loss_of_nothing, X)  # pyright: ignore[reportArgumentType]


def loss_of_nothing(out):
    return out


def test_no_recurrent_layer():
    with pytest.raises(
        OptionError, match=r"must hold a recurrent layer; got Linear\. Build it of RNN, LSTM or GRU"
    ):
        unrolled.trace(torch.nn.Linear(3, 4), X)


def test_a_class_derived_from_torchs():
    class Mine(torch.nn.GRU):
        pass

    with pytest.raises(OptionError, match=r"got the model \(Mine, derived from GRU\)\. .* are not seen"):
        unrolled.trace(Mine(3, 4), X)


def test_cells_alone():
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ours, self.theirs = nn.LSTMCell(3, 4), torch.nn.GRUCell(3, 4)

        def forward(self, x):
            return self.theirs(x[0])

    got = r"got the cell ours \(LSTMCell\), the cell theirs \(GRUCell\)\."
    with pytest.raises(OptionError, match=got):
        unrolled.trace(Model(), X)


def test_tokens_that_are_not_those_of_the_input():
    for tokens, message in (
        ([list("abcde")], r"tokens must be names for each of 2 sequences; got 1"),
        ([list("abcde"), list("abc")], r"tokens\[1\] must be names of 5 steps; got 3"),
    ):
        with pytest.raises(OptionError, match=message):
            unrolled.trace(nn.GRU(3, 4), X, tokens=tokens)


def test_a_layer_that_does_not_run():
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(3, 4), torch.nn.Linear(3, 2)

        def forward(self, x):
            return self.head(x)

    with pytest.raises(OptionError, match="must run a recurrent layer; got one that ran none"):
        unrolled.trace(Model(), X, loss=lambda out: out.sum())


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda out: out[0], r"must give one number, a tensor; got shape \[5, 2, 4\]\. Reduce it"),
        (lambda out: out[0].sum().item(), "must give one number, a tensor; got float"),
        (lambda out: out[0].detach().sum(), "must have a graph that leads to the model"),
        (lambda out: torch.tensor(1.0), "must have a graph that leads to the model"),
        (lambda out: None, "must give one number, a tensor; got NoneType"),
    ],
)
def test_a_loss_that_is_none(loss, message: str):
    for frozen in (False, True):
        model = nn.GRU(3, 4).requires_grad_(not frozen)
        with pytest.raises(OptionError, match=message):
            unrolled.trace(model, X, loss=loss)


class Beside(torch.nn.Module):
    """A recurrent layer, and beside it an embedding that has nothing to do with it."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.beside = nn.GRU(3, 4), torch.nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.rnn(x)[0], self.beside.square()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_loss_that_leads_past_the_recurrent_layers(frozen: bool):
    model, elsewhere = Beside(), torch.ones(3, requires_grad=True)
    model.rnn.requires_grad_(not frozen)
    for loss in (lambda out: elsewhere.sum(), lambda out: out[1].sum()):
        with pytest.raises(
            OptionError,
            match="must have a graph that leads to the model; got one that leads to none of its rec",
        ):
            unrolled.trace(model, X, loss=loss)
    zero = unrolled.trace(model, X, loss=lambda out: 0 * out[0].sum())
    assert not zero["l0/dh"].any(), "which is a way, if nothing goes along it"


def test_another_dtype_or_device():
    with pytest.raises(OptionError, match=r"must be float32 or float64; got torch\.bfloat16"):
        unrolled.trace(nn.GRU(3, 4).bfloat16(), X.bfloat16())
    with pytest.raises(OptionError, match="must lie on the CPU; got meta"):
        unrolled.trace(nn.GRU(3, 4, device="meta"), X.to("meta"))


def test_a_loss_with_a_gradient_in_it():
    def penalty(out):
        (d,) = torch.autograd.grad(out[0].sum(), out[0], create_graph=True)
        return d.square().sum() + out[0].square().sum()

    def through(out):
        x = out[0]
        (d,) = torch.autograd.grad(x.square().sum(), model.get_parameter("weight_hh_l0"), create_graph=True)
        return d.square().sum()

    model = nn.GRU(3, 4)
    assert unrolled.trace(model, X + 1, loss=penalty).check().ok
    with pytest.raises(
        UnavailableError, match=r"loss must be differentiated once; got a second derivative\. Trace a"
    ):
        unrolled.trace(model, X + 1, loss=through)


@pytest.mark.parametrize("given", [nn.LSTM(2, 3), "trace.safetensors", None])
def test_what_is_no_trace_is_not_diagnosed(given):
    words = rf"diagnose must be given a Trace; got {type(given).__name__}\. Make one: unrolled\.trace"
    with pytest.raises(OptionError, match=words):
        unrolled.diagnose(given)
