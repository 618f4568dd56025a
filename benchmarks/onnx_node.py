"""The same layers in ONNX Runtime: one node RNN, GRU or LSTM, over a whole sequence or one step at a time."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingImports, reportMissingTypeStubs]
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper  # pyright: ignore[reportMissingImports]

from benchmarks.cases import Run

Array = NDArray[np.float32]

GATES = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""Where each gate of ONNX, in its order (z r h; i o f c), stands among torch's (r z n; i f g o)."""

STATES = {"rnn": "h", "gru": "h", "lstm": "hc"}


def whole(cell: str, state_dict: Mapping[str, Any], threads: int, x: Array) -> dict[str, Run]:
    """The contestant for whole sequences.

    Shapes:
        state_dict: torch's, of one layer in one direction; x: ``[T, B, I]``.
    """
    session = _session(_model(cell, state_dict, ["Y"]), threads)
    return {"onnxruntime": lambda: [session.run(["Y"], {"X": x})[0][:, 0]]}


def steps(cell: str, state_dict: Mapping[str, Any], threads: int, x: Array) -> dict[str, Run]:
    """Contestants for one step: its state handed over as arrays or bound to memory, on one thread or several.

    Shapes:
        state_dict: torch's, of one layer in one direction; x: ``[B, I]``, the same at every step.
    """
    model = _model(cell, state_dict, [f"Y_{state}" for state in STATES[cell]])
    hidden = state_dict["weight_hh_l0"].shape[1]
    runs: dict[str, Run] = {}
    for count in sorted({1, threads}):
        words = f"{count} thread" + "s" * (count > 1)
        runs[f"onnxruntime run, {words}"] = _plain(_session(model, count), cell, x, hidden)
        runs[f"onnxruntime bound, {words}"] = _bound(_session(model, count), cell, x, hidden)
    return runs


def _plain(session: Any, cell: str, x: Array, hidden: int) -> Run:
    state = {f"initial_{name}": np.zeros((1, len(x), hidden), np.float32) for name in STATES[cell]}
    outputs = [f"Y_{name}" for name in STATES[cell]]

    def run() -> list[Array]:
        ends = session.run(outputs, {"X": x[None], **state})
        state.update(zip(state, ends, strict=True))
        return [ends[0][0]]

    return run


def _bound(session: Any, cell: str, x: Array, hidden: int) -> Run:
    """Two sets of states, each in turn what a step begins with and what it leaves."""
    own = onnxruntime.OrtValue.ortvalue_from_numpy
    row = own(x[None])
    sets = [{name: own(np.zeros((1, len(x), hidden), np.float32)) for name in STATES[cell]} for _ in range(2)]
    bindings: list[tuple[Any, Any]] = []
    for begin, end in (sets, sets[::-1]):
        binding = session.io_binding()
        binding.bind_ortvalue_input("X", row)
        for name in STATES[cell]:
            binding.bind_ortvalue_input(f"initial_{name}", begin[name])
            binding.bind_ortvalue_output(f"Y_{name}", end[name])
        bindings.append((binding, end["h"]))
    turns = cycle(bindings)

    def run() -> list[Array]:
        binding, h = next(turns)
        row.update_inplace(x[None])
        session.run_with_iobinding(binding)
        return [h.numpy()[0]]

    return run


def _model(cell: str, state_dict: Mapping[str, Any], outputs: list[str]) -> bytes:
    """A model of one node with the weights in it; it takes initial states where it gives final ones."""
    ih, hh, b_ih, b_hh = (_gates(cell, state_dict[f"{name}_l0"].numpy()) for name in NAMES)
    hidden = hh.shape[1]
    constants = {"W": ih[None], "R": hh[None], "B": np.concatenate((b_ih, b_hh))[None]}
    states = [f"initial_{name}" for name in STATES[cell]] if "Y" not in outputs else []
    attributes: dict[str, Any] = {"linear_before_reset": 1} if cell == "gru" else {}
    node = helper.make_node(
        cell.upper(),
        ["X", "W", "R", "B", *(["", *states] if states else [])],
        [name if name in outputs else "" for name in ("Y", *(f"Y_{state}" for state in STATES[cell]))],
        hidden_size=hidden,
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["T", "B", ih.shape[1]])]
        + [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "B", hidden]) for name in states],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    # Operator set and file version are known to every release of ONNX Runtime that pyproject.toml admits.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return model.SerializeToString()


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _gates(cell: str, weight: Array) -> Array:
    """The gates of a weight or bias in ONNX's order."""
    parts = np.split(weight, len(GATES[cell]))
    return np.concatenate([parts[k] for k in GATES[cell]])


def _session(model: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
