"""The trace: what a model computed and what went back through it, as named arrays; no torch in it.

    layer.py         one layer in one direction: arrays, halves, parts of gradients
    parts.py         what each step adds to a weight's gradient
    through_time.py  how far a signal reaches: Jacobians of steps and of stretches
    adding_up.py     `Trace.check`
    file.py          the file; ``docs/trace-format.md`` is its description

`unrolled.tracing` makes one of a model and an input; reports and the explorer see nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, final

from unrolled.cells import Array
from unrolled.errors import NotKeptError, nearest
from unrolled.traces import file
from unrolled.traces.adding_up import Checked, check
from unrolled.traces.layer import LayerTrace
from unrolled.traces.parts import Parts


@final
class Trace:
    """Everything that was kept of one run of a model, forward and back.

    Arrays of a layer are called ``<layer>/<name>``, as in ``l0/h`` or ``l1.reverse/dW_hh``, with the names
    and axes of the notation card; those of the whole model have no layer: ``ids``, ``lengths``, ``targets``,
    ``y``, ``p``, ``loss_t``, ``dy``. ``docs/trace-format.md`` lists them all.

    Args:
        arrays: by name; they are the trace's from now on, and read-only.
        facts: what JSON can hold; see ``docs/trace-format.md`` for what is always there.

    Example:
        >>> import torch, unrolled
        >>> model = unrolled.nn.GRU(3, 4)
        >>> trace = unrolled.trace(model, torch.zeros(5, 1, 3), loss=lambda out: out[0].sum())
        >>> trace
        Trace(GRU: l0 gru T=5 B=1 I=3 H=4; 20 arrays)
        >>> trace["l0/h"].shape, trace.layers[0].h.shape
        ((6, 1, 4), (6, 1, 4))
    """

    def __init__(self, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
        for array in arrays.values():
            array.flags.writeable = False
        self.arrays: Mapping[str, Array] = MappingProxyType(dict(arrays))
        self.facts: dict[str, Any] = dict(facts)

    def __getitem__(self, name: str) -> Array:
        if name not in self.arrays:
            raise self._lacking(name)
        return self.arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __str__(self) -> str:
        """What it says of the model, as ``unrolled explain`` prints it."""
        if not self.layers:
            return repr(self)
        from unrolled.report import explanation

        return str(explanation.explain(self))

    def _repr_html_(self) -> str | None:
        """The same with pictures, as a notebook shows it; None where no layer ran."""
        if not self.layers:
            return None
        from unrolled.report import html

        return html.card(self)

    def as_data(self) -> dict[str, Any]:
        """The numbers of `str`, and of every step, as JSON can hold them."""
        from unrolled.report import explanation

        return explanation.explain(self).as_data()

    def __repr__(self) -> str:
        layers = "; ".join(map(str, self.layers))
        return f"Trace({self.facts['model']['name']}: {layers}; {len(self.arrays)} arrays)"

    @cached_property
    def layers(self) -> list[LayerTrace]:
        """The layers in the order they ran, each direction by itself."""
        return [LayerTrace(about, self.arrays, self.facts, self._lacking) for about in self.facts["layers"]]

    def layer(self, name: str) -> LayerTrace:
        """The layer of that name.

        Raises:
            NotKeptError: there is none; the nearest is named.
        """
        by_name = {layer.name: layer for layer in self.layers}
        if name not in by_name:
            rule = "be a layer of the trace"
            raise NotKeptError("Trace.layer: name", rule, repr(name), nearest(name, by_name))
        return by_name[name]

    @property
    def tokens(self) -> list[list[str]]:
        """The tokens of each sequence as they are read; empty where the input was none."""
        return self.facts["tokens"]

    @property
    def G(self) -> Array:  # noqa: N802
        """The itemised matrix of the last layer, see `LayerTrace.G`.

        Shapes:
            ``[S, T]``.

        Raises:
            NotKeptError: it was not kept.
        """
        return self.layers[-1].G

    def check(self) -> Checked:
        """Whether it adds up: recorded against recomputed, parts against wholes; in words when printed.

        Example:
            >>> import torch, unrolled
            >>> model = unrolled.nn.RNN(3, 4)
            >>> trace = unrolled.trace(model, torch.ones(5, 1, 3), loss=lambda out: out[0].sum())
            >>> trace.check().ok
            True
        """
        floats = (array.dtype.name for array in self.arrays.values() if array.dtype.kind == "f")
        return check(self.layers, self.facts, next(floats, "float32"))

    def save(self, path: str | Path) -> None:
        """Writes one file, ``.safetensors``, or, under any other name, a folder.

        Raises:
            StorageError: the disk is full, or will not take it.
        """
        file.write(Path(path), self.arrays, self.facts)

    @classmethod
    def load(cls, path: str | Path, *, finite: bool = True) -> Self:
        """Reads what `save` wrote, or anybody else by ``docs/trace-format.md``.

        Raises:
            TraceError: it is no trace, is damaged or cut short, or of a later version.
            NonFiniteError: an array has NaN or infinity; with ``finite=False`` it may.
        """
        return cls(*file.read(Path(path), finite))

    def _lacking(self, name: str) -> NotKeptError:
        """The error for an array that is not there: why not, or the nearest that is."""
        reason = self.facts["left_out"].get(name.rpartition("/")[2])
        if reason is None:
            return NotKeptError(f"Trace: {name}", "be an array of it", "none", nearest(name, self.arrays))
        return NotKeptError(f"Trace: {name}", "be kept to be read", reason, "Trace again and ask for it.")


__all__ = ["Checked", "LayerTrace", "Parts", "Trace"]
