"""The task that a source looks like, and a sentence where it looks like none."""

from pathlib import Path

import pytest

from tests.data import sets
from unrolled.data import given
from unrolled.data.guess import guess, of_table
from unrolled.data.tables import Table
from unrolled.errors import DataError


def table(text: str) -> Table:
    return given.table([line.split(",") for line in text.split()])


def named(**columns: list) -> Table:
    return given.table(columns)


@pytest.mark.parametrize(
    ("made", "task", "columns"),
    [
        (
            named(review=["a good film", "bad", "so so la"] * 2, stars=["5", "1", "3"] * 2),
            "classify text",
            {"text": "review", "label": "stars"},
        ),
        (named(words=[["a"], ["b"]], tags=[["X"], ["Y"]]), "tag words", {"words": "words", "label": "tags"}),
        (
            named(en=["a cat", "a dog sits"], fr=["un chat", "un chien assis"]),
            "translate",
            {"source": "en", "target": "fr"},
        ),
        (
            named(day=["2020-01-01", "2020-01-02", "2020-01-03"], sold=["1.5", "2", "3"]),
            "forecast",
            {"time": "day", "target": "sold"},
        ),
        (
            named(day=["2020-01-01", "2020-01-02"] * 2, store=["a", "a", "b", "b"], units=[1.5, 2, 3, 4]),
            "forecast",
            {"time": "day", "target": "units", "by": "store"},
        ),
        (
            named(
                day=["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"],
                promo=[0, 1, 0, 1],
                n=[1.5, 2, 3, 4],
            ),
            "forecast",
            {"time": "day", "target": "n"},
        ),
        (
            named(id=[1, 1, 2, 2, 3, 3], v=[0.5, 1.5, 2.5, 1.5, 0.1, 0.2], label=list("aabbaa")),
            "classify sensors",
            {"sequence": "id", "label": "label"},
        ),
        (
            named(v=[0.5, 1.5, 2.5, 1.5, 0.1, 0.2, 0.3, 0.4], phase=list("aaabbbbb")),
            "tag frames",
            {"label": "phase"},
        ),
    ],
)
def test_tables(made: Table, task: str, columns: dict[str, str]):
    found = of_table(made)
    assert (f"{found.task} {found.kind}".strip(), found.columns) == (task, columns)
    assert found.why.endswith(".")
    assert "unrolled train" in found.otherwise


def test_rows_of_many_numbers_are_sequences():
    numbers = {f"t{i}": [0.5 + i, 1.5, 2.5, 3.5] for i in range(40)}
    sensors = of_table(named(**numbers, label=list("abab")))
    assert (sensors.task, sensors.kind, sensors.columns) == ("classify", "sensors", {"label": "label"})
    series = of_table(named(name=["s1", "s2", "s3", "s4"], **numbers))
    assert (series.task, series.columns) == ("forecast", {"by": "name"})


@pytest.mark.parametrize(
    "made", [table("1.5,2 2.5,3 3.5,4"), named(text=["a b c", "d e f"]), named(a=["x"] * 4, b=["y"] * 4)]
)
def test_what_looks_like_nothing_is_refused(made: Table):
    with pytest.raises(
        DataError, match=r"the data must look like one of the tasks; got .* Say which: unrolled train"
    ):
        of_table(made)


def test_it_says_what_why_and_how_to_say_otherwise(tmp_path: Path):
    path = tmp_path / "reviews.csv"
    path.write_text("review,stars\n" + "a good film,5\na bad film,1\n" * 3)
    assert str(guess([path])) == (
        'classify text, text = review, label = stars: "review" has texts, and "stars" 2 different values. '
        "Otherwise: name other columns with --text COLUMN --label COLUMN, "
        "or type unrolled train tag|translate|forecast|lm DATA."
    )


@pytest.mark.parametrize(
    ("name", "task", "columns"),
    [
        ("sst/sst2-dev.tsv", "classify text", {"text": "1", "label": "2"}),
        ("sst/sst5-dev.txt", "classify text", {"text": "2", "label": "1"}),
        ("trec-qc/test.txt", "classify text", {"text": "text", "label": "label"}),
        ("names", "classify text", {"text": "text", "label": "label"}),
        ("japanese-vowels/JapaneseVowels_TRAIN.ts.gz", "classify sensors", {}),
        ("basic-motions/BasicMotions_TRAIN.ts", "classify sensors", {}),
        ("conll2000/test.txt.gz", "tag words", {}),
        ("ud-english-atis/en_atis-ud-dev.conllu", "tag words", {"words": "form", "label": "upos"}),
        ("occupancy/datatest.txt", "tag frames", {"label": "Occupancy", "time": "date"}),
        ("gesture-phase/a1_raw.csv", "tag frames", {"label": "phase"}),
        ("gesture-phase", "tag frames", {"label": "phase"}),
        ("eng-fra/fra.txt.gz", "translate", {"source": "1", "target": "2"}),
        ("series/airline-passengers.csv", "forecast", {"time": "Month", "target": "Passengers"}),
        ("series/monthly-sunspots.csv", "forecast", {"time": "Month", "target": "Sunspots"}),
        ("ett/ETTh1-rows00000-11519.csv.gz", "forecast", {"time": "date", "target": "OT"}),
        ("m4/Weekly-train.csv.gz", "forecast", {"by": "V1"}),
        ("jsb-chorales/jsb-chorales-quarter.json.gz", "notes", {}),
        ("tinyshakespeare/input.txt.gz", "lm", {}),
        ("ptb/ptb.valid.txt", "lm", {}),
    ],
)
def test_real_data(name: str, task: str, columns: dict[str, str]):
    found = guess([sets.file(name)])
    assert (f"{found.task} {found.kind}".strip(), found.columns) == (task, columns)
