"""Units of a loss; scores of answers, beside those of scikit-learn and chunks found the long way round."""

import math

import numpy as np
import pytest
from sklearn.metrics import (  # pyright: ignore[reportMissingTypeStubs]
    accuracy_score,
    confusion_matrix,
    f1_score,
)

from unrolled import metrics


def test_perplexity_and_bits_of_equal_shares():
    assert metrics.perplexity(math.log(10_000)) == pytest.approx(10_000)
    assert metrics.bits(math.log(256)) == pytest.approx(8)


def test_a_loss_beyond_all_measure_is_infinitely_perplexed():
    assert metrics.perplexity(1e9) == math.inf


def test_bits_per_character_leave_the_first_token_out_of_both():
    losses, lengths = [0.5, 2.0, 1.0], [4, 1, 7]  # of the tokens after the first, which has 3 characters
    mean = sum(losses) / 3
    found = metrics.bits_per_character(mean, tokens=4, characters=15, first=3)
    assert found == pytest.approx(sum(losses) / math.log(2) / sum(lengths))
    assert metrics.bits_per_character(mean, tokens=4, characters=1, first=1) == math.inf


def test_scores_of_classes_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    truth, found = random.integers(0, 4, 300), random.integers(0, 4, 300)
    truth, found = np.append(truth, 5), np.append(found, 0)  # class 4 is nowhere, 5 never said
    confused = metrics.confusion(truth, found, 6)
    assert np.array_equal(confused, confusion_matrix(truth, found, labels=range(6)))
    assert metrics.accuracy(confused) == pytest.approx(accuracy_score(truth, found))
    assert metrics.macro_f1(confused) == pytest.approx(f1_score(truth, found, average="macro"))
    assert np.isnan(metrics.f1_scores(confused)[4])
    assert metrics.macro_f1(np.zeros((3, 3), np.int64)) == 0.0


def by_hand(labels: list[str]) -> set[tuple[int, int, str]]:
    """Chunks by walking from word to word, as conlleval's startOfChunk and endOfChunk are written."""
    found, begin, kind = set(), None, ""
    for place, label in enumerate([*labels, "O"]):
        tag, of = label[0], label[2:]
        if begin is not None and (tag in "OBS" or of != kind or labels[place - 1][0] in "ES"):
            found.add((begin, place, kind))
            begin = None
        if tag != "O" and begin is None:
            begin, kind = place, of
    return found


def test_chunks_of_any_labels_are_those_found_word_by_word():
    random = np.random.default_rng(1)
    for tags in ("BIO", "IO", "BIESO"):
        for _ in range(300):
            drawn = [str(random.choice(list(tags))) for _ in range(random.integers(1, 9))]
            labels = [tag if tag == "O" else f"{tag}-{random.choice(['NP', 'VP'])}" for tag in drawn]
            assert set(metrics.chunks(labels)) == by_hand(labels), labels


def test_a_chunk_is_right_where_both_ends_and_the_kind_are():
    truth = [["B-NP", "I-NP", "O", "B-VP"], ["B-NP", "O"], []]
    found = [["B-NP", "I-NP", "O", "B-NP"], ["B-NP", "I-NP"], []]
    scores = metrics.chunk_scores(truth, found)
    assert scores[""] == (3, 3, 1)
    assert scores["NP"] == (2, 3, 1)
    assert (scores["VP"].precision, scores["VP"].recall, scores["VP"].f1) == (0, 0, 0)
    assert scores["NP"].f1 == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert metrics.chunk_scores([["O"]], [["O"]])[""].f1 == 0
