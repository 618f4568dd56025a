"""The classifier as an estimator: whatever holds the data, scikit-learn's tools, what is kept, bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas  # pyright: ignore[reportMissingTypeStubs]
import polars
import pytest
import torch
from sklearn.base import clone, is_classifier  # pyright: ignore[reportMissingTypeStubs]
from sklearn.model_selection import (  # pyright: ignore[reportMissingTypeStubs]
    GridSearchCV,
    cross_val_score,
)

import unrolled
from unrolled import SequenceClassifier
from unrolled.errors import DataError, DtypeError, NotFittedError, OptionError
from unrolled.training.run_folder import RunFolder

TEXTS = ["a good day", "so bad it hurts", "good and kind", "bad and cold", "very good", "rather bad"] * 6
LABELS = [1, 0] * 18
SMALL: dict[str, Any] = {"hidden": 8, "embedding": 8, "batch": 8, "memoryless": False}
QUICK: dict[str, Any] = {**SMALL, "epochs": 25.0, "learning_rate": 0.02}


def sequences(count: int = 48) -> tuple[list[np.ndarray[Any, Any]], list[str]]:
    """Of which a rises and b falls."""
    random = np.random.default_rng(0)
    labels = ["ab"[k % 2] for k in range(count)]
    slopes = [1 if label == "a" else -1 for label in labels]
    lengths = random.integers(4, 9, count).tolist()
    made = [slope * np.arange(n) + random.normal(0, 0.1, n) for n, slope in zip(lengths, slopes, strict=True)]
    return made, labels


@pytest.fixture(scope="module")
def fitted() -> SequenceClassifier:
    return SequenceClassifier(**QUICK).fit(TEXTS, LABELS)


def test_it_learns_texts_and_gives_back_their_labels(fitted: SequenceClassifier):
    assert fitted.predict(["good", "so bad"]).tolist() == [1, 0]
    assert fitted.score(TEXTS, LABELS) == 1
    assert fitted.classes_.tolist() == [0, 1]
    shares = fitted.predict_proba(TEXTS)
    np.testing.assert_allclose(shares.sum(1), 1)
    assert shares.shape == (36, 2)


def test_it_learns_sequences_of_numbers():
    x, y = sequences()
    model = SequenceClassifier(**QUICK).fit(x, y)
    assert model.score(x, y) > 0.95
    assert model.predict([[0.0, 1.0, 2.0], [0.0, -1.0]]).tolist() == ["a", "b"]


@pytest.mark.parametrize("held", [list, tuple, np.array, pandas.Series, polars.Series], ids=repr)
def test_texts_in_whatever_holds_them(held: Any, fitted: SequenceClassifier):
    np.testing.assert_array_equal(fitted.predict_proba(held(TEXTS)), fitted.predict_proba(TEXTS))
    assert fitted.score(held(TEXTS), held(LABELS)) == 1


def test_a_frame_of_one_column_is_that_column(fitted: SequenceClassifier):
    for frame in (pandas.DataFrame({"text": TEXTS}), polars.DataFrame({"text": TEXTS})):
        np.testing.assert_array_equal(fitted.predict_proba(frame), fitted.predict_proba(TEXTS))


def test_numbers_in_whatever_holds_them():
    x = np.stack([one[:4] for one in sequences()[0]])
    model = SequenceClassifier(**SMALL, epochs=1.0).fit(x, sequences()[1])
    expected = model.predict_proba(x)
    for held in (x[..., None], torch.from_numpy(x), list(x), x.tolist(), pandas.DataFrame(x)):
        np.testing.assert_allclose(model.predict_proba(held), expected, atol=1e-6)


def test_the_same_seed_gives_the_same_model():
    made = [SequenceClassifier(**SMALL, epochs=2.0, seed=3).fit(TEXTS, LABELS) for _ in range(2)]
    np.testing.assert_array_equal(made[0].predict_proba(TEXTS), made[1].predict_proba(TEXTS))


def test_scikit_learns_tools_take_it():
    model = SequenceClassifier(**SMALL, epochs=3.0, learning_rate=0.02)
    assert is_classifier(model)
    copy: Any = clone(model)
    assert copy.get_params() == model.get_params()
    search = GridSearchCV(model, {"hidden": [4, 8]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_params_["hidden"] in (4, 8)
    assert search.predict(["good"]).shape == (1,)
    assert len(cross_val_score(model, np.array(TEXTS), LABELS, cv=2)) == 2
    ragged, labels = sequences(24)
    assert len(cross_val_score(model, ragged, labels, cv=2)) == 2


def test_what_is_saved_answers_the_same(fitted: SequenceClassifier, tmp_path: Path):
    fitted.save(tmp_path / "kept")
    again = SequenceClassifier.load(tmp_path / "kept")
    np.testing.assert_array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    assert again.predict(["good"]).tolist() == [1]
    x, y = sequences()
    x[3][1] = np.nan
    model = SequenceClassifier(**SMALL, epochs=1.0).fit(x, y)
    model.save(tmp_path / "numbers")
    again = SequenceClassifier.load(tmp_path / "numbers")
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))


def test_the_trace_of_a_text_has_its_words(fitted: SequenceClassifier):
    seen = fitted.explain("A good day!")
    assert seen.facts["tokens"] == [["a", "good", "day", "<unk>"]]
    assert seen["l0/dh"].shape[0] == 4


@pytest.mark.parametrize(
    ("x", "y", "error", "said"),
    [
        (TEXTS, LABELS[:-1], DataError, "y must have 36 labels, as X has examples; got 35"),
        ([*TEXTS, "  "], [*LABELS, 1], DataError, 'row 36, column "x" must hold text; got nothing'),
        ([*TEXTS, 7], [*LABELS, 1], DtypeError, "X: row 36 must be a text; got int"),
        ([*TEXTS, "so"], [*LABELS, None], DataError, 'row 36, column "label" must hold a label; got nothing'),
        ([*TEXTS, "so"], [*LABELS, "x"], DataError, "hold labels of one kind, a number"),
        (TEXTS, [1] * 36, DataError, "the labels must be of at least two classes; got one, 1"),
        ([[1.0, 2.0], [3.0], []], [0, 1, 0], DataError, "row 2 must have at least one step; got length 0"),
        ([[1.0], [np.inf]], [0, 1], DataError, "row 1, step 1, feature 1 must be a finite number"),
        ([], [], DataError, "X must have examples"),
        ("a text", [1], DtypeError, "data must be a list, an array or a column; got str"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_said(x: Any, y: Any, error: type[Exception], said: str):
    with pytest.raises(error) as caught:
        SequenceClassifier(**QUICK).fit(x, y)
    assert said in str(caught.value)


def test_what_cannot_be_answered_is_said(fitted: SequenceClassifier):
    with pytest.raises(DataError, match=r"row 1 must be one of the classes .* got 2\. Offered: 0, 1"):
        fitted.score(["good", "bad"], [1, 2])
    with pytest.raises(DataError, match="be texts, as in training; got numbers"):
        fitted.predict([[1.0, 2.0]])
    with pytest.raises(NotFittedError, match="Call fit first"):
        SequenceClassifier().predict(["good"])
    with pytest.raises(OptionError, match=r"Did you mean hidden\?"):
        SequenceClassifier(hiden=3)


# ------------------------------------------------------------------------------------ command line


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("runs")
    lines = [f"{text},{'no' if label else 'yes'}" for text, label in zip(TEXTS, LABELS, strict=True)]
    (place / "a.csv").write_text("\n".join(["review,bad", *lines]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNROLLED_RUNS", str(place))
        outcome: Any = unrolled.train(
            "classify", place / "a.csv", label="bad", quiet=True, name="made", **QUICK
        )
    assert outcome.rows[0].values["accuracy"] == 1
    names = [row.name for row in outcome.rows]
    assert names == ["this model", "most frequent class", "bag of words", "bag of characters"]
    return str(place / "made")


def test_a_run_is_judged_on_its_own_part_and_on_files(run: str, tmp_path: Path):
    own = unrolled.evaluate(run).as_data()
    assert own["accuracy"] == 1
    (tmp_path / "b.tsv").write_text("review\tbad\ngood\tno\nso good\tyes\n")
    data = unrolled.evaluate(run, str(tmp_path / "b.tsv")).as_data()
    assert data["confusion"] == [[1, 0], [1, 0]]
    assert data["mistakes"][0].where.endswith("b.tsv: line 3")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "review\tbad\ngood\tnoo\n",
            "b.tsv: line 2 must be one of the classes that the model was trained on",
        ),
        ("text\tbad\ngood\tno\n", 'have a column "review"; got columns text, bad'),
        ("review\tworse\ngood\tno\n", 'have a column "bad"'),
        ("review\tbad\n\tno\n", 'line 2, column "review" must hold text'),
    ],
)
def test_files_that_cannot_be_judged_are_refused(text: str, said: str, run: str, tmp_path: Path):
    (tmp_path / "b.tsv").write_text(text)
    with pytest.raises(DataError) as caught:
        unrolled.evaluate(run, str(tmp_path / "b.tsv"))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("b.csv", "review,more\ngood,x\nso bad,y\n"),
        ("b.txt", "good\nso bad\n"),
        ("b", "more,review\nx,good\ny,so bad\n"),
        ("b.jsonl", '{"review": "good"}\n{"review": "so bad"}\n'),
    ],
)
def test_what_is_predicted_of_files(name: str, text: str, run: str, tmp_path: Path):
    (tmp_path / name).write_text(text)
    made = unrolled.predict(run, str(tmp_path / name))
    assert [(one["example"], one["label"]) for one in made.as_data()] == [("good", "no"), ("so bad", "yes")]


def test_what_is_predicted_of_a_value_and_refused(run: str, tmp_path: Path):
    assert unrolled.predict(run, "good").labels == ["no"]
    (tmp_path / "b.txt").write_text("good\n\nbad\n")
    with pytest.raises(DataError, match='line 2, column "review" must hold text; got nothing'):
        unrolled.predict(run, str(tmp_path / "b.txt"))
    with pytest.raises(DataError, match=r"no-such-file\.csv"):
        unrolled.predict(run, "no-such-file.csv")
    assert unrolled.explain(run, "so good").facts["tokens"] == [["so", "good"]]


def test_a_run_of_numbers_takes_typed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    x, y = sequences()
    np.savez(tmp_path / "a.npz", x=np.concatenate(x), starts=np.cumsum([0, *map(len, x)]), y=np.array(y))
    outcome: Any = unrolled.train("classify", tmp_path / "a.npz", quiet=True, name="numbers", **QUICK)
    assert [row.name for row in outcome.rows][1:] == ["most frequent class", "summaries"]
    assert unrolled.predict("numbers", "0,1,2,3").labels == ["a"]
    assert RunFolder.open("numbers").reader.exists()
    with pytest.raises(DataError, match="1 features a step; got 2"):
        unrolled.predict("numbers", "0,1:2,3")
