"""Embedded = torch's embedding and torch's layer: outputs, states and every gradient; and what it refuses."""

import contextlib
import copy
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.nn.utils import parametrizations, prune

from tests.battery.kernels import FORWARD
from unrolled import errors, native, nn
from unrolled.checks import parity
from unrolled.errors import DtypeError, OptionError, ShapeError

ours: Any = nn  # torch types a weight as Tensor | Module
needs_core = pytest.mark.skipif(not native.available(), reason=f"no compiled core: {native.why_not()}")

N, I, H = 11, 5, 7
LIMITS = {torch.float64: 1e-10, torch.float32: 2e-5}
LAYERS: dict[str, dict[str, Any]] = {
    "RNN": {},
    "RNN relu": {"nonlinearity": "relu"},
    "LSTM": {},
    "LSTM projected": {"proj_size": 3},
    "GRU": {},
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "batch_first": True},
    {"bidirectional": True, "bias": False},
]
SIZES = {"some of the tokens": (3, 4, 4), "all tokens": (9, 4, N)}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    errors.note.cache_clear()
    ours.reset_paths()
    yield
    errors.note.cache_clear()


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of every call of the core forwards, whether it was given a table."""
    calls, right = list[bool](), native.forward

    def watched(*arguments: int) -> None:
        calls.append(arguments[FORWARD.index("table")] != 0)
        right(*arguments)

    monkeypatch.setattr(native, "forward", watched)
    return calls


def pair(kind: str, padding: int | None = None, **options: Any) -> tuple[Any, Any, Any]:
    """Ours, and torch's embedding and layer with the same weights."""
    name = kind.partition(" ")[0]
    dtype = options.pop("dtype", torch.float64)
    table = torch.nn.Embedding(N, I, padding_idx=padding, dtype=dtype)
    theirs = getattr(torch.nn, name)(I, H, dtype=dtype, **LAYERS[kind], **options)
    layer = getattr(ours, name).from_torch(theirs)
    return ours.Embedded(copy.deepcopy(table), layer), table, theirs


def random_ids(layer: Any, T: int, B: int) -> torch.Tensor:
    return torch.randint(N, (B, T) if layer.batch_first else (T, B))


def states(layer: Any, B: int) -> Any:
    D, R = 2 if layer.bidirectional else 1, layer.proj_size or H
    like = layer.weight_hh_l0
    h = torch.randn(layer.num_layers * D, B, R, dtype=like.dtype).requires_grad_()
    if not isinstance(layer, torch.nn.LSTM):
        return h
    return h, torch.randn(layer.num_layers * D, B, H, dtype=like.dtype).requires_grad_()


def assert_same(result: Any, expected: Any, limit: float) -> None:
    for mine, true in zip(parity.tensors(result), parity.tensors(expected), strict=True):
        assert mine.shape == true.shape
        assert (mine - true).abs().max() <= limit * max(1.0, true.abs().max().item())


def gradients(result: Any, modules: list[Any], initial: Any) -> dict[str, torch.Tensor]:
    """Of a loss that weighs every number of the result differently, by the names of the parameters."""
    outputs = [*parity.tensors(result)]
    weights = [torch.linspace(-1, 2, o.numel(), dtype=o.dtype).view(o.shape) for o in outputs]
    named = {name: p for module in modules for name, p in module.named_parameters()}
    named |= {f"state {k}": s for k, s in enumerate(parity.tensors(() if initial is None else initial))}
    loss = sum((o * w).sum() for o, w in zip(outputs, weights, strict=True))
    return dict(zip(named, torch.autograd.grad(loss, [*named.values()]), strict=True))  # type: ignore[arg-type]


def compare(model: Any, table: Any, theirs: Any, ids: torch.Tensor, state: Any, limit: float) -> None:
    """Outputs, states and gradients of ours against torch's."""
    result, expected = model(ids, state), theirs(table(ids), state)
    assert_same(result, expected, limit)
    mine = gradients(result, [model.embedding, model.layer], state)
    true = gradients(expected, [table, theirs], state)
    assert mine.keys() == true.keys()
    for name in true:
        assert_same(mine[name], true[name], limit)


@needs_core
@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", LAYERS)
def test_equals_torch(
    kind: str, options: dict[str, Any], size: str, dtype: torch.dtype, looked_up: list[bool]
):
    model, table, theirs = pair(kind, padding=3, dtype=dtype, **options)
    T, B, few = SIZES[size]
    ids = random_ids(theirs, T, B) % few + N - few
    ids[0, 0] = ids[-1, -1] = 3  # the padding
    compare(model, table, theirs, ids, states(theirs, B), LIMITS[dtype])
    directions = 2 if theirs.bidirectional else 1
    assert looked_up == [k < directions for k in range(directions * theirs.num_layers)]
    assert ours.paths()["compiled"] == 1


