"""What the files around the package promise agrees with the package."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import unrolled

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TREE = re.compile(r"^(?P<path>\S+) {2,}(?P<purpose>\S.*)$", re.MULTILINE)


def names(requirements: list[str]) -> set[str]:
    """Distribution names, without extras, versions and markers."""
    return {re.split(r"[^\w-]", requirement)[0].lower() for requirement in requirements}


def test_version_is_said_once_and_the_same():
    assert unrolled.__version__ == PROJECT["version"] == version("unrolled")


def test_constraints_pin_what_the_tests_run_with():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    assert names([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]) <= set(pins)
    assert pins["torch"] == "2.13.0"


def test_changelog_has_a_place_for_the_next_line():
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text()


def test_tree_of_the_readme_is_the_tree():
    block = (ROOT / "README.md").read_text().split("## The tree\n\n```text\n")[1].split("```")[0]
    listed = {match["path"].rstrip("/") for match in TREE.finditer(block)}
    assert {path for path in listed if not (ROOT / path).exists()} == set()
    modules = {p for p in (ROOT / "src/unrolled").iterdir() if not p.name.startswith(("_", "."))}
    python = {p.relative_to(ROOT).as_posix() for p in modules if p.is_dir() or p.suffix == ".py"}
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")}
    assert (python | folders) - listed <= {"src", "build", "dist"}


def test_links_between_pages_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []
