from dataclasses import replace
from typing import Any

import pytest
import torch

from unrolled import speed
from unrolled.errors import OptionError
from unrolled.timing import Ratio


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cell", speed.LAYERS)
def test_same_weights_give_the_same_numbers(cell: str, training: bool):
    shape = speed.Shape(cell, T=6, B=2, I=3, H=5, layers=2, bidirectional=True)
    measured = speed.against_torch(shape, "float64", training, threads=1, rounds=2)
    assert measured.difference < 1e-14
    assert measured.ratio.low <= measured.ratio.median <= measured.ratio.high


def test_threads_are_those_asked_for_and_set_back():
    before = torch.get_num_threads()
    measured = speed.against_torch(speed.Shape("rnn", 2, 1, 2, 2), threads=1, rounds=2)
    assert (measured.threads, torch.get_num_threads()) == (1, before)


def test_answer_in_words():
    words = str(speed.against_torch(speed.Shape("gru", 2, 1, 2, 2, layers=2), threads=1, rounds=2))
    assert words.startswith("gru T=2 B=1 I=2 H=2, 2 layers, forward + backward, float32, 1 thread\n")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"cell": "gruu"}, "bench: cell must be one of rnn, lstm, gru; got gruu. Did you mean gru?"),
        ({"T": 0}, "bench: T must be at least 1; got 0."),
        ({"layers": -1}, "bench: layers must be at least 1; got -1."),
    ],
)
def test_shape_that_cannot_be_is_refused(sizes: dict[str, Any], message: str):
    fine: dict[str, Any] = {"cell": "gru", "T": 1, "B": 1, "I": 1, "H": 1}
    with pytest.raises(OptionError) as error:
        speed.Shape(**(fine | sizes))
    assert str(error.value).startswith(message)


def test_pairs_that_differ_widely_are_remarked_upon():
    shape = speed.Shape("gru", 1, 1, 1, 1)
    steady = speed.Speed(shape, "forward", "float32", 1, 1.0, 2.0, Ratio(2.0, 1.8, 2.2), 0.0)
    assert "Measure again" not in str(steady)
    assert "Measure again" in str(replace(steady, ratio=Ratio(2.0, 1.2, 9.0)))
