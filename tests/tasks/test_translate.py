"""The task from a file to a judged model: it learns, is judged, says what is worst, and is kept."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unrolled import config as configs
from unrolled.config import TranslateConfig
from unrolled.data.ragged import Ragged
from unrolled.report.training import Display
from unrolled.tasks.base import Kept, never
from unrolled.tasks.examples import batch_of
from unrolled.tasks.translate import Translating, translated
from unrolled.tracing import figures
from unrolled.training import keeping, trainer, trial
from unrolled.training.run_folder import RunFolder

WORDS = ("red", "green", "blue", "old", "new", "big", "house", "car", "dog", "bird")
OTHERS = ("rot", "grün", "blau", "alt", "neu", "groß", "haus", "auto", "hund", "vogel")


def pairs(count: int) -> dict[str, str]:
    """Sentences of two to five words, whose translation has their words in the opposite order."""
    draw, found = random.Random(0), dict[str, str]()
    while len(found) < count:
        of = [draw.randrange(len(WORDS)) for _ in range(draw.randrange(2, 6))]
        found[" ".join(WORDS[k] for k in of) + "."] = " ".join(OTHERS[k] for k in reversed(of)) + " !"
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs(700).items()))
    return str(path)


def config(source: str, **fields: Any) -> TranslateConfig:
    learned: dict[str, Any] = {"hidden": 48, "batch": 16, "epochs": 12.0, "learning_rate": 0.01, "seed": 1}
    return TranslateConfig(sources=(source,), **learned | fields)


@pytest.fixture(scope="module")
def run(source: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, trainer.Outcome]:
    of = config(source)
    folder = RunFolder.create(configs.dumps(of), "pairs", tmp_path_factory.mktemp("runs"))
    return folder, trainer.train(of, folder)


def test_it_learns_what_needs_memory_and_says_what_nothing_else_can(
    run: tuple[RunFolder, trainer.Outcome],
) -> None:
    rows = {row.name: row.values for row in run[1].rows}
    others = {"the nearest known text", "word by word", "the source as it is"}
    assert set(rows) == {"this model", "the same without memory", *others}
    bleu = {name: values["bleu"] or 0.0 for name, values in rows.items()}
    assert bleu.pop("this model") > 90
    assert max(bleu.values()) < 60
    assert (rows["this model"]["exact"] or 0) > 0.8
    card = run[0].card.read_text()
    assert "BLEU" in card
    assert "encoder and decoder" in card


def test_what_is_kept_translates_as_the_task_judged(run: tuple[RunFolder, trainer.Outcome]) -> None:
    folder, outcome = run
    kept = keeping.load(folder)
    assert translated(kept, ["old red dog."]) == ["hund rot alt !"]
    task: Any = Translating.reopen(kept.config, folder.data, folder.path / Translating.READER)
    assert task.judge(kept.model, "test").values == pytest.approx(outcome.rows[0].values)
    assert json.loads(folder.config_json.read_text())["model_type"] == "unrolled-translate"
    report = json.loads(folder.data_report.read_text())
    assert report["parts"]["train"]["rows"] == 560
    assert report["unknown"]["test"] == {"source": 0, "target": 0}


def test_mistakes_are_wrong_and_the_worst_first(source: str, tmp_path: Path) -> None:
    task: Any = Translating.begin(config(source, judged=10), tmp_path / "data.safetensors")
    found = task.mistakes(task.objective.model(), most=4)
    assert len(found) == 4
    assert [one.score for one in found] == sorted(one.score for one in found)
    assert all(one.said not in one.references for one in found)
    assert all(pairs(700)[one.source] == one.references[0] for one in found)


def test_the_held_out_part_is_judged_by_as_many_as_are_asked_for(source: str, tmp_path: Path) -> None:
    task: Any = Translating.begin(config(source, judged=10), tmp_path / "data.safetensors")
    model = task.objective.model()
    few, every = task._judged("valid"), task._judged("test")
    assert (len(set(few)), few[0], few[-1]) == (10, 0, 69)
    assert every == list(range(70))
    score = task.judge(model, "valid", never)
    whole = batch_of(task.parts["valid"], np.arange(70), "x")
    with torch.no_grad():
        expected = task.loss(model.eval(), whole, None, torch.Generator()).loss
    assert score.loss == pytest.approx(float(expected), rel=1e-5)
    assert score.criterion == pytest.approx(1e-4 * score.loss - score.values["bleu"])
    by_loss = Translating.begin(config(source, judged=10, choose="loss"), tmp_path / "data.safetensors")
    assert by_loss.judge(model, "valid").criterion == score.loss


def test_what_the_decoder_is_told_falls_as_the_schedule_says(source: str, tmp_path: Path) -> None:
    of = config(source, teaching="linear", teacher=0.5, teaching_pace=10.0, epochs=0.5, memoryless=True)
    task: Any = Translating.begin(of, tmp_path / "data.safetensors")
    told = [float(task.objective.batch(update).columns["teacher"]) for update in (0, 2, 5, 50)]
    assert told == pytest.approx([1.0, 0.8, 0.5, 0.5])
    outcome = trainer.train(of)
    assert outcome.finished
    assert outcome.updates == 18


def test_training_that_is_stopped_and_resumed_is_the_same(source: str, tmp_path: Path) -> None:
    of = config(
        source, epochs=2.0, dropout_output=0.2, evaluate_every=10, memoryless=False, attention="additive"
    )
    whole = trainer.train(of, RunFolder.create(configs.dumps(of), "whole", tmp_path))

    class StoppedError(Exception):
        pass

    class Stopping(Display):
        def evaluation(self, e: Any) -> None:
            if e.update == 30:
                raise StoppedError

    folder = RunFolder.create(configs.dumps(of), "stopped", tmp_path)
    with pytest.raises(StoppedError):
        trainer.train(configs.override(of, {"checkpoint_every": 1e-6}), folder, Stopping(quiet=True))
    resumed = trainer.resume(folder)
    assert resumed.rows[0].values == whole.rows[0].values
    assert resumed.valid_loss == whole.valid_loss


@pytest.mark.parametrize(
    "fields",
    [
        {"tokens": "char", "cell": "lstm", "attention": "none", "bidirectional": False},
        {"tokens": "bpe", "vocabulary": 300, "shared": True, "tied": True, "layers": 2, "cell": "rnn"},
        {"target_tokens": "char", "lower": True, "attention": "additive", "beam": 1, "metric": "exact"},
    ],
)
def test_a_dry_run_goes_through_all(source: str, fields: dict[str, Any]) -> None:
    assert trial.dry_run(config(source, **fields), Display(quiet=True)).updates == 4


def test_a_batch_is_learned_by_heart(source: str) -> None:
    assert trial.overfit(config(source, smoothing=0.0), Display(quiet=True)).loss < 0.05


def test_gradients_are_looked_at_on_pairs_without_padding(source: str, tmp_path: Path) -> None:
    task: Any = Translating.begin(config(source, layers=2), tmp_path / "data.safetensors")
    model, watched = task.objective.model(), task.watched()
    assert watched
    assert set(figures(model, *watched)) == {"l0", "l0.reverse", "l1", "l1.reverse", "l2", "l3"}


def test_the_box_tells_of_the_pairs_and_the_judge(source: str, tmp_path: Path) -> None:
    task: Any = Translating.begin(config(source), tmp_path / "data.safetensors")
    facts = dict(task.about(task.objective.model()))
    assert facts["split"] == "560 pairs to learn from, 70 to choose the best weights, 70 to judge"
    assert facts["judged by"].startswith("bleu; BLEU as nrefs:1|case:mixed|")
    assert task.memory(task.objective.model()) > 4 * 560


def test_a_kept_model_of_no_training_is_described(source: str, tmp_path: Path) -> None:
    task: Any = Translating.begin(config(source), tmp_path / "data.safetensors")
    kept = Kept(task.objective.model(), task.reader, task.config, {})
    assert dict(Translating.described(kept))["tokens"] == "word: 14 and 14"
    assert isinstance(task.parts["train"]["y"], Ragged)
