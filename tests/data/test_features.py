"""Measurements become sequences: by id or by file, in the order of time, with their labels."""

import numpy as np
import pytest

from tests.data import sets
from unrolled.data import features, formats
from unrolled.data.features import Roles
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Places, Table, joined
from unrolled.errors import DataError


def table(name: str = "a.csv", **columns: Column) -> Table:
    return Table(columns, Places.of(f"{name}: line", range(2, 2 + len(next(iter(columns.values()))))))


def x_of(made: Table) -> list[list[list[float]]]:
    x = made["x"]
    assert isinstance(x, Ragged)
    return [sequence.tolist() for sequence in x]


STEPS = table(
    id=["b", "a", "b", "a", "a"], t=["2", "1", "1", "3", "2"], v=["12", "1", "11", "3", "2"], y=list("QPQPP")
)


def test_long_tables_are_gathered_by_id_and_put_in_the_order_of_time():
    made = features.long(STEPS, Roles("y", "id", "t"))
    assert (made["sequence"], made["label"]) == (["b", "a"], ["Q", "P"])
    assert x_of(made) == [[[11], [12]], [[1], [2], [3]]]
    assert [made.where(0), made.where(1)] == ["a.csv: line 2", "a.csv: line 3"]
    assert "label" not in features.long(STEPS, Roles("", "id", "t", ("v",))).columns


def test_a_label_that_changes_within_a_sequence_is_named():
    wrong = table(id=["a", "a", "a"], v=["1", "2", "2"], y=["P", "P", "Q"])
    with pytest.raises(DataError) as caught:
        features.long(wrong, Roles("y", "id"))
    said = str(caught.value)
    assert said.startswith('a.csv: line 4, column "y" must be the same in all rows of a sequence; got ')
    assert "got 'Q' after 'P' in a.csv: line 2. " in said


def test_the_same_time_twice_in_a_sequence_is_named():
    wrong = table(id=["a", "b", "a"], t=["1", "1", "1"], v=["1", "2", "3"])
    with pytest.raises(DataError, match=r'a\.csv: line 4, column "t" must be later .* got 1 after 1'):
        features.long(wrong, Roles("", "id", "t"))


def test_frames_have_a_label_each_and_a_file_is_a_sequence():
    both = joined([table("a.csv", v=["1", "2"], y=["P", "Q"]), table("b.csv", v=["3"], y=["Q"])])
    made = features.frames(both, Roles("y"))
    assert (x_of(made), made["label"]) == ([[[1], [2]], [[3]]], [["P", "Q"], ["Q"]])
    assert made.where(1) == "b.csv: line 2"
    by_column = features.frames(table(g=["q", "p", "q"], v=["5", "3", "4"], y=list("abc")), Roles("y", "g"))
    assert by_column["label"] == [["a", "c"], ["b"]]
    with pytest.raises(DataError, match=r'line 3, column "y" must hold a label; got nothing'):
        features.frames(table(v=["1", "2"], y=["P", ""]), Roles("y"))


def test_columns_that_count_the_rows_or_hold_no_numbers_are_left_out_and_named():
    made = features.frames(
        table(n=["1", "2", "3"], s=["a", "b", "c"], v=["5", "", "4"], y=list("PPQ")), Roles("y")
    )
    assert np.array(x_of(made)[0]).shape == (3, 1)
    assert np.isnan(x_of(made)[0][1][0])
    assert made.remarks == (
        "n rises from row to row, and so is taken for no measurement. Say which are: --features.",
        "No numbers, and so no measurements: s. Say which are: --features.",
    )
    chosen = features.frames(STEPS, Roles("y", "id", features=("v", "t")))
    assert x_of(chosen)[0] == [[12, 2], [11, 1]]
    with pytest.raises(DataError, match="must have columns of numbers; got none"):
        features.frames(table(s=["a", "b"], y=["P", "Q"]), Roles("y"))
    with pytest.raises(DataError, match=r'column "w"; got columns'):
        features.frames(STEPS, Roles("y", features=("w",)))
    with pytest.raises(DataError, match=r'line 2, column "id" must hold a number; got \'b\''):
        features.frames(STEPS, Roles("y", features=("id",)))


def test_wide_tables_have_a_sequence_a_row_that_ends_where_cells_do():
    made = features.wide(
        table(id=["s", "t", "u"], a=["1", "", ""], b=["", "4", ""], c=["3", "", ""], y=list("PQP")),
        Roles("y", "id"),
    )
    assert [len(one) for one in x_of(made)] == [3, 2, 0]
    assert x_of(made)[0][0::2] == [[1], [3]]
    assert np.isnan(x_of(made)[0][1][0])
    assert (made["label"], made["sequence"]) == (["P", "Q", "P"], ["s", "t", "u"])
    with pytest.raises(DataError, match=r'line 3, column "id" must differ'):
        features.wide(table(id=["s", "s"], a=["1", "2"]), Roles("", "id"))


@pytest.mark.parametrize(
    ("name", "series", "shortest", "longest"), [("Hourly", 414, 700, 960), ("Weekly", 359, 80, 2597)]
)
def test_real_wide_series(name: str, series: int, shortest: int, longest: int):
    made = features.wide(formats.read([sets.file(f"m4/{name}-train.csv.gz")]), Roles(sequence="V1"))
    lengths = [len(one) for one in x_of(made)]
    assert (len(lengths), min(lengths), max(lengths)) == (series, shortest, longest)


def test_real_frames():
    files = [sets.file(f"gesture-phase/{name}_raw.csv") for name in ("a1", "a2", "a3", "b1", "b3")]
    made = features.frames(formats.read(files), Roles("phase"))
    assert [np.array(one).shape for one in x_of(made)] == [(n, 18) for n in (1747, 1264, 1834, 1073, 1424)]
    assert sum(label == "Preparação" for labels in made["label"] for label in labels) == 1
    office = features.frames(
        formats.read([sets.file("occupancy/datatraining.txt.gz")]), Roles("Occupancy", time="date")
    )
    assert np.array(x_of(office)[0]).shape == (8143, 5)
