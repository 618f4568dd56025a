"""The cells that torch has not: ours against the NumPy reference, on both ways."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.tolerances import limit
from unrolled import native, nn, unroll
from unrolled.checks import parity
from unrolled.tape import Walk

ours: Any = nn  # torch types a weight as Tensor | Module

LAYERS: dict[str, Any] = {
    "rnn_sigmoid": lambda **o: ours.RNN(3, 5, nonlinearity="sigmoid", **o),
    "rnn_identity": lambda **o: ours.RNN(3, 5, nonlinearity="identity", **o),
    "gru_reset_before": lambda **o: ours.GRU(3, 5, reset_after=False, **o),
}
CELLS: dict[str, Any] = {
    "rnn_sigmoid": lambda **o: ours.RNNCell(3, 5, nonlinearity="sigmoid", **o),
    "rnn_identity": lambda **o: ours.RNNCell(3, 5, nonlinearity="identity", **o),
    "gru_reset_before": lambda **o: ours.GRUCell(3, 5, reset_after=False, **o),
}
DTYPES = ["float32", "float64"]
NAMES = {"W_xh": "weight_ih_l0", "W_hh": "weight_hh_l0", "b_xh": "bias_ih_l0", "b_hh": "bias_hh_l0"}


def reference(
    cell: str, layer: Any, x: torch.Tensor, h_0: torch.Tensor, seed: int, walk: Walk
) -> dict[str, Any]:
    """What `parity.answers` gives, by the reference in float64."""
    params = {
        name: getattr(layer, theirs).detach().double().numpy()
        for name, theirs in NAMES.items()
        if layer.bias or "W" in name
    }
    tape = unroll.forward(
        cell, params, x.double().numpy(), {"h": h_0[0].double().numpy()}, walk=walk, engine="reference"
    )
    generator = torch.Generator().manual_seed(seed)
    T, B, _ = x.shape
    dh_out = torch.randn(T, B, 5, generator=generator, dtype=x.dtype).double().numpy()
    dh_n = torch.randn(1, B, 5, generator=generator, dtype=x.dtype).double().numpy()[0]
    unroll.backward(tape, dh_out, {"h": dh_n})
    found = {f"d{theirs}": tape.arrays[f"d{name}"] for name, theirs in NAMES.items() if name in params}
    return found | {
        "output": tape.output,
        "h": tape.arrays["h_n"][None],
        "dinput": tape.arrays["dx"],
        "dh_0": tape.arrays["dh_0"][None],
    }


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("way", ["compiled", "composite"])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_layer_is_the_reference(cell: str, bias: bool, way: str, ragged: bool, dtype: str):
    if way == "compiled" and not native.available():
        pytest.skip(native.why_not())
    torch.manual_seed(0)
    kind = getattr(torch, dtype)
    layer = LAYERS[cell](bias=bias, dtype=kind)
    x, h_0 = torch.randn(6, 4, 3, dtype=kind), torch.randn(1, 4, 5, dtype=kind)
    lengths = [6, 0, 3, 5] if ragged else None
    reset = torch.rand(6, 4) < 0.3 if ragged else None
    walk = Walk(
        lengths=None if lengths is None else np.array(lengths), reset=None if reset is None else reset.numpy()
    )
    expected = reference(cell, layer, x, h_0, 0, walk)
    ours.reset_paths()
    if way == "compiled":
        found = parity.answers(layer, x, h_0, lengths=lengths, reset=reset)
    else:
        with ours.torch_path():
            found = parity.answers(layer, x, h_0, lengths=lengths, reset=reset)
    assert ours.paths()[way] == 1
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        error = np.abs(found[name] - value).max() / max(1, np.abs(value).max())
        assert error <= limit("parity", dtype), (name, error)


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"num_layers": 2, "bidirectional": True},
        {"batch_first": True},
        {"num_layers": 3, "dropout": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_both_ways_agree_on_every_option(cell: str, options: dict[str, Any], dtype: str):
    torch.manual_seed(0)
    layer = LAYERS[cell](dtype=getattr(torch, dtype), **options)
    x = torch.randn(4, 6, 3, dtype=getattr(torch, dtype))
    agree(layer, x, dtype)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_both_ways_agree_on_cells(cell: str, bias: bool, dtype: str):
    torch.manual_seed(0)
    agree(
        CELLS[cell](bias=bias, dtype=getattr(torch, dtype)),
        torch.randn(6, 3, dtype=getattr(torch, dtype)),
        dtype,
    )


def agree(module: Any, x: torch.Tensor, dtype: str) -> None:
    """The kernels and torch's operations, one call of each."""
    ours.reset_paths()
    found = parity.answers(module, x)
    with ours.torch_path():
        expected = parity.answers(module, x)
    if native.available():
        assert ours.paths() == {"compiled": 1, "torch": 0, "composite": 1}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        error = np.abs(found[name] - value).max() / max(1, np.abs(value).max())
        assert error <= limit("parity", dtype), (name, error)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_composite_is_torch_where_torch_has_the_cell(kind: str):
    torchs = getattr(torch.nn, kind)(3, 5, 2, bidirectional=True, dtype=torch.float64)
    mine = getattr(ours, kind).from_torch(torchs)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    expected = parity.answers(torchs, x)
    ours.reset_paths()
    with ours.torch_path():
        found = parity.answers(mine, x, reset=torch.zeros(6, 4, dtype=torch.bool))
    assert ours.paths()["composite"] == 1
    for name, value in expected.items():
        assert np.abs(found[name] - value).max() <= limit("parity") * max(1, np.abs(value).max()), name


def test_packed_input_works_for_them_too():
    layer = ours.GRU(3, 5, reset_after=False, dtype=torch.float64)
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in (2, 5, 3)]
    packed = torch.nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
    output, h_n = layer(packed)
    with ours.torch_path():
        expected, final = layer(packed)
    assert (output.data - expected.data).abs().max() <= limit("parity")
    assert (h_n - final).abs().max() <= limit("parity")


def test_their_options_are_shown():
    assert repr(LAYERS["rnn_sigmoid"]()) == "RNN(3, 5, nonlinearity='sigmoid')"
    assert repr(LAYERS["gru_reset_before"]()) == "GRU(3, 5, reset_after=False)"
    assert repr(ours.GRUCell(3, 5, reset_after=False)) == "GRUCell(3, 5, reset_after=False)"
    assert repr(ours.RNNCell(3, 5, nonlinearity="relu")) == repr(torch.nn.RNNCell(3, 5, nonlinearity="relu"))


def test_the_two_forms_of_the_gru_differ():
    after = ours.GRU(3, 5)
    before = ours.GRU(3, 5, reset_after=False)
    before.load_state_dict(after.state_dict())
    x = torch.randn(4, 2, 3)
    assert (after(x)[0] - before(x)[0]).abs().max() > 1e-3


@pytest.mark.skipif(not native.available(), reason="torch's products depend on the number of rows")
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_layer_called_step_by_step_has_the_bits_of_one_call(kind: str, dtype: torch.dtype):
    layer, x = getattr(nn, kind)(19, 37, num_layers=2, dtype=dtype), torch.randn(7, 1, 19, dtype=dtype)
    with torch.no_grad():
        whole, state, steps = layer(x)[0], None, list[torch.Tensor]()
        for x_t in x:
            h_t, state = layer(x_t[None], state)
            steps.append(h_t)
    assert torch.equal(torch.cat(steps), whole)
