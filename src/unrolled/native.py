"""The one door to the compiled core: what it offers, and why it is missing where it is missing.

The core works on addresses, so that a NumPy array and a torch tensor pass at the same price (an integer);
whoever calls checks shapes, dtype and layout first. ``csrc/kernels.h`` is the contract of every argument.
"""

from __future__ import annotations

import importlib
from types import ModuleType

CELLS = ("rnn_tanh", "rnn_relu", "rnn_sigmoid", "rnn_identity", "lstm", "gru", "gru_reset_before")
"""Cells that have a compiled version; the position is the number the core knows them by."""

DTYPES = ("float32", "float64")


def _why(error: ImportError) -> str:
    """What the installation wrote down as missing, or else what importing the core said."""
    try:
        return importlib.import_module("unrolled._build").REASON or f"it does not load ({error})"
    except ImportError:
        return "this is a source tree that was not installed (pip install .)"


_core: ModuleType | None
try:
    _core = importlib.import_module("unrolled._native")
    _reason = ""
except ImportError as error:
    _core = None
    _reason = _why(error)


def available() -> bool:
    """Whether the compiled core is there."""
    return _core is not None


def why_not() -> str:
    """Why the compiled core is missing, in words; empty where it is there."""
    return _reason


def isas() -> tuple[str, ...]:
    """Instruction sets that this build has and this machine runs, slowest first."""
    return tuple(_core.isas()) if _core else ()


def isa() -> str:
    """The instruction set in use, or ``""`` without the compiled core."""
    return str(_core.isa()) if _core else ""


def set_isa(name: str) -> None:
    """Uses another instruction set from now on, for tests and comparisons.

    Raises:
        ValueError: ``name`` is not among `isas`.
    """
    if name not in isas():
        raise ValueError(f"native.set_isa: name must be one of {isas()}; got {name!r}.")
    assert _core is not None
    _core.set_isa(name)


def supports(cell: str, dtype: str) -> bool:
    """Whether ``cell`` has a compiled version for ``dtype`` here."""
    return _core is not None and cell in CELLS and dtype in DTYPES


def code(cell: str, dtype: str) -> int:
    """The number by which `forward`, `backward` and `Stream` know a cell in a dtype."""
    return CELLS.index(cell) * 2 + DTYPES.index(dtype)


NO_IDS = (0, 0, 0, 0)
"""What a call without ids has for them: the addresses and strides of none, and of no table."""

WHOLE = ((0,), (0, 0))
"""What stands before the order in a call of `forward`, and of `backward`, of no stretch of a longer one."""

if _core is not None:
    forward = _core.forward
    backward = _core.backward
    Stream = _core.Stream
    Kept = _core.Kept
    block_steps = _core.block_steps
