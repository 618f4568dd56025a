"""Which way a call is computed: the kernels where they can, torch where it must see, and a word why."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from tests.tolerances import limit
from unrolled import errors, native, nn
from unrolled.checks import parity

ours: Any = nn  # torch types a weight as Tensor | Module
pytestmark = pytest.mark.skipif(not native.available(), reason="there is one way only")
MODULES = ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    errors.note.cache_clear()
    ours.reset_paths()
    yield
    errors.note.cache_clear()


def taken() -> str:
    """The one way taken since the last look."""
    (way,) = [way for way, count in ours.paths().items() if count]
    ours.reset_paths()
    return way


def made(name: str) -> tuple[Any, torch.Tensor]:
    return getattr(ours, name)(3, 4), torch.randn(2, 3) if "Cell" in name else torch.randn(5, 2, 3)


def first(result: Any) -> torch.Tensor:
    return next(parity.tensors(result))


@pytest.mark.parametrize("name", MODULES)
def test_compiled_unless_there_is_a_reason(name: str, caplog: pytest.LogCaptureFixture):
    module, x = made(name)
    module(x)
    assert taken() == "compiled"
    with torch.no_grad():
        module(x)
    assert taken() == "compiled"
    with torch.inference_mode():
        module(x)
    assert taken() == "compiled"
    assert caplog.records == []


@pytest.mark.parametrize("name", MODULES)
def test_other_dtypes_run_and_say_so_once(name: str, caplog: pytest.LogCaptureFixture):
    module, x = made(name)
    expected = first(module(x))
    ours.reset_paths()
    with caplog.at_level(logging.WARNING, "unrolled"):
        narrow = first(module.bfloat16()(x.bfloat16()))
        module(x.bfloat16())
    assert (narrow - expected).abs().max() < 0.02
    assert taken() == "torch"
    assert [record.message for record in caplog.records] == [
        f"note: {name} runs on torch's path: the kernels do not compute in torch.bfloat16"
    ]


def test_other_devices():
    layer = ours.GRU(3, 4, device="meta")
    output, _ = layer(torch.zeros(5, 2, 3, device="meta"))
    assert output.shape == (5, 2, 4)
    assert taken() == "torch"


def test_what_torch_has_not_runs_in_half_precision_too():
    layer = ours.GRU(3, 4, reset_after=False).bfloat16()
    layer(torch.randn(5, 2, 3).bfloat16(), lengths=[5, 2])[0].sum().backward()
    assert taken() == "composite"
    assert layer.weight_hh_l0.grad.dtype is torch.bfloat16


class Subclass(torch.Tensor):
    """A tensor that may compute something of its own."""


def test_subclasses_of_tensors_stay_with_torch():
    layer = ours.GRU(3, 4)
    output, _ = layer(torch.randn(5, 2, 3).as_subclass(Subclass))
    assert isinstance(output, Subclass)
    assert taken() == "torch"


class Operations(TorchDispatchMode):
    """Counts the operations that torch dispatches."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", MODULES)
def test_dispatch_modes_see_the_operations(name: str):
    module, x = made(name)
    with Operations() as mode:
        module(x)
    assert mode.count > 3
    assert taken() == "torch"
    with FlopCounterMode(display=False) as counter:
        module(x)
    assert counter.get_total_flops() > 0 or name == "LSTM"  # torch does not count its oneDNN operation


@pytest.mark.parametrize("name", MODULES)
def test_autocast(name: str):
    module, x = made(name)
    theirs = module.to_torch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert first(module(x)).dtype is first(theirs(x)).dtype
    assert taken() == "torch"


@pytest.mark.parametrize("name", MODULES)
def test_transforms_of_torch_func(name: str):
    """Even vmap, for which torch's own layers have no rule."""
    module, x = made(name)
    module, x = module.double(), x.double()

    def loss(weights: Any, x: torch.Tensor) -> torch.Tensor:
        return first(torch.func.functional_call(module, weights, (x,))).square().sum()

    weights = {key: value.detach() for key, value in module.named_parameters()}
    batch = torch.stack([x, 2 * x])
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, batch)
    assert taken() == "composite"
    for n in range(2):
        value = loss(dict(module.named_parameters()), batch[n])
        expected = torch.autograd.grad(value, list(module.parameters()))
        for one, other in zip(each.values(), expected, strict=True):
            assert (one[n] - other).abs().max() <= limit("parity") * max(1, other.abs().max())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # torch's own rules