@needs_core
def test_in_turn_where_hardly_a_token_comes_twice(looked_up: list[bool], caplog: pytest.LogCaptureFixture):
    model, table, theirs = pair("GRU")
    compare(model, table, theirs, torch.randperm(N)[:10].view(5, 2), None, 1e-10)
    assert looked_up == [False]
    assert caplog.records == []


@needs_core
@pytest.mark.parametrize("kind", LAYERS)
def test_without_padding_unbatched_and_without_states(kind: str, looked_up: list[bool]):
    model, table, theirs = pair(kind)
    ids = torch.randint(N, (30,))
    compare(model, table, theirs, ids, None, 1e-10)
    compare(model, table, theirs, ids.int()[None].T, None, 1e-10)
    assert looked_up == [True, True]


@needs_core
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("way", [torch.no_grad, torch.inference_mode])
def test_inference(kind: str, way: Callable[[], Any], looked_up: list[bool]):
    model, table, theirs = pair(kind, num_layers=2)
    ids, state = random_ids(theirs, 9, 4), states(theirs, 4)
    with way():
        assert_same(model(ids, state), theirs(table(ids), state), 1e-10)
    assert looked_up == [True, False]


@needs_core
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_and_resets(kind: str, batch_first: bool, looked_up: list[bool]):
    model, _, theirs = pair(kind, batch_first=batch_first, bidirectional=True)
    ids, state = random_ids(theirs, 6, 4), states(theirs, 4)
    lengths, reset = torch.tensor([6, 0, 3, 1]), torch.rand(ids.shape) < 0.3
    result = model(ids, state, lengths=lengths, reset=reset)
    assert looked_up == [True, True]
    expected = model.layer(model.embedding(ids), state, lengths=lengths, reset=reset)
    assert_same(result, expected, 1e-10)
    modules = [model.embedding, model.layer]
    mine, true = (gradients(r, modules, state) for r in (result, expected))
    assert_same([*mine.values()], [*true.values()], 1e-10)


@needs_core
def test_dropout_between_layers_draws_as_the_layer_does(looked_up: list[bool]):
    model, _, theirs = pair("LSTM", num_layers=2, dropout=0.5)
    ids = random_ids(theirs, 9, 4)
    torch.manual_seed(0)
    result = model(ids)
    torch.manual_seed(0)
    assert_same(result, model.layer(model.embedding(ids)), 1e-10)
    model.eval()
    assert_same(model(ids), theirs.eval()(model.embedding(ids)), 1e-10)
    assert looked_up == [True, False, False, False, True, False]


@needs_core
@pytest.mark.parametrize("frozen", ["embedding", "layer"])
def test_where_a_part_is_frozen(frozen: str, looked_up: list[bool]):
    model, table, theirs = pair("GRU", bidirectional=True)
    for module in (getattr(model, frozen), table if frozen == "embedding" else theirs):
        module.requires_grad_(False)
    ids = random_ids(theirs, 9, 4)
    for result in (model(ids), theirs(table(ids))):
        result[0].square().sum().backward()
    assert looked_up == [True, True]
    for mine, true in zip(model.parameters(), [*table.parameters(), *theirs.parameters()], strict=True):
        assert (mine.grad is None) == (true.grad is None)
        if true.grad is not None:
            assert_same(mine.grad, true.grad, 1e-10)


def test_the_torch_path_agrees():
    model, table, theirs = pair("LSTM", padding=3, num_layers=2)
    ids, state = random_ids(theirs, 9, 4), states(theirs, 4)
    with ours.torch_path():
        compare(model, table, theirs, ids, state, 1e-10)
    assert ours.paths()["compiled"] == 0


