"""Recurrent neural networks that are fast on a CPU and open at every time step.

The public names are looked up when first used, so that importing the package imports neither torch nor NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.api import bench, demo, doctor

__version__ = "0.1.0"

__all__ = ["bench", "demo", "doctor"]

_HOMES = {"bench": "api", "demo": "api", "doctor": "api"}
"""The module each public name is defined in."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
    value = getattr(import_module(f"unrolled.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
