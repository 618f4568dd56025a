"""What every stream is: a layer's weights packed once, and its state held between calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from unrolled import native
from unrolled.errors import DtypeError, OptionError, ShapeError, UnavailableError
from unrolled.nn import composite, guards, route
from unrolled.nn.plan import at, five

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrolled.nn.recurrent import Recurrent

Array = NDArray[Any]
Five = tuple[Tensor | None, ...]
"""The weights of a layer, W_xh W_hh b_xh b_hh W_hr, None for those it has not."""

Call = tuple["Callable[..., None]", tuple[int, ...]]

ordinary = torch.inference_mode(False)
"""Makes what a method creates ordinary tensors: a stream made in inference mode may be used outside it."""


class Held(ABC):
    """A layer fed step by step, and where it stands. Abstract: `Stream` takes vectors, `TokenStream` ids.

    Raises:
        OptionError: the layer is bidirectional, or ``batch`` is less than 1.
    """

    @ordinary
    def __init__(self, layer: Recurrent, batch: int) -> None:
        name = layer.called
        if layer.bidirectional:
            fix = "Build the layer with bidirectional=False, or call it on whole sequences."
            raise OptionError(f"{name}.stream: the layer", "run in one direction", "bidirectional=True", fix)
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise OptionError(
                f"{name}.stream: batch", "be a whole number of at least 1", repr(batch), "Give 1 or more."
            )
        self._layer, self._batch, plan = layer, batch, layer.plan
        weight = layer.all_weights[0][0].detach()
        sizes = (plan.kR, plan.H) if plan.c else (plan.kR,)
        self._states = tuple(weight.new_zeros((plan.layers, batch, size)) for size in sizes)
        self.refresh()

    @ordinary
    def refresh(self) -> None:
        """Takes a new snapshot of the weights; the state stays.

        Pruned and normalised weights are computed anew, as before a call of the layer; what other forward
        pre-hooks do to weights, the stream does not see.

        Raises:
            LayerShapeError, LayerDtypeError, LayerDeviceError: weights that do not go together.
        """
        layer, plan = self._layer, self._layer.plan
        for hook in layer._forward_pre_hooks.values():  # pyright: ignore[reportPrivateUsage]
            if isinstance(hook, _RECOMPUTING):
                hook(layer, None)
        weights, code = layer.weights(plan, self._states[0], ())
        flat = [weight.detach().contiguous() for weight in weights]
        layers: list[Five] = [five(flat, k, plan, None) for k in range(plan.layers)]
        self._compiled = code is not None
        route.explain_steps(f"{layer.called}.stream", layer.cell, self._states[0], "streams")
        width, layers[0] = self._enter(layers[0])
        self._cores: list[Any] = []
        self._weights: list[Five] = []
        for k, weights in enumerate(layers):
            if code is None:
                self._weights.append(tuple(None if W is None else W.clone() for W in weights))
            else:
                sizes = self._batch, plan.R if k else width, plan.H, plan.P, plan.order
                self._cores.append(native.Stream(code, *sizes, *map(at, weights)))
        self._connect()

    @abstractmethod
    def _enter(self, weights: Five) -> tuple[int, Five]:
        """Looks at the first layer's weights; gives the width of what enters it, and those that it reads."""

    @abstractmethod
    def _entry(self, h: Tensor) -> Call:
        """The first layer's call in a step, its output going to h ``[1, B, R]``."""

    @abstractmethod
    def _entering(self) -> Tensor:
        """What enters a step ``[1, B, I]``, on torch's path."""

    def _connect(self) -> None:
        """Lays out the memory that a step writes, and its calls with every address in them."""
        plan = self._layer.plan
        self._outputs = [self._states[0].new_zeros((1, self._batch, plan.R)) for _ in range(plan.layers)]
        self._calls: list[Call] = [(self._compose, ())]
        if self._cores:
            pairs = list(zip(self._outputs, self._outputs[1:], strict=False))
            self._calls = [self._entry(self._outputs[0])]
            self._calls += [
                (self._cores[k].forward, self._arguments(k, x, h)) for k, (x, h) in enumerate(pairs, 1)
            ]

    def _arguments(self, k: int, x: Tensor, h: Tensor) -> tuple[int, ...]:
        """What the core of layer k is called with.

        Shapes:
            x: ``[T, B, I]``, h: ``[T, B, R]``, both contiguous.
        """
        B = self._batch
        return x.size(0), x.data_ptr(), B * x.size(2), x.size(2), *self._leaving(k, h)

    def _leaving(self, k: int, h: Tensor) -> tuple[int, ...]:
        """The end of those arguments: where output and state of layer k go."""
        h_state, c_state = ([state[k].data_ptr() for state in self._states] + [0])[:2]
        return h.data_ptr(), self._batch * h.size(2), h.size(2), h_state, c_state

    def _rest(self, h: Tensor) -> Tensor:
        """Takes the first layer's outputs ``[T, B, R]`` through the others."""
        for k, core in enumerate(self._cores[1:], 1):
            x, h = h, torch.empty_like(h)
            core.forward(*self._arguments(k, x, h))
        return h

    def _compose(self) -> None:
        """A step on torch's path."""
        self._outputs[-1].copy_(self._composite(self._entering()))

    @torch.no_grad()
    def _composite(self, x: Tensor) -> Tensor:
        """The outputs of x ``[T, B, I]`` on torch's path."""
        layers = [[five] for five in self._weights]
        output, states = composite.stack(self._layer.cell, x, self._states, layers, None, None)
        for mine, left in zip(self._states, states, strict=True):
            mine.copy_(left)
        return output

    # -------------------------------------------------------------------------------------------- state

    @property
    def state(self) -> Any:
        """A copy of the state in the form of the layer's ``hx``; assign one to set it, None for zeros.

        Shapes:
            h ``[L, B, k*R]``; for an LSTM the pair of it and c ``[L, B, H]``.
        """
        copies = tuple(state.clone() for state in self._states)
        return copies if len(copies) == 2 else copies[0]

    @state.setter
    def state(self, hx: Any) -> None:
        if hx is None:
            return self.reset()
        name, pair = self._layer.called, isinstance(hx, tuple | list)
        given = tuple(
            torch.from_numpy(np.array(s)) if isinstance(s, np.ndarray) else s for s in (hx if pair else (hx,))
        )
        given = guards.read_states(self._layer, name, given if pair else given[0], self._batch, batched=True)
        for subject, new in zip(("h_0", "c_0"), given, strict=False):
            guards.same_device(name, subject, new, self._states[0], "hidden")
            guards.same_dtype(name, subject, new, self._states[0], "hidden")
        for mine, new in zip(self._states, given, strict=True):
            mine.copy_(new.detach())
        return None

    def reset(self, rows: Any = None) -> None:
        """Sets the state to zero: of all sequences, or of those in ``rows``.

        Shapes:
            rows: positions on axis B, a list, an array or a bool mask ``[B]``; None for all.

        Raises:
            DtypeError: neither whole numbers nor truth values.
            ShapeError, OptionError: a mask of another size, or a position that is not there.
        """
        at = slice(None) if rows is None else self._positions(rows).to(self._states[0].device)
        for state in self._states:
            state[:, at] = 0

    def _positions(self, rows: Any) -> Tensor:
        """What `reset` was given, as something that indexes axis B."""
        subject, B = "Stream.reset: rows", self._batch
        fix = f"Give positions from 0 to {B - 1}, or a bool mask [B] = [{B}]."
        try:
            at = np.asarray(rows.cpu() if isinstance(rows, Tensor) else rows)
        except ValueError:  # ragged
            at = np.empty(1, object)
        at = at if at.size else at.astype(np.int64)
        if at.dtype.kind not in "iub":
            raise DtypeError(subject, "be whole numbers or truth values", repr(rows), fix)
        if at.dtype == bool and at.shape != (B,):
            raise ShapeError(subject, f"as a mask have shape [B] = [{B}]", list(at.shape), fix)
        if at.dtype != bool and ((at < -B) | (at >= B)).any():
            raise OptionError(subject, f"be positions among {B} sequences", repr(rows), fix)
        return torch.from_numpy(at if at.dtype == bool else at.astype(np.int64))

    @ordinary
    def clone(self) -> Self:
        """Another stream that begins where this one stands, over the same weights."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        twin._states = tuple(state.clone() for state in self._states)
        twin._connect()
        return twin

    def __reduce__(self) -> Never:
        """Refuses what `copy` and `pickle` would do: a copy would share addresses of this stream's memory.

        Raises:
            UnavailableError: always.
        """
        fix = "Use clone() for another stream; save(), or state, for what it remembers."
        raise UnavailableError(f"{type(self).__name__}: it", "stay where it was made", "copy or pickle", fix)

    def save(self, path: str | Path) -> None:
        """Writes the state, not the weights, as a file that `numpy.load` reads.

        It holds h and, for an LSTM, c, and as text the ``cell`` and ``dtype`` they are of.
        """
        with Path(path).open("wb") as file:
            arrays: dict[str, Any] = dict(zip("hc", map(_wide, self._states), strict=False))
            np.savez(file, **self._kind, **arrays)

    def load(self, path: str | Path) -> None:
        """Goes on from a state that `save` wrote.

        Raises:
            OptionError: `save` did not write this, or of a layer of another kind.
            DtypeError, ShapeError: it is the state of a layer of another dtype, shape or batch.
        """
        found = _read(path)
        wanted: dict[str, Any] = {**self._kind, **dict(zip("hc", map(_wide, self._states), strict=False))}
        subject = "Stream.load: the state"
        for name, error in (("cell", OptionError), ("dtype", DtypeError)):
            if str(found.get(name)) != wanted[name]:
                fix = "Load it into a stream of the layer that it was saved from."
                raise error(subject, f"be of {name} {wanted[name]}", found.get(name, f"no {name}"), fix)
        shapes, got = (
            {name: list(array.shape) for name, array in arrays.items() if name not in self._kind}
            for arrays in (wanted, found)
        )
        if got != shapes:
            raise ShapeError(subject, f"have shapes {shapes}", got, "Load it where it was saved.")
        for name in shapes:
            if found[name].dtype != wanted[name].numpy().dtype:
                fix = "Save the state again."
                raise DtypeError(f"{subject}'s {name}", f"be {wanted[name].dtype}", found[name].dtype, fix)
        for mine, name in zip(self._states, shapes, strict=True):
            mine.copy_(torch.from_numpy(found[name]))

    @property
    def _kind(self) -> dict[str, str]:
        return {"cell": self._layer.cell, "dtype": str(self._states[0].dtype)}


def _read(path: str | Path) -> dict[str, Array]:
    """The arrays of a file that `Stream.save` wrote."""
    with Path(path).open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except Exception as error:  # of zipfile, zlib, NumPy, … : other bytes fail in a dozen ways
            rule, got = "be one that Stream.save wrote", f"{Path(path).name}, which NumPy cannot read"
            raise OptionError("Stream.load: the file", rule, got, "Save the state again.") from error


def as_numpy(tensor: Tensor) -> Array | None:
    """The same memory as NumPy sees it; None where NumPy cannot.

    Shapes:
        any.
    """
    return tensor.numpy() if tensor.device.type == "cpu" and tensor.dtype in _NUMPYS else None


def _wide(tensor: Tensor) -> Tensor:
    """On the CPU and in a dtype that NumPy has, without loss."""
    return tensor.cpu() if tensor.dtype in _NUMPYS else tensor.float().cpu()


_RECOMPUTING = (BasePruningMethod, SpectralNorm, WeightNorm)
"""Pre-hooks of torch.nn.utils that put a weight computed from others in its place, whatever comes in."""

_NUMPYS = frozenset((torch.float16, torch.float32, torch.float64))
