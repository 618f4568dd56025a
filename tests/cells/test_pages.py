"""Code quoted on a page is the code: each block stands line by line in the file it names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUOTE = re.compile(r"^```py (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted((ROOT / "docs" / "cells").glob("*.md"))
OWN = [page for page in PAGES if page.stem != "higher_order"]
"""Of cells with functions of their own."""


def lines(code: str) -> list[str]:
    """Without indentation and blank lines."""
    return [line.strip() for line in code.splitlines() if line.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_quoted_code_is_the_code(page: Path):
    quotes = QUOTE.findall(page.read_text())
    assert quotes
    for file, code in quotes:
        source, quoted = lines((ROOT / "src" / "unrolled" / file).read_text()), lines(code)
        starts = [k for k, line in enumerate(source) if line == quoted[0]]
        assert any(source[k : k + len(quoted)] == quoted for k in starts), f"{file} has no\n{code}"


def statements(source: str) -> list[str]:
    """Those of every ``point_backward(v, d)`` in a file, but for those that only give names to values."""
    unpacking = re.compile(r"(\w+, )*\w+ = (v\[\"\w+\"\](, )?)+")
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    backward = [node for node in functions if [taken.arg for taken in node.args.args][-2:] == ["v", "d"]]
    found = [ast.get_source_segment(source, line) or "" for node in backward for line in node.body]
    return [line for line in found if not line.startswith('"""') and not unpacking.fullmatch(line)]


@pytest.mark.parametrize("page", OWN, ids=lambda page: page.stem)
def test_every_line_of_a_backward_pass_is_derived(page: Path):
    source = (ROOT / "src" / "unrolled" / "cells" / f"{page.stem}.py").read_text()
    quoted = "\n".join(code for _, code in QUOTE.findall(page.read_text()))
    assert len(statements(source)) > 1
    assert [line for line in statements(source) if line not in quoted] == []
