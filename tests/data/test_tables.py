"""Tables: cells as texts, labels and numbers, and the place of whatever is none."""

import numpy as np
import pytest

from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Places, Table, joined
from unrolled.errors import DataError


def table(**columns: Column) -> Table:
    rows = len(next(iter(columns.values())))
    return Table(columns, Places.of("a.csv: line", range(2, 2 + rows)))


def message(do) -> str:
    with pytest.raises(DataError) as caught:
        do()
    return str(caught.value)


def test_columns_are_found_by_name_and_by_number():
    made = table(text=["a", "b"], stars=["1", "2"])
    assert made["2"] == ["1", "2"]
    assert made.name("text") == "text"
    named_by_a_number = table(**{"2": ["x"], "1": ["y"]})
    assert named_by_a_number["2"] == ["x"]


def test_a_misnamed_column_names_the_nearest():
    said = message(lambda: table(text=["a"], stars=["1"])["start"])
    assert said == 'a.csv must have a column "start"; got columns text, stars. Did you mean stars?'
    assert "Name one of them" in message(lambda: table(text=["a"])["3"])


def test_numbers_come_as_numbers_and_missing_ones_as_nan():
    made = table(a=["1", " 2.5 ", "-1e3"], b=[1, None, 2.5], c=["1", "NA", "?"])
    assert made.numbers("a").tolist() == [1, 2.5, -1000]
    assert np.isnan(made.numbers("b", missing=True)).tolist() == [False, True, False]
    assert np.isnan(made.numbers("c", missing=True)).tolist() == [False, True, True]
    assert message(lambda: made.numbers("c")) == (
        'a.csv: line 3, column "c" must hold a number; got nothing (2 rows like this, 66.7%). '
        "Fill them in, or leave such rows out: --drop-missing."
    )


@pytest.mark.parametrize("cell", ["good", "1,5", "1_000", [1], "0x1"])
def test_what_is_no_number_is_named_with_its_place(cell: object):
    said = message(lambda: table(a=["1", cell]).numbers("a"))
    assert said.startswith('a.csv: line 3, column "a" must hold a number; got ')
    assert ("Write decimals with a point" in said) == (cell == "1,5")


def test_a_number_that_is_too_large_is_infinite():
    assert table(a=[10**400, -(10**400)]).numbers("a").tolist() == [np.inf, -np.inf]


def test_rows_without_a_label_are_counted():
    said = message(lambda: table(label=["1", "", "2", " "]).labels("label"))
    assert said == (
        'a.csv: line 3, column "label" must hold a label; got nothing (2 rows like this, 50.0%). '
        "Leave such rows out: --drop-missing."
    )


def test_labels_of_several_kinds_are_refused():
    said = message(lambda: table(label=[1, 2, "two"]).labels("label"))
    assert "line 4" in said
    assert "labels of one kind, a number as in a.csv: line 2; got text ('two')" in said
    assert "one word or number" in message(lambda: table(label=[["a"]]).labels("label"))


def test_texts_are_texts_and_not_empty():
    assert table(t=["a", "b"]).texts("t") == ["a", "b"]
    assert "line 3" in message(lambda: table(t=["a", None]).texts("t"))
    assert "got a number, 5" in message(lambda: table(t=["a", 5]).texts("t"))


def test_ids_must_differ():
    assert table(id=[1, 2]).unique("id") == [1, 2]
    said = message(lambda: table(id=["x", "y", "x"]).unique("id"))
    assert said.startswith(
        "a.csv: line 4, column \"id\" must differ from the other rows; got 'x', as in a.csv: line 2"
    )


def test_rows_with_something_missing_are_left_out_and_counted():
    made = table(text=["a", "", "c"], label=["1", "2", None]).without_missing(["text", "label"])
    assert (made["text"], made.where(0), len(made)) == (["a"], "a.csv: line 2", 1)
    assert made.remarks == ("2 of 3 rows (66.7%) were left out, for text or label is empty there.",)
    whole = table(text=["a"])
    assert whole.without_missing(["text"]) is whole


def test_rows_are_taken_from_columns_of_every_kind():
    made = table(a=["x", "y", "z"], b=np.arange(3), c=Ragged.of([[1], [2, 2], []])).take([2, 1])
    assert made["a"] == ["z", "y"]
    c = made["c"]
    assert isinstance(c, Ragged)
    assert c.lengths.tolist() == [0, 2]
    assert made.where(1, "a") == 'a.csv: line 3, column "a"'


def test_joined_tables_keep_their_places_and_must_agree():
    first = table(a=["x"], r=Ragged.of([[1, 2]]))
    second = Table({"r": Ragged.of([[3]]), "a": ["y"]}, Places.of("b.csv: line", [9]))
    both = joined([first, second])
    assert (both["a"], both.where(0), both.where(1)) == (["x", "y"], "a.csv: line 2", "b.csv: line 9")
    r = both["r"]
    assert isinstance(r, Ragged)
    assert [one.tolist() for one in r] == [[1, 2], [3]]
    assert "b.csv must have the columns of the first file, a" in message(
        lambda: joined([table(a=["x"]), Table({"b": ["y"]}, Places.of("b.csv: line", [1]))])
    )
    wide = Table({"r": Ragged.of([[[1, 2]]])}, Places.of("b.npz: sequence", [1]))
    assert "b.npz: sequence 1" in message(lambda: joined([table(r=Ragged.of([[1]])), wide]))
    assert "at least one table" in message(lambda: joined([]))


def test_columns_have_one_length():
    with pytest.raises(DataError, match="2 rows where the others have 1"):
        Table({"a": ["x", "y"]}, Places.of("a.csv: line", [1]))
