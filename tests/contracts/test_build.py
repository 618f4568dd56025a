"""The package installs with a compiler and without, and keeps the reason for what it left out."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from unrolled import native

ROOT = Path(__file__).parents[2]
SITE = Path(pytest.__file__).parents[1]


def wheel(into: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Builds the package as ``pip install`` does, with the build requirements that are installed here."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    return subprocess.run(
        [*command, "--wheel-dir", str(into), str(ROOT)],
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environment,
        capture_output=True,
        text=True,
    )


def without_core(tmp_path: Path, **environment: str) -> Path:
    """The unpacked wheel of an installation that had to do without the compiled core."""
    built = wheel(tmp_path, **environment)
    assert built.returncode == 0, built.stderr
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "_native" in name]
        archive.extractall(tmp_path)
    return tmp_path


def python(package: Path, code: str) -> str:
    """Runs code with the unpacked wheel; ``-S`` keeps the editable installation out of it."""
    path = f"{package}{os.pathsep}{SITE}"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def no_compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return without_core(tmp_path_factory.mktemp("wheel"), CXX="/nonexistent")


def test_doctor_says_why_there_is_no_compiled_core(no_compiler: Path):
    said = python(no_compiler, "from unrolled.cli import main; main(['doctor'])")
    assert "missing: no working C++ compiler was found" in said
    assert "layers         run on torch's operations" in said


def test_layers_run_on_torch_and_say_so_once(no_compiler: Path):
    code = """
import torch, unrolled.nn
layer = unrolled.nn.GRU(3, 4)
for _ in range(2):
    output, h_n = layer(torch.ones(5, 2, 3))
    output.sum().backward()
print(output.shape)"""
    said = python(no_compiler, code)
    assert "[5, 2, 4]" in said
    assert said.count("no working C++ compiler was found") == 1


def test_core_is_here_wherever_a_compiler_is():
    """Otherwise a broken build would skip most of the battery and look like success."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))) or "UNROLLED_NATIVE=OFF" in native.why_not():
        pytest.skip(native.why_not())
    assert native.available(), native.why_not()


def test_compiler_from_before_cpp17_is_refused(tmp_path: Path):
    real = shutil.which("g++") or shutil.which("c++")
    if real is None:
        pytest.skip("this machine has no C++ compiler to dress up as an old one")
    old = tmp_path / "old-c++"
    old.write_text(f'#!/bin/sh\ncase "$*" in *-std=*17*) exit 1;; esac\nexec {real} -std=c++14 "$@"\n')
    old.chmod(0o755)
    package = without_core(tmp_path, CXX=str(old))
    assert "does not compile C++17" in (package / "unrolled/_build.py").read_text()


def test_core_can_be_left_out(tmp_path: Path):
    package = without_core(tmp_path, UNROLLED_NATIVE="OFF")
    assert "left out by UNROLLED_NATIVE=OFF" in (package / "unrolled/_build.py").read_text()


def test_required_core_that_cannot_be_built_is_an_error(tmp_path: Path):
    built = wheel(tmp_path, UNROLLED_NATIVE="REQUIRED", CXX="/nonexistent")
    assert built.returncode != 0
    assert "the compiled core cannot be built: no working C++ compiler" in " ".join(built.stderr.split())
