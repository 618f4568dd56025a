"""A word a line with its tags in columns, a blank line after each sentence: CoNLL and CoNLL-U."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from unrolled.data.formats.options import Options
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The columns of CoNLL-U."""

NO_WORD = re.compile(r"\d+[-.]\d+")
"""The id of what is no word of CoNLL-U: several words written as one (3-4), or one left out (3.1)."""


def read(text: str, name: str, options: Options) -> Table:
    """A row a sentence; each column the list of what its words have there.

    Columns are parted by tabs, or where there is none in a line, by blanks; without names they are called 1,
    2, .... A line that begins with # is a comment, unless it has the columns of a word.

    Raises:
        DataError: no sentence, a word with more or fewer columns than others, or names for other columns.
    """
    lines = [(i, _cells(line)) for i, line in enumerate(text.split("\n"), 1)]
    widths = Counter(len(cells) for _, cells in lines if cells)
    if not widths:
        raise DataError(name, "have a sentence", "an empty file", "Name a file with data in it.")
    width = widths.most_common(1)[0][0]
    words = [(i, cells) for i, cells in lines if not (_is_comment(cells) and len(cells) != width)]
    names = options.names or tuple(str(i) for i in range(1, width + 1))
    return _table(words, names, name)


def read_conllu(text: str, name: str, options: Options) -> Table:
    """A row a sentence of CoNLL-U, with the columns `CONLLU`; its tokens that are no words are left out.

    Raises:
        DataError: no sentence, or a word without ten columns.
    """
    del options
    lines = [(i, line.split("\t") if line.strip() else []) for i, line in enumerate(text.split("\n"), 1)]
    words = [(i, cells) for i, cells in lines if not _is_comment(cells)]
    return _table([word for word in words if not _is_no_word(word[1])], CONLLU, name)


def tagged(table: Table, words: str, tags: str) -> tuple[list[list[str]], list[list[str]]]:
    """The words and the tags of each sentence, as many of one as of the other.

    Raises:
        DataError: no such column, a cell that is no list of texts, or lists of different length.
    """
    columns: list[list[list[str]]] = []
    for wanted in (words, tags):
        name = table.name(wanted)
        columns.append([_texts(cell, table.where(row, name)) for row, cell in enumerate(table[name])])
    for row, (ours, theirs) in enumerate(zip(*columns, strict=True)):
        if len(ours) != len(theirs):
            rule = f"have a tag for each of {len(ours)} words"
            fix = "Write one tag for each word."
            raise DataError(table.where(row, table.name(tags)), rule, f"{len(theirs)} tags", fix)
    return columns[0], columns[1]


def _texts(cell: object, place: str) -> list[str]:
    if isinstance(cell, str):
        return cell.split()
    if not isinstance(cell, list) or not all(isinstance(word, str) for word in cell):
        got = type(cell).__name__ if not isinstance(cell, list) else "a list of other things"
        raise DataError(place, "be a list of texts", got, 'Write ["the", "words"], or the words with blanks.')
    return cell


def _table(lines: Sequence[tuple[int, list[str]]], names: Sequence[str], name: str) -> Table:
    sentences: list[list[list[str]]] = []
    places: list[int] = []
    inside = False
    for number, cells in lines:
        if not cells or cells[0] == "-DOCSTART-":
            inside = False
            continue
        if len(cells) != len(names):
            fix = "Part the columns by one tab each, and sentences by a blank line."
            rule = f"have {len(names)} columns ({', '.join(names)})"
            raise DataError(f"{name}: line {number}", rule, len(cells), fix)
        if not inside:
            sentences.append([])
            places.append(number)
        sentences[-1].append(cells)
        inside = True
    if not sentences:
        raise DataError(
            name, "have a sentence", "none", "Write a word a line, a blank line between sentences."
        )
    columns: dict[str, Column] = {
        key: [[cells[i] for cells in sentence] for sentence in sentences] for i, key in enumerate(names)
    }
    return Table(columns, Places.of(f"{name}: line", places))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.rstrip().split("\t")] if "\t" in line.strip() else line.split()


def _is_comment(cells: Sequence[str]) -> bool:
    return bool(cells) and cells[0].startswith("#")


def _is_no_word(cells: Sequence[str]) -> bool:
    return bool(cells) and bool(NO_WORD.fullmatch(cells[0]))
