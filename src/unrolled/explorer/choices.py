"""What the explorer can open: runs, over a text; a trace; the worked examples."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from unrolled import estimators
from unrolled.errors import OptionError, nearest
from unrolled.explorer import carried, examples
from unrolled.traces import Trace
from unrolled.training import keeping
from unrolled.training.run_folder import RunFolder, list_runs


class Opened(NamedTuple):
    """A trace, and what goes with it into the page."""

    trace: Trace
    weights: bytes | None
    about: dict[str, Any]


class Choice(NamedTuple):
    """A line of the list.

    Attributes:
        asks: whether it takes a text.
        open: the trace, over a text.
    """

    name: str
    title: str
    kind: Literal["run", "example"]
    asks: bool
    open: Callable[[str], Opened]


@dataclass
class Choices:
    """Everything that can be opened, by name; nothing else can.

    Attributes:
        given: a run, or the file of a trace, that stands first; empty for none.
    """

    given: str = ""
    _last: dict[str, Any] = field(default_factory=dict[str, Any])
    _one: threading.Lock = field(default_factory=threading.Lock)

    def all(self) -> dict[str, Choice]:
        """What there is now: the given one, the runs, the examples.

        Raises:
            RunError: there is no such run.
            TraceError: there is no such trace.
        """
        found: dict[str, Choice] = {}
        if self.given and is_trace(Path(self.given)):
            found["trace"] = Choice("trace", Path(self.given).name, "run", False, self._trace)
        elif self.given:
            run = RunFolder.open(self.given)
            found[run.name] = self._of_run(run)
        for summary in list_runs():
            run = RunFolder(Path(summary.path))
            if run.model.exists() and run.name not in found:
                found[run.name] = self._of_run(run)
        for name, (title, build) in examples.EXAMPLES.items():
            found[f"example {name}"] = Choice(f"example {name}", title, "example", False, _example(build))
        return found

    def open(self, name: str, text: str) -> Opened:
        """Opens one by its name; one at a time.

        Raises:
            OptionError: there is none of that name.
            UnrolledError: it cannot be opened, or cannot read the text.
        """
        found = self.all()
        if name not in found:
            raise OptionError("explore: the name", "be one of the list", repr(name), nearest(name, found))
        with self._one:
            return found[name].open(text)

    def _of_run(self, run: RunFolder) -> Choice:
        return Choice(run.name, run.name, "run", True, lambda text: self._traced(run, text))

    def _traced(self, run: RunFolder, text: str) -> Opened:
        """A run over a text; the model of the last one is kept in memory."""
        stamp = (str(run.path), run.model.stat().st_mtime_ns)
        if self._last.get("stamp") != stamp:
            self._last = {"stamp": stamp, "estimator": estimators.load(run.path), "kept": keeping.load(run)}
        trace = self._last["estimator"].explain_source(text)
        trace.facts["model"]["run"] = run.name
        return Opened(trace, carried.weights(self._last["kept"]), carried.about(trace, ""))

    def _trace(self, text: str) -> Opened:
        del text
        trace = Trace.load(self.given)
        return Opened(trace, None, carried.about(trace, ""))


def is_trace(path: Path) -> bool:
    """Whether a path is that of a trace: a file of its kind, or a folder with one."""
    return path.suffix == ".safetensors" or (path / "manifest.json").is_file()


def _example(build: Callable[[], Trace]) -> Callable[[str], Opened]:
    def opened(text: str) -> Opened:
        del text
        trace = build()
        return Opened(trace, None, carried.about(trace, ""))

    return opened
