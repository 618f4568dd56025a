"""Training from a text to a result: what is kept, what is judged, and that going on leaves no trace."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unrolled import config as configs
from unrolled.config import LanguageModelConfig, override
from unrolled.data import Corpus
from unrolled.errors import DataError, NonFiniteError, RunError, StorageError, UnavailableError
from unrolled.report.training import Display
from unrolled.tasks import lm
from unrolled.training import checkpoint, keeping, trial
from unrolled.training import trainer as trainers
from unrolled.training.journal import Journal
from unrolled.training.learner import Learner
from unrolled.training.loop import Loop
from unrolled.training.run_folder import RunFolder
from unrolled.wirings import TokenModel

SMALL = LanguageModelConfig(hidden=16, batch=4, length=16, epochs=2.0, evaluate_every=7, sample=20)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A text with something to learn: words in a random order."""
    random = np.random.default_rng(0)
    words = random.choice(["sea", "wind", "sail", "harbour", "gull"], 900)
    path = tmp_path / "sea.txt"
    path.write_text(" ".join(words.tolist()))
    return path


def created(tmp_path: Path, text: Path, name: str, **fields: str) -> tuple[LanguageModelConfig, RunFolder]:
    config = override(SMALL, {"sources": str(text), **fields})
    return config, RunFolder.create(configs.dumps(config), name, tmp_path / "runs")


def rows(folder: RunFolder) -> list[dict[str, Any]]:
    """The journal without its clock."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in folder.journal.rows()]


def stopped_at(update: int, which: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends this process a signal in the middle of an update."""
    step = Learner.step

    def interrupted(self: Learner[Any]) -> object:
        if self.position.update == update - 1 and self.position.updates < 10**9:  # not the trial
            os.kill(os.getpid(), which)
        return step(self)

    monkeypatch.setattr(Learner, "step", interrupted)


def test_a_training_leaves_a_whole_run_and_beats_what_has_no_memory(tmp_path: Path, text: Path) -> None:
    config, folder = created(tmp_path, text, "whole", epochs="12", learning_rate="1e-2")
    outcome = trainers.train(config, folder)
    assert outcome.finished
    names = {row.name: row.values["bits_per_character"] or 0.0 for row in outcome.rows}
    model = names["this model"]
    assert model < names["the same without memory"] < names["guessing"]
    assert model < names["frequencies alone"]
    kept = keeping.load(folder)
    corpus = Corpus.open(folder.data)
    assert lm.judge(kept.model, corpus.test) == outcome.rows[0].values["nats"]
    losses = [row["valid_loss"] for row in rows(folder) if "valid_loss" in row]
    assert kept.facts["valid_loss"] == outcome.valid_loss == min(losses)
    seen = [row["figures"]["l0"] for row in rows(folder) if "figures" in row]
    assert len(seen) == len(losses)
    assert seen[0] != seen[-1]
    assert {"half_life", "reach", "saturated", "signal", "dead"} <= seen[0].keys()
    card = folder.card.read_text()
    assert f"{model:.4f}" in card
    assert "needed" not in card.lower()
    assert json.loads(folder.config_json.read_text())["hidden"] == 16
    report = json.loads(folder.data_report.read_text())
    assert report["parts"]["test"]["tokens"] == len(corpus.test)
    assert report["sources"][0]["name"].endswith("sea.txt")
    found = {str(file.relative_to(folder.path)) for file in folder.path.rglob("*") if file.is_file()}
    assert found == {
        "README.md", "config.json", "config.toml", "data.safetensors", "data_report.json", "env.json",
        "memoryless.safetensors", "metrics.jsonl", "model.safetensors", "result.json", "tokenizer.json",
        "report.html", "figures/loss.svg", "last/checkpoint.safetensors",
    } | {name for name in found if name == "last/previous.safetensors"}  # fmt: skip
    page = folder.report.read_text()
    assert all(f"{row.values['bits_per_character']:.3f}" in page for row in outcome.rows)


@pytest.mark.parametrize("update", [4, 21, 24])  # before the first evaluation, at one, between two
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_what_was_stopped_goes_on_as_if_it_had_not_been(
    tmp_path: Path, text: Path, which: signal.Signals, update: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"dropout_output": "0.2", "average": "0.9", "checkpoint_every": "1000"}
    config, never = created(tmp_path, text, "never", **fields)
    trainers.train(config, never)
    config, stopped = created(tmp_path, text, "stopped", **fields)
    with monkeypatch.context() as patched:
        stopped_at(update, which, patched)
        outcome = trainers.train(config, stopped)
    assert (outcome.finished, outcome.updates) == (False, update)
    assert not stopped.finished
    if which == signal.SIGINT:  # it is evaluated, and usable, where it stands
        assert keeping.load(stopped).facts["update"] == update
        last = rows(stopped)[-1]
        assert (last["update"], last["valid_loss"]) == (update, keeping.load(stopped).facts["valid_loss"])
        assert last.get("passing", False) == (update != 21)  # at 21 it is evaluated anyway
        assert f"not at its end; weights of update {update}, held-out loss" in stopped.card.read_text()
    outcome = trainers.resume(stopped)
    assert outcome.finished
    whole = checkpoint.read_newest(never.last, never.covers_with_data)
    again = checkpoint.read_newest(stopped.last, stopped.covers_with_data)
    assert whole.tensors.keys() == again.tensors.keys()
    for name, tensor in whole.tensors.items():
        assert torch.equal(tensor, again.tensors[name]), name
    assert rows(never) == rows(stopped)
    for name in ("model.safetensors", "memoryless.safetensors"):
        mine, other = (checkpoint.read(run.path / name, run.covers) for run in (stopped, never))
        assert mine.facts == other.facts
        assert all(torch.equal(weight, other.tensors[key]) for key, weight in mine.tensors.items())


