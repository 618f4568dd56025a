"""Music as a task: its loss and baselines beside the long way round, parts, transposition, the estimator."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone  # pyright: ignore[reportMissingTypeStubs]
from torch.distributions import Bernoulli

import unrolled
from unrolled import NoteModel
from unrolled.config import override
from unrolled.config.notes import NotesConfig
from unrolled.data.ragged import Ragged
from unrolled.errors import DataError, OptionError, RunError
from unrolled.tasks.examples import batch_of
from unrolled.tasks.notes import Keyboard, Music, shifted, values


def pieces(count: int, seed: int = 0) -> list[list[list[int]]]:
    random = np.random.default_rng(seed)
    drawn = [random.integers(40, 80, (n, 3)) for n in random.integers(4, 15, count)]
    return [[sorted({int(note) for note in step}) for step in piece] for piece in drawn]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    whole = {part: pieces(n, n) for part, n in (("train", 12), ("valid", 4), ("test", 5))}
    (tmp_path / "music.json").write_text(json.dumps(whole))
    return tmp_path / "music.json"


def music(source: Path, **fields: Any) -> Music:
    config = override(NotesConfig(), {"sources": [str(source)], "hidden": 6, "batch": 4, **fields})
    return Music.begin(config, source.with_suffix(".safetensors"))  # pyright: ignore[reportReturnType]


def ragged(made: Music, part: str, name: str) -> Ragged:
    column = made.parts[part][name]
    assert isinstance(column, Ragged)
    return column


def test_parts_are_those_that_the_file_names_and_what_follows_is_foretold(source: Path):
    made = music(source)
    assert [len(ragged(made, part, "x")) for part in ("train", "valid", "test")] == [12, 4, 5]
    first = json.loads(source.read_text())["test"][0]
    assert (np.flatnonzero(ragged(made, "test", "y")[0][0]) + 21).tolist() == first[1]
    assert len(ragged(made, "test", "x")[0]) == len(first) - 1


def test_the_loss_is_that_of_88_coins_a_step(source: Path):
    made = music(source)
    model = made.objective.model().eval()
    batch = batch_of(made.parts["test"], np.array([1, 3, 0]), "x")
    total, steps = 0.0, 0
    for row in (1, 3, 0):
        x, y = (torch.from_numpy(ragged(made, "test", name)[row].astype(np.float32)) for name in ("x", "y"))
        with torch.no_grad():
            coins = Bernoulli(logits=model(x[:, None])[:, 0])
        total -= coins.log_prob(y).sum().item()
        steps += len(x)
    assert made.loss(model, batch, None, torch.Generator()).loss.item() == pytest.approx(
        total / steps, rel=1e-5
    )


def test_what_is_judged_is_every_step_once(source: Path):
    made = music(source)
    model = made.objective.model().eval()
    score = made.judge(model, "test")
    shares, true = [], []
    for x, y in zip(ragged(made, "test", "x"), ragged(made, "test", "y"), strict=True):
        with torch.no_grad():
            shares.append(model(torch.from_numpy(x.astype(np.float32))[:, None])[:, 0].double().sigmoid())
        true.append(y > 0)
    found = values(torch.cat(shares).numpy(), np.concatenate(true))
    assert score.values == pytest.approx(found, rel=1e-4)
    assert score.loss == score.values["nats"]


def test_baselines_are_shares_of_the_train_part(source: Path):
    made = music(source)
    rows = {row.name: row.values for row in made.baselines()}
    train, test = ragged(made, "train", "y").values, ragged(made, "test", "y").values
    nats = 0.0
    for key in range(88):
        p = (train[:, key].sum() + 1) / (len(train) + 2)
        nats -= sum(np.log(p if on else 1 - p) for on in test[:, key])
    assert rows["how often each key sounds"]["nats"] == pytest.approx(nats / len(test))


def test_it_sets_out_from_how_often_each_key_sounds(source: Path):
    made = music(source)
    often = {row.name: row.values for row in made.baselines()}["how often each key sounds"]["nats"]
    model = made.objective.model()
    model.head.weight.data.zero_()
    assert made.judge(model, "test").loss == pytest.approx(often, rel=1e-5)


def test_windows_carry_the_state(source: Path):
    whole, cut = music(source), music(source, length=3)
    model = whole.objective.model().eval()
    losses, weights, carried = [], [], None
    for update in range(cut.objective.updates_per_epoch):
        batch = cut.objective.batch(update)
        step = cut.loss(model, batch, None if batch.begins else carried, torch.Generator())
        carried = step.carried
        losses.append(step.loss.item())
        weights.append(step.seen)
    assert np.average(losses, weights=weights) == pytest.approx(whole.judge(model, "train").loss, rel=1e-5)


def test_pieces_are_shifted_as_a_whole_and_lose_what_leaves_the_piano(source: Path):
    keys = torch.zeros(2, 88)
    keys[0, [0, 40, 87]] = 1
    assert shifted(keys, 2)[0].nonzero()[:, 0].tolist() == [2, 42]
    assert shifted(keys, -2)[0].nonzero()[:, 0].tolist() == [38, 85]
    assert shifted(keys, 0) is not None
    made, plain = music(source, transpose=5, length=3), music(source, length=3)
    by = []
    for update in range(3 * made.objective.updates_per_epoch):
        ours, theirs = made.objective.batch(update), plain.objective.batch(update)
        [found] = [k for k in range(-5, 6) if torch.equal(shifted(theirs.columns["x"], k), ours.columns["x"])]
        assert torch.equal(shifted(theirs.columns["y"], found), ours.columns["y"])
        if not ours.begins:
            assert found == by[-1]
        by.append(found)
    assert len(set(by)) > 3


def test_drawn_parts_where_the_file_names_none(tmp_path: Path):
    (tmp_path / "plain.json").write_text(json.dumps(pieces(20)))
    made = music(tmp_path / "plain.json")
    assert sorted(len(ragged(made, part, "x")) for part in ("train", "valid", "test")) == [2, 2, 16]


def test_it_learns_a_scale_and_knows_it_when_loaded(tmp_path: Path):
    scale = [[note] for note in (60, 62, 64, 65, 67, 69, 71, 72)]
    x = [scale[k:] + scale[:k] for k in range(8)] * 3
    model = NoteModel(hidden=24, epochs=60.0, batch=4, learning_rate=0.02).fit(x)
    assert model.predict([[[60], [62]]]) == [[[62], [64]]]
    assert model.score(x) > -3
    model.save(tmp_path / "model")
    loaded = NoteModel.load(tmp_path / "model")
    assert loaded.evaluate(x).nats == model.evaluate(x).nats
    copy: Any = clone(model)
    assert copy.get_params() == model.get_params()
    rolls = [np.eye(88, dtype=np.uint8)[[note - 21 for [note] in piece]] for piece in x]
    assert model.evaluate(rolls).nats == model.evaluate(x).nats


def test_a_run_is_judged_and_asked_from_the_command_line(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    outcome: Any = unrolled.train("notes", source, quiet=True, epochs=1.0, hidden=4)
    assert {row.name for row in outcome.rows} >= {"this model", "the same without memory"}
    own = unrolled.evaluate(outcome.run)
    (tmp_path / "test.json").write_text(json.dumps(json.loads(source.read_text())["test"]))
    assert unrolled.evaluate(outcome.run, str(tmp_path / "test.json")).nats == pytest.approx(
        own.nats, rel=1e-4
    )
    said = unrolled.predict(outcome.run, str(tmp_path / "test.json"))
    assert len(said.as_csv().splitlines()) == 1 + sum(
        map(len, json.loads((tmp_path / "test.json").read_text()))
    )
    assert len(said.as_data()) == 5
    assert unrolled.explain(outcome.run, str(tmp_path / "test.json"))["l0/h"].shape[0] > 1


def test_what_cannot_be_learned_from_is_said(tmp_path: Path):
    def message(text: str) -> str:
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(DataError) as caught:
            music(tmp_path / "a.json")
        return str(caught.value)

    assert "be lists of MIDI notes from 21 to 108; got 200" in message("[[[60], [200]]]")
    assert "piece 1 must have at least 2 steps, one to foresee; got 1" in message(
        "[[[60]]" + ", [[60], [61]]" * 3 + ", [[62], [61]]]"
    )
    assert "hold pieces of music; got other JSON" in message('[{"a": 1}]')
    with pytest.raises(OptionError, match="what comes next would be read"):
        NoteModel(bidirectional=True)
    with pytest.raises(DataError, match="be pieces of music"):
        NoteModel().fit(["song"])
    (tmp_path / "reader.json").write_text("{}")
    with pytest.raises(RunError, match="say which keys are read"):
        Keyboard.load(tmp_path / "reader.json")
