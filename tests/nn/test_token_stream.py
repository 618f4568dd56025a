"""A stream of tokens: steps = chunks = the whole sequence by torch, and what it refuses."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from tests.nn.test_embedded import LAYERS, H, N, assert_same, pair
from unrolled import native, nn
from unrolled.errors import DtypeError, OptionError, ShapeError, UnavailableError

ours: Any = nn  # torch types a weight as Tensor | Module


@pytest.mark.parametrize("path", ["compiled", "torch"])
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("batch", [1, 3])
def test_steps_and_chunks_are_the_whole(kind: str, batch: int, path: str):
    if path == "compiled" and not native.available():
        pytest.skip(native.why_not())
    model, table, theirs = pair(kind, padding=3, num_layers=2)
    ids = torch.randint(N, (9, batch))
    expected, final = theirs(table(ids))
    with ours.torch_path() if path == "torch" else torch.no_grad():
        steps, chunks, numpys = (model.stream(batch) for _ in range(3))
        by_step = torch.stack([steps.step(row) for row in ids])
        by_chunk = torch.cat([chunks.chunk(part) for part in ids.split([4, 1, 0, 4])])
        in_numpy = np.stack([numpys.step(row.to(torch.uint8).numpy()) for row in ids])
    for result in (by_step, by_chunk, torch.from_numpy(in_numpy)):
        assert_same(result, expected, 1e-10)
    assert_same(steps.state, final, 1e-10)
    if path == "compiled":
        assert torch.equal(by_step, by_chunk)


@pytest.mark.parametrize("path", ["compiled", "torch"])
def test_one_number_at_a_time(path: str):
    model, table, theirs = pair("GRU", num_layers=2)
    ids = torch.randint(N, (9,))
    expected, _ = theirs(table(ids))
    with ours.torch_path() if path == "torch" else torch.no_grad():
        stream = model.stream()
        rows = [stream.step(i) for i in ids.tolist()]
        assert_same(torch.from_numpy(np.stack(rows)), expected, 1e-10)
        stream.reset()
        assert_same(stream.chunk(ids), expected, 1e-10)
        stream.reset()
        kinds = [np.int32(ids[0]), ids[1], np.uint16(ids[2])]
        for k, kind in enumerate(kinds):
            assert_same(torch.as_tensor(stream.step(kind)), expected[k], 1e-10)
    assert isinstance(rows[0], np.ndarray)
    assert rows[0].shape == (H,)


def test_batch_first_chunks():
    model, table, theirs = pair("LSTM", batch_first=True)
    ids = torch.randint(N, (2, 7))
    assert_same(model.stream(2).chunk(ids), theirs(table(ids))[0], 1e-10)


def test_a_stream_is_a_snapshot_until_refreshed():
    model, table, theirs = pair("GRU")
    stream = model.stream()
    before = stream.clone().step(4)
    with torch.no_grad():
        for parameter in (*model.parameters(), *table.parameters(), *theirs.parameters()):
            parameter.mul_(0.5)
    assert (stream.clone().step(4) == before).all()
    stream.refresh()
    expected, _ = theirs(table(torch.tensor([4])))
    assert_same(torch.from_numpy(stream.step(4)), expected[0], 1e-10)


def test_clones_go_their_own_way():
    model, _, _ = pair("LSTM")
    stream = model.stream()
    stream.step(1)
    twin = stream.clone()
    assert (twin.step(2) == stream.step(2)).all()
    assert (twin.step(3) != stream.step(4)).any()


def test_a_stream_refuses():
    model, _, _ = pair("GRU")
    for given, error in ((1.5, DtypeError), ([1, 2], ShapeError), (np.zeros((1, 1), int), ShapeError)):
        with pytest.raises(error, match=r"TokenStream\.step: ids"):
            model.stream().step(given)
    with pytest.raises(ShapeError, match=r"TokenStream\.chunk: ids"):
        model.stream(2).chunk([1, 2])
    with pytest.raises(ShapeError, match=r"TokenStream\.step: ids"):
        model.stream(2).step(1)
    with pytest.raises(OptionError, match="bidirectional"):
        pair("GRU", bidirectional=True)[0].stream()
    with pytest.raises(UnavailableError, match="TokenStream"):
        copy.deepcopy(model.stream())


@pytest.mark.parametrize("bad", [-1, N])
def test_ids_out_of_range(bad: int):
    model, _, _ = pair("GRU")
    stream = model.stream()
    before = stream.state
    for given in (bad, np.array([bad]), torch.tensor([bad])):
        with pytest.raises(IndexError, match=f"out of range.*0 to {N - 1}.*got {bad}"):
            stream.step(given)
    for given in ([0, bad], np.array([0, bad]), torch.tensor([[0], [bad]])):
        with pytest.raises(IndexError, match=f"out of range.*got {bad}"):
            stream.chunk(given)
    assert torch.equal(stream.state, before)
