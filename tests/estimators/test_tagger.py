"""The tagger as an estimator: words, frames, scikit-learn's tools, the command line, bad input."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas  # pyright: ignore[reportMissingTypeStubs]
import pytest
import torch
from sklearn.base import clone  # pyright: ignore[reportMissingTypeStubs]
from sklearn.model_selection import GridSearchCV  # pyright: ignore[reportMissingTypeStubs]

import unrolled
from unrolled import SequenceTagger
from unrolled.errors import DataError, NotFittedError, OptionError
from unrolled.report.tags import Coming, Tags
from unrolled.training.run_folder import RunFolder

SAID = [["I", "saw", "a", "saw"], ["you", "saw", "it"], ["a", "saw"], ["I", "saw", "you"]] * 8
LABELS = [["P", "V", "D", "N"], ["P", "V", "P"], ["D", "N"], ["P", "V", "P"]] * 8
QUICK: dict[str, Any] = {"hidden": 16, "epochs": 20.0, "batch": 4, "learning_rate": 0.02}


def sequences(
    count: int = 30, seed: int = 0
) -> tuple[list[np.ndarray[Any, Any]], list[np.ndarray[Any, Any]]]:
    """Of which each frame is labelled by the sign of the running sum of its first feature."""
    random = np.random.default_rng(seed)
    x = [random.normal(size=(n, 2)) for n in random.integers(10, 40, count)]
    return x, [(np.cumsum(one[:, 0]) > 0).astype(int) for one in x]


@pytest.fixture(scope="module")
def words() -> SequenceTagger:
    return SequenceTagger(**QUICK).fit(SAID, LABELS)


@pytest.fixture(scope="module")
def frames() -> SequenceTagger:
    return SequenceTagger(**{**QUICK, "learning_rate": 0.01}).fit(*sequences())


def test_words_are_told_apart_by_the_words_beside_them(words: SequenceTagger):
    [found] = words.predict([["you", "saw", "a", "saw"]])
    assert found.tolist() == ["P", "V", "D", "N"]
    assert words.score(SAID, LABELS) == 1
    assert words.classes_.tolist() == ["D", "N", "P", "V"]
    for shares, labels in zip(words.predict_proba(SAID), LABELS, strict=True):
        assert shares.shape == (len(labels), 4)
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)


def test_frames_are_labelled_by_what_came_before(frames: SequenceTagger):
    x, y = sequences(10, seed=1)
    assert frames.score(x, y) > 0.85
    judged = frames.evaluate(x, y)
    assert judged.unit == "frame"
    assert judged.steps.confusion.counts.sum() == sum(map(len, y))


@pytest.mark.parametrize("held", [pandas.Series, list, tuple], ids=repr)
def test_sentences_in_whatever_holds_them(held: Any, words: SequenceTagger):
    assert words.predict(held(SAID[:3]))[0].tolist() == LABELS[0]


def test_arrays_and_tensors_of_one_length():
    x = np.stack([one[:10] for one in sequences()[0]])
    y = (np.cumsum(x[..., 0], 1) > 0).astype(int)
    model = SequenceTagger(hidden=4, epochs=1.0).fit(torch.from_numpy(x), y)
    assert [len(labels) for labels in model.predict(x[:2])] == [10, 10]


def test_frames_as_they_come_have_the_labels_of_the_whole(frames: SequenceTagger, words: SequenceTagger):
    x = sequences(1, seed=3)[0][0]
    np.testing.assert_allclose(list(frames.stream(x.tolist())), frames.predict_proba([x])[0], rtol=1e-3)
    with pytest.raises(OptionError, match="read frames as they come; got words"):
        next(words.stream([[0.0]]))
    both = SequenceTagger(hidden=4, epochs=1.0, bidirectional="on").fit(*sequences())
    with pytest.raises(OptionError, match="bidirectional"):
        next(both.stream([[0.0, 0.0]]))


def test_scikit_learns_tools(words: SequenceTagger):
    copy: Any = clone(words)
    assert copy.get_params() == words.get_params()
    search = GridSearchCV(SequenceTagger(epochs=1.0, batch=8), {"hidden": [4, 8]}, cv=2).fit(SAID, LABELS)
    assert search.best_params_["hidden"] in (4, 8)


def test_what_is_saved_answers_the_same(words: SequenceTagger, tmp_path: Path):
    words.save(tmp_path / "tagger")
    loaded = SequenceTagger.load(tmp_path / "tagger")
    np.testing.assert_array_equal(loaded.predict_proba(SAID[:1])[0], words.predict_proba(SAID[:1])[0])
    assert "a label for every word" in (tmp_path / "tagger" / "README.md").read_text()
    assert unrolled.estimators.load(tmp_path / "tagger").TASK == "tag"


def test_it_explains_what_it_computes(words: SequenceTagger, frames: SequenceTagger):
    assert words.explain(["I", "saw"]).facts["tokens"] == [["I", "saw"]]
    assert frames.explain(np.zeros((7, 2)))["l0/h"].shape[0] == 8
    spelled = SequenceTagger(hidden=4, epochs=1.0, characters="on").fit(SAID, LABELS)
    assert spelled.explain(["I", "saw", "it"])["l0/h"].shape[0] == 4


def test_mistakes_are_shown_among_the_words_beside_them(words: SequenceTagger):
    wrong = words.evaluate([["I", "saw", "a", "saw"]], [["P", "V", "D", "V"]]).steps
    [mistake] = wrong.mistakes
    assert mistake.shown == "I saw a [saw]"
    assert (mistake.where, mistake.truth, mistake.said) == ("sequence 0, word 4", "V", "N")


def test_mistakes_of_frames_are_runs(frames: SequenceTagger):
    x = np.tile([1.0, 0.0], (6, 1))
    judged = frames.evaluate([x], [[1, 1, 0, 0, 0, 1]])
    assert [(m.shown, m.truth, m.said) for m in judged.steps.mistakes] == [("frames 3 to 5", 0, 1)]


# ----------------------------------------------------------------------------------- the command line


def trained(place: Path, data: Path, **fields: Any) -> RunFolder:
    outcome: Any = unrolled.train(
        "tag", data, name=str(place.name), quiet=True, epochs=1.0, hidden=4, **fields
    )
    return RunFolder.open(str(outcome.run))


@pytest.fixture
def run_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    rows = [f"{word} {label}" for said, labels in zip(SAID, LABELS, strict=True)
            for word, label in [*zip(said, labels, strict=True), ("", "")]]  # fmt: skip
    (tmp_path / "words.conll").write_text("\n".join(row.strip() for row in rows) + "\n")
    return trained(tmp_path, tmp_path / "words.conll", valid_sources=(str(tmp_path / "words.conll"),),
                   test_sources=(str(tmp_path / "words.conll"),))  # fmt: skip


def test_a_run_labels_words_lines_and_files(run_of_words: RunFolder, tmp_path: Path):
    run = str(run_of_words.path)
    said = unrolled.predict(run, "I saw it")
    assert isinstance(said, Tags)
    assert [line.split("\t")[0] for line in str(said).splitlines()] == ["I", "saw", "it"]
    (tmp_path / "plain.txt").write_text("I saw\n\nyou saw it\n")
    lines = unrolled.predict(run, str(tmp_path / "plain.txt"))
    assert [one["words"] for one in lines.as_data()] == [["I", "saw"], ["you", "saw", "it"]]
    json.dumps(lines.as_data())
    assert lines.as_csv().splitlines()[0] == "sequence,step,word,label,D,N,P,V"
    again = unrolled.predict(run, str(tmp_path / "words.conll"))
    assert [one["words"] for one in again.as_data()] == SAID


def test_a_run_is_judged_on_its_own_part_and_on_files(run_of_words: RunFolder, tmp_path: Path):
    own = unrolled.evaluate(str(run_of_words.path))
    files = unrolled.evaluate(str(run_of_words.path), str(tmp_path / "words.conll"))
    assert own.as_data()["accuracy"] == files.as_data()["accuracy"]
    assert "who is taken" in str(own) or "true \\ said" in str(own)


def test_frames_on_standard_input_are_labelled_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    x, y = sequences(1)
    rows = [f"{a},{b},{label}" for (a, b), label in zip(np.tile(x[0], (5, 1)), np.tile(y[0], 5), strict=True)]
    source = tmp_path / "frames.csv"
    source.write_text("\n".join(["a,b,label", *rows]) + "\n")
    run = str(trained(tmp_path, source, label="label").path)
    whole = unrolled.predict(run, str(source))
    turned = "".join(f"{b},{a}\n" for a, b, _ in (row.split(",") for row in rows))
    monkeypatch.setattr(sys, "stdin", io.StringIO("b,a\n" + turned))
    coming = unrolled.predict(run, "-")
    assert isinstance(coming, Coming)
    assert "".join(coming) == str(whole)
    monkeypatch.setattr(sys, "stdin", io.StringIO("a,c\n1,2\n"))
    with pytest.raises(DataError, match='line 1 must have a column "b"; got a, c'):
        list(unrolled.predict(run, "-"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("1,2\n1,x\n"))
    with pytest.raises(DataError, match="line 2, column 2 must hold a number; got 'x'"):
        list(unrolled.predict(run, "-"))


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([], [], "have a sequence; got none"),
        (["some words"], ["A B"], "be lists of words; got a text"),
        ([["a", "b"]], [["A", "B"], ["A"]], "have 1 labels, as X has examples; got 2"),
        ([["a", "b"]], ["A"], "be a list of labels for each sequence"),
        ([["a", "b"], ["c"]], [["A", "B"], ["A", "B"]], "sequence 1.* must have a tag for each of 1 words"),
        ([["a", "b"], ["c"]], [["A", "B"], [None]], "be a list of texts"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], [[0, 1, 0], []], "sequence 1 must have at least one frame"),
        ([np.zeros((3, 2)), np.zeros((1, 2))], [[0, 1], [1]], "sequence 0 must have 3 labels, one a frame"),
        ([np.full((3, 2), np.inf)] * 4, [[0, 1, 0]] * 4, "frame 1, feature 1 must be a number; got infinity"),
        ([np.full((30, 2), np.nan)] * 4, [[0, 1] * 15] * 4, "have a value in the train part; got none"),
        ([np.zeros((30, 2))] * 4, [[0] * 30] * 4, "at least two classes; got one, 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_said(x: Any, y: Any, words: str):
    with pytest.raises(DataError, match=words):
        SequenceTagger().fit(x, y)


def test_what_is_not_as_in_training_is_said(words: SequenceTagger, frames: SequenceTagger):
    with pytest.raises(DataError, match="be sentences, lists of words, as in training; got numbers"):
        words.predict([np.zeros((3, 2))])
    with pytest.raises(DataError, match="have 2 features; got 3"):
        frames.predict([np.zeros((3, 3))])
    with pytest.raises(DataError, match=r"sequence 0, word 1 must be one of the classes .* got 'X'"):
        words.score([["I"]], [["X"]])
    with pytest.raises(NotFittedError):
        SequenceTagger().predict([["a"]])
    with pytest.raises(OptionError, match="top must not be given for the task tag"):
        words.predict_source("I saw", top=3)
