"""Writes checkpoints into the folder it is given, without end, and says each that is kept."""

import itertools
import sys
from pathlib import Path

import torch

from unrolled.training import checkpoint


def state(n: int) -> dict[str, torch.Tensor]:
    """4 MB that all tell n: long enough in the writing to be killed there."""
    return {name: torch.full((500_000,), float(n)) for name in ("weights", "moments")}


def main() -> None:
    folder, first = Path(sys.argv[1]), int(sys.argv[2])
    for n in itertools.count(first):
        checkpoint.write_newest(folder, state(n), {"n": n}, {})
        print(n, flush=True)


if __name__ == "__main__":
    main()
