"""How a worked example is laid out: sections of prose and tables, as plain text or as a page of Markdown.

Text is 80 columns wide; tables stand four columns in.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from unrolled.report.wording import visible

WIDTH = 80
"""Columns of the text."""

INDENT = "    "
"""What stands before a table."""

Array: TypeAlias = NDArray[Any]
Cell: TypeAlias = str | int | float
Numbers: TypeAlias = Mapping[str, Any]


class Block(NamedTuple):
    """Lines that stand as they are: a table, a formula; ``language`` if they are code."""

    lines: tuple[str, ...]
    language: str = "text"


class Section(NamedTuple):
    """A title, and prose and blocks in their order."""

    title: str
    parts: tuple[str | Block, ...]


class Walkthrough:
    """A worked example: ``str()`` is its text, `numbers` all that was computed, by name.

    Attributes:
        name: the word after ``unrolled walkthrough``.
        command: the command line that prints this very text.
        title: what is worked through.
        sections: the text, in parts.
        numbers: arrays, numbers and words by name; arrays as on the notation card, some behind the name of a
            network and a slash, ``trained/h``.
    """

    def __init__(self, command: str, title: str, sections: Sequence[Section], numbers: Numbers) -> None:
        self.name, self.command, self.title = command.split()[0], f"unrolled walkthrough {command}", title
        self.sections, self.numbers = tuple(sections), MappingProxyType(dict(numbers))

    def __str__(self) -> str:
        return "\n\n".join([f"{self.title}\n{'=' * cell_len(self.title)}", *self._text()])

    def __repr__(self) -> str:
        return f"Walkthrough({self.name}: {len(self.sections)} sections, {len(self.numbers)} numbers by name)"

    def _text(self) -> Iterator[str]:
        for title, parts in self.sections:
            yield f"{title}\n{'-' * cell_len(title)}"
            for part in parts:
                if isinstance(part, str):
                    yield textwrap.fill(
                        _one_line(part), WIDTH, break_long_words=False, break_on_hyphens=False
                    )
                else:
                    yield "\n".join(f"{INDENT}{line}".rstrip() for line in part.lines)

    def as_markdown(self) -> str:
        """The same as a page."""
        blocks = [f"# {self.title}", f"```console\n$ {self.command}\n```"]
        for title, parts in self.sections:
            blocks.append(f"## {title}")
            for part in parts:
                if isinstance(part, str):
                    blocks.append(textwrap.fill(_escaped(_one_line(part)), 110, break_on_hyphens=False))
                else:
                    code = "\n".join(line.rstrip() for line in part.lines)
                    blocks.append(f"```{part.language}\n{code}\n```")
        return "\n\n".join(blocks) + "\n"

    def _repr_markdown_(self) -> str:
        return self.as_markdown()

    def as_data(self) -> dict[str, Any]:
        """Name and numbers, arrays as lists."""
        plain = {
            k: v.tolist() if isinstance(v, np.ndarray | np.generic) else v for k, v in self.numbers.items()
        }
        return {"name": self.name, "command": self.command, "numbers": plain}


def lines(text: str) -> Block:
    """A block of the lines of a text, without what indents them all."""
    return Block(tuple(textwrap.dedent(text).strip("\n").splitlines()))


def command(name: str, **options: tuple[object, object]) -> str:
    """What follows ``unrolled walkthrough`` for these options, each a value and its default.

    Example:
        >>> command("hello", word=("a b", "hello"), seed=(0, 0), every_step=(True, False))
        "hello --word 'a b' --every-step"
    """
    words = [name]
    for option, (value, default) in options.items():
        if value != default:
            words += [f"--{option.replace('_', '-')}", *([] if value is True else [shlex.quote(str(value))])]
    return " ".join(words)


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]], left: int = 1) -> Block:
    """A table with aligned columns, the first ``left`` of them to the left; numbers have six decimals.

    Example:
        >>> table(["unit", "h"], [["first", 0.5], ["second", -1.25]]).lines
        ('unit            h', 'first    0.500000', 'second  -1.250000')
    """
    cells = [[visible(name) for name in header], *([_word(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        spaces = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        both = zip(row, spaces, strict=True)
        return "  ".join(cell + space if k < left else space + cell for k, (cell, space) in enumerate(both))

    return Block(tuple(line(row).rstrip() for row in cells))


def tables(header: Sequence[str], rows: Sequence[Sequence[Cell]], left: int = 1) -> tuple[Block, ...]:
    """The same as several tables under one another where one would be too wide, the left columns in each.

    Example:
        >>> [len(part.lines[0]) for part in tables(["", *"abcdefgh"], [["h", *[0.5] * 8]])]
        [41, 41]
    """
    count = len(header) - left

    def split(panels: int) -> tuple[Block, ...]:
        size = -(-count // panels)
        spans = [slice(first, first + size) for first in range(left, left + count, size)]
        cut = [([*header[:left], *header[s]], [[*row[:left], *row[s]] for row in rows]) for s in spans]
        return tuple(table(some, rest, left) for some, rest in cut)

    def fits(parts: tuple[Block, ...]) -> bool:
        return all(cell_len(INDENT + line) <= WIDTH for part in parts for line in part.lines)

    return next(filter(fits, map(split, range(1, count))), split(count))


def scientific(value: float) -> str:
    """A number of any size in three digits.

    Example:
        >>> scientific(1.0), scientific(139.0), scientific(7.888e-31), scientific(0.0)
        ('1.00', '139', '7.89e-31', '0')
    """
    if value == 0:
        return "0"
    return f"{value:#.3g}".rstrip(".") if 1e-3 <= abs(value) < 999.5 else f"{value:.2e}"


def shown(count: int, every_step: bool, most: int = 8) -> list[int]:
    """The steps to show of ``count``: all, or if these are more than ``most``, the first and the last ones.

    Example:
        >>> shown(5, False), shown(100, False)
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 96, 97, 98, 99])
    """
    if every_step or count <= most:
        return list(range(count))
    return [*range(most // 2), *range(count - most // 2, count)]


def left_out(steps: Sequence[int], count: int) -> str:
    """A sentence on the steps that are not shown, with a space before; nothing if all are."""
    missing = count - len(steps)
    return f" {missing} steps are not shown; --every-step shows them all." if missing else ""


def _word(cell: Cell) -> str:
    """A cell of a table; a float too small for six decimals keeps its digits."""
    if isinstance(cell, float):
        return f"{cell + 0.0:.6f}" if cell == 0 or abs(cell) >= 1e-6 else f"{cell:.2e}"  # -0.0 is 0
    return visible(str(cell))


def _one_line(prose: str) -> str:
    return " ".join(prose.split())


def _escaped(prose: str) -> str:
    """Prose in which nothing is Markdown but code in backticks."""
    parts = re.split(r"(`[^`]*`)", prose)
    return "".join(part if part.startswith("`") else re.sub(r"([*<\\])", r"\\\1", part) for part in parts)
