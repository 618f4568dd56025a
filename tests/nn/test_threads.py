"""Threads: as many as torch says, none kept from Python by a long call, and many callers of one layer."""

import concurrent.futures
import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from unrolled import native, nn

ours: Any = nn  # torch types a weight as Tensor | Module
pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_not())


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# ---------------------------------------------------------------------------------- as many as torch's


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every call of the core, and how many threads it was given."""
    calls = list[tuple[str, int]]()

    def watched(way: str) -> Callable[..., None]:
        right = getattr(native, way)

        def call(code: int, threads: int, *rest: Any) -> None:
            calls.append((way, threads))
            right(code, threads, *rest)

        return call

    for way in ("forward", "backward"):
        monkeypatch.setattr(native, way, watched(way))
    return calls


CALLS: dict[str, Callable[[], torch.Tensor]] = {
    "layer": lambda: ours.GRU(3, 4, 2, bidirectional=True)(torch.randn(20, 2, 3))[0],
    "cell": lambda: ours.LSTMCell(3, 4)(torch.randn(2, 3))[0],
    "memory": lambda: ours.LSTM(3, 4, 2, memory="sqrt")(torch.randn(2000, 2, 3))[0],
    "tokens": lambda: ours.Embedded(torch.nn.Embedding(5, 3), ours.GRU(3, 4))(torch.ones(20, 2).long())[0],
}


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_core_is_given_torchs_number_of_threads(what: str, threads: int, asked: list[tuple[str, int]]):
    torch.set_num_threads(threads)
    with torch.no_grad():
        CALLS[what]()
    assert set(asked) == {("forward", threads)}
    asked.clear()
    CALLS[what]().sum().backward()
    assert set(asked) == {("forward", threads), ("backward", threads)}


# ---------------------------------------------------------------------------------- the GIL


def silence(call: Callable[[], Any]) -> float:
    """The longest part of a call's time for which another Python thread stood still."""
    ticks, over = list[float](), threading.Event()

    def tick() -> None:
        while not over.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    ticking = threading.Thread(target=tick)
    ticking.start()
    while not ticks:
        time.sleep(0.001)
    begin = time.perf_counter()
    call()
    end = time.perf_counter()
    over.set()
    ticking.join()
    inside = [begin, *(at for at in ticks if begin < at < end), end]
    return float(max(np.diff(inside)) / (end - begin))


def forward() -> Callable[[], Any]:
    layer, x = ours.GRU(64, 256), torch.randn(300, 32, 64)
    return torch.no_grad()(lambda: layer(x))


def backward() -> Callable[[], Any]:
    return ours.GRU(64, 256)(torch.randn(300, 32, 64))[0].sum().backward


def stream() -> Callable[[], Any]:
    fed, x = ours.GRU(64, 256).stream(batch=32), torch.randn(300, 32, 64)
    return lambda: fed.chunk(x)


def tokens() -> Callable[[], Any]:
    model = ours.Embedded(torch.nn.Embedding(5, 4), ours.GRU(4, 256))
    fed, ids = model.stream(batch=32), torch.ones(300, 32).long()
    return lambda: fed.chunk(ids)


def packing() -> Callable[[], Any]:
    return ours.GRU(2000, 2000).stream


@pytest.mark.parametrize("long", [forward, backward, stream, tokens, packing])
def test_python_goes_on_during_one_long_call(long: Callable[[], Callable[[], Any]]):
    torch.set_num_threads(1)
    assert any(silence(long()) < 0.5 for _ in range(5))  # on a busy machine not at the first


def test_a_call_that_lets_nobody_else_run_would_be_noticed():
    holding: Any = ctypes.PyDLL(None)
    assert silence(lambda: holding.usleep(100_000)) > 0.9


# ---------------------------------------------------------------------------------- many callers


@pytest.mark.parametrize("threads", [1, 2])
def test_eight_threads_train_one_layer(threads: int):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    layer = ours.LSTM(8, 48, 2, bidirectional=True)
    inputs = [torch.randn(3 + 4 * n, 2 + n, 8) for n in range(8)]
    upstream = [torch.randn(x.size(0), x.size(1), 96) for x in inputs]
    names = ["output", "dx", *(f"d{name}" for name, _ in layer.named_parameters())]

    def answers(n: int) -> list[torch.Tensor]:
        x = inputs[n].clone().requires_grad_()
        output = layer(x)[0]
        return [output.detach(), *torch.autograd.grad(output, [x, *layer.parameters()], upstream[n])]

    alone, start = [answers(n) for n in range(8)], threading.Barrier(8)

    def wrong(n: int) -> set[str]:
        start.wait()
        tries = [zip(names, answers(n), alone[n], strict=True) for _ in range(15)]
        return {name for each in tries for name, mine, right in each if not torch.equal(mine, right)}

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(wrong, range(8))) == [set()] * 8
