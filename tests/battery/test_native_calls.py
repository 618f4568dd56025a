"""What holds around a call: the caller's arithmetic, other threads, a forked child, and the memory."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.battery import kernels
from tests.battery.cases import Case
from tests.battery.kernels import How, needs_core
from unrolled import native
from unrolled.cells import Values
from unrolled.checks import Problem

pytestmark = needs_core

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


def both_ways(problem: Problem, how: How) -> Values:
    """Everything the core gives for a problem, under names that do not clash."""
    kept = kernels.forward(problem, how)
    return kept | kernels.backward(problem, kept, how)


def bits(values: Values) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in values.items()}


def tiny(dtype: str, isa: str) -> float:
    """What the core gives for the product of two normal numbers whose product is not one."""
    smallest = np.finfo(dtype).smallest_normal
    problem = Case("rnn_identity", dtype, H=1, I=1, T=1, B=1, lengths="all", reset="none").problem()  # type: ignore[arg-type]
    problem.params["W_xh"][...], problem.x[...] = 0.25, smallest
    for name in ("b_xh", "b_hh"):
        problem.params[name][...] = 0
    return kernels.forward(problem, How(isa), [])["h"].item()


@pytest.mark.parametrize("isa", native.isas())
@pytest.mark.parametrize("dtype", native.DTYPES)
def test_denormals_are_zero_inside_and_not_outside(isa: str, dtype: str):
    assert tiny(dtype, isa) == 0
    assert np.finfo(dtype).smallest_normal * np.full(1, 0.25, dtype) > 0


@pytest.mark.parametrize("isa", native.isas())
def test_the_caller_may_flush_denormals_too(isa: str):
    if not torch.set_flush_denormal(True):
        pytest.skip("this machine cannot flush denormals")
    try:
        tiny("float64", isa)
        assert np.finfo(np.float64).smallest_normal * np.full(1, 0.25) == 0
    finally:
        torch.set_flush_denormal(False)


def test_torchs_threads_keep_their_denormals():
    """They are borrowed, and flush while they are."""
    problem = Case("gru", "float32", H=130, I=40, T=9, B=12).problem()
    for _ in range(20):
        kernels.forward(problem, How(native.isa(), torch.get_num_threads()))
        quarter = torch.full((400_000,), torch.finfo(torch.float32).smallest_normal) * 0.25
        assert torch.count_nonzero(quarter) == quarter.numel()


def various(count: int) -> list[Problem]:
    """Problems large and small, alike in nothing."""
    cells = ["gru", "lstm", "rnn_tanh", "gru_reset_before", "lstm P<H"]
    sizes = [1, 7, 40, 130, 200]
    return [
        Case(
            cells[i % 5],
            "float32" if i % 2 else "float64",
            H=sizes[i // 3 % 5],
            I=sizes[i // 2 % 5],
            T=3 + i % 7,
            B=1 + i % 6,
        ).problem()
        for i in range(count)
    ]


def test_eight_threads_at_once():
    problems = various(24)
    alone = [bits(both_ways(problem, How(native.isa(), 1))) for problem in problems]
    start = threading.Barrier(8)

    def work(number: int) -> list[int]:
        start.wait()
        order = [*range(number, 24), *range(number)] * 3
        return [k for k in order if bits(both_ways(problems[k], How(native.isa(), 1 + k % 3))) != alone[k]]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert [*pool.map(work, range(8))] == [[]] * 8


def test_torch_computes_at_the_same_time():
    """torch's threads are borrowed, so both want them."""
    problem = Case("gru", "float32", H=130, I=40, T=9, B=12).problem()
    expected = bits(both_ways(problem, How(native.isa(), 1)))
    a = torch.randn(300, 300, dtype=torch.float64)
    product = a @ a

    def work(number: int) -> bool:
        if number % 2:
            return all(torch.equal(a @ a, product) for _ in range(50))
        return all(bits(both_ways(problem, How(native.isa(), 2))) == expected for _ in range(50))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


ALONE = """
import {module}
from tests.battery.cases import Case
from tests.battery.test_native import test_training, test_backward
from unrolled import native
for cell in ("gru", "lstm"):
    case = Case(cell, "float32", H=100, I=33, T=12, B=30)
    test_training(case, native.isa())
    test_backward(case, native.isa())
"""


@pytest.mark.parametrize(
    ("module", "variable"),
    [("sys", ""), ("torch", "OMP_MAX_ACTIVE_LEVELS=0"), ("torch", "OMP_THREAD_LIMIT=1")],
)
def test_in_a_process(module: str, variable: str):
    """Without torch, whose threads are borrowed else; and where its OpenMP would give too few of them."""
    name, _, value = variable.partition("=")
    environment = os.environ | ({name: value} if name else {})
    script = [sys.executable, "-c", ALONE.format(module=module)]
    root = Path(__file__).parents[2]
    done = subprocess.run(script, env=environment, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_eight_threads_share_a_stream():
    """`native.Stream` holds weights only; the state is the caller's."""
    H, I, T = 64, 16, 50
    rng = np.random.default_rng(0)
    W = [rng.normal(size=shape).astype(np.float32) / 8 for shape in ((3 * H, I), (3 * H, H))]
    b = [rng.normal(size=3 * H).astype(np.float32) for _ in range(2)]
    stream = native.Stream(
        native.code("gru", "float32"), 1, I, H, 0, 1, *(a.ctypes.data for a in (*W, *b)), 0
    )
    x = rng.normal(size=(T, 1, I)).astype(np.float32)

    def work(_: int) -> bytes:
        state, h = np.zeros((1, H), np.float32), np.empty((T, 1, H), np.float32)
        for t in range(T):
            stream.forward(1, x[t].ctypes.data, I, I, h[t].ctypes.data, H, H, state.ctypes.data, 0)
        return h.tobytes() + state.tobytes()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len({*pool.map(work, range(64))}) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_starts_threads_of_its_own():
    problem = Case("lstm", "float32", H=200, I=40, T=6, B=9).problem()
    expected = bits(both_ways(problem, How(native.isa(), 3)))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of fork in a process with threads, which is meant
        child = os.fork()
    if child == 0:
        right = all(bits(both_ways(problem, How(native.isa(), 3))) == expected for _ in range(20))
        os._exit(0 if right else 1)
    ended = threading.Timer(60, os.kill, (child, 9))
    ended.start()
    _, status = os.waitpid(child, 0)
    ended.cancel()
    assert os.waitstatus_to_exitcode(status) == 0, "wrong numbers in the child, or it hung for a minute"
    assert bits(both_ways(problem, How(native.isa(), 3))) == expected


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not say what is resident")
def test_memory_stays_flat_over_ten_thousand_calls():
    problems, held = various(60), list[int]()
    for round_ in range(5):
        for call in range(1000):
            problem, how = problems[(call + round_) % len(problems)], How(native.isa(), 1 + call % 3)
            kernels.backward(problem, kernels.forward(problem, how), how)
        held.append(resident())
    assert max(held[1:]) - held[0] < 4 << 20, [size >> 10 for size in held]
