"""How fast our layer is beside torch's, for one's own shape."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from unrolled import nn, timing
from unrolled.errors import OptionError, nearest

LAYERS = {"rnn": (nn.RNN, torch.nn.RNN), "lstm": (nn.LSTM, torch.nn.LSTM), "gru": (nn.GRU, torch.nn.GRU)}
"""Ours and torch's layer by the name of their cell."""

DTYPES = {"float32": torch.float32, "float64": torch.float64}

UNSTEADY = "\n  The pairs differ widely: something else keeps this machine busy. Measure again when it rests."


@dataclass(frozen=True)
class Shape:
    """A recurrent layer and what it is fed, in the letters of the notation card.

    Raises:
        OptionError: a size below 1, or a cell without a layer.
    """

    cell: str
    T: int
    B: int
    I: int
    H: int
    layers: int = 1
    bidirectional: bool = False

    def __post_init__(self) -> None:
        one_of("cell", self.cell, LAYERS)
        for name in ("T", "B", "H", "I", "layers"):
            at_least_1(name, getattr(self, name))

    def __str__(self) -> str:
        both = ", bidirectional" if self.bidirectional else ""
        stack = f", {self.layers} layers" if self.layers > 1 else ""
        return f"{self.cell} T={self.T} B={self.B} I={self.I} H={self.H}{stack}{both}"


@dataclass(frozen=True)
class Speed:
    """What `against_torch` measured.

    Units: ``ours`` and ``theirs`` are median seconds a call; ``difference`` is the largest of any output.
    """

    shape: Shape
    what: str
    dtype: str
    threads: int
    ours: float
    theirs: float
    ratio: timing.Ratio
    difference: float

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return (
            f"{self.shape}, {self.what}, {self.dtype}, {threads}\n"
            f"  unrolled   {1e3 * self.ours:10.3f} ms\n"
            f"  torch.nn   {1e3 * self.theirs:10.3f} ms\n"
            f"  {self.ratio.median:.2f} times torch's speed"
            f" (half of the pairs between {self.ratio.low:.2f} and {self.ratio.high:.2f})\n"
            f"  same weights and input; largest difference of an output {self.difference:.1e}"
            + (UNSTEADY if self.ratio.high > 1.5 * self.ratio.low else "")
        )


def against_torch(
    shape: Shape, dtype: str = "float32", training: bool = True, threads: int | None = None, rounds: int = 9
) -> Speed:
    """Runs our layer and torch's in turn, with the same weights on the same random input.

    Training is forward and backward with gradients of all weights, none of the input, as in a first layer;
    otherwise the forward pass alone in inference mode. ``threads`` is torch's own number where not given.

    Cost: some 40 milliseconds a round, or two calls where one takes longer than 20.

    Raises:
        OptionError: fewer than one thread, or a dtype that torch's layers do not train in.
    """
    one_of("dtype", dtype, DTYPES)
    threads = torch.get_num_threads() if threads is None else at_least_1("threads", threads)
    with using_threads(threads):
        ours, theirs = _pair(shape, DTYPES[dtype])
        x = torch.randn(shape.T, shape.B, shape.I, dtype=DTYPES[dtype])
        with torch.no_grad():
            difference = float((ours(x)[0] - theirs(x)[0]).abs().max())
        run = _train if training else _infer
        seconds = timing.in_turn({"ours": run(ours, x), "theirs": run(theirs, x)}, rounds)
    return Speed(
        shape=shape,
        what="forward + backward" if training else "forward",
        dtype=dtype,
        threads=threads,
        ours=median(seconds["ours"]),
        theirs=median(seconds["theirs"]),
        ratio=timing.ratio(seconds["theirs"], seconds["ours"]),
        difference=difference,
    )


def one_of(name: str, value: str, offered: Iterable[str]) -> None:
    """Lets a name pass that is offered.

    Raises:
        OptionError: ``value`` is another, with the nearest that is offered.
    """
    if value not in offered:
        raise OptionError(f"bench: {name}", f"be one of {', '.join(offered)}", value, nearest(value, offered))


def at_least_1(name: str, value: int) -> int:
    """Passes a number of something on, unless there is nothing of it.

    Raises:
        OptionError: ``value`` is below 1.
    """
    if value < 1:
        raise OptionError(f"bench: {name}", "be at least 1", value, "Leave it out for the default.")
    return value


def _pair(shape: Shape, dtype: torch.dtype) -> tuple[torch.nn.Module, torch.nn.Module]:
    ours, theirs = (
        layer(shape.I, shape.H, shape.layers, bidirectional=shape.bidirectional, dtype=dtype)
        for layer in LAYERS[shape.cell]
    )
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def _train(layer: torch.nn.Module, x: Tensor) -> Callable[[], object]:
    """A training step without the optimiser; the output's gradient is drawn once."""
    weights = list(layer.parameters())
    gradient = torch.randn_like(layer(x)[0])

    def run() -> object:
        return torch.autograd.grad(layer(x)[0], weights, gradient)

    return run


def _infer(layer: torch.nn.Module, x: Tensor) -> Callable[[], object]:
    layer.eval()

    def run() -> object:
        with torch.inference_mode():
            return layer(x)

    return run


@contextmanager
def using_threads(count: int) -> Generator[None]:
    """Lets torch, and with it our kernels, use ``count`` threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
