"""The samples that torch tests its own recurrent modules with: ours give the same, and refuse the same."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing._internal.common_modules import ErrorModuleInput, ModuleInput, module_db

from tests.tolerances import limit
from unrolled import nn as ours

NAMES = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")
LISTED = {
    info.module_cls.__name__: info for info in module_db if info.module_cls.__module__.startswith("torch.nn")
}


def samples(name: str, dtype: torch.dtype, training: bool) -> list[ModuleInput]:
    info = LISTED[name]
    return list(
        info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training)
    )


def built(kind: Any, sample: ModuleInput, dtype: torch.dtype, training: bool) -> Any:
    given = sample.constructor_input
    return kind(*given.args, **{**given.kwargs, "dtype": dtype}).train(training)


def leaves(value: Any) -> list[Tensor]:
    """Every tensor in what a module takes or gives, a packed batch's data among them."""
    if isinstance(value, nn.utils.rnn.PackedSequence):
        return [value.data]
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value] if isinstance(value, Tensor) else []


def passed(module: Any, sample: ModuleInput) -> tuple[list[Tensor], list[Tensor]]:
    """The outputs, and the gradients of every weight and input.

    The loss's own gradients lie in (0, 1], each its own: the limits are for gradients of that size.
    """
    given: Any = sample.forward_input
    outputs = leaves(module(*given.args, **given.kwargs))
    inputs = leaves([*given.args, *given.kwargs.values()])
    wanted = [*module.parameters(), *(x for x in inputs if x.requires_grad)]
    weighed = [x * (torch.arange(1.0, x.numel() + 1) / x.numel()).view(x.shape) for x in outputs]
    loss = torch.stack([x.sum() for x in weighed]).sum()
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    zero = torch.zeros(())
    return [output.detach() for output in outputs], [zero if g is None else g for g in found]


@pytest.mark.filterwarnings("ignore")  # torch's of its own samples, such as dropout with one layer
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_torchs_samples_give_what_torch_gives(name: str, dtype: torch.dtype, training: bool) -> None:
    torch.manual_seed(0)
    cases = samples(name, dtype, training)
    assert len(cases) >= 2
    for sample in cases:
        theirs = built(getattr(nn, name), sample, dtype, training)
        mine = built(getattr(ours, name), sample, dtype, training)
        mine.load_state_dict(theirs.state_dict())
        outputs, gradients = passed(mine, sample)
        expected, their_gradients = passed(theirs, sample)
        most = limit("parity", str(dtype).removeprefix("torch."))
        for a, b in zip([*outputs, *gradients], [*expected, *their_gradients], strict=True):
            torch.testing.assert_close(a, b, rtol=most, atol=most * max(1.0, float(b.abs().max())))


@pytest.mark.parametrize("name", NAMES)
def test_what_torch_refuses_in_its_samples_is_refused_alike(name: str) -> None:
    info: Any = LISTED[name]
    refused: list[ErrorModuleInput] = list(
        info.module_error_inputs_func(
            info, device="cpu", dtype=torch.float32, requires_grad=False, training=False
        )
    )
    assert len(refused) >= 4
    for case in refused:
        given: Any
        call: Any
        given, call = case.module_error_input.constructor_input, case.module_error_input.forward_input
        with pytest.raises(case.error_type, match=case.error_regex):
            getattr(ours, name)(*given.args, **given.kwargs)(*call.args, **call.kwargs)
