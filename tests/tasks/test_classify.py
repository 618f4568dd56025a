"""Classification from a file to a judged model: learning, choosing, keeping, and what memory is worth."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from unrolled.config import ClassifyConfig
from unrolled.data.ragged import Ragged
from unrolled.errors import OptionError
from unrolled.tasks.base import judging
from unrolled.tasks.classify import Classification, TextReader, reading
from unrolled.training.learner import Learner

ROOT = Path(__file__).parents[2]


def ordered(count: int = 240) -> tuple[list[np.ndarray[Any, Any]], list[str]]:
    """Two marks among noise: which came first is the class, so that the steps' mean tells nothing."""
    random = np.random.default_rng(0)
    x, y = list[np.ndarray[Any, Any]](), list[str]()
    for k in range(count):
        steps = np.zeros((int(random.integers(4, 9)), 2))
        first, second = np.sort(random.permutation(len(steps))[:2])
        up = k % 2
        steps[first, up], steps[second, 1 - up] = 1, 1
        x.append(steps)
        y.append("up" if up else "down")
    return x, y


def task(x: Any, y: Any, **fields: Any) -> Classification:
    held = Ragged.of(x) if not isinstance(x[0], str) else x
    tables = {part: reading.given(held, y) for part in ("train", "valid", "test")}
    options: dict[str, Any] = {"hidden": 8, "batch": 16, "embedding": 8, "memoryless": False, **fields}
    config = ClassifyConfig(**options)
    return Classification(config, Classification.prepare(config, lambda *_: None, tables))


def learned(of: Classification, updates: int) -> Learner[Any]:
    learner = Learner(of.objective)
    learner.position.updates = updates
    for _ in range(updates):
        learner.step()
    return learner


@pytest.mark.parametrize("read", ["last", "mean", "max", "attention"])
def test_order_is_learned_with_memory_alone(read: str):
    x, y = ordered()
    made = task(x, y, read=read, bidirectional=False, memoryless=True, learning_rate=0.02, hidden=12)
    learner = learned(made, 300)
    assert learner.twin
    assert made.judge(learner.model, "test").values["accuracy"] > 0.97
    without = made.judge(learner.twin.judged, "test", memoryless=True).values["accuracy"]
    assert without < 0.65


def test_the_last_steps_alone_teach_what_stands_in_them():
    x, y = ordered()
    padded = [np.concatenate([np.zeros((9, 2)), one]) for one in x]
    made = task(padded, y, read="last", bidirectional=False, length=8, learning_rate=0.02, hidden=12)
    learner = learned(made, 300)
    assert made.judge(learner.model, "test").values["accuracy"] > 0.97


def test_a_batch_is_known_by_heart():
    x, y = ordered(32)
    made = task(x, y, learning_rate=0.02)
    objective, enough = made.by_heart()
    learner = Learner(objective)
    learner.position.updates = 3000
    losses = [learner.step().means()["loss"] for _ in range(200)]
    assert min(losses) < enough


def test_balanced_classes_count_the_same():
    texts, labels = ["good"] * 9 + ["bad"], [1] * 9 + [0]
    made = task(texts, labels, class_weights="balanced", min_count=1)
    model = made.objective.model()
    batch = made.objective.batch(0)
    with judging(model):
        loss = made.loss(model, batch, None, torch.Generator()).loss
        per_example = -torch.log(torch.from_numpy(made.answers(model, batch)))
    y = batch.columns["y"]
    each = per_example[torch.arange(len(y)), y]
    mean = (each[y == 1].mean() + each[y == 0].mean()) / 2
    assert loss.item() == pytest.approx(mean.item(), rel=1e-5)


def test_the_best_is_chosen_by_what_was_asked():
    x, y = ordered(32)
    shares = np.tile([0.6, 0.4], (32, 1))
    rows = np.arange(32)
    for fields, expected in (
        ({"choose": "loss"}, None),
        ({"choose": "score"}, -0.5),
        ({"choose": "score", "metric": "macro_f1"}, -1 / 3),
    ):
        made = task(x, y, **fields)
        batch = made.objective.batch(0)._replace(rows=rows)
        score = made.score("valid", [(batch, shares)])
        assert score.choice == (None if expected is None else pytest.approx(expected, abs=1e-4))
        assert score.values["accuracy"] == 0.5
    assert made.measures[0].key == "macro_f1"


def test_words_are_counted_parted_and_cut():
    texts = ["It's good, isn't it?", "GOOD it", "rare"]
    made = task(texts, [1, 0, 1], min_count=2)
    assert isinstance(made.reader, TextReader)
    assert made.reader.tokenizer.vocabulary == ["<unk>", "good", "it"]
    assert made.reader.names(made.reader.numbers(["It isn't Good!"])[0]) == ["it", "<unk>", "good", "<unk>"]
    assert made.reader.ready("It's GOOD, isn't it?") == "it's good , isn't it ?"
    whole = task(texts, [1, 0, 1], tokens="char", lower=False, min_count=1)
    assert "G" in whole.reader.tokenizer.vocabulary


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"length": 50, "read": "mean"}, "be whole with --bidirectional on"),
        ({"length": 50, "bidirectional": False, "read": "attention"}, "be whole with --read attention"),
        ({"tokens": "bpe", "word_dropout": 0.1}, "where no token is unknown"),
        ({"tokens": "byte", "vocabulary": 300}, "of which there are 256"),
    ],
)
def test_fields_at_odds_are_refused(fields: dict[str, Any], said: str):
    with pytest.raises(OptionError) as caught:
        ClassifyConfig(**fields)
    assert said in str(caught.value)


def test_a_run_is_tried_resumed_and_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    lines = [f"{'good' if k % 2 else 'bad'} word{k},{k % 2}" for k in range(60)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    fields: dict[str, Any] = {"hidden": 6, "epochs": 2.0, "batch": 8, "quiet": True}
    assert "dry run is through" in str(unrolled.train("classify", path, dry_run=True, **fields))
    assert "by heart" in str(unrolled.train("classify", path, overfit=True, **fields))
    made: Any = [unrolled.train("classify", path, name=name, **fields) for name in ("one", "two")]
    assert made[0].rows == made[1].rows
    again: Any = unrolled.resume("one", quiet=True)
    assert again.rows == made[0].rows
    card = (tmp_path / "one" / "README.md").read_text()
    assert "classify texts: 2 classes, 0, 1" in card
    assert "| bag of words |" in card


def test_the_example_learns():
    assert runpy.run_path(str(ROOT / "examples" / "classify.py"))["main"]() > 0.93
