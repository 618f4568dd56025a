"""Classes in an order that no order of the rows changes, and what is said of a label that is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight  # pyright: ignore[reportMissingTypeStubs]

from unrolled.data.labels import Labels
from unrolled.errors import DataError

NAMES = st.lists(st.text(min_size=1, max_size=4), min_size=2, unique=True)


@settings(max_examples=200)
@given(NAMES, st.randoms())
def test_the_order_of_the_rows_does_not_matter(names: list[str], random):
    mixed = names * 2
    random.shuffle(mixed)
    labels = Labels(mixed)
    assert labels.names == Labels(names).names
    assert labels.of(labels.numbers(mixed)) == mixed


def test_numbers_stand_in_the_order_of_their_size():
    assert Labels(["10", "9", "1"]).names == ("1", "9", "10")
    assert Labels([10, 9, 1.5]).names == (1.5, 9, 10)
    assert Labels(["b", "10", "9"]).names == ("10", "9", "b")
    assert Labels(np.array([True, False])).names == (False, True)
    assert type(Labels(np.array([2, 1])).names[0]) is int


def test_weights_are_those_of_scikit_learn():
    y = np.array([0] * 7 + [1] * 2 + [2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=y)
    assert np.allclose(Labels(y).weights(y), expected, rtol=1e-15)
    assert Labels([0, 1, 2]).weights([0, 0, 2]).tolist() == [0.75, 0, 1.5]


def test_one_class_is_none():
    with pytest.raises(DataError, match="must be of at least two classes; got one, 'a'"):
        Labels(["a", "a"])


def test_a_label_that_is_no_class_names_the_nearest():
    labels = Labels(["anger", "joy", "sadness"])
    with pytest.raises(DataError) as caught:
        labels.numbers(["joy", "angry", "fear"], ["a.csv: line 2", "a.csv: line 3", "a.csv: line 4"])
    assert str(caught.value) == (
        "a.csv: line 3 must be one of the classes that the model was trained on; got 'angry' (2 like this). "
        "Did you mean anger?"
    )
    with pytest.raises(DataError, match=r"label 1 must be .* got 'fear'\. Offered: anger, joy, sadness\."):
        labels.numbers(["fear"])
