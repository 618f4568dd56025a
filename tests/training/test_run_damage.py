"""A bit flipped anywhere in a trained run: refused by the file's name, noted, or without any effect."""

import contextlib
import logging
import os
import random
from pathlib import Path

import pytest
from torch import Tensor

from tests.training.runs import files, same
from tests.training.trainer import Trainer
from unrolled.errors import RunError, UnrolledError, note
from unrolled.estimators import LanguageModel
from unrolled.report.training import Display
from unrolled.tasks.language_model import LanguageModelling
from unrolled.training import checkpoint, keeping
from unrolled.training import trainer as trainers
from unrolled.training.run_folder import RunFolder

FLIPS = 10 * int(os.environ.get("UNROLLED_KILLS", "5"))
UNREAD = {"README.md", "config.json", "data_report.json", "env.json", "report.html", "loss.svg"}
"""What is written for people and other programs; this one never reads it."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return Trainer(tmp_path_factory.mktemp("trained")).finish("run", 0)


@pytest.fixture
def resumed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """`resume` ends where it would go on training, and gives what it would train."""

    def itself(self: trainers.Trainer, _: Display) -> trainers.Trainer:
        return self

    monkeypatch.setattr(trainers.Trainer, "run", itself)


def everything(run: RunFolder) -> tuple[dict[str, Tensor], object]:
    """All that a run is ever read for: the model in use, how good it is, the training to go on with."""
    kept, judged = keeping.load(run), LanguageModel.load(run.path).evaluate_sources((), run)
    trainer = trainers.resume(run)
    assert isinstance(trainer, trainers.Trainer)
    other = checkpoint.read(run.path / keeping.MEMORYLESS, run.covers)
    tensors = {f"best.{name}": weight for name, weight in keeping.weights_of(kept.model).items()}
    tensors |= {f"last.{name}": tensor.clone() for name, tensor in trainer.learner.tensors().items()}
    tensors |= {f"other.{name}": tensor for name, tensor in other.tensors.items()}
    assert isinstance(trainer.task, LanguageModelling)
    corpus = trainer.task.corpus
    ids = [corpus.part(part).tolist() for part in ("train", "valid", "test")]
    facts = kept.facts, other.facts, trainer.learner.facts(), corpus.characters, run.read_result()
    return tensors, (kept.config, kept.reader.vocabulary, ids, facts, run.journal.rows(), judged)


def flip(path: Path, draw: random.Random) -> None:
    contents = bytearray(path.read_bytes())
    contents[draw.randrange(len(contents))] ^= 1 << draw.randrange(8)
    path.write_bytes(contents)


def test_a_flipped_bit_beside_the_tokens_is_never_judged_in_silence(run: RunFolder):
    """Every bit of how many characters each part has, and of where the judged one lies."""
    good = run.data.read_bytes()
    model = LanguageModel.load(run.path)
    whole = model.evaluate_sources((), run)
    for begin in (good.index(b'"characters"'), good.index(b'"test": {')):
        for place in range(begin, good.index(b"}", begin)):
            for bit in range(8):
                run.data.write_bytes(good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :])
                found: object = None
                with contextlib.suppress(RunError):
                    found = model.evaluate_sources((), run)
                assert found in (None, whole), good[begin : place + 1]
    run.data.write_bytes(good)


@pytest.mark.usefixtures("resumed_only")
def test_a_flipped_bit_is_never_loaded_in_silence(run: RunFolder, caplog: pytest.LogCaptureFixture):
    good = {path: path.read_bytes() for path in files(run)}
    tensors, rest = everything(run)
    draw = random.Random(0)
    for _ in range(FLIPS):
        path = draw.choice(list(good))
        flip(path, draw)
        note.cache_clear()
        caplog.clear()
        try:
            with caplog.at_level(logging.WARNING):
                found, others = everything(run)
        except UnrolledError as error:
            words = str(error)
        else:
            words = caplog.text
            assert path.name == checkpoint.NEWEST or (same(found, tensors) and others == rest)
        assert path.name in words or path.name in {*UNREAD, checkpoint.PREVIOUS}, f"{path.name} was loaded"
        for file, contents in good.items():  # with the checkpoint before, the journal was cut
            file.write_bytes(contents)
