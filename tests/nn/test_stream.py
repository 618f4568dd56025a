"""A stream: steps = chunks = the whole sequence, the state in one's hands, and what it refuses."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import prune

from unrolled import native, nn
from unrolled.errors import DtypeError, OptionError, ShapeError, UnavailableError

ours: Any = nn  # torch types a weight as Tensor | Module

LAYERS: dict[str, Any] = {
    "rnn": lambda **o: ours.RNN(3, 8, **o),
    "sigmoid": lambda **o: ours.RNN(3, 8, nonlinearity="sigmoid", **o),
    "lstm": lambda **o: ours.LSTM(3, 8, **o),
    "projected": lambda **o: ours.LSTM(3, 8, proj_size=5, **o),
    "gru": lambda **o: ours.GRU(3, 8, **o),
    "reset before": lambda **o: ours.GRU(3, 8, reset_after=False, **o),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 3},
    {"bias": False, "num_layers": 2},
    {"dtype": torch.float64},
]
PATHS = ["compiled", "torch"]


@pytest.fixture(params=PATHS, autouse=True)
def route(request: pytest.FixtureRequest) -> Any:
    if request.param == "compiled":
        if not native.available():
            pytest.skip(native.why_not())
        yield request.param
        return
    with ours.torch_path():
        yield request.param


def input_of(layer: Any, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, 3, dtype=layer.weight_ih_l0.dtype)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("batch", [1, 4])
def test_steps_and_chunks_are_the_whole(kind: str, options: dict[str, Any], batch: int, route: str):
    layer = LAYERS[kind](**options)
    x = input_of(layer, 9, batch)
    with torch.no_grad():
        whole, final = layer(x)
    by_step, by_chunk = layer.stream(batch), layer.stream(batch)
    steps = torch.stack([by_step.step(x_t) for x_t in x])
    chunks = torch.cat([by_chunk.chunk(part) for part in x.split([4, 1, 0, 4])])
    if route == "compiled":
        assert torch.equal(steps, chunks)
    assert (steps - whole).abs().max() <= 1e-6
    assert (chunks - whole).abs().max() <= 1e-6
    for stream in (by_step, by_chunk):
        states = stream.state if isinstance(final, tuple) else (stream.state,)
        for mine, true in zip(states, final if isinstance(final, tuple) else (final,), strict=True):
            assert mine.shape == true.shape
            assert (mine - true).abs().max() <= 1e-6


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("batch", [1, 3])
def test_numpy_in_numpy_out_same_numbers(kind: str, batch: int):
    layer = LAYERS[kind](num_layers=2)
    x = input_of(layer, 6, batch)
    numpys, torchs = layer.stream(batch), layer.stream(batch)
    for x_t in x:
        row = numpys.step(x_t.numpy())
        assert isinstance(row, np.ndarray)
        assert (row == torchs.step(x_t).numpy()).all()
    assert isinstance(numpys.chunk(x.numpy()), np.ndarray)
    assert torch.equal(torch.from_numpy(numpys.chunk(x.numpy())), (torchs.chunk(x), torchs.chunk(x))[1])


def test_one_sequence_without_its_batch_axis():
    layer = ours.GRU(3, 8)
    x = input_of(layer, 5, 1)
    with_axis, without = layer.stream(), layer.stream()
    for x_t in x[:2]:
        assert torch.equal(without.step(x_t[0]), with_axis.step(x_t)[0])
        assert (without.step(x_t[0].numpy()) == with_axis.step(x_t.numpy())[0]).all()
    assert torch.equal(without.chunk(x[:, 0]), with_axis.chunk(x)[:, 0])


def test_batch_first():
    layer = ours.LSTM(3, 8, batch_first=True)
    x = input_of(layer, 2, 7)
    with torch.no_grad():
        whole, _ = layer(x)
    assert (layer.stream(2).chunk(x) - whole).abs().max() <= 1e-6
    assert (layer.stream(2).chunk(x.numpy()) - whole.numpy()).max() <= 1e-6


def test_what_comes_out_stays_as_it_was():
    stream = ours.GRU(3, 8).stream()
    x = np.ones(3, dtype=np.float32)
    first = stream.step(x)
    kept = first.copy()
    stream.step(x)
    assert (first == kept).all()
    state = stream.state
    before = state.clone()
    stream.step(x)
    assert torch.equal(state, before)


def test_arrays_that_are_read_only_or_strided():
    stream, other = ours.GRU(3, 8).stream(2), None
    x = np.random.default_rng(0).standard_normal((4, 2, 6)).astype(np.float32)
    other = stream.clone()
    frozen = np.ascontiguousarray(x[:, :, ::2])
    frozen.flags.writeable = False
    assert (stream.chunk(frozen) == other.chunk(x[:, :, ::2])).all()
    assert (stream.step(frozen[0]) == other.step(x[0, :, ::2])).all()


def test_state_taken_and_given():
    layer = ours.LSTM(3, 8, 2)
    x = input_of(layer, 6, 1)
    stream: Any = layer.stream()
    stream.chunk(x[:3])
    state = stream.state
    rest = stream.chunk(x[3:])
    with torch.no_grad():
        assert (layer(x[3:], state)[0] - rest).abs().max() <= 1e-6
    stream.state = state
    assert torch.equal(stream.chunk(x[3:]), rest)
    stream.state = tuple(part.numpy() for part in state)
    assert torch.equal(stream.chunk(x[3:]), rest)
    stream.reset()
    assert not any(part.any() for part in stream.state)


def test_clones_go_their_own_ways():
    stream = ours.GRU(3, 8).stream()
    x = torch.randn(3)
    stream.step(x)
    twin = stream.clone()
    assert torch.equal(twin.step(x), stream.step(x))
    twin.step(x)
    assert not torch.equal(twin.state, stream.state)


def test_reset_of_some_rows():
    stream = ours.LSTM(3, 8, 2).stream(3)
    stream.step(torch.randn(3, 3))
    before = stream.state
    stream.reset([0, 2])
    for part, old in zip(stream.state, before, strict=True):
        assert not part[:, [0, 2]].any()
        assert torch.equal(part[:, 1], old[:, 1])
    stream.reset(np.array([False, True, False]))
    assert not any(part.any() for part in stream.state)


@pytest.mark.parametrize("kind", LAYERS)
def test_saved_and_loaded(kind: str, tmp_path: Path):
    layer = LAYERS[kind](num_layers=2)
    stream, later = layer.stream(2), layer.stream(2)
    x = input_of(layer, 4, 2)
    stream.chunk(x)
    stream.save(tmp_path / "state")
    later.load(tmp_path / "state")
    assert torch.equal(later.chunk(x), stream.chunk(x))
    with pytest.raises(ShapeError, match=r"Stream\.load: the state must have shapes"):
        layer.stream(3).load(tmp_path / "state")


def test_a_state_of_another_kind_is_refused(tmp_path: Path):
    ours.GRU(3, 8).stream().save(tmp_path / "state")
    ours.GRU(3, 8).stream().load(tmp_path / "state")
    for other, error, said in (
        (ours.GRU(3, 8).double(), DtypeError, "must be of dtype torch.float64; got torch.float32"),
        (ours.GRU(3, 8).bfloat16(), DtypeError, "must be of dtype torch.bfloat16; got torch.float32"),
        (ours.RNN(3, 8), OptionError, "must be of cell rnn_tanh; got gru"),
        (ours.LSTM(3, 8), OptionError, "must be of cell lstm; got gru"),
        (ours.GRU(3, 9), ShapeError, "must have shapes"),
    ):
        stream = other.stream()
        before = stream.state
        with pytest.raises(error, match=said):
            stream.load(tmp_path / "state")
        after = stream.state
        assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_what_no_stream_saved_is_refused(tmp_path: Path):
    stream, file = ours.GRU(3, 8).stream(), tmp_path / "state"
    stream.save(file)
    whole = file.read_bytes()
    for content in (b"", b"no state", pickle.dumps({}), whole[: len(whole) // 2], whole[:-1]):
        file.write_bytes(content)
        with pytest.raises(OptionError, match=r"the file must be one that Stream\.save wrote"):
            stream.load(file)
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "objects.npz", h=np.array([{}], dtype=object))
    for name in ("array.npy", "objects.npz"):
        with pytest.raises(OptionError, match=r"the file must be one that Stream\.save wrote"):
            stream.load(tmp_path / name)
    np.savez(tmp_path / "other.npz", h=np.zeros((1, 1, 8), np.float32))
    with pytest.raises(OptionError, match="must be of cell gru; got no cell"):
        stream.load(tmp_path / "other.npz")
    np.savez(tmp_path / "more.npz", cell="gru", dtype="torch.float32", h=np.zeros((1, 1, 8)))
    with pytest.raises(DtypeError, match="float64"):
        stream.load(tmp_path / "more.npz")
    with pytest.raises(FileNotFoundError):
        stream.load(tmp_path / "nowhere")


def test_weights_are_a_snapshot_until_refreshed():
    layer, x = ours.GRU(3, 8), torch.randn(3)
    stream, untouched = layer.stream(), layer.stream()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.mul_(2)
    assert torch.equal(stream.step(x), untouched.step(x))
    state = stream.state
    stream.refresh()
    assert torch.equal(stream.state, state)
    with torch.no_grad():
        expected = layer(x[None], state[:, 0])[0][0]
    assert (stream.step(x) - expected).abs().max() <= 1e-6


def test_parametrized_weights():
    layer, x = ours.GRU(3, 8), torch.randn(3)
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    with torch.no_grad():
        assert (layer.stream().step(x) - layer(x[None])[0][0]).abs().max() <= 1e-6


RECOMPUTED: dict[str, Any] = {
    "pruned": lambda layer: prune.random_unstructured(layer, "weight_hh_l0", 0.3),
    "weight_norm": lambda layer: torch.nn.utils.weight_norm(layer, "weight_hh_l0"),
    "spectral_norm": lambda layer: torch.nn.utils.spectral_norm(layer, "weight_hh_l0"),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize("how", RECOMPUTED)
def test_weights_that_a_hook_computes_are_not_stale(how: str):
    layer, x = ours.GRU(3, 8).eval(), torch.randn(5, 1, 3)
    RECOMPUTED[how](layer)
    stream = layer.stream()
    for _ in range(2):
        with torch.no_grad():
            for weight in layer.parameters():
                weight.mul_(torch.rand_like(weight) + 0.5)
        created = layer.stream()  # before the layer's own call computes the weight
        stream.refresh()
        stream.reset()
        found = stream.chunk(x), created.chunk(x)
        with torch.no_grad():
            expected = layer(x)[0]
        assert all((one - expected).abs().max() <= 1e-6 for one in found)


@pytest.mark.parametrize("inside", ["made", "refreshed", "cloned", "used"])
def test_inference_mode_inside_and_out(inside: str):
    layer = ours.LSTM(3, 8, 2)
    x = input_of(layer, 6, 1)
    expected = layer.stream().chunk(x)
    modes = {name: torch.inference_mode(name == inside) for name in ("made", "refreshed", "cloned", "used")}
    with modes["made"]:
        stream = layer.stream()
    with modes["refreshed"]:
        stream.refresh()
    with modes["cloned"]:
        stream = stream.clone()
    with modes["used"]:
        found = [stream.step(x[0]), *stream.chunk(x[1:4])]
        stream.state = stream.state
    found += [stream.step(x[4]), *stream.chunk(x[5:])]
    assert all((one - other).abs().max() <= 1e-6 for one, other in zip(found, expected, strict=True))
    stream.reset()
    stream.state = None


def test_refusals():
    with pytest.raises(OptionError, match=r"GRU\.stream: the layer must run in one direction"):
        ours.GRU(3, 8, bidirectional=True).stream()
    for wrong in (0, -1, True, 2.0):
        with pytest.raises(OptionError, match=r"GRU\.stream: batch must be a whole number of at least 1"):
            ours.GRU(3, 8).stream(wrong)  # pyright: ignore[reportArgumentType]
    stream = ours.GRU(3, 8).stream(2)
    for x in (torch.zeros(3, 3), torch.zeros(3), torch.zeros(2, 4), np.zeros((2, 4), dtype=np.float32)):
        with pytest.raises(ShapeError, match=r"Stream\.step: x must have shape \[2, 3\]; got"):
            stream.step(x)
        with pytest.raises(ShapeError, match=r"Stream\.chunk: x must have shape"):
            stream.chunk(x[None])
    for x in (torch.zeros(2, 3).double(), np.zeros((2, 3)), torch.zeros(2, 3, device="meta")):
        with pytest.raises(DtypeError, match=r"torch\.float32 on cpu"):
            stream.step(x)
        with pytest.raises(DtypeError, match=r"torch\.float32 on cpu"):
            stream.chunk(x[None])
    with pytest.raises(OptionError, match="ask for no gradient"):
        stream.step(torch.zeros(2, 3, requires_grad=True))
    with pytest.raises(OptionError, match="ask for no gradient"):
        stream.chunk(torch.zeros(5, 2, 3, requires_grad=True))
    with torch.no_grad():
        stream.step(torch.zeros(2, 3, requires_grad=True))
        stream.chunk(torch.zeros(5, 2, 3, requires_grad=True))
    with pytest.raises(ShapeError, match="Expected hidden size"):
        stream.state = torch.zeros(1, 3, 8)


def test_refusals_of_what_is_no_array_or_has_other_axes():
    stream = ours.GRU(3, 8).stream()
    for wrong in ([0.0] * 3, 3, None, "abc"):
        for method in (stream.step, stream.chunk):
            with pytest.raises(DtypeError, match=r"x must be a NumPy array or a torch\.Tensor; got"):
                method(wrong)
    with pytest.raises(ShapeError, match=r"\[T, 1, 3\] or \[T, 3\]; got \[3\]. A step is x\[t\]"):
        stream.chunk(torch.zeros(3))
    with pytest.raises(ShapeError, match=r"\[1, T, 3\] or \[T, 3\]; got \[4, 1, 3\]"):
        ours.GRU(3, 8, batch_first=True).stream().chunk(torch.zeros(4, 1, 3))
    with pytest.raises(ShapeError, match=r"\[1, 3\] or \[3\]; got \[4\]. The layer takes input_size = 3"):
        stream.step(torch.zeros(4))
    for scalar in (torch.zeros(()), np.float32(1)):
        with pytest.raises((ShapeError, DtypeError)):
            stream.chunk(scalar)  # pyright: ignore[reportArgumentType, reportCallIssue]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([5], OptionError),
        ([-4], OptionError),
        (3, OptionError),
        ([0.5], DtypeError),
        ("abc", DtypeError),
        ([[0], [1, 2]], DtypeError),
        ({}, DtypeError),
        ([True, False], ShapeError),
        (np.zeros((3, 1), dtype=bool), ShapeError),
    ],
    ids=str,
)
def test_refusals_of_rows_to_reset(rows: Any, error: type[Exception]):
    with pytest.raises(error, match=r"Stream\.reset: rows must .* Give positions from 0 to 2"):
        ours.GRU(3, 8).stream(3).reset(rows)


def test_rows_to_reset_in_any_form():
    stream = ours.GRU(3, 8).stream(3)
    for rows in (1, -2, [1], torch.tensor(1), np.array([1], dtype=np.uint8), [False, True, False]):
        stream.state = torch.ones(1, 3, 8)
        stream.reset(rows)
        assert stream.state[0].any(1).tolist() == [True, False, True]
    stream.reset([])
    assert stream.state[0].any(1).tolist() == [True, False, True]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_stream_is_cloned_and_not_copied(how: Any):
    with pytest.raises(UnavailableError, match=r"got copy or pickle\. Use clone\(\)"):
        how(ours.GRU(3, 8).stream())


def test_weights_that_do_not_fit_are_refused():
    layer = ours.GRU(3, 8)
    layer.weight_hh_l0 = torch.nn.Parameter(torch.zeros(24, 9))
    with pytest.raises(ShapeError, match="weight_hh_l0 must have shape"):
        layer.stream()


def test_a_half_precision_layer_streams_too(tmp_path: Path):
    layer = ours.GRU(3, 8).bfloat16()
    stream = layer.stream()
    x = torch.randn(4, 3, dtype=torch.bfloat16)
    with torch.no_grad():
        expected = layer(x)[0]
    assert (stream.chunk(x) - expected).abs().max() < 0.02
    stream.save(tmp_path / "state")
    later = layer.stream()
    later.load(tmp_path / "state")
    assert torch.equal(later.state, stream.state)
    with pytest.raises(DtypeError, match="bfloat16"):
        stream.step(np.zeros(3, dtype=np.float32))
