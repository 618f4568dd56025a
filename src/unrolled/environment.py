"""What this installation consists of, and what to do about what is missing."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from unrolled import __version__, native


@dataclass(frozen=True)
class Environment:
    """What `examine` found; ``advice`` has a sentence for everything that could be better."""

    unrolled: str
    python: str
    machine: str
    numpy: str
    torch: str
    compiled_core: bool
    why_not: str
    compiler: str
    isas: tuple[str, ...]
    isa: str
    threads: int
    layers_compiled: bool
    advice: tuple[str, ...]

    def __str__(self) -> str:
        core = f"built by {self.compiler}" if self.compiled_core else f"missing: {self.why_not}"
        rows = {
            "unrolled": self.unrolled,
            "python": f"{self.python} on {self.machine}",
            "numpy": self.numpy,
            "torch": self.torch,
            "compiled core": core,
            "instructions": f"{self.isa} in use; this machine and build offer {', '.join(self.isas)}",
            "threads": self.threads,
            "layers": "run compiled" if self.layers_compiled else "run on torch's operations",
        }
        if not self.compiled_core:
            del rows["instructions"]
        lines = [f"{name:15}{value}" for name, value in rows.items()]
        return "\n".join([*lines, "", *(self.advice or ["Everything is in place."])])


def examine() -> Environment:
    """Looks at this installation; layers are judged by the path that a small one takes."""
    torch_version, threads, layers_compiled = _torch()
    return Environment(
        unrolled=__version__,
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        numpy=_version("numpy"),
        torch=torch_version,
        compiled_core=native.available(),
        why_not=native.why_not(),
        compiler=_compiler(),
        isas=native.isas(),
        isa=native.isa(),
        threads=threads,
        layers_compiled=layers_compiled,
        advice=tuple(_advice(threads, layers_compiled)),
    )


def _torch() -> tuple[str, int, bool]:
    """Torch's version, its number of threads, and whether a layer of ours runs compiled."""
    try:
        import torch
    except ImportError as error:
        return f"missing: {error}", 0, False
    from unrolled import nn

    before = nn.paths()["compiled"]
    with torch.inference_mode():
        nn.GRU(1, 1)(torch.zeros(1, 1, 1))
    return torch.__version__, torch.get_num_threads(), nn.paths()["compiled"] > before


def _advice(threads: int, layers_compiled: bool) -> list[str]:
    """What to do, a sentence each."""
    advice: list[str] = []
    if not threads:
        advice.append('Layers need torch: pip install "torch>=2.6"')
    if not native.available():
        advice.append(
            "For compiled layers, remedy that, then: pip install --force-reinstall --no-deps unrolled"
        )
    elif threads and not layers_compiled:
        advice.append(
            "The compiled core is there, but a small layer did not use it: the note above says why."
        )
    return advice


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _compiler() -> str:
    """The compiler of the core, as the installation wrote it down; empty in a bare source tree."""
    try:
        return import_module("unrolled._build").COMPILER
    except ImportError:
        return ""
