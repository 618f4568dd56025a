"""Rows from JSON, Parquet, labelled lines, folders and parallel files; music; and the list of formats."""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.data import sets
from unrolled.data import formats
from unrolled.data.formats import Options, parallel
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Table
from unrolled.errors import DataError, OptionError, UnavailableError


def write(path: Path, contents: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return path


def message(do) -> str:
    with pytest.raises(DataError) as caught:
        do()
    return str(caught.value)


def test_json_lines(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": 1}\n\n{"text": "b", "words": ["x"]}\n')
    made = formats.read([path])
    assert made.columns == {"text": ["a", "b"], "label": [1, None], "words": [None, ["x"]]}
    assert made.where(1) == f"{path}: line 3"


def test_json_lists_and_columns(tmp_path: Path):
    rows = formats.read([write(tmp_path / "a.json", '[{"t": "a"}, {"t": "b"}]')])
    columns = formats.read([write(tmp_path / "b.json.gz", gzip.compress(b'{"t": ["a", "b"]}'))])
    assert rows.columns == columns.columns == {"t": ["a", "b"]}
    assert rows.where(1).endswith("a.json: row 2")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": 2\n', "a.jsonl: line 2: column 8 must be JSON; got Expecting"),
        ("a.jsonl", '{"a": 1}\n[1]\n', "a.jsonl: line 2 must be an object; got a list"),
        ("a.jsonl", "\n", "must have rows; got none"),
        ("a.json", '[{"a": 1},\n 2]', "a.json: row 2 must be an object; got a number"),
        ("a.json", '[{"a": 1},\n', "a.json: line 2, column 1 must be JSON"),
        ("a.json", '{"a": [1], "b": [1, 2]}', "columns of one length; got a: 1, b: 2"),
        ("a.json", '"text"', "a list of objects or an object of lists; got a text"),
        ("a.json", "[" * 100_000, "JSON that can be read; got RecursionError"),
        ("a.json", "[{}]", "must have rows; got empty objects"),
        ("a.json", "1" * 5000, "JSON that can be read"),
    ],
)
def test_json_that_is_none_is_named(tmp_path: Path, name: str, text: str, words: str):
    assert words in message(lambda: formats.read([write(tmp_path / name, text)]))


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    polars = pytest.importorskip("polars")
    path = tmp_path / "a.parquet"
    polars.DataFrame({"text": ["a", "b"], "n": [1.5, None]}).write_parquet(path)
    made = formats.read([path])
    assert (made.columns, made.where(1)) == ({"text": ["a", "b"], "n": [1.5, None]}, f"{path}: row 2")
    polars.DataFrame({"text": []}).write_parquet(path)
    assert "must have rows" in message(lambda: formats.read([path]))
    assert "must be a Parquet file" in message(lambda: formats.read([write(path, b"PAR1" * 50)]))
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(
        UnavailableError, match=r'Reading Parquet needs polars\. Fix: pip install "unrolled\[data\]"'
    ):
        formats.read([path])


def test_lines_that_begin_with_their_label(tmp_path: Path):
    made = formats.read([write(tmp_path / "a.txt", "NUM:dist How far ?\nHUM:desc Who ?\n")])
    assert made.columns == {
        "text": ["How far ?", "Who ?"],
        "label": ["NUM", "HUM"],
        "fine": ["NUM:dist", "HUM:desc"],
    }
    path = write(tmp_path / "b.txt", "NUM:dist How far ?\n\nwhat\n")
    assert "b.txt: line 3 must begin with its label; got 'what'" in message(
        lambda: formats.read([path], "prefixed")
    )


def test_a_folder_a_class_and_a_file_a_class(tmp_path: Path):
    write(tmp_path / "films/pos/1.txt", "good\nreally")
    write(tmp_path / "films/neg/1.txt", "bad")
    write(tmp_path / "names/Greek.txt", "Nikas\n\nPachis\n")
    write(tmp_path / "names/Irish.txt.gz", gzip.compress(b"Ahern\n"))
    films, names = formats.read([tmp_path / "films"]), formats.read([tmp_path / "names"])
    assert films.columns == {"text": ["bad", "good\nreally"], "label": ["neg", "pos"]}
    assert names.columns == {"text": ["Nikas", "Pachis", "Ahern"], "label": ["Greek", "Greek", "Irish"]}
    assert names.where(1).endswith("Greek.txt: line 3")
    tables = tmp_path / "tables"
    write(tables / "a.csv", "text,n\nx,1\n")
    write(tables / "b.csv", "text,n\ny,2\n")
    assert formats.read([tables])["text"] == ["x", "y"]
    (tmp_path / "empty").mkdir()
    assert "must be a folder with text files" in message(lambda: formats.read([tmp_path / "empty"]))


