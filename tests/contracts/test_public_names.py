"""What `import unrolled` promises: sorted lazy names, and nothing heavy loaded for them."""

import json
import subprocess
import sys

import pytest

import unrolled

HEAVY = ["numpy", "rich", "starlette", "torch", "uvicorn"]


def modules_after(code: str) -> set[str]:
    """The heavy modules that a fresh interpreter has loaded once it ran the code."""
    report = f"import json, sys\n{code}\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_names_are_sorted_and_listed():
    assert unrolled.__all__ == sorted(unrolled.__all__)
    assert set(unrolled._HOMES) <= set(unrolled.__all__) <= set(dir(unrolled))


@pytest.mark.parametrize("name", unrolled.__all__)
def test_name_resolves_and_is_documented(name: str):
    assert getattr(unrolled, name).__doc__


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'gru'"):
        unrolled.gru  # noqa: B018  the look-up is the test


def test_importing_the_package_loads_nothing_heavy():
    assert modules_after("import unrolled") == set()


@pytest.mark.parametrize("words", [["--help"], ["train", "lm", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]):
    assert modules_after(f"from unrolled.cli import main\nmain({words}, standalone_mode=False)") == set()


def test_maths_runs_without_torch():
    code = "import unrolled.cells, unrolled.native, unrolled.tape, unrolled.unroll"
    assert modules_after(code) == {"numpy"}
