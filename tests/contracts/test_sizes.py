"""A file, a function and a parameter list stay within a reader's view."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted(
    path for folder in ("src", "tests", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")
)
CPP = sorted(
    path
    for folder in ("csrc", "tests")
    for pattern in ("*.cpp", "*.hpp", "*.h")
    for path in (ROOT / folder).rglob(pattern)
)
LINES, BODY, PARAMETERS = 400, 60, 7
MIRRORS = {"src/unrolled/nn": "torch's own signatures", "src/unrolled/api": "options of a verb"}
"""Where a parameter list may be longer, and whose it is."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", [*PYTHON, *CPP], ids=name)
def test_file_is_short(path: Path):
    lines = len(path.read_text().splitlines())
    assert lines <= LINES


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_functions_are_short(path: Path):
    lengths = {f.name: f.end_lineno - f.lineno + 1 for f in functions(path) if f.end_lineno}
    assert {name: length for name, length in lengths.items() if length > BODY} == {}


@pytest.mark.parametrize("path", [p for p in PYTHON if not name(p).startswith(tuple(MIRRORS))], ids=name)
def test_parameters_are_few(path: Path):
    counts = {
        f.name: len([a for a in f.args.posonlyargs + f.args.args + f.args.kwonlyargs if a.arg != "self"])
        for f in functions(path)
    }
    assert {name: count for name, count in counts.items() if count > PARAMETERS} == {}
