"""The tagger's task: loss, windows, judgement and baselines, each beside the long way round."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import (  # pyright: ignore[reportMissingTypeStubs]
    accuracy_score,
    f1_score,
)
from torch.nn.functional import cross_entropy

from unrolled.config import override
from unrolled.config.tag import TagConfig
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Places, Table
from unrolled.errors import RunError
from unrolled.tasks.base import Kept
from unrolled.tasks.examples import batch_of
from unrolled.tasks.tag import Tagging, baselines, network, using
from unrolled.tasks.tag.frames import Frames
from unrolled.tasks.tag.words import Words
from unrolled.training.learner import Learner

WORDS = ["the", "old", "Dog", "saw", "a", "cat", "and", "ran", "off", "Tuesday"]
CHUNKS = ["B-NP", "I-NP", "I-NP", "B-VP", "B-NP", "I-NP", "O", "B-VP", "B-PRT", "B-NP"]


def sentences(count: int, seed: int = 0) -> Table:
    random = np.random.default_rng(seed)
    rows = [random.integers(0, 10, random.integers(1, 12)) for _ in range(count)]
    x = [[WORDS[k] for k in row] for row in rows]
    return Table(
        {"x": x, "label": [[CHUNKS[k] for k in row] for row in rows]}, Places.of("sentence", range(count))
    )


def measured(count: int, seed: int = 0, longest: int = 40) -> Table:
    """Frames whose label is whether more was positive than negative so far; some values are missing."""
    random = np.random.default_rng(seed)
    x = [random.normal(3, 2, (n, 2)) for n in random.integers(5, longest, count)]
    labels = [["down" if s < 0 else "up" for s in np.cumsum(one[:, 0] - 3)] for one in x]
    for one in x:
        one[random.random(len(one)) < 0.1, 1] = np.nan
    return Table({"x": Ragged.of(x), "label": labels}, Places.of("sequence", range(count)))


def task(place: Path, given: dict[str, Table], **fields: Any) -> Tagging:
    config = override(TagConfig(), {"hidden": 6, "embedding": 5, "batch": 4, **fields})
    return Tagging.begin(config, place / "data.safetensors", given=given)  # pyright: ignore[reportReturnType]


def words(place: Path, **fields: Any) -> Tagging:
    return task(place, {"train": sentences(30), "valid": sentences(8, 1), "test": sentences(9, 2)}, **fields)


def frames(place: Path, **fields: Any) -> Tagging:
    return task(place, {"train": measured(12), "valid": measured(4, 1), "test": measured(5, 2)}, **fields)


@pytest.fixture(params=[words, frames])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Tagging:
    return request.param(tmp_path, characters="on")


def by_itself(made: Tagging, model: Any, row: int, part: str = "test") -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels of one example, read without any other beside it."""
    batch = batch_of(made.parts[part], np.array([row]), "x")
    read = network.read(batch.columns["x"], made.parts.get("forms"))
    return model(read)[:, 0], batch.columns["y"][:, 0]


# ------------------------------------------------------------------------------- loss and judgement


def test_the_loss_is_the_mean_over_real_steps(made: Tagging):
    model = made.objective.model().eval()
    rows = np.array([3, 0, 5])
    batch = batch_of(made.parts["train"], rows, "x")
    step = made.loss(model, batch, None, torch.Generator())
    logits, labels = zip(*(by_itself(made, model, row, "train") for row in rows), strict=True)
    torch.testing.assert_close(step.loss, cross_entropy(torch.cat(logits), torch.cat(labels)))
    assert step.seen == sum(map(len, labels))
    assert step.carried is None


def test_class_weights_make_all_labels_count_the_same(tmp_path: Path):
    made = frames(tmp_path, class_weights="balanced")
    model = made.objective.model().eval()
    logits, labels = by_itself(made, model, 0, "train")
    counts = Counter(made.parts["train"]["y"].values.tolist())  # pyright: ignore[reportAttributeAccessIssue]
    weights = torch.tensor([1 / counts[0], 1 / counts[1]])
    batch = batch_of(made.parts["train"], np.array([0]), "x")
    found = made.loss(model, batch, None, torch.Generator()).loss
    torch.testing.assert_close(found, cross_entropy(logits, labels, weights))


