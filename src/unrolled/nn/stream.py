"""One step at a time: a layer's weights packed once, and the state held between calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Never, Self, TypeVar, cast, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from unrolled import native
from unrolled.errors import DtypeError, OptionError, ShapeError, UnavailableError
from unrolled.nn import composite, guards
from unrolled.nn.plan import five

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrolled.nn.recurrent import Recurrent

Array = NDArray[Any]
Rows = TypeVar("Rows", Array, Tensor)

_ordinary = torch.inference_mode(False)
"""Makes what a method creates ordinary tensors: a stream made in inference mode may be used outside it."""


class Port(NamedTuple):
    """Where a step's input is put and its output taken: the same memory as NumPy and as torch see it.

    Shapes:
        x: ``[B, I]``; h: ``[B, R]``; both without B where one sequence is fed without its batch axis.
    """

    x: Any
    h: Any
    x_tensor: Tensor
    h_tensor: Tensor


@final
class Stream:
    """A layer that is fed step by step and remembers where it stands; made by a layer's ``stream``.

    The weights are a snapshot: training the layer afterwards changes nothing here until `refresh`. There is
    no dropout and no gradient. What comes in decides what goes out: a NumPy array for a NumPy array, a tensor
    for a tensor. One stream serves one thread; `clone` gives another its own state over the same weights.

    Raises:
        OptionError: the layer is bidirectional, or ``batch`` is less than 1.

    Example:
        >>> from unrolled import nn
        >>> layer = nn.LSTM(3, 4, num_layers=2)
        >>> stream = layer.stream()
        >>> x = torch.randn(5, 1, 3)
        >>> whole, _ = layer(x)
        >>> steps = torch.stack([stream.step(x_t) for x_t in x])
        >>> torch.allclose(steps, whole, atol=1e-6)
        True
    """

    @_ordinary
    def __init__(self, layer: Recurrent, batch: int = 1) -> None:
        name = layer.torch_class.__name__
        if layer.bidirectional:
            fix = "Build the layer with bidirectional=False, or call it on whole sequences."
            raise OptionError(f"{name}.stream: the layer", "run in one direction", "bidirectional=True", fix)
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise OptionError(
                f"{name}.stream: batch", "be a whole number of at least 1", repr(batch), "Give 1 or more."
            )
        self._layer, self._batch, plan = layer, batch, layer.plan
        self._widths = [layer.input_size, *[plan.R] * plan.layers]
        weight = layer.all_weights[0][0].detach()
        sizes = (plan.R, plan.H) if plan.c else (plan.R,)
        self._states = tuple(weight.new_zeros((plan.layers, batch, size)) for size in sizes)
        self.refresh()

    @_ordinary
    def refresh(self) -> None:
        """Takes a new snapshot of the layer's weights; the state stays.

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
        self._cores: list[Any] = []
        self._weights: list[tuple[Tensor | None, ...]] = []
        for k, width in enumerate(self._widths[:-1]):
            if code is None:
                self._weights.append(five([weight.clone() for weight in flat], k, plan, None))
            else:
                addresses = five([weight.data_ptr() for weight in flat], k, plan, 0)
                self._cores.append(native.Stream(code, self._batch, width, plan.H, plan.P, *addresses))
        self._connect()

    def _connect(self) -> None:
        """Lays out the memory that a step reads and writes, and its calls with every address in them."""
        B = self._batch
        self._rows = [self._states[0].new_zeros((1, B, width)) for width in self._widths]
        x, h = self._rows[0][0], self._rows[-1][0]
        pairs = [(x, h), (x[0], h[0])] if B == 1 else [(x, h)]
        self._ports = {tuple(x.shape): Port(_array(x), _array(h), x, h) for x, h in pairs}
        own = _array(x)
        self._dtype = None if own is None else own.dtype
        self._calls: list[tuple[Callable[..., None], tuple[int, ...]]] = [(self._compose, ())]
        if self._cores:
            calls = zip(self._cores, self._rows[:-1], self._rows[1:], strict=True)
            self._calls = [(core.forward, self._arguments(k, x, h)) for k, (core, x, h) in enumerate(calls)]

    def _arguments(self, k: int, x: Tensor, h: Tensor) -> tuple[int, ...]:
        """What the core of layer k is called with.

        Shapes:
            x: ``[T, B, I]``, h: ``[T, B, R]``, both contiguous.
        """
        h_state, c_state = ([state[k].data_ptr() for state in self._states] + [0])[:2]
        size, width = self._batch * x.size(2), self._batch * h.size(2)
        return x.size(0), x.data_ptr(), size, x.size(2), h.data_ptr(), width, h.size(2), h_state, c_state

    def _compose(self) -> None:
        """A step on torch's path."""
        self._rows[-1].copy_(self._composite(self._rows[0]))

    @torch.no_grad()
    def _composite(self, x: Tensor) -> Tensor:
        """The outputs of x ``[T, B, I]`` on torch's path."""
        layers = [[five] for five in self._weights]
        output, states = composite.stack(self._layer.cell, x, self._states, layers, None, None, 0.0)
        for mine, left in zip(self._states, states, strict=True):
            mine.copy_(left)
        return output

    def step(self, x: Rows) -> Rows:
        """Advances one step.

        Shapes:
            x: ``[B, I]``, or ``[I]`` where batch is 1; gives ``[B, R]`` or ``[R]``, newly allocated.

        Raises:
            ShapeError, DtypeError, OptionError: it does not fit, or asks for a gradient.
        """
        if isinstance(x, np.ndarray):
            port = self._ports.get(x.shape)
            if port is None or x.dtype != self._dtype:
                raise self._refusal("step", x)
            np.copyto(port.x, x)
            for forward, arguments in self._calls:
                forward(*arguments)
            return cast("Rows", port.h.copy())
        port = self._ports.get(getattr(x, "shape", ()))
        if port is None or not self._fits(x):
            raise self._refusal("step", x)
        port.x_tensor.copy_(x.detach())
        for forward, arguments in self._calls:
            forward(*arguments)
        return cast("Rows", port.h_tensor.clone())

    def chunk(self, x: Rows) -> Rows:
        """Advances as many steps as ``x`` has, with the same bits as so many calls of `step`.

        Shapes:
            x: ``[T, B, I]`` (``[B, T, I]`` if the layer is batch_first), or ``[T, I]`` where batch is 1;
            gives the outputs in the same layout, newly allocated.

        Raises:
            ShapeError, DtypeError, OptionError: it does not fit, or asks for a gradient.
        """
        shape = getattr(x, "shape", ())
        swap = self._layer.batch_first and len(shape) == 3
        one = (*shape[:1], *shape[2:]) if swap else shape[1:]
        fits = (
            x.dtype == self._dtype if isinstance(x, np.ndarray) else isinstance(x, Tensor) and self._fits(x)
        )
        if one not in self._ports or not fits:
            raise self._refusal("chunk", x)
        rows = torch.from_numpy(np.array(x)) if isinstance(x, np.ndarray) else x.detach()
        rows = rows.transpose(0, 1) if swap else rows if x.ndim == 3 else rows[:, None]
        output = self._chunk(rows.contiguous())
        output = output.transpose(0, 1) if swap else output if x.ndim == 3 else output[:, 0]
        return cast("Rows", output.numpy() if isinstance(x, np.ndarray) else output)

    def _chunk(self, rows: Tensor) -> Tensor:
        """The outputs of x ``[T, B, I]``, contiguous."""
        if not len(rows):
            return rows.new_empty((0, self._batch, self._widths[-1]))
        if not self._cores:
            return self._composite(rows)
        for k, core in enumerate(self._cores):
            h = rows.new_empty((len(rows), self._batch, self._widths[k + 1]))
            core.forward(*self._arguments(k, rows, h))
            rows = h
        return rows

    def _fits(self, x: Tensor) -> bool:
        like = self._states[0]
        return (
            x.dtype is like.dtype
            and x.device == like.device
            and not (x.requires_grad and torch.is_grad_enabled())
        )

    def _refusal(self, method: str, x: Any) -> Exception:
        """The error that says what is wrong with an input of `step` or `chunk`."""
        subject, like = f"Stream.{method}: x", self._states[0]
        kind = f"{like.dtype} on {like.device}"
        if not isinstance(x, np.ndarray | Tensor):
            got, fix = type(x).__name__, f"Turn it into one, {kind}: torch.as_tensor(...)."
            return DtypeError(subject, "be a NumPy array or a torch.Tensor", got, fix)
        shapes = [[*map(str, shape)] for shape in self._ports]
        if method == "chunk":
            shapes = [["T", *shape] for shape in shapes]
            if self._layer.batch_first:
                shapes[0][:2] = reversed(shapes[0][:2])
        fitting = [shape for shape in shapes if _matches(shape, x.shape)]
        if not fitting:
            rule = "have shape " + " or ".join(f"[{', '.join(shape)}]" for shape in shapes)
            fix = f"The stream was made with batch={self._batch}; make another for another batch."
            if x.ndim not in map(len, shapes):
                fix = "A step is x[t], a chunk x[t:t + n]: an index drops the axis, a slice keeps it."
            elif x.shape[-1] != self._widths[0]:
                fix = f"The layer takes input_size = {self._widths[0]} features on the last axis."
            return ShapeError(subject, rule, list(x.shape), fix)
        if isinstance(x, Tensor) and x.dtype is like.dtype and x.device == like.device:
            fix = "Call it within torch.no_grad(), or hand over x.detach()."
            return OptionError(subject, "ask for no gradient", "requires_grad=True", fix)
        return DtypeError(subject, f"be of the layer's kind, {kind}", x.dtype, f"Convert it to {kind}.")

    # -------------------------------------------------------------------------------------------- state

    @property
    def state(self) -> Any:
        """A copy of the state in the form of the layer's ``hx``; assign one to set it, None for zeros.

        Shapes:
            h ``[L, B, R]``; for an LSTM the pair of it and c ``[L, B, H]``.
        """
        copies = tuple(state.clone() for state in self._states)
        return copies if len(copies) == 2 else copies[0]

    @state.setter
    def state(self, hx: Any) -> None:
        if hx is None:
            return self.reset()
        name, pair = self._layer.torch_class.__name__, isinstance(hx, tuple | list)
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

    @_ordinary
    def clone(self) -> Self:
        """Another stream that begins where this one stands, over the same weights."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._states = tuple(state.clone() for state in self._states)
        twin._connect()
        return twin

    def __reduce__(self) -> Never:
        """Refuses what `copy` and `pickle` would do: a copy would share addresses of this stream's memory.

        Raises:
            UnavailableError: always.
        """
        fix = "Use clone() for another stream; save(), or state, for what it remembers."
        raise UnavailableError("Stream: it", "stay where it was made", "copy or pickle", fix)

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


def _matches(letters: list[str], shape: tuple[int, ...]) -> bool:
    return len(letters) == len(shape) and all(
        letter in ("T", str(size)) for letter, size in zip(letters, shape, strict=True)
    )


def _array(tensor: Tensor) -> Array | None:
    """The same memory as NumPy sees it; None where NumPy cannot."""
    return tensor.numpy() if tensor.device.type == "cpu" and tensor.dtype in _NUMPYS else None


def _wide(tensor: Tensor) -> Tensor:
    """On the CPU and in a dtype that NumPy has, without loss."""
    return tensor.cpu() if tensor.dtype in _NUMPYS else tensor.float().cpu()


_RECOMPUTING = (BasePruningMethod, SpectralNorm, WeightNorm)
"""Pre-hooks of torch.nn.utils that put a weight computed from others in its place, whatever comes in."""

_NUMPYS = frozenset((torch.float16, torch.float32, torch.float64))
