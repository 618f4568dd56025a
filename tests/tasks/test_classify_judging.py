"""Judging a classifier, beside scikit-learn; and what needs no network."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as theirs  # pyright: ignore[reportMissingTypeStubs]

from unrolled.data.ragged import Ragged
from unrolled.tasks.classify import baselines, judging
from unrolled.tasks.classify.judging import Confusion


@pytest.mark.parametrize("seed", range(3))
def test_measures_are_those_of_scikit_learn(seed: int):
    random = np.random.default_rng(seed)
    truth, said = random.integers(0, 4, 50), random.integers(0, 4, 50)
    found = Confusion.of("abcd", truth, said)
    each: Any = theirs.precision_recall_fscore_support
    p, r, f, _ = each(truth, said, zero_division=0)
    np.testing.assert_allclose([found.precision, found.recall, found.f1], [p, r, f])
    assert found.accuracy == pytest.approx(theirs.accuracy_score(truth, said))
    assert found.macro_f1 == pytest.approx(theirs.f1_score(truth, said, average="macro"))
    np.testing.assert_array_equal(found.counts, theirs.confusion_matrix(truth, said))


def test_classes_that_are_nowhere_do_not_count():
    found = Confusion.of("abc", [0, 0, 1], [0, 0, 1])
    assert found.macro_f1 == 1
    assert np.isnan(found.f1[2])


def test_the_surest_mistakes_come_first():
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    made = judging.judge(
        "ab", np.array([0, 0, 0, 1]), shares, lambda row: f"text {row}", lambda row: f"line {row}"
    )
    assert [(one.shown, one.truth, one.said, one.sure) for one in made.mistakes] == [
        ("text 2", "a", "b", 0.8),
        ("text 3", "b", "a", 0.7),
        ("text 1", "a", "b", 0.6),
    ]
    assert made.loss == pytest.approx(-np.log([0.9, 0.4, 0.2, 0.3]).mean())


def test_words_that_tell_are_found_by_the_bag_of_words():
    texts, y = ["a good day", "a bad day"] * 20, np.array([0, 1] * 20)
    shares = baselines.bag_of_ngrams(texts, y, ["good", "bad"], 2, characters=False)
    assert shares.argmax(1).tolist() == [0, 1]
    np.testing.assert_allclose(shares.sum(1), 1)


def test_a_class_without_an_example_is_never_likely():
    texts, y = ["ba", "cd"] * 5, np.array([0, 2] * 5)
    shares = baselines.bag_of_ngrams(texts, y, ["ba"], 3, characters=True)
    assert shares[0, 1] == 0
    assert baselines.majority(y, 2, 3).tolist() == [[0.5, 0, 0.5]] * 2


def test_summaries_tell_levels_apart_where_values_are_missing():
    random = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = [random.normal(size=(int(n), 2)) + 3 * k for n, k in zip(random.integers(2, 9, 40), y, strict=True)]
    x[0][:, 1] = np.nan
    data = Ragged.of(x)
    shares = baselines.summaries(data, y, data, 2)
    assert (shares.argmax(1) == y).mean() > 0.9
