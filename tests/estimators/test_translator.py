"""The translator as a Python user meets it, and as the command line asks it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # pyright: ignore[reportMissingTypeStubs]
import pytest
from sklearn.base import clone  # pyright: ignore[reportMissingTypeStubs]

from unrolled import config as configs
from unrolled.errors import DataError, DtypeError, NotFittedError, OptionError
from unrolled.estimators import Translator, load
from unrolled.training import trainer
from unrolled.training.run_folder import RunFolder

SOURCES = [a + b + c for a in "abcde" for b in "abcde" for c in "abcde"]
TARGETS = [text[::-1].upper() for text in SOURCES]
FIELDS: dict[str, Any] = {
    "tokens": "char", "hidden": 48, "batch": 8, "epochs": 12.0, "learning_rate": 0.01, "beam": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Translator:
    return Translator(**FIELDS).fit(SOURCES, TARGETS)


def test_it_learns_to_turn_words_round(model: Translator) -> None:
    assert model.predict(["abe", "dec"]) == ["EBA", "CED"]
    assert model.score(SOURCES, TARGETS) > 0.9


@pytest.mark.parametrize("kind", [tuple, np.array, pd.Series], ids=["tuple", "numpy", "pandas"])
def test_texts_come_in_whatever_holds_them(model: Translator, kind: Any) -> None:
    assert model.predict(kind(["abe", "dec"])) == ["EBA", "CED"]
    assert model.predict([]) == []


def test_evaluate_knows_several_references_and_the_worst(model: Translator) -> None:
    report = model.evaluate(["abe", "abe", "dec", "bad"], ["right?", "EBA", "CED", "wrong"])
    assert report.texts == 3
    assert report.values["exact"] == pytest.approx(2 / 3)
    assert [mistake.source for mistake in report.mistakes] == ["bad"]
    assert "bad" in str(report)
    assert "nrefs:var" in str(report)
    assert json.loads(json.dumps(report.as_data()))["mistakes"][0]["said"] == "DAB"


def test_it_says_where_it_looked(model: Translator) -> None:
    found = model.attention("abe")
    assert found.source == ("a", "b", "e", "<end>")
    assert found.target == ("E", "B", "A", "<end>")
    assert model.attention("abe", "AB").target == ("A", "B", "<end>")


def test_explain_is_a_trace_of_the_source(model: Translator) -> None:
    trace = model.explain("abe")
    assert [layer.name for layer in trace.layers] == ["l0", "l0.reverse"]
    assert trace.tokens == [["a", "b", "e", "<end>"]]
    assert "It adds up" in str(trace)


def test_saved_and_loaded_it_translates_the_same(model: Translator, tmp_path: Path) -> None:
    model.save(tmp_path / "reversed")
    again = load(tmp_path / "reversed")
    assert isinstance(again, Translator)
    assert again.predict(SOURCES[:20]) == model.predict(SOURCES[:20])
    assert "encoder" in (tmp_path / "reversed" / "README.md").read_text()


def test_scikit_learn_can_clone_it(model: Translator) -> None:
    copy: Any = clone(model).set_params(hidden=7)  # pyright: ignore[reportAttributeAccessIssue]
    assert copy.get_params() == {**model.get_params(), "hidden": 7}
    with pytest.raises(NotFittedError):
        copy.predict(["abe"])


def test_the_command_line_asks_it_about_files(model: Translator, tmp_path: Path) -> None:
    lines = tmp_path / "texts.txt"
    lines.write_text("abe\n\ndec\n")
    found = model.predict_source(str(lines))
    assert str(found) == "EBA\nCED"
    assert found.as_csv().splitlines()[0] == "source,translation,log_p"
    assert [row["source"] for row in found.as_data()] == ["abe", "dec"]
    assert model.predict_source("abe").said == ["EBA"]
    table = tmp_path / "texts.tsv"
    table.write_text("abe\tx\ndec\tCED\n")
    assert model.predict_source(str(table)).said == ["EBA", "CED"]
    assert model.evaluate_sources([str(table)], RunFolder(tmp_path)).values["exact"] == 0.5
    assert model.explain_source(str(lines)).tokens == [["a", "b", "e", "<end>"]]
    with pytest.raises(OptionError, match="top must not be given"):
        model.predict_source("abe", top=3)


def test_a_run_s_own_pairs_are_judged_again(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{a}\t{b}\n" for a, b in zip(SOURCES, TARGETS, strict=True)))
    config = configs.override(Translator(**FIELDS).config, {"sources": [str(pairs)], "epochs": 2})
    folder = RunFolder.create(configs.dumps(config), "run", tmp_path)
    outcome = trainer.train(config, folder)
    report = Translator.load(folder.path).evaluate_sources([], folder)
    assert report.texts == 12
    assert report.values == pytest.approx(outcome.rows[0].values)


def test_what_cannot_be_learned_from_is_said() -> None:
    with pytest.raises(DataError, match=r"targets must be as many as sources, 2; got 1\."):
        Translator().fit(["a", "b"], ["x"])
    with pytest.raises(DataError, match='row 1, column "target" must hold text; got nothing'):
        Translator().fit(["a", "b"], ["x", " "])
    with pytest.raises(DtypeError, match="row 1 must be a text; got int"):
        Translator().fit(["a", 3], ["x", "y"])
    with pytest.raises(DtypeError):
        Translator().fit("a", "x")


def test_an_empty_file_has_nothing_to_translate(model: Translator, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    with pytest.raises(DataError, match="must hold a line of text"):
        model.predict_source(str(empty))
