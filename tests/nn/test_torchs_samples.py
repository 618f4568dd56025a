"""Torch's own samples of its recurrent modules, run on ours in a process of their own.

Importing torch's test code changes what a process has set up: hypothesis' profile, torch's flags.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).with_name("torchs_samples.py")


def test_torchs_samples_pass_on_ours():
    pytest.importorskip("expecttest", reason="torch's samples come with its tests, which need expecttest")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SAMPLES)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "30 passed" in ran.stdout
