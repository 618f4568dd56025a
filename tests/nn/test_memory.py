"""``memory=``: the answers of a layer without it, to the bit, from little memory; and what is refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from tests.battery.pairs import all_pairs
from tests.faults import Fault, planted
from unrolled import native, nn, unroll
from unrolled.checks import parity
from unrolled.errors import OptionError, UnavailableError
from unrolled.nn import compiled, recomputed
from unrolled.tape import Walk

ours: Any = nn

needs_core = pytest.mark.skipif(not native.available(), reason=f"no compiled core: {native.why_not()}")

LAYERS: dict[str, Any] = {
    "lstm": lambda **o: ours.LSTM(6, 9, **o),
    "projected": lambda **o: ours.LSTM(6, 9, proj_size=5, **o),
    "gru": lambda **o: ours.GRU(6, 9, **o),
    "reset before": lambda **o: ours.GRU(6, 9, reset_after=False, **o),
}
FACTORS: dict[str, tuple[Any, ...]] = {
    "kind": (*LAYERS,),
    "layers": (1, 2, 3),
    "bidirectional": (False, True),
    "batch_first": (False, True),
    "dropout": (0.0, 0.3),
    "bias": (False, True),
    "dtype": ("float32", "float64"),
    "walk": ("full", "ragged", "short", "packed"),
    "reset": (False, True),
    "initial": (False, True),
    "threads": (1, 2),
    "memory": ("sqrt", "least"),
}
T, B = 95, 40
"""Steps and sequences: the core sums up 6 steps at a time, √T are two of those."""


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def ran_again(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of every stretch that ran again."""
    steps, right = list[int](), recomputed.Lane.backward

    def watched(lane: Any, part: Any, *rest: Any) -> None:
        steps.append(part.steps)
        right(lane, part, *rest)

    monkeypatch.setattr(recomputed.Lane, "backward", watched)
    return steps


def built(row: dict[str, Any]) -> tuple[Any, Any, Any, dict[str, Any]]:
    """A layer, its input, its initial states and what else it is called with."""
    torch.manual_seed(0)
    dtype = getattr(torch, row["dtype"])
    chosen = {name: row[name] for name in ("bidirectional", "batch_first", "bias")}
    p = row["dropout"] if row["layers"] > 1 else 0.0
    layer = LAYERS[row["kind"]](num_layers=row["layers"], dropout=p, dtype=dtype, **chosen)
    x = torch.randn((B, T, 6) if row["batch_first"] else (T, B, 6), dtype=dtype)
    lengths = torch.randint(0, T + 1 if row["walk"] == "ragged" else T - 9, (B,))
    count, pair = row["layers"] * (1 + row["bidirectional"]), isinstance(layer, nn.LSTM)
    h, c = (torch.randn(count, B, size, dtype=dtype) for size in (layer.proj_size or 9, 9))
    states = None if not row["initial"] else (h, c) if pair else h
    if row["walk"] == "packed":
        pack = torch.nn.utils.rnn.pack_padded_sequence
        lengths = lengths.clamp(1)
        packed = pack(x, lengths, batch_first=row["batch_first"], enforce_sorted=False)
        return layer, packed, states, {}
    options: dict[str, Any] = {} if row["walk"] == "full" else {"lengths": lengths}
    if row["reset"]:
        options["reset"] = torch.rand(x.shape[:2]) < 0.1
    return layer, x, states, options


def least(layer: Any, *arguments: Any, **options: Any) -> int:
    """The least memory that works, as the error says that refuses less."""
    layer.memory = 1
    with pytest.raises(
        OptionError, match=r"^(LSTM|GRU).forward: memory must be at least \d+ bytes"
    ) as refused:
        layer(*arguments, **options)
    return int(str(refused.value).partition("memory=")[2].partition(",")[0])


def bits(layer: Any, *arguments: Any, **options: Any) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in parity.answers(layer, *arguments, **options).items()}


@needs_core
@pytest.mark.parametrize("row", all_pairs(FACTORS), ids=lambda row: "-".join(map(str, row.values())))
def test_bits_are_those_of_a_layer_without(row: dict[str, Any], ran_again: list[int]):
    layer, x, states, options = built(row)
    torch.set_num_threads(row["threads"])
    expected = bits(layer, x, states, 3, **options)
    assert not ran_again
    layer.memory = "sqrt" if row["memory"] == "sqrt" else least(layer, x, **options)
    assert bits(layer, x, states, 3, **options) == expected
    lanes = row["layers"] * (1 + row["bidirectional"])
    assert len(ran_again) > 2 * lanes
    assert max(ran_again) < T / 2


