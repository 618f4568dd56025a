"""Large blocks of memory: used again once their tensor is gone, never before, and not without end."""

import gc
import itertools
import mmap
import threading

import pytest
import torch

from unrolled.nn import memory
from unrolled.nn.memory import Blocks, large_empty

pytestmark = pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="this system has no large pages")

LIKE = torch.zeros(1)
MANY = 3 * memory.PAGE // 4  # numbers of four bytes: three pages


@pytest.fixture(autouse=True)
def blocks(monkeypatch: pytest.MonkeyPatch) -> Blocks:
    monkeypatch.setattr(memory, "_blocks", Blocks())
    return memory._blocks


def test_a_block_is_used_again_when_its_last_tensor_is_gone():
    first = large_empty(LIKE, MANY)
    place, view = first.data_ptr(), first[5:]
    del first
    assert large_empty(LIKE, MANY).data_ptr() != place
    view.fill_(1.0)
    del view
    gc.collect()
    assert place in {large_empty(LIKE, MANY).data_ptr() for _ in range(2)}


def test_no_two_tensors_share_memory():
    kept: list[torch.Tensor] = []
    for k in range(20):
        tensor = large_empty(LIKE, MANY + k).fill_(k)
        if k % 3:
            kept.append(tensor)
    spans = sorted((tensor.data_ptr(), tensor.numel() * 4) for tensor in kept)
    assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(spans))
    assert [int(tensor[-1]) for tensor in kept] == [k for k in range(20) if k % 3]


def test_a_block_far_too_large_waits_for_another():
    place = large_empty(LIKE, 10 * MANY).data_ptr()
    assert large_empty(LIKE, MANY).data_ptr() != place


def test_what_waits_has_a_limit(blocks: Blocks, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "KEPT", 4 * memory.PAGE)
    held = [blocks.take(2 * memory.PAGE) for _ in range(5)]
    for block in held:
        assert block is not None
        blocks.give_back(block)
    again = [blocks.take(2 * memory.PAGE) for _ in range(5)]
    assert sum(any(a is b for b in held) for a in again) == 2


def test_threads_get_blocks_of_their_own():
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            tensor = large_empty(LIKE, MANY)
            tensor[::4096] = number
            if not bool((tensor[::4096] == number).all()):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_it_has_the_kind_and_sizes_asked_for():
    tensor = large_empty(torch.zeros(1, dtype=torch.float64), 3, 5)
    assert (tensor.shape, tensor.dtype, tensor.is_contiguous()) == ((3, 5), torch.float64, True)
    assert large_empty(LIKE, 0, 5).shape == (0, 5)
