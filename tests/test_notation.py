"""The card in words and the card as data are one; the cells speak it."""

import re
from pathlib import Path

import pytest

from unrolled import notation
from unrolled.cells import CELLS, Cell, higher_order_rnn
from unrolled.checks import draw

CARD = (Path(__file__).parents[1] / "docs" / "notation.md").read_text()


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the table under a heading: first cell without its quotes, then the rest."""
    section = CARD.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {first.strip("`"): rest for first, *rest in rows}


def test_axes_of_the_card():
    assert {letter: meaning for letter, (meaning,) in table("Axes").items()} == notation.AXES


def test_arrays_of_the_card():
    arrays = {name: (shape.strip("`"), meaning) for name, (shape, meaning) in table("Arrays").items()}
    assert arrays == {
        name: (f"[{', '.join(entry.axes)}]", entry.meaning) for name, entry in notation.ARRAYS.items()
    }


@pytest.mark.parametrize("cell", [*CELLS.values(), higher_order_rnn("tanh", 3)], ids=lambda cell: cell.name)
def test_every_array_of_a_tape_is_on_the_card_with_its_shape(cell: Cell):
    problem = draw(cell)
    tape = problem.solve()
    sizes = {
        "T": 5,
        "T+1": 6,
        "T+k": 5 + cell.order,
        "B": 3,
        "I": 4,
        "H": 5,
        "R": 5,
        "k*R": 5 * cell.order,
        "G": len(cell.gates),
        "G*H": 5 * len(cell.gates),
    }
    for name, value in (tape.arrays | problem.inputs()).items():
        assert value.shape == tuple(sizes[letter] for letter in notation.axes(name)), name


def test_shapes_in_the_page_use_known_letters():
    letters = set(notation.AXES)
    for entry in notation.ARRAYS.values():
        assert set(re.findall(r"[A-Z]", " ".join(entry.axes))) <= letters
