"""Every example runs: the Python blocks of the README and of docs/, those of docstrings, and examples/."""

import doctest
import pkgutil
import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

import unrolled

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")] if BLOCK.search(page.read_text())]
MODULES = [m.name for m in pkgutil.walk_packages(unrolled.__path__, "unrolled.") if "._" not in m.name]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_of_a_page_run_in_order(page: Path):
    text = page.read_text()
    names: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        before = text.count("\n", 0, block.start(1))
        if block[1].startswith(">>> "):
            example = doctest.DocTestParser().get_doctest(block[1], names, page.name, str(page), before)
            assert doctest.DocTestRunner(optionflags=OPTIONS).run(example, clear_globs=False).failed == 0
            names = example.globs
        else:
            # blank lines in front, so that a traceback names the line of the page
            exec(compile("\n" * before + block[1], page, "exec"), names)


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_of_a_module(module: str):
    assert doctest.testmod(import_module(module), optionflags=OPTIONS).failed == 0


@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/*.py")), ids=lambda path: path.name)
def test_example_file_runs(example: Path):
    runpy.run_path(str(example), run_name="__main__")
