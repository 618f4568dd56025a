"""CSV and its relatives: what parts the columns, whether there are names, and where a row is wrong."""

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import sets
from unrolled.data import formats
from unrolled.data.formats import Options, delimited
from unrolled.data.tables import Table
from unrolled.errors import DataError, OptionError


def read(text: str, name: str = "a.csv", **options) -> Table:
    return delimited.read(text, name, Options(**options))


def message(text: str, name: str = "a.csv", **options) -> str:
    with pytest.raises(DataError) as caught:
        read(text, name, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\n1,5\t2,5\n", "\t"),
        ("a|b\n1|2", "|"),
        ('text,label\n"one, two",1\n"three\nlines, really\n",2\n', ","),
        ('"a","b"\n"1",2,3\n"2",2,3\n', ","),
        ("one line, with a comma\nand one without\n", ""),
        ("words alone\n", ""),
        ("", ""),
    ],
)
def test_the_delimiter_is_found(text: str, delimiter: str):
    assert delimited.sniffed(text) == delimiter


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("text,label\ngood,1\n", ["text", "label"]),
        ("text,label\ngood,pos\n", ["text", "label"]),
        ("good film,1\nbad film,0\n", ["1", "2"]),
        ("Go.,Va !\nRun!,Cours !\n", ["1", "2"]),
        ("pos,a film\nneg,another\npos,a third\n", ["1", "2"]),
        ('"date","t"\n"1","2015-02-02",23\n"2","2015-02-03",24\n', ["row", "date", "t"]),
        (",a,b\n0,1,2\n", ["row", "a", "b"]),
        ("a,,b\n0,1,2\n", ["a", "2", "b"]),
        ("Price (EUR),CO2 %\n1,2\n", ["Price (EUR)", "CO2 %"]),
    ],
)
def test_names_are_told_from_data(text: str, names: list[str]):
    assert list(read(text).columns) == names


def test_what_was_assumed_is_said_where_nothing_proves_it():
    assert read("text,label\ngood,1\n").remarks == ()
    assert read("hello,bonjour\ncat,chat\n").remarks == (
        "The first line of a.csv was read as names of columns; --header off reads it as data.",
    )
    assert list(read("hello,bonjour\ncat,chat\n", header=False).columns) == ["1", "2"]
    assert list(read("1,2\n3,4\n", header=True).columns) == ["1", "2"]
    assert read("1,2\n3,4\n", header=True)["1"] == ["3"]
    assert read("a,b\n3,4\n", names=("x", "y"))["x"] == ["a", "3"]


def test_quotes_line_ends_and_blank_lines():
    made = read('text,n\n"a ""word"", and\nmore",1\n\nplain,2\n')
    assert made["text"] == ['a "word", and\nmore', "plain"]
    assert [made.where(0), made.where(1)] == ["a.csv: line 2", "a.csv: line 5"]


def test_quotes_in_a_table_parted_by_tabs_are_what_the_lines_say():
    assert read('"He said\t0\nyes"\t1\n', "a.tsv")["1"] == ['"He said', 'yes"']
    assert read('"He ""said"""\t0\nyes\t1\n', "a.tsv")["1"] == ['He "said"', "yes"]
    assert read('text\tn\n"a\tb"\t0\nyes\t1\n', "a.tsv")["text"] == ["a\tb", "yes"]


def test_a_cell_may_be_longer_than_pythons_limit():
    assert read("text,n\n" + "x" * 200_000 + ",1\n")["text"] == ["x" * 200_000]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3\n", "a.csv: line 3 must have 2 cells, as the rows before it; got 1"),
        ("a,b\n1,2\n3,4,5\n", "Quote a cell that has a comma in it"),
        ('a,b\n"x,2\n3,4\n', "a.csv: line 2 must quote its cells as CSV does; got unexpected end of data"),
        ('a,b\n1,2\n"x"y,2\n', "a.csv: line 3 must quote"),
        ("a,a\n1,2\n", 'got "a" for columns 1 and 2'),
        ("", "must have rows; got an empty file"),
        ("text,label\n", "got nothing but a line of names"),
    ],
)
def test_rows_that_are_wrong_are_named(text: str, words: str):
    assert words in message(text, header=True)


def test_as_many_names_as_columns():
    assert "got 1 names, x, for columns 1, 2" in message("1,2\n", names=("x",))
    with pytest.raises(OptionError, match="delimiter"):
        Options(delimiter=";;")


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)


@settings(max_examples=300)
@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=6), st.sampled_from(",;|"))
def test_what_pythons_csv_writes_is_read(rows: list[list[str]], delimiter: str):
    import csv

    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    made = read(file.getvalue(), header=False, delimiter=delimiter)
    assert list(zip(made["1"], made["2"], strict=True)) == [tuple(row) for row in rows]


def test_files_of_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = "text,label\r\nnaïve,1\r\ngood,0\r\n"
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "c.txt").write_bytes(text.encode("cp1252"))
    both = formats.read([tmp_path / "a.csv", tmp_path / "b.csv.gz"])
    assert both["text"] == ["naïve", "good"] * 2
    assert both.where(2) == f"{tmp_path / 'b.csv.gz'}: line 2"
    assert formats.read([tmp_path / "c.txt"], options=Options("cp1252"))["text"] == ["naïve", "good"]
    with pytest.raises(DataError, match=r"c\.txt: line 2, byte 14 must be text in utf-8; got 0xef"):
        formats.read([tmp_path / "c.txt"])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert formats.read(["-"])["label"] == ["1", "0"]


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("sst/sst2-train.tsv.gz", 6920, 2),
        ("sst/sst2-dev.tsv", 872, 2),
        ("sst/sst5-train.txt.gz", 8544, 2),
        ("sst/sst5-dev.txt", 1101, 2),
        ("eng-fra/fra.txt.gz", 142_787, 2),
        ("occupancy/datatraining.txt.gz", 8143, 8),
        ("occupancy/datatest.txt", 2665, 8),
        ("gesture-phase/a1_raw.csv", 1747, 20),
        ("gesture-phase/b1_raw.csv", 1073, 20),
        ("ett/ETTh1-rows00000-11519.csv.gz", 11_520, 8),
        ("m4/Weekly-train.csv.gz", 359, 2598),
        ("series/airline-passengers.csv", 144, 2),
        ("series/sp500-2000.csv.gz", 5105, 7),
    ],
)
def test_real_tables(name: str, rows: int, columns: int):
    made = formats.read([sets.file(name)])
    assert (len(made), len(made.columns)) == (rows, columns)


def test_real_labels_and_pairs():
    assert formats.read([sets.file("sst/sst2-train.tsv.gz")]).labels("2").count("1") == 3610
    assert formats.read([sets.file("sst/sst2-dev.tsv")]).labels("2").count("1") == 444
    assert len(set(formats.read([sets.file("eng-fra/fra.txt.gz")]).texts("1"))) == 98_659