def test_a_finished_training_is_judged_again_by_resume(tmp_path: Path, text: Path) -> None:
    config, folder = created(tmp_path, text, "done")
    first = trainers.train(config, folder)
    again = trainers.resume(folder)
    assert (again.updates, again.rows) == (first.updates, first.rows)


def test_the_judged_text_chooses_nothing(tmp_path: Path, text: Path) -> None:
    """With another judged text, the training is the same to the bit."""
    weights = []
    for name, words in (("a", "sail wind gull sea "), ("b", "harbour ")):
        test = tmp_path / f"{name}.txt"
        test.write_text(words * 40)
        config, folder = created(tmp_path, text, name, test_sources=str(test))
        trainers.train(config, folder)
        weights.append(checkpoint.read(folder.model, folder.covers).tensors)
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name])


def test_it_stops_early_where_nothing_gets_better(tmp_path: Path, text: Path) -> None:
    config, folder = created(tmp_path, text, "patient", patience="3", learning_rate="1e-12", epochs="50")
    outcome = trainers.train(config, folder)
    assert "no better for 3 evaluations" in outcome.reason
    assert outcome.updates < 50 * 60


def test_a_budget_ends_a_training(tmp_path: Path, text: Path) -> None:
    config, folder = created(tmp_path, text, "brief", budget="1.5")
    outcome = trainers.train(config, folder)
    assert outcome.finished
    assert 1.0 < outcome.seconds < 6.0
    assert outcome.rows


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_no_number_ends_the_training_and_leaves_the_best(
    tmp_path: Path, text: Path, what: str
) -> None:
    config, folder = created(
        tmp_path,
        text,
        "wild",
        optimiser="sgd",
        clip="0",
        learning_rate="0.1",
        cell="rnn",
        schedule="constant",
    )
    with trainers.begun(config, folder) as trainer:
        loop = Loop(trainer.learner, trainer.task, trainer.keeping, Display(quiet=True))
        step = trainer.learner.step

        def spoil() -> object:
            if trainer.learner.position.update == 10:
                bias = trainer.learner.model.head.bias
                if what == "loss":
                    bias.data.fill_(torch.nan)
                else:
                    bias.register_hook(lambda gradient: gradient / 0)
            return step()

        trainer.learner.step = spoil  # type: ignore[method-assign]
        with pytest.raises(NonFiniteError, match=r"smaller learning rate .*clip the gradient"):
            loop.run()
    kept = keeping.load(folder)
    assert kept.facts["update"] == 7
    assert all(weight.isfinite().all() for weight in kept.model.parameters())
    last = checkpoint.read_newest(folder.last, folder.covers_with_data).tensors
    assert all(tensor.isfinite().all() for tensor in last.values() if tensor.is_floating_point())


@pytest.mark.parametrize(("contents", "error"), [("", DataError), ("ab", DataError)])
def test_what_cannot_begin_leaves_nothing(tmp_path: Path, contents: str, error: type[Exception]) -> None:
    short = tmp_path / "short.txt"
    short.write_text(contents)
    config, folder = created(tmp_path, short, "none")
    with pytest.raises(error):
        trainers.train(config, folder)
    assert not folder.path.exists()


def test_a_changed_vocabulary_or_text_is_refused(tmp_path: Path, text: Path) -> None:
    config, folder = created(tmp_path, text, "changed")
    trainers.train(config, folder)
    data = bytearray(folder.data.read_bytes())
    data[-5] ^= 1
    folder.data.write_bytes(data)
    with pytest.raises(RunError, match=r"data\.safetensors"):
        trainers.resume(folder)
    vocabulary = folder.tokenizer.read_text()
    folder.tokenizer.write_text(vocabulary.replace("w", "W"))
    with pytest.raises(RunError, match=r"tokenizer\.json"):
        keeping.load(folder)