def test_forward_mode_differentiation():
    layer = ours.GRU(3, 4, dtype=torch.float64)
    x, tangent = torch.randn(2, 5, 2, 3, dtype=torch.float64)
    with forward_ad.dual_level():
        output, _ = layer(forward_ad.make_dual(x, tangent))
        found = forward_ad.unpack_dual(output).tangent
    assert taken() == "torch"
    step = 1e-6
    expected = (layer(x + step * tangent)[0] - layer(x - step * tangent)[0]) / (2 * step)
    assert (found - expected).abs().max() < 1e-8


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("name", MODULES)
def test_script_compiles_torchs_layer(name: str):
    module, x = made(name)
    model = torch.nn.ModuleDict({"layer": module})
    scripted: Any = torch.jit.script(torch.nn.Sequential(module))
    assert torch.allclose(first(scripted(x)), first(module(x)), atol=1e-6)
    assert type(model["layer"]) is getattr(ours, name)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # torch's layers compare sizes too
@pytest.mark.parametrize("name", MODULES)
def test_trace_records_torchs_operations(name: str):
    module, x = made(name)
    traced: Any = torch.jit.trace(module, x, check_trace=False)
    assert taken() == "torch"
    assert torch.allclose(first(traced(x)), first(module(x)), atol=1e-6)


@pytest.mark.filterwarnings("ignore:The tensor attributes self.layer._flat_weights")  # of torch's layer too
@pytest.mark.parametrize("name", ["GRU", "LSTMCell"])
def test_export(name: str):
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = module

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return first(self.layer(x))

    module, x = made(name)
    program = torch.export.export(Model(), (x,), strict=False)
    assert ours.paths()["compiled"] == 0
    assert torch.allclose(program.module()(x), first(module(x)), atol=1e-6)


def test_torch_compile_leaves_the_kernels_in_place_and_can_trace_cells():
    """In a process of its own: importing the compiler of torch is slow and leaves traces."""
    code = """
import warnings
warnings.simplefilter("error", UserWarning)
import torch
from unrolled import nn
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.cell, self.head = nn.GRU(3, 4), nn.LSTMCell(4, 4), torch.nn.Linear(4, 2)
    def forward(self, x):
        output, h_n = self.layer(x * 2)
        return self.head(self.cell(output[-1])[0])
model, x = Model(), torch.randn(5, 2, 3)
expected = model(x)
compiled = torch.compile(model, backend="eager")
nn.reset_paths()
for _ in range(3):
    found = compiled(x)
    found.sum().backward()
    assert torch.allclose(found, expected, atol=1e-6)
assert nn.paths() == {"compiled": 6, "torch": 0, "composite": 0}, nn.paths()
for cell in (nn.GRUCell(3, 4), nn.LSTMCell(3, 4), nn.RNNCell(3, 4)):
    whole = torch.compile(torch.nn.Sequential(cell), backend="eager", fullgraph=True)
    found, expected = whole(x[0]), cell(x[0])
    assert torch.allclose(found[0], expected[0], atol=1e-6)
before = nn.GRUCell(3, 4, reset_after=False)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    found = torch.compile(torch.nn.Sequential(before), backend="eager")(x[0])
    assert torch.allclose(found, before(x[0]), atol=1e-6)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "recompile" not in done.stderr


def test_importing_the_layers_does_not_import_torchs_compiler():
    code = "import sys, unrolled.nn; assert 'torch._dynamo' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_torch_path_is_for_this_thread_and_ends():
    layer, x = ours.GRU(3, 4), torch.randn(5, 2, 3)
    with ours.torch_path():
        layer(x)
        assert taken() == "torch"
    layer(x)
    assert taken() == "compiled"


def test_without_the_core_everything_runs_and_says_why():
    code = """
import logging, sys
sys.modules["unrolled._native"] = None
import torch
from unrolled import native, nn
assert not native.available()
layer = nn.LSTM(3, 4, 2, bidirectional=True, dropout=0.1)
layer(torch.randn(5, 2, 3), lengths=[3, 0])[0].sum().backward()
layer(torch.randn(5, 2, 3), reset=torch.zeros(5, 2, dtype=torch.bool))
nn.GRUCell(3, 4, reset_after=False)(torch.randn(2, 3))
nn.GRU(3, 4).stream().step(torch.randn(3))
print(nn.paths())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{'compiled': 0, 'torch': 1, 'composite': 2}"
    notes = done.stderr.strip().splitlines()
    assert [line.split(":")[0] for line in notes] == ["note"] * len(notes)
    assert "note: LSTM runs on torch's path:" in notes[0]
    assert len(notes) == 3
