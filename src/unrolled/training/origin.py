"""With what, where and when a run was trained: what its numbers may depend on."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import unrolled
from unrolled import native


def origin() -> dict[str, Any]:
    """What ``env.json`` says; its ``folder`` is where the names of sources start."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "folder": str(Path.cwd()),
        "unrolled": unrolled.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{package: _version(package) for package in ("torch", "numpy", "safetensors", "tokenizers")},
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "compiled_core": native.isa() if native.available() else native.why_not(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this source tree; None where the package is installed without one."""
    tree = Path(__file__).parents[3]
    if not (tree / ".git").exists():
        return None
    git = ["git", "-C", str(tree), "rev-parse", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
