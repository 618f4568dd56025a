import itertools
from math import log

import pytest
import torch

from unrolled import demonstration
from unrolled.errors import OptionError


def test_both_models_learn_and_agree():
    ids, vocabulary = demonstration.manual()
    ours, theirs = demonstration.twins(len(vocabulary), seed=0)
    for begins, window in itertools.islice(demonstration.windows(ids), 30):
        ours.update(window, begins)
        theirs.update(window, begins)
    assert ours.losses == pytest.approx(theirs.losses, abs=1e-4)
    assert ours.losses[0] == pytest.approx(log(len(vocabulary)), abs=0.1), "knows nothing yet"
    assert ours.losses[-1] < demonstration.entropy(ids), "knows more than how frequent each character is"


def test_table_and_summary(capsys: pytest.CaptureFixture[str]):
    outcome = demonstration.run(seconds=0.2, seed=0)
    *_, head, last = capsys.readouterr().out.splitlines()[:5]
    assert "loss: unrolled   torch   characters/s: unrolled    torch" in head
    assert "/  0s " in last
    assert f"the model with unrolled.nn.GRU      {outcome.loss:.3f}" in str(outcome)


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
