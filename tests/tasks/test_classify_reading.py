"""What a classifier's sources may be, and what is said of sources that it cannot learn from."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled.config import ClassifyConfig
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Table
from unrolled.errors import DataError
from unrolled.tasks.classify import Classification, reading
from unrolled.tasks.classify.columns import Columns

TEXTS = ["a good day", "so bad it hurts", "good and kind", "bad and cold", "very good", "rather bad"] * 3
LABELS = ["yes", "no"] * 9


def nobody(doing: str, count: int) -> None:
    del doing, count


def prepared(config: ClassifyConfig) -> tuple[dict[str, Table], Columns]:
    return reading.prepared(config, nobody, None)


def read(*sources: Path, **fields: Any) -> tuple[dict[str, Table], Columns]:
    return prepared(ClassifyConfig(sources=tuple(map(str, sources)), **fields))


def examples(parts: dict[str, Table]) -> list[tuple[Any, Any]]:
    return [pair for part in parts.values() for pair in zip(part["x"], part["label"], strict=True)]


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def reviews(place: Path, *more: str) -> Path:
    rows = [f"{i},{text},{label}" for i, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]
    return written(place / "reviews.csv", "id,review,stars", *rows, *more)


# ------------------------------------------------------------------------------------------ formats


def test_a_table_of_texts_whose_columns_are_guessed(tmp_path: Path):
    parts, columns = read(reviews(tmp_path))
    assert (columns.kind, columns.text, columns.label) == ("text", "review", "stars")
    assert columns.guessed == ("text", "label")
    assert "--text COLUMN --label COLUMN" in str(columns)
    assert sorted(examples(parts)) == sorted(zip(TEXTS, LABELS, strict=True))


def test_columns_that_are_named_are_taken(tmp_path: Path):
    path = written(tmp_path / "a.csv", "one,two,kind", *(f"a b {i},c d {i},{i % 2}" for i in range(12)))
    parts, columns = read(path, text="two", label="kind")
    assert (columns.text, columns.label, columns.guessed) == ("two", "kind", ())
    assert {text[:3] for text, _ in examples(parts)} == {"c d"}


@pytest.mark.parametrize("form", ["json", "tsv", "gz", "folders", "lines", "parallel", "prefixed"])
def test_the_same_texts_in_other_forms(form: str, tmp_path: Path):
    pairs, fields = list(zip(TEXTS, LABELS, strict=True)), dict[str, Any]()
    sources = [tmp_path / "data"]
    if form == "json":
        sources = [tmp_path / "a.jsonl"]
        written(sources[0], *(f'{{"text": "{text}", "label": "{label}"}}' for text, label in pairs))
    elif form == "tsv":
        sources = [written(tmp_path / "a.tsv", *(f"{text}\t{label}" for text, label in pairs))]
    elif form == "gz":
        sources = [tmp_path / "a.csv.gz"]
        sources[0].write_bytes(gzip.compress(reviews(tmp_path).read_bytes()))
    elif form == "folders":
        for i, (text, label) in enumerate(pairs):
            (sources[0] / label).mkdir(parents=True, exist_ok=True)
            (sources[0] / label / f"{i}.txt").write_text(text)
    elif form == "lines":
        sources[0].mkdir()
        for label in ("yes", "no"):
            written(sources[0] / f"{label}.txt", *(text for text, its in pairs if its == label))
    elif form == "parallel":
        sources = [written(tmp_path / "text", *TEXTS), written(tmp_path / "labels", *LABELS)]
        fields["format"] = "parallel"
    else:
        sources = [written(tmp_path / "a.txt", *(f"{label.upper()}:fine {text}" for text, label in pairs))]
        pairs = [(text, label.upper()) for text, label in pairs]
    parts, columns = read(*sources, **fields)
    assert columns.kind == "text"
    assert sorted(examples(parts)) == sorted(pairs)


def sequences() -> list[np.ndarray[Any, Any]]:
    return [np.arange(6.0).reshape(3, 2) + 10 * i for i in range(12)]


@pytest.mark.parametrize("form", ["ts", "npz", "long", "wide"])
def test_sequences_of_numbers_in_every_form(form: str, tmp_path: Path):
    made, labels = sequences(), ["a", "b"] * 6
    if form == "ts":
        lines = [":".join(",".join(map(str, channel)) for channel in x.T) for x in made]
        head = ["@problemName t", "@classLabel true a b", "@data"]
        rows = (f"{x}:{y}" for x, y in zip(lines, labels, strict=True))
        path = written(tmp_path / "t.ts", *head, *rows)
    elif form == "npz":
        path = tmp_path / "t.npz"
        np.savez(path, x=np.stack(made), y=np.array(labels))
    elif form == "long":
        rows = [
            f"{i},{2 - t},{x[t, 0]},{x[t, 1]},{y}"
            for t in (2, 0, 1)
            for i, (x, y) in enumerate(zip(made, labels, strict=True))
        ]
        made = [x[::-1] for x in made]  # the time goes down as t goes up
        path = written(tmp_path / "t.csv", "id,hour,p,q,label", *rows)
    else:
        made = [x[:, :1] for x in made]
        rows = [",".join(map(str, [*x[:, 0], y])) for x, y in zip(made, labels, strict=True)]
        path = written(tmp_path / "t.csv", "t0,t1,t2,label", *rows)
    fields = {"long": {"time": "hour"}, "wide": {"kind": "sensors", "label": "label"}}
    parts, columns = read(path, **fields.get(form, {}))
    assert columns.kind == "sensors"
    found = sorted((x[0, 0], x.tolist(), y) for x, y in examples(parts))
    assert [x for _, x, _ in found] == sorted(x.tolist() for x in made)
    assert {y for x0, _, y in found if (x0 // 10) % 2 == 0} == {"a"}


def test_values_may_be_missing(tmp_path: Path):
    rows = [f"{i},{t},{'' if t else i},{t},{'ab'[i % 2]}" for i in range(8) for t in range(3)]
    path = written(tmp_path / "t.csv", "id,hour,p,q,label", *rows)
    parts, columns = read(path, sequence="id", time="hour", label="label")
    assert columns.features == ("p", "q")
    x = parts["train"]["x"]
    assert isinstance(x, Ragged)
    assert np.isnan(x[0][:, 0]).tolist() == [False, True, True]


# -------------------------------------------------------------------------------------------- parts


def test_shares_are_of_every_class_and_no_text_is_in_two_parts(tmp_path: Path):
    parts, _ = read(reviews(tmp_path), valid=0.2, test=0.2)
    seen = [set(table["x"]) for table in parts.values()]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 6
    assert all(set(table["label"]) == {"yes", "no"} for table in parts.values())


def test_parts_of_files_of_a_column_and_of_groups(tmp_path: Path):
    path = written(
        tmp_path / "a.csv",
        "text,label,part,person",
        *(f"word {i},{i % 2},{'test' if i > 15 else 'train'},{i // 4}" for i in range(24)),
    )
    parts, _ = read(path, split="part", label="label", text="text")
    assert len(parts["test"]) == 8
    assert len(parts["train"]) + len(parts["valid"]) == 16
    parts, _ = read(path, group="person", label="label", text="text", valid=0.2, test=0.2)
    people = [{int(str(text).split()[1]) // 4 for text in table["x"]} for table in parts.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 6
    parts, _ = read(path, test_sources=(str(path),), label="label", text="text")
    assert len(parts["test"]) == 24


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("more", "fields", "said"),
    [
        ((), {"label": "star"}, 'have a column "star"; got columns id, review, stars. Did you mean stars?'),
        ((), {"text": "reviews"}, "Did you mean review?"),
        ((), {"split": "part"}, 'have a column "part"'),
        (
            ("18,nothing said,",),
            {},
            'line 20, column "stars" must hold a label; got nothing. Leave such rows',
        ),
        (("18,,yes",), {}, 'line 20, column "review" must hold text; got nothing'),
        (('18,"  ",yes',), {}, 'line 20, column "review" must hold text; got nothing'),
        (("18,more,yes,no",), {}, "line 20 must have 3 cells"),
        (("18,lonely,maybe",), {}, "class 'maybe' must have at least 3 examples that differ"),
    ],
)
def test_rows_that_cannot_be_learned_from_are_named(
    more: tuple[str, ...], fields: dict[str, Any], said: str, tmp_path: Path
):
    with pytest.raises(DataError) as caught:
        read(reviews(tmp_path, *more), **fields)
    assert said in str(caught.value)


def test_rows_with_something_missing_are_left_out_where_asked(tmp_path: Path):
    parts, _ = read(reviews(tmp_path, "18,nothing said,", "19,,yes"), drop_missing=True, label="stars")
    assert sum(map(len, parts.values())) == 18
    assert "2 of 20 rows (10.0%) were left out" in parts["train"].remarks[-1]


def test_one_class_alone_is_refused(tmp_path: Path):
    path = written(tmp_path / "a.csv", "text,label", *(f"word {i},yes" for i in range(9)))
    with pytest.raises(DataError, match="at least two classes; got one, 'yes'"):
        Classification.prepare(ClassifyConfig(sources=(str(path),), label="label", text="text"), nobody)


def test_a_class_that_is_only_in_the_judged_part_is_refused(tmp_path: Path):
    judged = written(tmp_path / "test.csv", "id,review,stars", "1,so so,yess")
    config = ClassifyConfig(sources=(str(reviews(tmp_path)),), test_sources=(str(judged),), label="stars")
    with pytest.raises(DataError, match=r"test.csv: line 2 must be one of the classes .*'yess'.*mean yes\?"):
        Classification.prepare(config, nobody)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1.5.2", "column \"p\" must hold a number; got '1.5.2'"),
        ('"1,5"', "Write decimals with a point."),
        ("inf", "step 2, feature 1 must be a finite number; got infinity"),
    ],
)
def test_a_cell_that_is_no_number_is_named(cell: str, said: str, tmp_path: Path):
    rows = [f"{i},{t},{cell if (i, t) == (3, 1) else i},{'ab'[i % 2]}" for i in range(8) for t in range(3)]
    path = written(tmp_path / "t.csv", "id,hour,p,label", *rows)
    with pytest.raises(DataError) as caught:
        read(path, sequence="id", time="hour", label="label", features=("p",))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("7,0,1,b", 'line 26, column "hour" must be later than the row before it; got 0 after 0'),
        ("7,9,1,a", "must be the same in all rows of a sequence; got 'a' after 'b'"),
    ],
)
def test_sequences_that_contradict_themselves_are_named(row: str, said: str, tmp_path: Path):
    rows = [f"{i},{t},{i},{'ab'[i % 2]}" for i in range(8) for t in range(3)]
    path = written(tmp_path / "t.csv", "id,hour,p,label", *rows, row)
    with pytest.raises(DataError) as caught:
        read(path, sequence="id", time="hour", label="label", features=("p",))
    assert said in str(caught.value)


def test_a_cell_of_a_wide_table_that_is_no_number_is_named(tmp_path: Path):
    rows = [f"{k},{'o' if k == 5 else 1},{'ab'[k % 2]}" for k in range(12)]
    path = written(tmp_path / "t.csv", "t0,t1,label", *rows)
    with pytest.raises(DataError, match="line 7, column \"t1\" must hold a number; got 'o'"):
        read(path, kind="sensors", label="label")


def test_rows_that_are_steps_are_told_from_sequences(tmp_path: Path):
    rows = [f"2015-02-04 17:{t}:00,{t},{t // 20}" for t in range(10, 59)]
    path = written(tmp_path / "t.csv", "date,light,busy", *rows)
    with pytest.raises(
        DataError, match=r"t\.csv must have a sequence .* too: date\. .* unrolled train tag\."
    ):
        read(path)


def test_a_sequence_without_a_step_is_named(tmp_path: Path):
    path = tmp_path / "t.npz"
    np.savez(path, x=np.ones((6, 3)), y=np.arange(6) % 2, lengths=np.array([3, 2, 0, 1, 3, 3]))
    with pytest.raises(DataError, match=r"t.npz: sequence 3 must have at least one step; got length 0"):
        read(path)