def test_the_memoryless_twin_sees_the_same_windows(tmp_path: Path, text: Path) -> None:
    """It is trained by as many updates as the model, from the same first weights."""
    config, _ = created(tmp_path, text, "twin")
    with trainers.begun(config, None) as trainer:
        learner: Learner[TokenModel] = trainer.learner
        assert learner.twin
        pairs = zip(learner.model.parameters(), learner.twin.model.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        trainer.run(Display(quiet=True))
        steps = learner.twin.optimiser.state_dict()["state"][0]["step"]
        assert steps == learner.position.update


def test_what_cannot_fit_is_refused_before_it_is_begun(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder = created(tmp_path, text, "huge")
    monkeypatch.setattr(lm, "memory", lambda *_: 10**15)
    with pytest.raises(UnavailableError, match=r"1,000,000\.0 GB where the machine has .*fewer --hidden"):
        trainers.train(config, folder)
    assert not folder.path.exists()


def test_an_evaluation_that_sigterm_cuts_short_is_made_up_for(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, never = created(tmp_path, text, "never")
    trainers.train(config, never)
    config, stopped = created(tmp_path, text, "stopped")
    judge, judged = lm.judge, [0]

    def terminated(*given: Any) -> float:
        judged[0] += 1
        if judged[0] == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return judge(*given)

    monkeypatch.setattr(lm, "judge", terminated)
    outcome = trainers.train(config, stopped)
    assert (outcome.finished, outcome.updates) == (False, 21)
    assert len([row for row in rows(stopped) if "valid_loss" in row]) == 2
    trainers.resume(stopped)
    assert rows(never) == rows(stopped)


def test_a_full_disk_says_how_to_go_on(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, folder = created(tmp_path, text, "full")
    append, rows_written = Journal.append, [0]

    def full(self: Journal, row: Any) -> None:
        rows_written[0] += 1
        if rows_written[0] == 5:
            raise StorageError("metrics.jsonl", "be written", "No space left on device", "Free some room.")
        append(self, row)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", full)
        with pytest.raises(StorageError, match=r"Free some room\. Then: unrolled resume full"):
            trainers.train(config, folder)
    assert trainers.resume(folder).finished


def test_a_last_evaluation_that_sigterm_cuts_short_ends_nothing(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not judged is not finished: `resume` judges it."""
    config, never = created(tmp_path, text, "never")
    whole = trainers.train(config, never)
    config, stopped = created(tmp_path, text, "stopped")
    judge = lm.judge
    last = len([row for row in rows(never) if "valid_loss" in row])
    judged = [0]

    def terminated(*given: Any) -> float:
        judged[0] += 1
        if judged[0] == last:
            os.kill(os.getpid(), signal.SIGTERM)
        return judge(*given)

    with monkeypatch.context() as patched:
        patched.setattr(lm, "judge", terminated)
        outcome = trainers.train(config, stopped)
    assert not outcome.finished
    assert not stopped.finished
    again = trainers.resume(stopped)
    assert (again.finished, again.rows, again.best_update) == (True, whole.rows, whole.best_update)
    assert rows(never) == rows(stopped)


def test_with_an_average_both_networks_have_one(tmp_path: Path, text: Path) -> None:
    config, _ = created(tmp_path, text, "average", average="0.9")
    with trainers.begun(config, None) as trainer:
        twin = trainer.learner.twin
        assert twin
        assert twin.judged is not twin.model
        trainer.run(Display(quiet=True))
        assert not torch.equal(twin.judged.head.weight, twin.model.head.weight)


def test_the_twin_changes_nothing_of_the_model(tmp_path: Path, text: Path) -> None:
    weights = []
    for name in ("on", "off"):
        config, folder = created(tmp_path, text, name, memoryless=name, dropout_output="0.3")
        trainers.train(config, folder)
        weights.append(checkpoint.read(folder.model, folder.covers).tensors)
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


def test_a_text_to_learn_from_is_not_judged(tmp_path: Path, text: Path) -> None:
    copy = tmp_path / "copy.txt"
    copy.write_text(text.read_text())
    config, folder = created(tmp_path, text, "leak", test_sources=str(copy))
    with pytest.raises(DataError, match=r"copy\.txt must not be among the test texts and the train texts"):
        trainers.train(config, folder)


def test_resuming_what_cannot_begin_keeps_the_run(tmp_path: Path, text: Path) -> None:
    _, folder = created(tmp_path, text, "early")
    text.unlink()
    with pytest.raises(DataError):
        trainers.resume(folder)
    assert folder.config.exists()


def test_threads_are_given_back(tmp_path: Path, text: Path) -> None:
    before = torch.get_num_threads()
    config, folder = created(tmp_path, text, "threads", threads=str(before + 1), epochs="0.1")
    trainers.train(config, folder)
    assert torch.get_num_threads() == before


def test_a_dry_run_is_short_with_a_budget_too(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = created(tmp_path, text, "dry", budget="600")
    judge, judged = lm.judge, list[int]()

    def counted(model: TokenModel, ids: Any, *rest: Any) -> float:
        judged.append(len(ids))
        return judge(model, ids, *rest)

    monkeypatch.setattr(lm, "judge", counted)
    monkeypatch.setattr(trial, "DRY_TOKENS", 100)
    assert trial.dry_run(config, Display(quiet=True)).updates == trial.DRY_UPDATES
    assert judged == [100, 100]
