"""The report counts what is there, and says what is wrong with its place."""

import json

import numpy as np
import pytest

from tests.data import sets
from unrolled.data import formats
from unrolled.data.ragged import Ragged
from unrolled.data.report import DataReport, Lengths
from unrolled.data.tables import Column, Places, Table
from unrolled.errors import DataError


def table(name: str = "a.csv", **columns: Column) -> Table:
    return Table(columns, Places.of(f"{name}: line", range(2, 2 + len(next(iter(columns.values()))))))


TRAIN = table(text=["a b c", "a b", "A  b", "d e"], label=["P", "Q", "Q", "Q"])
TEST = table("b.csv", text=["d e", "f g"], label=["P", "Q"])


def test_everything_is_counted():
    report = DataReport.of({"train": TRAIN, "test": TEST}, "text", "label")
    train, test = report.parts["train"], report.parts["test"]
    assert train.lengths == {"text": Lengths("words", 2, 2.0, 2.7, 3, 9)}
    assert (train.rows, train.classes, train.duplicates, train.leaks) == (4, {"Q": 3, "P": 1}, 1, 0)
    assert (test.rows, test.duplicates, test.leaks) == (2, 0, 1)
    assert report.problems == ()
    assert report.remarks == (
        "1 inputs of train (25.0%) are there more than once.",
        "1 inputs of test (50.0%) are in train too: they flatter the result.",
    )
    assert json.loads(json.dumps(report.data()))["parts"]["train"]["classes"] == {"Q": 3, "P": 1}


def test_it_reads_as_columns():
    lines = str(DataReport.of({"train": TRAIN, "test": TEST}, "text", "label")).split("\n")
    assert lines[:2] == [
        "                                train  test",
        "rows                                4     2",
    ]
    assert "words of text: half at most         2     2" in lines
    assert "class Q                             3     1" in lines
    assert "also in train                       0     1" in lines
    assert lines[-1].startswith("note: 1 inputs of test")


def test_lengths_are_of_words_characters_or_steps():
    def unit(column: Column) -> str:
        report = DataReport.of({"train": table(x=column)}, "x")
        return next(iter(report.parts["train"].lengths.values())).unit

    assert unit(["one two", "three four"]) == "words"
    assert unit(["Nikas", "Pachis"]) == "characters"
    assert unit([["a", "b"], ["c"]]) == "words"
    assert unit(Ragged.of([[1], [2]])) == "steps"
    assert unit(np.zeros((2, 5))) == "steps"


def test_what_stops_a_training():
    x = Ragged.of([[[1.0, 5.0], [2.0, np.nan]], np.zeros((0, 2)), [[np.inf, 5.0]], [[np.inf, 5.0]]])
    report = DataReport.of(
        {"train": table(x=x, label=["P", "", "P", "P"]), "test": table("b.csv", x=x.take([0]), label=["Q"])},
        "x",
        "label",
    )
    assert [problem.split(". ")[0] for problem in report.problems] == [
        'a.csv: line 3, column "x" must have at least one step; got length 0',
        'a.csv: line 2, column "x", step 2, feature 2 must be a number; got NaN (1 of 8 numbers)',
        'a.csv: line 4, column "x", step 1, feature 1 must be a number; got infinity (2 of 8 numbers)',
        'a.csv: line 3, column "label" must hold a label; got nothing',
        'b.csv: line 2, column "x", step 2, feature 2 must be a number; got NaN (1 of 4 numbers)',
        "the train part must have at least two classes; got one, 'P'",
        "the test part must have classes that the train part has; got Q",
    ]
    assert report.parts["train"].missing == {"x": 1, "label": 1}
    with_gaps = DataReport.of({"train": table(x=x.take([0, 0]), label=["P", "Q"])}, "x", "label", gaps=True)
    assert (with_gaps.problems, with_gaps.parts["train"].missing) == ((), {"x": 2})
    assert report.parts["train"].empty == 1


def test_empty_texts_mixed_labels_and_parts_without_rows():
    report = DataReport.of({"train": table(text=["a", "", ""], label=[1, "x", 2])}, "text", "label")
    assert (
        'a.csv: line 3, column "text" must have at least one step; got length 0 (2 rows like this, 66.7%)'
        in report.problems[0]
    )
    assert "line 3" in report.problems[1]
    assert "labels of one kind" in report.problems[1]
    empty = DataReport.of({"train": TRAIN.take([])}, "text", "label")
    assert "the train part must have rows" in empty.problems[0]
    with pytest.raises(DataError, match="Did you mean text"):
        DataReport.of({"train": TRAIN}, "txt")


def test_what_is_good_to_know():
    x = Ragged.of([[[1.0, float(i)]] * (1 if i else 100) for i in range(50)])
    labels = ["P"] + ["Q"] * 49
    remarks = DataReport.of({"train": table(x=x, label=labels)}, "x", "label").remarks
    assert remarks == (
        "Class Q has 49 examples and P has 1: look at macro-F1.",
        "The longest of x has 100 steps; half of them have at most 1.",
        "Features that are the same at every step of train, and tell nothing: 1.",
    )


def test_labels_of_steps_are_counted_one_by_one():
    frames = table(x=Ragged.of([[1.0, 2.0], [3.0]]), label=[["P", "Q"], ["Q"]])
    report = DataReport.of({"train": frames}, "x", "label")
    assert report.parts["train"].classes == {"Q": 2, "P": 1}
    assert report.problems == ()


def test_of_many_classes_the_largest_are_listed():
    labels = [str(i) for i in range(30)] + ["0"]
    text = str(
        DataReport.of({"train": table(text=[f"a {i}" for i in range(31)], label=labels)}, "text", "label")
    )
    assert text.count("class ") == 20
    assert "10 more classes" in text


def test_real_data():
    parts = {
        "train": formats.read([sets.file("sst/sst2-train.tsv.gz")]),
        "valid": formats.read([sets.file("sst/sst2-dev.tsv")]),
    }
    report = DataReport.of(parts, "1", "2")
    assert report.parts["train"].classes == {"1": 3610, "0": 3310}
    assert report.parts["valid"].classes == {"1": 444, "0": 428}
    assert report.problems == ()
