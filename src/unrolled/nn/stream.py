"""One step at a time: a layer that remembers where it stands between the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, final

import numpy as np
import torch
from torch import Tensor

from unrolled.errors import DtypeError, OptionError, ShapeError
from unrolled.nn.held import Array, Call, Five, Held, as_numpy

if TYPE_CHECKING:
    from unrolled.nn.recurrent import Recurrent

Rows = TypeVar("Rows", Array, Tensor)


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
class Stream(Held):
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

    def __init__(self, layer: Recurrent, batch: int = 1) -> None:
        super().__init__(layer, batch)

    def _enter(self, weights: Five) -> tuple[int, Five]:
        return self._layer.input_size, weights

    def _connect(self) -> None:
        B = self._batch
        self._x = self._states[0].new_zeros((1, B, self._layer.input_size))
        super()._connect()
        x, h = self._x[0], self._outputs[-1][0]
        pairs = [(x, h), (x[0], h[0])] if B == 1 else [(x, h)]
        self._ports = {tuple(x.shape): Port(as_numpy(x), as_numpy(h), x, h) for x, h in pairs}
        own = as_numpy(x)
        self._dtype = None if own is None else own.dtype

    def _entry(self, h: Tensor) -> Call:
        return self._cores[0].forward, self._arguments(0, self._x, h)

    def _entering(self) -> Tensor:
        return self._x

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
        h = rows.new_empty((len(rows), self._batch, self._layer.plan.R))
        if not len(rows):
            return h
        if not self._cores:
            return self._composite(rows)
        self._cores[0].forward(*self._arguments(0, rows, h))
        return self._rest(h)

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
            elif x.shape[-1] != self._layer.input_size:
                fix = f"The layer takes input_size = {self._layer.input_size} features on the last axis."
            return ShapeError(subject, rule, list(x.shape), fix)
        if isinstance(x, Tensor) and x.dtype is like.dtype and x.device == like.device:
            fix = "Call it within torch.no_grad(), or hand over x.detach()."
            return OptionError(subject, "ask for no gradient", "requires_grad=True", fix)
        return DtypeError(subject, f"be of the layer's kind, {kind}", x.dtype, f"Convert it to {kind}.")


def _matches(letters: list[str], shape: tuple[int, ...]) -> bool:
    return len(letters) == len(shape) and all(
        letter in ("T", str(size)) for letter, size in zip(letters, shape, strict=True)
    )
