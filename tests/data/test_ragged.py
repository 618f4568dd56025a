"""Sequences end to end give back every sequence, in any choice and order, padded and through a file."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.ragged import Ragged, packed, unpacked
from unrolled.errors import DtypeError, LengthsError, ShapeError

LISTS = st.lists(st.lists(st.integers(-9, 9), max_size=6), max_size=8)


def ragged(lists: list[list[int]]) -> Ragged:
    return Ragged.of([np.array(one, np.int32) for one in lists])


@settings(max_examples=200)
@given(LISTS)
def test_every_sequence_comes_back(lists: list[list[int]]):
    made = ragged(lists)
    assert [one.tolist() for one in made] == lists
    assert [made[i].tolist() for i in range(len(made))] == lists
    assert made.lengths.tolist() == [len(one) for one in lists]


@settings(max_examples=200)
@given(LISTS, st.data())
def test_taking_rows_is_taking_them_from_a_list(lists: list[list[int]], data: st.DataObject):
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8)) if lists else []
    assert [one.tolist() for one in ragged(lists).take(rows)] == [lists[row] for row in rows]


@settings(max_examples=200)
@given(LISTS)
def test_padding_stands_past_each_end_and_nowhere_else(lists: list[list[int]]):
    batch, lengths = ragged(lists).padded(value=77)
    assert batch.shape == (max(map(len, lists), default=0), len(lists))
    assert [batch[:n, b].tolist() for b, n in enumerate(lengths)] == lists
    assert all((batch[n:, b] == 77).all() for b, n in enumerate(lengths))


@settings(max_examples=200)
@given(st.lists(st.text(), max_size=6))
def test_texts_come_back(texts: list[str]):
    assert Ragged.of_texts(texts).texts() == texts


def test_parts_of_a_data_set_survive_a_file(tmp_path: Path):
    columns = {"x": Ragged.of([[[1.5, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]), "y": np.array([1, 0])}
    parts = {"train": columns, "valid": {"x": columns["x"].take([1])}}
    safetensors.numpy.save_file(packed(parts), tmp_path / "data.safetensors")
    back = unpacked(safetensors.numpy.load_file(tmp_path / "data.safetensors"))
    assert {part: set(back[part]) for part in back} == {"train": {"x", "y"}, "valid": {"x"}}
    x = back["valid"]["x"]
    assert isinstance(x, Ragged)
    assert x[0].tolist() == [[3.0, 4.0], [5.0, 6.0]]
    y = back["train"]["y"]
    assert isinstance(y, np.ndarray)
    assert y.tolist() == [1, 0]


def test_masks_slices_and_the_last_row():
    made = ragged([[1], [2, 2], [3, 3, 3]])
    assert made[-1].tolist() == [3, 3, 3]
    assert made[np.array([True, False, True])].lengths.tolist() == [1, 3]
    assert made[1:].lengths.tolist() == [2, 3]
    with pytest.raises(IndexError):
        made[3]


def test_an_empty_sequence_takes_the_shape_of_a_step():
    made = Ragged.of([[], [[1.0, 2.0]]])
    assert made[0].shape == (0, 2)
    assert Ragged.of([]).padded()[0].shape == (0, 0)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Ragged.of([[[1, 2]], [[1, 2, 3]]]), ShapeError, "sequence 1 must have steps of shape [2]"),
        (lambda: Ragged.of([3]), ShapeError, "Wrap it"),
        (lambda: Ragged.of([["a"]]), DtypeError, "sequence 0 must be an array of numbers"),
        (lambda: Ragged.of([[[1], [2, 3]]]), DtypeError, "same number of features"),
        (lambda: Ragged([1, 2], [0, 3]), LengthsError, "rise from 0 to N = 2; got 0 to 3"),
        (lambda: Ragged([1, 2], [0, 2, 1, 2]), LengthsError, "falling 1 times"),
        (lambda: Ragged([1, 2], [0.0, 2.0]), DtypeError, "astype(int)"),
        (lambda: Ragged([1, 2], []), ShapeError, "Begin with 0"),
        (lambda: Ragged(1, [0]), ShapeError, "[N, ...]"),
        (lambda: Ragged(np.array([None]), [0, 1]), DtypeError, "Python objects"),
    ],
)
def test_what_is_not_ragged_is_refused(make, error: type[Exception], words: str):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)
