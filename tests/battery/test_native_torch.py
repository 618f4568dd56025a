"""Reference = torch, in float64, on every case of the covering array whose cell torch has.

torch runs a step at a time, with its own layer and its own gradients, so that resets, lengths and direction
are written here a second time, as plainly as can be.
"""

from typing import Any

import pytest
import torch

from tests.battery import truth
from tests.battery.cases import Case, pairwise
from tests.tolerances import limit
from unrolled.cells import Values
from unrolled.checks import Problem

LAYERS: dict[str, Any] = {
    "rnn_tanh": torch.nn.RNN,
    "rnn_relu": lambda *sizes: torch.nn.RNN(*sizes, nonlinearity="relu"),
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
}
PARAMETERS = {
    "W_xh": "weight_ih_l0",
    "W_hh": "weight_hh_l0",
    "b_xh": "bias_ih_l0",
    "b_hh": "bias_hh_l0",
    "W_hr": "weight_hr_l0",
}


def layer(problem: Problem) -> torch.nn.Module:
    """torch's layer with the problem's weights; a bias that is absent is zero there."""
    I = problem.x.shape[2]
    H, P = problem.params["W_hh"].shape[0] // len(problem.cell.gates), len(problem.params.get("W_hr", ()))
    sizes = (I, H) if not P else (I, H, 1, True, False, 0.0, False, P)
    made = LAYERS[problem.cell.name](*sizes).double()
    for ours, theirs in PARAMETERS.items():
        if hasattr(made, theirs):
            value = problem.params.get(ours)
            data = getattr(made, theirs).data
            data.zero_() if value is None else data.copy_(torch.from_numpy(value))
    return made


def solve(problem: Problem) -> Values:
    """Outputs, final states and all gradients by torch; every state of every step keeps its gradient."""
    made, T, walk = layer(problem), len(problem.x), problem.walk
    x = torch.from_numpy(problem.x).requires_grad_()
    initial = {name: torch.from_numpy(value).requires_grad_() for name, value in problem.initial.items()}
    state, output = dict(initial), [torch.zeros(0)] * T
    for t in reversed(range(T)) if walk.reverse else range(T):
        entering = dict(state)
        if walk.reset is not None:
            cleared = torch.from_numpy(walk.reset[t])[:, None]
            entering = {name: torch.where(cleared, 0.0, value) for name, value in state.items()}
        given = [value[None] for value in entering.values()]
        out, left = made(x[t : t + 1], tuple(given) if len(given) > 1 else given[0])
        left = dict(zip(state, left if len(given) > 1 else (left,), strict=True))
        has = torch.ones(len(out[0]), 1, dtype=torch.bool)
        if walk.lengths is not None:
            has = torch.from_numpy(walk.lengths > t)[:, None]
        output[t] = torch.where(has, out[0], 0.0)
        state = {name: torch.where(has, left[name][0], state[name]) for name in state}
    loss = (torch.stack(output) * torch.from_numpy(problem.dh_out)).sum()
    for name, value in state.items():
        loss = loss + (value * torch.from_numpy(problem.final[name])).sum()
    loss.backward()
    values = {"h": torch.stack(output), "dx": x.grad} | {f"{name}_n": value for name, value in state.items()}
    values |= {f"d{name}_0": value.grad for name, value in initial.items()}
    values |= {f"d{ours}": getattr(made, PARAMETERS[ours]).grad for ours in problem.params}
    return {name: value.detach().numpy() for name, value in values.items() if value is not None}


def known_to_torch(case: Case) -> bool:
    return case.cell.partition(" ")[0] in LAYERS and "P>H" not in case.cell and case.size.P < case.H


@pytest.mark.parametrize("case", [*filter(known_to_torch, pairwise())], ids=str)
def test_reference_equals_torch(case: Case):
    problem = case.problem().astype("float64")
    tape, values = truth.forward(problem)
    values |= truth.backward(problem, tape)
    expected = solve(problem)
    found = truth.errors({name: values[name] for name in expected}, expected)
    assert {name: error for name, error in found.items() if not error <= limit("compiled")} == {}
