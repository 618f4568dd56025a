"""Files of the data sets that UNROLLED_DATA names."""

import os
from pathlib import Path

import pytest


def file(name: str) -> Path:
    """A file or folder of the data sets; the test that asks for it is skipped where they are not."""
    if "UNROLLED_DATA" not in os.environ:
        pytest.skip("needs the data sets: set UNROLLED_DATA to their folder")
    return Path(os.environ["UNROLLED_DATA"], name)
