"""What a classifier says and is worth, as text, data, CSV and a picture."""

import csv
from xml.etree import ElementTree

import numpy as np
import pytest

from unrolled.report import classes
from unrolled.report.classes import Answers, Report
from unrolled.tasks.classify.judging import Confusion, Judged, Mistake


def answers() -> Answers:
    return Answers(("good", "bad"), np.array([[0.75, 0.25], [0.1, 0.9]]), ['say "yes", please', "no"])


def judged(names: tuple[str, ...] = ("good", "bad")) -> Judged:
    counts = np.diag([4] * len(names))
    counts[0, 1] = 3
    mistake = Mistake("not\nso \x1b[1m good", "a.csv: line 3", "bad", "good", 0.91)
    return Judged(Confusion(names, counts), 0.5, (mistake,))


def test_answers_of_several_examples_are_a_line_each():
    lines = str(answers()).splitlines()
    assert [line.split() for line in lines] == [
        ["good", "0.750", "say", '"yes",', "please"],
        ["bad", "0.900", "no"],
    ]


def test_the_answer_to_one_example_has_all_classes_the_likeliest_first():
    made = answers()
    one = Answers(made.classes, made.shares[1:], made.shown[1:])
    assert [line.split()[:2] for line in str(one).splitlines()] == [["bad", "0.900"], ["good", "0.100"]]


def test_answers_as_csv_are_read_again():
    rows = list(csv.DictReader(answers().as_csv().splitlines()))
    assert rows[0] == {"example": 'say "yes", please', "label": "good", "good": "0.750000", "bad": "0.250000"}


def test_answers_as_data():
    assert answers().as_data()[1] == {
        "example": "no",
        "label": "bad",
        "probabilities": {"good": 0.1, "bad": 0.9},
    }


def test_a_report_has_the_numbers_and_nothing_that_commands_a_terminal():
    text = str(Report("a.csv", judged()))
    for said in ("accuracy  0.7273", "true \\ said", "surest mistakes", "a.csv: line 3", "not so ␛[1m good"):
        assert said in text
    data = Report("a.csv", judged()).as_data()
    assert data["confusion"] == [[4, 3], [0, 4]]
    assert data["classes"][0] == {
        "class": "good",
        "precision": 1.0,
        "recall": pytest.approx(4 / 7),
        "f1": pytest.approx(8 / 11),
    }


def test_of_many_classes_the_pairs_are_said():
    names = tuple(f"class {k}" for k in range(classes.MANY + 1))
    assert "3  class 0 taken for class 1" in classes.words(judged(names))["confusion"]


@pytest.mark.parametrize("count", [2, 18, 60])
def test_the_picture_is_svg_with_a_cell_for_each_pair(count: int):
    made = classes.figure(judged(tuple(f"<{k}>" for k in range(count))).confusion)
    root = ElementTree.fromstring(made.svg())
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == count * count
    assert "3 of <0>, taken for <1>" in titles