class Doubling(torch.nn.Embedding):
    """An embedding that does more than to hand out rows."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  torch's name
        return 2 * super().forward(input)


def hooked(model: Any) -> None:
    model.layer.register_forward_hook(lambda *_: None)


OBSTACLES: dict[str, tuple[Any, Callable[[Any], Any], str]] = {
    "max_norm": (lambda: torch.nn.Embedding(N, I, max_norm=1.0), lambda _: None, "max_norm=1.0"),
    "sparse": (lambda: torch.nn.Embedding(N, I, sparse=True), lambda _: None, "sparse=True"),
    "scaled": (lambda: torch.nn.Embedding(N, I, scale_grad_by_freq=True), lambda _: None, "by_freq=True"),
    "subclass": (lambda: Doubling(N, I), lambda _: None, "a Doubling may do more"),
    "hook": (lambda: torch.nn.Embedding(N, I), hooked, "the GRU has hooks"),
    "pruned": (
        lambda: torch.nn.Embedding(N, I),
        lambda model: prune.random_unstructured(model.layer, "weight_ih_l0", 0.5),
        "the GRU has hooks",
    ),
}


@needs_core
@pytest.mark.parametrize("what", OBSTACLES)
def test_in_turn_where_a_table_would_be_wrong(
    what: str, looked_up: list[bool], caplog: pytest.LogCaptureFixture
):
    made, change, why = OBSTACLES[what]
    model = ours.Embedded(made(), ours.GRU(I, H))
    change(model)
    twin, ids = pickle.loads(pickle.dumps(model)) if what != "hook" else model, torch.randint(N, (9, 4))
    with caplog.at_level(logging.WARNING, "unrolled"):
        output, h_n = model(ids)
        model(ids)
    assert_same((output, h_n), twin.layer(twin.embedding(ids)), 1e-6)
    assert not any(looked_up)
    (record,) = caplog.records
    assert record.message.startswith("note: GRU multiplies embedded rows: ")
    assert why in record.message
    output.sum().backward()
    assert model.embedding.weight.grad is not None


@needs_core
def test_parametrized_weights_are_looked_up(looked_up: list[bool]):
    model, table, theirs = pair("GRU")
    parametrizations.weight_norm(model.embedding)
    parametrizations.weight_norm(model.layer, "weight_ih_l0")
    ids = random_ids(theirs, 9, 4)
    assert_same(model(ids), theirs(table(ids)), 1e-10)
    model(ids)[0].sum().backward()
    assert looked_up == [True, True]
    assert model.embedding.parametrizations.weight.original1.grad is not None


@needs_core
def test_second_derivatives(looked_up: list[bool]):
    model, _, theirs = pair("GRU", bidirectional=True)
    ids, found = random_ids(theirs, 9, 4), list[torch.Tensor]()
    for way in (contextlib.nullcontext, ours.torch_path):
        with way():
            output, _ = model(ids)
            (d,) = torch.autograd.grad(output.square().sum(), model.embedding.weight, create_graph=True)
            found += torch.autograd.grad(d.square().sum(), model.embedding.weight)
    assert looked_up == [True, True]
    assert (found[0] - found[1]).abs().max() <= 1e-12 * found[1].abs().max()


def test_other_dtypes_run():
    model = ours.Embedded(torch.nn.Embedding(N, I), ours.GRU(I, H)).bfloat16()
    output, _ = model(torch.randint(N, (9, 4)))
    assert output.dtype is torch.bfloat16


def test_empty_batch():
    output, h_n = ours.Embedded(torch.nn.Embedding(N, I), ours.GRU(I, H))(torch.zeros(5, 0, dtype=torch.long))
    assert output.shape == (5, 0, H)
    assert h_n.shape == (1, 0, H)


def test_as_a_module():
    model, _, _ = pair("GRU")
    assert [*model.state_dict()] == [
        "embedding.weight",
        *(f"layer.{name}" for name in model.layer.state_dict()),
    ]
    ids = torch.randint(N, (9, 4))
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_same(twin(ids), model(ids), 0)


@pytest.mark.parametrize("bad", [-1, N])
@pytest.mark.parametrize("path", ["compiled", "max_norm"])
def test_ids_out_of_range(bad: int, path: str):
    embedding = torch.nn.Embedding(N, I, max_norm=1.0 if path == "max_norm" else None)
    model = ours.Embedded(embedding, ours.GRU(I, H))
    ids = torch.zeros(5, 2, dtype=torch.int64)
    ids[4, 1] = bad
    with pytest.raises(IndexError, match=f"index out of range in self.*0 to {N - 1}.*got {bad}"):
        model(ids, lengths=[5, 4])


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "a list": ([1, 2], DtypeError, "torch.Tensor"),
    "floats": (torch.zeros(5, 2), DtypeError, "whole numbers"),
    "truth": (torch.zeros(5, 2, dtype=torch.bool), DtypeError, "whole numbers"),
    "one-hot": (torch.zeros(5, 2, N, dtype=torch.long), ShapeError, "axes"),
    "no step": (torch.zeros(0, 2, dtype=torch.long), RuntimeError, "sequence length"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str):
    ids, error, words = REFUSED[what]
    with pytest.raises(error, match=words):
        ours.Embedded(torch.nn.Embedding(N, I), ours.GRU(I, H))(ids)


def test_refused_by_the_constructor():
    with pytest.raises(OptionError, match="convert"):
        ours.Embedded(torch.nn.Embedding(N, I), torch.nn.GRU(I, H))
    with pytest.raises(OptionError, match="Embedding"):
        ours.Embedded(torch.nn.Linear(N, I), ours.GRU(I, H))
    with pytest.raises(ShapeError, match=f"input_size = {I}"):
        ours.Embedded(torch.nn.Embedding(N, I), ours.GRU(I + 1, H))


def test_states_and_lengths_are_checked():
    model = ours.Embedded(torch.nn.Embedding(N, I), ours.GRU(I, H))
    ids = torch.zeros(5, 2, dtype=torch.long)
    with pytest.raises(RuntimeError, match="Expected hidden size"):
        model(ids, torch.zeros(2, 1, H))
    with pytest.raises(ValueError, match=r"GRU\.forward: lengths"):
        model(ids, lengths=[5, 6])
    with pytest.raises(ShapeError, match=r"GRU\.forward: reset"):
        model(ids, reset=torch.zeros(2, 5, dtype=torch.bool))