@needs_core
def test_it_is_the_reference(ran_again: list[int]):
    torch.manual_seed(0)
    layer = ours.LSTM(6, 9, dtype=torch.float64, memory="sqrt")
    x, lengths = torch.randn(T, B, 6, dtype=torch.float64), torch.randint(0, T + 1, (B,))
    found = parity.answers(layer, x, None, 0, lengths=lengths)
    names = {"W_xh": "weight_ih_l0", "W_hh": "weight_hh_l0", "b_xh": "bias_ih_l0", "b_hh": "bias_hh_l0"}
    params = {name: getattr(layer, theirs).detach().numpy() for name, theirs in names.items()}
    walk = Walk(lengths=lengths.numpy())
    tape = unroll.forward("lstm", params, x.numpy(), walk=walk, engine="reference")
    generator = torch.Generator().manual_seed(0)
    d = [torch.randn(s, generator=generator, dtype=x.dtype).numpy() for s in ((T, B, 9), *[(1, B, 9)] * 2)]
    unroll.backward(tape, d[0], {"h": d[1][0], "c": d[2][0]})
    for name, theirs in names.items():
        np.testing.assert_allclose(found[f"d{theirs}"], tape.arrays[f"d{name}"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found["dinput"], tape.dx, rtol=1e-12, atol=1e-12)
    assert len(ran_again) > 2


@needs_core
def test_tokens_are_looked_up_again(ran_again: list[int]):
    torch.manual_seed(0)
    model = ours.Embedded(torch.nn.Embedding(11, 6), ours.GRU(6, 9, bidirectional=True))
    ids = torch.randint(11, (T, B))
    grads = list[list[bytes]]()
    for model.layer.memory in (None, "sqrt"):
        model.zero_grad()
        model(ids)[0].square().sum().backward()
        grads.append([parameter.grad.numpy().tobytes() for parameter in model.parameters()])
    assert grads[0] == grads[1]
    assert len(ran_again) > 2


@needs_core
@pytest.mark.parametrize("frozen", [("l0",), ("l1",), ("bias",), ("weight_hh",)], ids=str)
def test_only_what_is_wanted_is_computed(frozen: tuple[str, ...]):
    torch.manual_seed(0)
    layer, x, grads = ours.LSTM(6, 9, 2), torch.randn(T, B, 6), list[list[bytes]]()
    for name, weight in layer.named_parameters():
        weight.requires_grad_(not any(part in name for part in frozen))
    for layer.memory in (None, "sqrt"):
        layer.zero_grad()
        layer(x)[1][0].sum().backward()
        grads.append([w.grad.numpy().tobytes() for w in layer.parameters() if w.requires_grad])
    assert grads[0] == grads[1]


@needs_core
def test_lengths_that_are_all_zero():
    layer = ours.GRU(6, 9, memory="sqrt")
    layer(torch.randn(T, B, 6), lengths=[0] * B)[1].sum().backward()
    assert all(not weight.grad.any() for weight in layer.parameters())


@needs_core
def test_an_edit_of_the_output_reaches_no_gradient():
    torch.manual_seed(0)
    layer, x = ours.GRU(6, 9, memory="sqrt"), torch.randn(T, B, 6)
    expected = torch.autograd.grad(layer(x)[0].sum(), layer.weight_hh_l0)[0]
    output = layer(x)[0]
    total = output.sum()
    with torch.no_grad():
        output.zero_()
    assert torch.equal(torch.autograd.grad(total, layer.weight_hh_l0)[0], expected)


def both_directions_of_a_ragged_batch() -> None:
    row = {name: values[0] for name, values in FACTORS.items()} | {"walk": "ragged", "bidirectional": True}
    layer, x, states, options = built(row)
    expected = bits(layer, x, states, **options)
    layer.memory = "sqrt"
    assert bits(layer, x, states, **options) == expected


FAULTS = {
    "forget what later steps gave": (recomputed._backward, "add=True", "add=False"),
    "go back through the first stretch first": (recomputed._backward, "in reversed([", "in list(["),
    "begin with the states of another": (recomputed._backward, "_of(j, *between", "_of(0, *between"),
    "let rows run in another order": (recomputed.Lane.backward, "at(self.call.lengths)", "0"),
    "count steps from the last": (recomputed._parts, "lengths - first", "lengths"),
}


@needs_core
@pytest.mark.parametrize("what", FAULTS)
def test_fault_is_noticed(what: str):
    fault = Fault(what, *FAULTS[what], noticed_by=both_directions_of_a_ragged_batch)
    fault.noticed_by()
    with planted(fault), pytest.raises(AssertionError):
        fault.noticed_by()


# ------------------------------------------------------------------------------------------------- memory


def held_between(layer: Any, x: torch.Tensor) -> int:
    """Bytes that autograd holds between the passes, beside input, weights and output."""
    held = dict[int, int]()

    def note(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = layer(x)[0]
    own = {tensor.untyped_storage().data_ptr() for tensor in (x, output, *layer.parameters())}
    return sum(size for at, size in held.items() if at not in own)


def held_back(monkeypatch: pytest.MonkeyPatch, layer: Any, x: torch.Tensor) -> int:
    """Bytes of the tape that the backward pass makes for itself, its outputs h among them."""
    made, right = list[int](), compiled.new_tape

    def watched(plan: Any, like: torch.Tensor, steps: int, rows: int) -> Any:
        tape = right(plan, like, steps, rows)
        made.extend(array.nbytes for array in tape if array is not None)
        made.append(steps * rows * plan.R * like.itemsize)
        return tape

    output = layer(x)[0].sum()
    monkeypatch.setattr(compiled, "new_tape", watched)
    output.backward()
    return sum(made)


@needs_core
@pytest.mark.parametrize(("kind", "times"), [("LSTM", 5), ("GRU", 4)])
def test_three_hundredths_of_the_plain_memory(monkeypatch: pytest.MonkeyPatch, kind: str, times: int):
    layer = getattr(ours, kind)(2, 16)
    x = torch.randn(20_000, 16, 2)
    plain = held_between(layer, x)
    assert plain == times * 4 * 20_000 * 16 * 16
    layer.memory = "sqrt"
    assert held_between(layer, x) + held_back(monkeypatch, layer, x) < 0.03 * plain


@needs_core
@pytest.mark.parametrize("memory", [200_000, "300KB", "0.5MiB"])
def test_a_budget_is_kept(monkeypatch: pytest.MonkeyPatch, memory: str | int):
    layer, x = ours.LSTM(2, 4, 2, bidirectional=True, memory=memory), torch.randn(3000, 16, 2)
    limit = {"300KB": 300_000, "0.5MiB": 2**19}.get(str(memory), 200_000)
    between = 4 * 3000 * 16 * 8  # the first layer's output
    held = held_between(layer, x) - between + held_back(monkeypatch, layer, x)
    assert 0.7 * limit < held <= limit


@needs_core
def test_what_fits_is_not_computed_again(ran_again: list[int]):
    for layer in (ours.LSTM(6, 9, memory="1GB"), ours.RNN(6, 9, memory=1)):  # a tape that is the output
        layer(torch.randn(T, B, 6))[0].sum().backward()
    assert not ran_again


# ------------------------------------------------------------------------------------------- as an option


def test_it_is_an_option_and_no_weight():
    layer = ours.GRU(3, 4, memory="200MB")
    assert repr(layer) == "GRU(3, 4, memory='200MB')"
    assert layer.state_dict().keys() == ours.GRU(3, 4).state_dict().keys()
    assert pickle.loads(pickle.dumps(layer)).memory == copy.deepcopy(layer).memory == "200MB"
    assert repr(ours.LSTM.from_torch(torch.nn.LSTM(3, 4))) == "LSTM(3, 4)"
    assert repr(ours.RNN(3, 4, nonlinearity="sigmoid", memory=5)).endswith(
        "memory=5, nonlinearity='sigmoid')"
    )


@pytest.mark.parametrize("memory", ["200", "lots", 0, 1.5, [3], True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_what_is_no_memory(kind: str, memory: Any):
    with pytest.raises(OptionError, match=rf'^{kind}: memory must be None, "sqrt" or an amount'):
        getattr(ours, kind)(3, 4, memory=memory)


def test_it_is_given_by_name():
    with pytest.raises(TypeError):
        ours.RNN(3, 4, 1, "tanh", True, False, 0.0, False, None, None, "sqrt")


@needs_core
def test_the_least_that_is_named_works_and_less_does_not():
    layer, x = ours.LSTM(3, 4), torch.randn(500, 8, 3)
    layer.memory = least(layer, x)
    layer(x)[0].sum().backward()
    layer.memory -= 1
    with pytest.raises(OptionError, match="for 500 steps, in stretches of whole blocks of 32"):
        layer(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_other_way_is_taken_in_silence(dtype: torch.dtype):
    layer, x = ours.GRU(3, 4, memory="sqrt", dtype=dtype), torch.randn(5, 2, 3, dtype=dtype)
    with nn.torch_path() if dtype is torch.float32 else torch.enable_grad():
        with pytest.raises(
            UnavailableError, match=r"^GRU.forward: memory must be None where the kernels do not"
        ):
            layer(x)
        packed = torch.nn.utils.rnn.pack_sequence([x[:, 0]])
        with pytest.raises(UnavailableError):
            layer(packed)
        with torch.no_grad():
            assert layer(x)[0].shape == (5, 2, 4)


def test_nothing_is_held_without_gradients(ran_again: list[int]):
    layer = ours.GRU(3, 4, memory=1)
    with torch.no_grad():
        assert layer(torch.randn(500, 2, 3))[0].shape == (500, 2, 4)
    assert layer.stream().step(torch.zeros(3)).shape == (4,)
    assert not ran_again