def test_parallel_files(tmp_path: Path):
    texts = write(tmp_path / "t.txt", "a\n\nc\n")
    labels = write(tmp_path / "l.txt", "1\n2\n3")
    made = parallel.read([texts, labels], Options(names=("text", "label")))
    assert made.columns == {"text": ["a", "", "c"], "label": ["1", "2", "3"]}
    short = write(tmp_path / "s.txt", "1\n2\n")
    said = message(lambda: parallel.read([texts, short], Options()))
    assert said.startswith(f"{short} must have 3 lines, as {texts}; got 2. ")
    assert said.endswith("line 2 is the last that both have.")
    empty = write(tmp_path / "e.txt", "")
    assert "must have lines" in message(lambda: parallel.read([empty, empty], Options()))
    assert "got 1 for 2 files" in message(lambda: parallel.read([texts, labels], Options(names=("x",))))


def test_music(tmp_path: Path):
    path = write(tmp_path / "a.json", json.dumps({"train": [[[21, 108], []], [[60]]], "test": [[[-1, 60]]]}))
    made = formats.read([path])
    x = made["x"]
    assert isinstance(x, Ragged)
    assert made["part"] == ["train", "train", "test"]
    assert x.lengths.tolist() == [2, 1, 1]
    assert [np.flatnonzero(step).tolist() for step in x.values] == [[0, 87], [], [39], [39]]
    assert made.where(1).endswith("a.json: train piece 2")
    wrong = write(tmp_path / "b.json", "[[[60], [20]]]")
    said = message(lambda: formats.read([wrong]))
    assert "b.json: piece 1, step 2 must be lists of MIDI notes from 21 to 108; got 20" in said


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a,b\n1,2\n", "csv"),
        ("a\tb\n1\t2\n", "tsv"),
        ('{"a": 1}\n{"a": 2}\n', "jsonl"),
        ('{\n"a": [1]}\n', "json"),
        ('[{"a": 1}]', "json"),
        ("@problemName x\n@data\n1,2:a\n", "ts"),
        ("NUM:dist How far ?\nHUM:desc Who ?\n", "prefixed"),
        ("He PRP\nruns VBZ\n\nWe PRP\n", "conll"),
        (
            "# text = He\n1\tHe\the\tPRON\t_\t_\t0\troot\t_\t_\n\n1\tWe\twe\tPRON\t_\t_\t0\troot\t_\t_\n",
            "conllu",
        ),
        ("It was the best of times,\nit was the worst of times.\n\nIt was\n", ""),
        ("", ""),
    ],
)
def test_formats_are_told_by_their_first_lines(text: str, kind: str):
    assert formats.looks_like(text) == kind


def test_every_format_is_found_by_its_suffixes():
    suffixes = [(kind, suffix) for kind, one in formats.FORMATS.items() for suffix in one.suffixes]
    assert [formats.kind_of(f"a/b{suffix}.gz") for _, suffix in suffixes] == [kind for kind, _ in suffixes]
    assert formats.kind_of("tests") == ""


def test_what_has_no_format_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.txt", "It was the best of times.\n")
    assert "got plain text. Say its format: --format csv or tsv" in message(lambda: formats.read([path]))
    with pytest.raises(OptionError, match="Did you mean jsonl"):
        formats.read([path], "jsnl")
    assert "nothing of that name" in message(lambda: formats.read([tmp_path / "b.csv"]))


def sizes(made: Table, column: str) -> tuple[int, int]:
    return len(made), len(set(made.labels(column)))


def test_real_labels():
    latin = Options(encoding="latin-1")
    trec = [formats.read([sets.file(f"trec-qc/{part}.txt")], options=latin) for part in ("train", "test")]
    assert [len(part) for part in trec] == [5452, 500]
    assert (sizes(trec[0], "label"), sizes(trec[0], "fine")) == ((5452, 6), (5452, 50))
    assert "line 66, byte 3695 must be text in utf-8; got 0xf0" in message(
        lambda: formats.read([sets.file("trec-qc/train.txt")])
    )
    names = formats.read([sets.file("names")])
    assert sizes(names, "label") == (20_050, 18)
    assert (names.labels("label").count("Russian"), names.labels("label").count("Vietnamese")) == (9384, 73)


@pytest.mark.parametrize(("part", "rows"), [("train", 3257), ("val", 374)])
def test_real_tweets(part: str, rows: int):
    files = [sets.file(f"tweeteval-emotion/{part}_{what}.txt") for what in ("text", "labels")]
    assert sizes(parallel.read(files, Options(names=("text", "label"))), "label") == (rows, 4)


@pytest.mark.parametrize(("part", "rows"), [("train", 29_000), ("val", 1014)])
def test_real_pairs(part: str, rows: int):
    files = [sets.file(f"multi30k/{part}.{language}.gz") for language in ("de", "en")]
    assert len(parallel.read(files, Options())) == rows


def test_real_music():
    made = formats.read([sets.file("jsb-chorales/jsb-chorales-quarter.json.gz")])
    x, parts = made["x"], np.array(made["part"])
    assert isinstance(x, Ragged)
    counts = {
        part: (int((parts == part).sum()), int(x.lengths[parts == part].sum()))
        for part in set(parts.tolist())
    }
    assert counts == {"train": (229, 13_807), "valid": (76, 4602), "test": (77, 4725)}
    separate = formats.read([sets.file("jsb-chorales/Jsb16thSeparated.json.gz")])["x"]
    assert isinstance(separate, Ragged)
    assert len(separate.values) == 55_228 + 18_408 + 18_900
