"""A pytest plugin: the compiled core from the file that the environment variable UNROLLED_CORE names."""

import importlib.util
import os
import sys

NAME = "unrolled._native"

spec = importlib.util.spec_from_file_location(NAME, os.environ["UNROLLED_CORE"])
assert spec
assert spec.loader
sys.modules[NAME] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[NAME])
