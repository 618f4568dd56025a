"""The core's own test in its quick forms; the sanitizers have `make sanitize`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.sh")


def run(form: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHON": sys.executable}
    return subprocess.run([RUN, form], env=environment, capture_output=True, text=True)


@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "c++")), reason="needs a C++ compiler")
def test_core_and_its_plain_twin():
    done = run("short")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" 0 failed") == 3


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_neon():
    done = run("neon")
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
