import itertools
from math import log

import pytest
import torch

from unrolled import demonstration
from unrolled.errors import OptionError


def test_both_models_learn_and_agree(capsys: pytest.CaptureFixture[str]):
    outcome = demonstration.run(seconds=2.0, seed=0)
    assert outcome.loss < log(103) - 0.5, "well below guessing among all characters"
    assert outcome.loss == pytest.approx(outcome.torch_loss, abs=1e-3)
    assert outcome.largest_difference < 1e-3
    lines = capsys.readouterr().out.splitlines()
    assert any("unrolled" in line and "torch" in line for line in lines)
    assert "the model with unrolled.nn.GRU" in str(outcome)


def test_twins_differ_in_their_layer_only():
    ours, theirs = demonstration.twins(characters=10, seed=3)
    assert type(theirs.model.gru) is torch.nn.GRU
    assert type(ours.model.gru) is not torch.nn.GRU
    ids = torch.arange(20).view(5, 4) % 10
    torch.testing.assert_close(ours.model(ids, None)[0], theirs.model(ids, None)[0])


def test_windows_read_every_stream_on_from_where_they_stopped():
    steps, batch = demonstration.STEPS, demonstration.BATCH
    length = 2 * steps + 1
    windows = demonstration.windows(torch.arange(batch * length))
    (begins, first), (goes_on, second), (again, third) = itertools.islice(windows, 3)
    assert (begins, goes_on, again) == (True, False, True)
    assert first.shape == (steps + 1, batch)
    assert first[:, 1].tolist() == list(range(length, length + steps + 1))
    assert torch.equal(second[0], first[-1])
    assert torch.equal(third, first)


def test_entropy_of_two_equally_frequent_characters():
    assert demonstration.entropy(torch.tensor([0, 1, 1, 0])) == pytest.approx(log(2))


def test_no_time_is_refused():
    with pytest.raises(OptionError, match=r"^demo: seconds must be above 0; got 0\."):
        demonstration.run(0, seed=0)
