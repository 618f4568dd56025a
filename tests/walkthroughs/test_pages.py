"""A page is what its command prints, on every engine; what a command takes, and what it says to the rest."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

import unrolled
from unrolled import native
from unrolled.cli import main
from unrolled.errors import OptionError
from unrolled.walkthroughs import WALKTHROUGHS, walk
from unrolled.walkthroughs.page import scientific

PAGES = Path(__file__).parents[2] / "docs" / "walkthroughs"
NAMES = list(WALKTHROUGHS)
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("hello", {"word": "banana", "every_step": True}),
    ("hello", {"word": "abracadabra", "seed": 3}),
    ("hello", {"word": "ab"}),
    ("hello", {"word": "abcdefghij" * 4}),
    ("forgetting", {"word": "abcdefghijklmnopqrstuvwxyz"}),
    ("hello", {"word": "the quick brown fox, jumps!", "every_step": True}),
    ("loop", {"steps": 12, "every_step": True}),
    ("loop", {"steps": 1}),
    ("forgetting", {"word": "recurrent", "every_step": True}),
    ("forgetting", {"word": "ab"}),
    ("vanishing", {"steps": 20, "every_step": True}),
    ("vanishing", {"steps": 500, "seed": 2}),
]


@pytest.mark.parametrize("name", NAMES)
def test_page_is_what_the_command_prints(name: str):
    page = (PAGES / f"{name}.md").read_text()
    [command] = re.findall(r"^\$ unrolled (.*)$", page, re.MULTILINE)
    result = CliRunner().invoke(main, shlex.split(command))
    assert result.exit_code == 0
    again = WALKTHROUGHS[name]()
    assert result.stdout == f"{again}\n"
    assert page == again.as_markdown(), "write the pages anew: make pages"


@pytest.mark.parametrize("name", NAMES)
def test_text_does_not_depend_on_the_engine(name: str, monkeypatch):
    compiled = str(WALKTHROUGHS[name]())
    monkeypatch.setattr(native, "supports", lambda *_: False)
    assert str(WALKTHROUGHS[name]()) == compiled


def test_index_and_verb_list_all_examples():
    assert sorted(NAMES) == sorted(path.stem for path in PAGES.glob("*.md") if path.name != "README.md")
    index = (PAGES / "README.md").read_text()
    assert [name for name in NAMES if f"[{name}]({name}.md)" in index] == NAMES
    [choice] = [made for made in main.commands["walkthrough"].params if made.name == "name"]
    assert isinstance(choice.type, click.Choice)
    assert list(choice.type.choices) == NAMES


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in NAMES), *OTHERS], ids=str)
def test_text_fits_and_its_command_repeats_it(name: str, options: dict[str, Any]):
    made = walk(name, options)
    assert max(cell_len(line) for line in str(made).splitlines()) <= 80
    assert "nan" not in str(made).lower().split()
    result = CliRunner().invoke(main, shlex.split(made.command)[1:])
    assert result.stdout == f"{made}\n"


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_data(name: str):
    result = CliRunner().invoke(main, ["walkthrough", name, "--json"])
    data, numbers = json.loads(result.stdout), walk(name, {}).numbers
    assert data["name"] == name
    assert data["numbers"].keys() == numbers.keys()
    for key, value in numbers.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(np.array(data["numbers"][key]), value)
            assert np.isfinite(value).all()


def test_notebook_shows_the_page():
    assert unrolled.walkthrough("hello")._repr_markdown_() == (PAGES / "hello.md").read_text()


def test_all_steps_are_shown_when_asked():
    some, every = (str(unrolled.walkthrough("loop", every_step=flag)) for flag in (False, True))
    assert "92 steps are not shown; --every-step shows them all." in some
    assert "not shown" not in every
    assert len(re.findall(r"^    \d+ .*", every, re.MULTILINE)) > 100 * 5


def written(text: str) -> set[str]:
    """Every number of a text."""
    return set(re.findall(r"-?\d+\.\d+(?:e[+-]\d+)?", text))


@pytest.mark.parametrize(
    ("name", "options", "arrays"),
    [
        ("loop", {"steps": 20}, ["x", "b", "loop"]),
        (
            "forgetting",
            {},
            [f"{kind}/{key}" for kind in ("with", "without") for key in ("xw", "hw", "h", "y", "p")],
        ),
    ],
    ids=["loop", "forgetting"],
)
def test_every_number_of_every_step_is_printed_when_asked(
    name: str, options: dict[str, Any], arrays: list[str]
):
    made = walk(name, {**options, "every_step": True})
    there = written(str(made))
    for key in arrays:
        numbers = made.numbers[key].ravel()
        wanted = {f"{v + 0.0:.6f}" if v == 0 or abs(v) >= 1e-6 else f"{v:.2e}" for v in map(float, numbers)}
        assert wanted <= there, key


def test_every_gradient_on_the_way_is_printed_when_asked():
    made = walk("vanishing", {"steps": 12, "every_step": True})
    there = set(str(made).split())
    for key, value in made.numbers.items():
        if isinstance(value, np.ndarray) and value.ndim:
            assert {scientific(float(v)) for v in value.ravel()} <= there, key


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("helo", {}, "name must be one of hello, loop, .* Did you mean hello"),
        ("two-steps", {"word": "x"}, "must be left out; got word. Of this option: hello, forgetting."),
        (
            "hello",
            {"steps": 3},
            "must be one of word, seed, every_step; got steps. Of this option: loop, van",
        ),
        ("hello", {"word": "aaa"}, "at least two different letters"),
        ("hello", {"word": "ab" * 30}, "at most 40"),
        ("forgetting", {"word": "日本"}, "one column wide"),
        ("hello", {"word": "a\nb"}, "one column wide"),
        ("loop", {"steps": 0}, "steps must be 1 to 10,000; got 0"),
        ("vanishing", {"steps": 1000}, "steps must be 2 to 500; got 1000"),
        ("loop", {"seed": -1}, "seed must be 0 or more; got -1"),
    ],
)
def test_what_is_not_offered_is_said(name: str, options: dict[str, Any], message: str):
    with pytest.raises(OptionError, match=message):
        walk(name, options)