def test_what_is_judged_is_every_real_step_once(made: Tagging):
    model = made.objective.model()
    score = made.judge(model, "test")
    count = len(made.parts["test"]["x"])
    with torch.no_grad():
        logits, labels = zip(*(by_itself(made, model.eval(), row) for row in range(count)), strict=True)
    found, true = torch.cat(logits).argmax(-1), torch.cat(labels)
    assert score.loss == pytest.approx(cross_entropy(torch.cat(logits), true).item(), rel=1e-5)
    assert score.values["accuracy"] == accuracy_score(true, found)
    macro = f1_score(true, found, average="macro")
    assert score.values["macro_f1"] == pytest.approx(macro)
    judged = made.judged(model)
    assert judged.values() == pytest.approx(score.values, rel=1e-5)


def test_a_chunks_score_counts_first_and_chooses(tmp_path: Path):
    made = words(tmp_path)
    assert [measure.key for measure in made.measures] == ["chunk_f1", "accuracy", "macro_f1", "nats"]
    score = made.judge(made.objective.model(), "valid")
    assert score.choice == pytest.approx(-score.values["chunk_f1"], abs=1e-4)
    by_loss = words(tmp_path, choose="loss").judge(made.objective.model(), "valid")
    assert by_loss.choice is None
    assert words(tmp_path, metric="macro_f1").measures[0].key == "macro_f1"
    assert frames(tmp_path).measures[0].key == "accuracy"


# ------------------------------------------------------------------------------- windows, directions


def test_windows_carry_the_state_so_that_their_logits_are_those_of_the_whole(tmp_path: Path):
    made = frames(tmp_path, length=7)
    model, objective = made.objective.model().eval(), made.objective
    whole = {row: by_itself(made, model, row, "train")[0] for row in range(12)}
    carried, seen, begin = None, 0, 0
    for update in range(objective.updates_per_epoch):
        batch = objective.batch(update)
        carried = None if batch.begins else carried
        logits, _ = model.go_on(batch.columns["x"], carried, lengths=batch.lengths)
        begin = 0 if batch.begins else begin + 7
        for k, row in enumerate(batch.rows.tolist()):
            length = int(batch.lengths[k])
            torch.testing.assert_close(logits[:length, k], whole[row][begin : begin + length])
            seen += length
        carried = made.loss(model, batch, carried, torch.Generator()).carried
    assert seen == len(made.parts["train"]["y"].values)  # pyright: ignore[reportAttributeAccessIssue]


def test_frames_are_read_in_one_direction_and_words_in_both_unless_one_says(tmp_path: Path):
    assert not frames(tmp_path).reader.bidirectional
    assert words(tmp_path).reader.bidirectional
    assert frames(tmp_path, bidirectional="on").objective.model().layers.recurrence.bidirectional
    assert not words(tmp_path, bidirectional="off").objective.model().layers.recurrence.bidirectional


def test_windows_read_in_both_directions_know_nothing_of_each_other(tmp_path: Path):
    made = frames(tmp_path, length=7, bidirectional="on")
    model, batch = made.objective.model(), made.objective.batch(0)
    assert made.loss(model, batch, None, torch.Generator()).carried is None


def test_without_memory_a_label_depends_on_its_own_step(made: Tagging):
    model = made.objective.model()
    answered = made.answered(model, "test", memoryless=True)
    for batch, (labels, _) in answered:
        for k, row in enumerate(batch.rows.tolist()):
            x = made.parts["test"]["x"][row]
            for t, value in enumerate(x[:5]):
                alone = torch.as_tensor(np.asarray(value)[None, None]).to(batch.columns["x"].dtype)
                with torch.no_grad():
                    logits = model.eval()(network.read(alone, made.parts.get("forms")))
                assert labels[t, k] == logits.argmax(-1).item()


# ------------------------------------------------------------------------------------------ readers


def test_words_seen_once_are_unknown_and_capitals_are_for_the_characters(tmp_path: Path):
    x = [["The", "the", "cat"], ["THE", "dog"]] * 2 + [["once", "A"]]
    y = [["X", "Y", "X"], ["X", "Y"]] * 2 + [["X", "Y"]]
    table = Table({"x": x, "label": y}, Places.of("sentence", range(5)))
    made = task(tmp_path, {"train": table, "valid": table}, characters="on")
    reader: Words = made.reader
    assert reader.vocabulary == ("the", "cat", "dog")
    assert reader.number("THE") == reader.number("the") == 1
    assert reader.number("once") == reader.number("never") == 0
    assert reader.spelled("The") != reader.spelled("the")
    forms = made.parts["forms"]
    assert isinstance(forms["text"], Ragged)
    assert forms["text"].texts() == ["The", "the", "cat", "THE", "dog", "once", "A"]
    assert isinstance(forms["word"], np.ndarray)
    assert forms["word"].tolist() == [1, 1, 2, 1, 3, 0, 0]


