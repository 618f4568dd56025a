"""The golden trace: two steps of one sigmoid unit, every number of which can be worked out on paper.

    W_xh = W_hh = ln 3, no bias, x = 1, 1        h_1 = σ(ln 3) = 3/4        h_2 = σ(ln 3 · 7/4)

The loss is h_2. ``python -m tests.traces.golden`` writes the files anew, for a new version of the format.
"""

from pathlib import Path

import numpy as np

from unrolled import unroll
from unrolled.traces import Trace

FOLDER = Path(__file__).parents[1] / "golden"


def build() -> Trace:
    """The trace, made by hand of a tape."""
    W = np.array([[np.log(3)]])
    tape = unroll.forward(
        "rnn_sigmoid", {"W_xh": W, "W_hh": W.copy()}, np.ones((2, 1, 1)), engine="reference"
    )
    unroll.backward(tape, np.array([0.0, 1.0]).reshape(2, 1, 1), keep=("dh_out", "dh_carry", "dh", "da"))
    arrays = {f"l0/{name}": value for name, value in (tape.arrays | dict(tape.params)).items()}
    arrays |= {"l0/x": tape.x, "l0/G": np.abs(tape.dh[None, :, 0, 0]), "y": tape.h[1:].copy()}
    layer = {
        "name": "l0",
        "module": "",
        "number": 0,
        "call": 0,
        "cell": "rnn_sigmoid",
        "direction": "forward",
    }
    layer |= {"T": 2, "B": 1, "I": 1, "H": 1, "first_step": 0, "whole_T": 2}
    facts = {
        "model": {"name": "RNN"},
        "weights_sha256": "0" * 64,
        "tokens": [["to", "be"]],
        "versions": {"unrolled": "0.1.0"},
        "seed": 0,
        "keep": {"arrays": ["forward", "backward", "G"], "steps": None, "units": None},
        "left_out": {"p": "the model has none"},
        "loss": tape.h[2].item(),
        "layers": [layer],
        "compared": {"the itemised gradients of l0 add up to dh": 0.0},
    }
    return Trace({name: value for name, value in arrays.items() if not name.endswith("h_n")}, facts)


if __name__ == "__main__":
    build().save(FOLDER / "trace-v1.safetensors")
    build().save(FOLDER / "trace-v1")
