"""Recurrent neural networks that are fast on a CPU and open at every time step.

The public names are looked up when first used, so that importing the package imports neither torch nor NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled import cells, nn, unroll
    from unrolled.api import (
        bench,
        check,
        compare,
        demo,
        doctor,
        evaluate,
        explain,
        generate,
        predict,
        resume,
        runs,
        train,
        walkthrough,
    )
    from unrolled.errors import UnrolledError
    from unrolled.estimators import (
        Forecaster,
        LanguageModel,
        NoteModel,
        SequenceClassifier,
        SequenceTagger,
        Translator,
    )
    from unrolled.nn import Stream, convert
    from unrolled.tape import Tape
    from unrolled.traces import Trace
    from unrolled.tracing import diagnose, trace

__version__ = "0.1.0"

__all__ = [
    "Forecaster",
    "LanguageModel",
    "NoteModel",
    "SequenceClassifier",
    "SequenceTagger",
    "Stream",
    "Tape",
    "Trace",
    "Translator",
    "UnrolledError",
    "bench",
    "cells",
    "check",
    "compare",
    "convert",
    "demo",
    "diagnose",
    "doctor",
    "evaluate",
    "explain",
    "generate",
    "nn",
    "predict",
    "resume",
    "runs",
    "trace",
    "train",
    "unroll",
    "walkthrough",
]

_HOMES = {
    "Forecaster": "estimators",
    "LanguageModel": "estimators",
    "NoteModel": "estimators",
    "SequenceClassifier": "estimators",
    "SequenceTagger": "estimators",
    "Stream": "nn",
    "Tape": "tape",
    "Trace": "traces",
    "Translator": "estimators",
    "UnrolledError": "errors",
    "bench": "api",
    "check": "api",
    "compare": "api",
    "convert": "nn",
    "demo": "api",
    "diagnose": "tracing",
    "doctor": "api",
    "evaluate": "api",
    "explain": "api",
    "generate": "api",
    "predict": "api",
    "resume": "api",
    "runs": "api",
    "trace": "tracing",
    "train": "api",
    "walkthrough": "api",
}
"""The module each public object is defined in; the other public names are modules themselves."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
    home = _HOMES.get(name)
    value = getattr(import_module(f"unrolled.{home}"), name) if home else import_module(f"unrolled.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
