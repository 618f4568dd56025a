"""Models with the manners of scikit-learn: made with options, fitted to data, then used.

`base` has what they share. Adding one: a module with a subclass of `Estimator`, a line in `ESTIMATORS`, its
name in `unrolled.__init__`.
"""

from pathlib import Path
from typing import Any

from unrolled import config as configs
from unrolled.estimators.base import Estimator
from unrolled.estimators.classifier import SequenceClassifier
from unrolled.estimators.forecaster import Forecaster
from unrolled.estimators.language_model import LanguageModel
from unrolled.estimators.notes import NoteModel
from unrolled.estimators.tagger import SequenceTagger
from unrolled.estimators.translator import Translator
from unrolled.training.run_folder import RunFolder

ESTIMATORS: dict[str, type[Estimator]] = {
    "classify": SequenceClassifier,
    "forecast": Forecaster,
    "lm": LanguageModel,
    "notes": NoteModel,
    "tag": SequenceTagger,
    "translate": Translator,
}
"""By the name of the task."""


def load(run: str | Path = "last") -> Any:
    """The model of a run, whatever its task, as its estimator.

    Raises:
        RunError: there is no such run, or a file of it is damaged.
    """
    return ESTIMATORS[configs.load(RunFolder.open(run).config).task].load(run)


__all__ = [
    "ESTIMATORS",
    "Estimator",
    "Forecaster",
    "LanguageModel",
    "NoteModel",
    "SequenceClassifier",
    "SequenceTagger",
    "Translator",
    "load",
]
