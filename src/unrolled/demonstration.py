"""A language model of Python's own manual, which is on every machine that has Python."""

from __future__ import annotations

from pydoc_data.topics import topics

from unrolled import config as configs
from unrolled import storage
from unrolled.config import LanguageModelConfig
from unrolled.errors import OptionError
from unrolled.report.training import Display
from unrolled.tasks import sampling
from unrolled.training import keeping, room, trainer
from unrolled.training.run_folder import RunFolder, parent_folder, run_name
from unrolled.training.trainer import Outcome

PROMPT = "The "
"""What the sample at the end begins with."""


def manual() -> str:
    """The topics of ``pydoc`` as one text, by name.

    Topics repeat one another. Every paragraph is taken once, so that what is judged has not been learned.
    """
    paragraphs = "\n\n".join(topics[name] for name in sorted(topics)).split("\n\n")
    return "\n\n".join(dict.fromkeys(paragraphs))


def config(seconds: float, seed: int) -> LanguageModelConfig:
    """What does best on so small a text in so little time, of what was tried.

    Raises:
        OptionError: ``seconds`` is not above 0.
    """
    if not seconds > 0:
        raise OptionError("demo: seconds", "be above 0", seconds, "120 beats every baseline on two cores.")
    return LanguageModelConfig(
        cell="gru",
        hidden=256,
        batch=16,
        length=100,
        learning_rate=4e-3,
        dropout_output=0.2,
        average=0.99,
        budget=float(seconds),
        seed=seed,
    )


def run(seconds: float, seed: int, display: Display) -> Outcome:
    """Trains on the manual for about ``seconds``, in a run of its own, and ends with a sample of its writing.

    Raises:
        OptionError: ``seconds`` is not above 0.
        StorageError: the disk is full.
        UnavailableError: the memory is too small.
    """
    name = run_name("lm", "python-manual.txt")
    text = parent_folder() / name / "python-manual.txt"
    chosen = configs.override(config(seconds, seed), {"sources": [str(text)]})
    folder = RunFolder.create(configs.dumps(chosen), name)
    with room.enough_memory("demo"):
        try:
            storage.write(text, manual())
            outcome = trainer.train(chosen, folder, display)
        except BaseException:
            folder.discard()  # keeps what can be resumed or used
            raise
        if outcome.finished:
            kept = keeping.load(folder)
            choice = sampling.Choice(temperature=0.6)
            pieces = sampling.text(kept.model, kept.reader, PROMPT, choice, 600, seed)
            display.sample(PROMPT + "".join(pieces), always=True)
    return outcome
