"""Rows of numbers that are added, read, and cut back to where a checkpoint was written."""

import json
import math
from pathlib import Path

import pytest

from unrolled.errors import RunError
from unrolled.training.journal import Journal

ROWS = [{"update": n, "epoch": 0, "train_loss": 1 / n, "best": n == 3} for n in range(1, 6)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "metrics.jsonl")
    for row in ROWS:
        journal.append(row)
    return journal


def test_rows_come_back_in_order_to_the_bit(journal: Journal):
    assert journal.rows() == ROWS


def test_others_read_it_line_by_line(journal: Journal):
    lines = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert [{**row, "check": line["check"]} for row, line in zip(ROWS, lines, strict=True)] == lines


def test_what_is_no_number_is_null(journal: Journal):
    journal.append({"update": 6, "train_loss": math.nan, "norm": math.inf})
    assert journal.rows()[-1] == {"update": 6, "train_loss": None, "norm": None}


def test_an_empty_row_and_text_that_looks_like_its_end(tmp_path: Path):
    journal = Journal(tmp_path / "metrics.jsonl")
    rows = [{"text": 'a", "check": "00000000"}'}, {"text": "two\nlines \u2028 in all"}, {"a": {"b": [1, {}]}}]
    for row in rows:
        journal.append(row)
    assert journal.rows() == rows


def test_a_journal_without_rows(tmp_path: Path):
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.cut(after=0)
    assert journal.rows() == []
    assert not journal.path.exists()
    journal.sync()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after", range(7))
def test_cut_takes_away_what_is_later(journal: Journal, after: int):
    journal.cut(after)
    assert journal.rows() == ROWS[:after]
    journal.append({"update": 9})
    assert journal.rows() == [*ROWS[:after], {"update": 9}]
    assert [path.name for path in journal.path.parent.iterdir()] == ["metrics.jsonl"]


def test_cut_leaves_rows_that_belong_to_no_update(journal: Journal):
    journal.append({"begun": "again"})
    journal.cut(after=2)
    assert journal.rows() == [*ROWS[:2], {"begun": "again"}]


def test_a_row_cut_short_by_a_kill_goes_at_the_cut(journal: Journal):
    whole = journal.path.read_bytes()
    with journal.path.open("ab") as file:
        file.write(b'{"update": 6, "train_lo')
    assert journal.rows() == ROWS
    journal.cut(after=5)
    assert journal.path.read_bytes() == whole


def test_a_row_that_lacks_only_its_end_counts(journal: Journal):
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-1])
    assert journal.rows() == ROWS
    journal.cut(after=5)
    assert journal.path.read_bytes() == whole


def test_a_changed_number_is_refused_with_its_line(journal: Journal):
    journal.path.write_text(journal.path.read_text().replace("0.25", "0.15"))
    for read in (journal.rows, lambda: journal.cut(after=2)):
        with pytest.raises(RunError, match=r"journal: line 4 of .*metrics\.jsonl must be as it was written"):
            read()