def test_spelling_is_guessed_to_help_where_words_are_unknown(tmp_path: Path):
    assert not words(tmp_path).reader.characters
    known, new = sentences(30), sentences(8, 1)
    unknown = Table({"x": [[f"{w}s" for w in row] for row in new["x"]], "label": new["label"]}, new.places)
    assert task(tmp_path, {"train": known, "valid": unknown}).reader.characters


def test_a_reader_is_read_as_it_was_written(made: Tagging, tmp_path: Path):
    made.reader.save(tmp_path / "reader.json")
    assert Tagging.load_reader(tmp_path / "reader.json") == made.reader
    (tmp_path / "reader.json").write_text('{"reads": "words"}')
    with pytest.raises(RunError, match="be a readable reader of a tagger"):
        Tagging.load_reader(tmp_path / "reader.json")


def test_a_task_goes_on_from_its_files(made: Tagging, tmp_path: Path):
    made.reader.save(tmp_path / "reader.json")
    again = Tagging.reopen(made.config, tmp_path / "data.safetensors", tmp_path / "reader.json")
    model = made.objective.model()
    assert again.judge(model, "test") == made.judge(model, "test")


def test_measurements_are_normalised_by_the_train_part_or_each_by_itself(tmp_path: Path):
    reader: Frames = frames(tmp_path).reader
    values = measured(12)["x"].values  # pyright: ignore[reportAttributeAccessIssue]
    assert reader.mean == pytest.approx(np.nanmean(values, 0))
    assert reader.scale == pytest.approx(np.nanstd(values, 0))
    assert reader.missing == (1,)
    x = frames(tmp_path, normalise="sequence").parts["train"]["x"]
    assert isinstance(x, Ragged)
    for one in x:
        assert np.nanmean(one, 0) == pytest.approx(0, abs=1e-9)
        assert np.nanstd(one, 0) == pytest.approx(1)


# ---------------------------------------------------------------------------------------- baselines


def test_baselines_are_counts_and_a_regression(tmp_path: Path):
    x, y = Ragged.of([[0, 1, 1], [1, 2]]), Ragged.of([[0, 1, 0], [1, 2]])
    test = Ragged.of([[0, 1, 2, 3]])
    assert baselines.most_frequent(y, test).tolist() == [0, 0, 0, 0]
    once = np.array([True, False, True, False])
    assert baselines.by_word(x, y, test, once).tolist() == [0, 1, 2, 0]
    rows = {row.name: row.values for row in frames(tmp_path).baselines()}
    assert rows["logistic regression"]["accuracy"] > rows["the most frequent label"]["accuracy"]  # pyright: ignore


# ------------------------------------------------------------------------------------------ learning


def test_it_learns_what_each_word_and_what_came_before_say(tmp_path: Path):
    made = words(tmp_path, epochs=15.0, learning_rate=0.02, characters="on")
    learner = Learner(made.objective)
    learner.position.updates = 15 * made.objective.updates_per_epoch
    for _ in range(learner.position.updates):
        learner.step()
    assert made.judge(learner.model, "test").values["chunk_f1"] > 0.98
    assert learner.twin is not None


def test_probabilities_are_those_of_the_judgement(made: Tagging):
    model = made.objective.model().eval()
    kept = Kept(model, made.reader, made.config, {})
    raw = sentences(9, 2)["x"] if isinstance(made.reader, Words) else measured(5, 2)["x"]
    shares = using.probabilities(kept, raw)  # pyright: ignore[reportArgumentType]
    for row, of in enumerate(shares):
        with torch.no_grad():
            expected = by_itself(made, model, row)[0].softmax(-1)
        np.testing.assert_allclose(of, expected, rtol=1e-4, atol=1e-6)


def test_long_sequences_are_read_stretch_by_stretch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = frames(tmp_path)
    kept = Kept(made.objective.model().eval(), made.reader, made.config, {})
    x = measured(5, 2)["x"]
    assert isinstance(x, Ragged)
    whole = using.probabilities(kept, x)
    monkeypatch.setattr(using, "AT_ONCE", 16)
    for one, other in zip(whole, using.probabilities(kept, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    streamed = list(using.stream(kept, x[0].tolist()))
    np.testing.assert_allclose(whole[0], streamed, rtol=1e-4, atol=1e-6)
