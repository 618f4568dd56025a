"""A small run's folder, with two checkpoints, and all that is ever read of it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from unrolled.training import checkpoint
from unrolled.training.run_folder import RunFolder


def tensors(n: float) -> dict[str, Tensor]:
    """Weights, what Adam has, a random state and a step: of several kinds and shapes, all telling n."""
    return {
        "weight": torch.full((2, 3), n),
        "moment": torch.full((3,), n, dtype=torch.bfloat16),
        "random": torch.full((5,), int(n), dtype=torch.uint8),
        "step": torch.tensor(n, dtype=torch.float64),
    }


def a_run(parent: Path) -> RunFolder:
    """A run that has written checkpoints 1 and 2, of which 2 is the newest, and 1 as the best weights."""
    folder = RunFolder.create('schema = 1\ntask = "lm"\n', "small", parent)
    folder.tokenizer.write_text('{"schema": 1, "tokens": ["<unk>", "a", "b"]}\n')
    folder.data.write_bytes(b"tokens")
    for n in (1, 2):
        folder.journal.append({"update": n, "train_loss": 1 / n, "valid_loss": 2 / n})
        checkpoint.write_newest(folder.last, tensors(n), {"update": n}, folder.sealed_with_data)
    checkpoint.write(folder.model, tensors(1), {"update": 1}, folder.sealed)
    return folder


def files(folder: RunFolder) -> list[Path]:
    return sorted(path for path in folder.path.rglob("*") if path.is_file())


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    """Whether names, kinds, shapes and every bit agree."""
    return left.keys() == right.keys() and all(
        a.dtype == b.dtype
        and a.shape == b.shape
        and torch.equal(*(torch.cat([t.detach().flatten()]).view(torch.uint8) for t in (a, b)))
        for a, b in zip(left.values(), right.values(), strict=True)
    )


def newest(folder: RunFolder) -> int:
    """The number that the newest good checkpoint tells, once every tensor tells it too."""
    found = checkpoint.read_newest(folder.last, folder.covers_with_data)
    n = found.facts["update"]
    assert same(found.tensors, tensors(n))
    return n
