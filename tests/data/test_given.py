"""What Python holds: lists, arrays, tensors, and columns and frames of pandas and polars."""

import numpy as np
import pandas  # pyright: ignore[reportMissingTypeStubs]
import polars
import pytest
import torch

from unrolled.data import given
from unrolled.errors import DataError, DtypeError, ShapeError

COLUMNS = {"text": ["good", "bad"], "stars": [5, 1]}


@pytest.mark.parametrize(
    "data",
    [
        COLUMNS,
        [{"text": "good", "stars": 5}, {"text": "bad", "stars": 1}],
        pandas.DataFrame(COLUMNS),
        polars.DataFrame(COLUMNS),
        polars.LazyFrame(COLUMNS),
        {"text": pandas.Series(["good", "bad"]), "stars": polars.Series([5, 1])},
        {"text": np.array(["good", "bad"]), "stars": (5, 1)},
    ],
)
def test_tables(data: object):
    made = given.table(data)
    assert {name: list(cells) for name, cells in made.columns.items()} == COLUMNS
    assert made.where(1) == "row 1"
    assert given.table(made) is made


@pytest.mark.parametrize(
    "data", [np.array([[1, 2], [3, 4]]), torch.tensor([[1, 2], [3, 4]]), [[1, 2], (3, 4)]]
)
def test_tables_without_names(data: object):
    assert {name: list(cells) for name, cells in given.table(data).columns.items()} == {
        "1": [1, 3],
        "2": [2, 4],
    }


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({"a": [1], "b": [1, 2]}, DataError, 'column "b" must be as long as the others'),
        ([], DataError, "table must have rows"),
        ({}, DataError, "table must have rows"),
        ([[1, 2], [3]], DataError, "table: row 1 must be a list of 2 cells, as the first row; got 1"),
        (["a", "b"], DataError, "table: row 0 must be a list"),
        ("text", DtypeError, "must be columns, rows or a data frame; got str"),
        (np.zeros(3), DtypeError, "got an array of shape [3]"),
        (5, DtypeError, "got int"),
    ],
)
def test_what_is_no_table(data: object, error: type[Exception], words: str):
    with pytest.raises(error) as caught:
        given.table(data)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [["a", "b"], ("a", "b"), np.array(["a", "b"]), pandas.Series(["a", "b"]), polars.Series(["a", "b"])],
)
def test_texts(data: object):
    found = given.texts(data)
    assert found == ["a", "b"]
    assert type(found[0]) is str


def test_what_is_no_texts():
    with pytest.raises(DtypeError, match="X: row 1 must be a text; got int"):
        given.texts(["a", 5])
    with pytest.raises(DtypeError, match="must be a list, an array or a column; got str"):
        given.texts("a text alone")


@pytest.mark.parametrize("wrap", [np.asarray, torch.tensor, list])
def test_sequences_of_one_length(wrap):
    made = given.sequences(wrap([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]))
    assert [one.tolist() for one in made] == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert given.sequences(made) is made


def test_sequences_of_different_length():
    lists = [[1.0], [2.0, 3.0]]
    objects = np.empty(2, object)
    objects[:] = [np.array(one) for one in lists]
    for data in (
        lists,
        [torch.tensor(one) for one in lists],
        objects,
        polars.Series(lists),
        pandas.Series(lists),
    ):
        assert [one.tolist() for one in given.sequences(data)] == lists
    with pytest.raises(ShapeError, match=r"X must have shape \[E, T\].*Wrap a single sequence"):
        given.sequences(np.zeros(3))
    with pytest.raises(DtypeError, match="sequence 0 must be an array of numbers"):
        given.sequences(["a"])


def test_labels_are_as_python_has_them_and_as_many_as_examples():
    assert given.labels(torch.tensor([1, 0])) == [1, 0]
    assert type(given.labels(np.array([1, 0]))[0]) is int
    assert given.labels(pandas.Series(["a", "b"]), 2) == ["a", "b"]
    with pytest.raises(DataError, match="y must have 3 labels, as X has examples; got 1"):
        given.labels([1], 3)
