"""What a trace of somebody's model says besides its layers: what it could not record, tokens, one answer."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import unrolled
from unrolled.tracing import Course, Keep, trace_course


class Mixed(nn.Module):
    """A layer that is recorded, beside a derived one and a cell that are not."""

    def __init__(self) -> None:
        super().__init__()

        class Derived(nn.LSTM):
            pass

        self.seen, self.derived, self.cell = nn.GRU(3, 4), Derived(4, 4), nn.LSTMCell(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.cell(self.derived(self.seen(x)[0])[0][-1])[0]


def test_recurrent_modules_that_are_not_recorded_are_named():
    trace = unrolled.trace(Mixed(), torch.randn(5, 2, 3), loss=lambda out: out.sum())
    said = "not recorded: derived (Derived, derived from LSTM), the cell cell (LSTMCell)"
    assert trace.facts["left_out"]["modules"] == said
    assert [layer.module for layer in trace.layers] == ["seen"]
    plain = unrolled.trace(nn.GRU(3, 4), torch.randn(5, 2, 3))
    assert "modules" not in plain.facts["left_out"]


# --------------------------------------------------------------------------------------------- tokens


class Reads(nn.Module):
    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(7, 3), nn.GRU(3, 4, batch_first=batch_first)

    def forward(self, ids: Tensor) -> Tensor:
        return self.rnn(self.embedding(ids))[0]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
def test_ids_are_kept_and_their_names(batch_first: bool, dtype: torch.dtype):
    ids = torch.tensor([[1, 2, 3, 4, 5], [6, 5, 4, 3, 2]], dtype=dtype)
    given = ids if batch_first else ids.T
    names = [list("abcde"), list("fedcb")]
    trace = unrolled.trace(Reads(batch_first), given, loss=lambda out: out.sum(), tokens=names)
    np.testing.assert_array_equal(trace["ids"], ids.T)
    assert trace.tokens == names
    assert "“abcde”" in str(trace).splitlines()[0]
    words = unrolled.trace(Reads(batch_first), given, tokens=[["so", "it", "is", "a", "text"]] * 2)
    assert "“so it is a text”" in str(words).splitlines()[0]
    window = unrolled.trace(Reads(batch_first), given, keep=Keep(steps=range(1, 3)), tokens=names)
    np.testing.assert_array_equal(window["ids"], ids.T[1:3])
    assert window.tokens == [list("bc"), list("ed")]


def test_whole_numbers_that_are_no_tokens_are_no_ids():
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x.float())[0]

    assert "ids" not in unrolled.trace(Counts(), torch.ones(5, 2, 3, dtype=torch.int64))


def test_an_answer_as_wide_as_the_input_is_long_is_still_one():
    """A course can say that what it gives has no axis of time, where its shape would let one think so."""
    layer, head, x = nn.GRU(3, 4), nn.Linear(4, 5), torch.randn(5, 1, 3)
    model = nn.ModuleList([layer, head])

    def course() -> Course:
        y = head(layer(x)[0][-1])
        return Course(y, y.logsumexp(-1).sum(), [y], timed=False)

    trace = trace_course(model, course, ("forward", "backward", "G"), {})
    assert trace["l0/G"].shape == (1, 5)
    assert trace["y"].shape == (1, 5)
    assert trace.check().ok, str(trace.check())
