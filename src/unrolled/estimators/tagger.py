"""A tagger of words, or of frames of measurements, as an estimator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self, final

import numpy as np
import torch
from msgspec import structs
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax

from unrolled.data import given
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Places, Table
from unrolled.errors import DataError
from unrolled.estimators.base import Estimator
from unrolled.report.tags import Coming, Report, Tags
from unrolled.tasks.tag import Judged, Tagging, judging, lines, sources, using
from unrolled.tasks.tag.sources import Columns
from unrolled.tasks.tag.words import Words, sentences
from unrolled.traces import Trace
from unrolled.tracing import Course
from unrolled.training.run_folder import RunFolder

EXPLAINED = 10_000
"""Steps of a sequence that is explained at most: all that is computed at each is kept."""


@final
class SequenceTagger(Estimator):
    """Gives a label to every word of a sentence, or to every frame of a sequence of measurements.

    The options are the fields of `unrolled.config.TagConfig`. X is a list of lists of words; or of arrays
    ``[T]`` or ``[T, I]``, whose T may differ; or an array or a tensor ``[E, T]`` or ``[E, T, I]``. A share
    ``valid`` of it chooses the best weights; nothing is kept aside to be judged.

    Attributes:
        classes_: the labels that are known, in the order of the probabilities, ``[K]``.

    Raises:
        OptionError: a field that does not exist, or a value that cannot be.

    Example:
        >>> said = [["I", "saw", "a", "saw"], ["you", "saw", "it"], ["a", "saw"], ["I", "saw", "you"]] * 8
        >>> labels = [["P", "V", "D", "N"], ["P", "V", "P"], ["D", "N"], ["P", "V", "P"]] * 8
        >>> tagger = SequenceTagger(hidden=16, epochs=20.0, batch=4, learning_rate=0.02)
        >>> tagger.fit(said, labels).predict([["you", "saw", "a", "saw"]])
        [array(['P', 'V', 'D', 'N'], dtype='<U1')]
    """

    TASK: ClassVar[str] = "tag"

    def fit(self, X: Any, y: Any, *, verbose: bool = False) -> Self:
        """Learns from sentences or sequences and the label of every step.

        Shapes:
            X: E of them; y: for each as many labels as it has steps.

        Raises:
            DataError: more or fewer labels than steps, a step without one, only one label, a sequence without
                steps, a number that is infinite.
            DtypeError, ShapeError: no words and no numbers, or steps of different shapes.
            NonFiniteError: the loss is no number any more.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; what was best until then can be used, if there was time
                to judge any.
        """
        # nothing is judged, so there is nothing to compare with a twin without memory
        return self._fit(structs.replace(self.config, memoryless=False), {"train": _table(X, y)}, verbose)

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels that are known."""
        return np.array(self._fitted().reader.labels)

    def predict_proba(self, X: Any) -> list[NDArray[np.float32]]:
        """The probability of each label of `classes_` at every step of each, ``[T, K]``.

        Raises:
            DataError: what is not as what was learned from.
        """
        return using.probabilities(self._fitted(), self._steps(_steps(X)))

    def predict(self, X: Any) -> list[NDArray[Any]]:
        """The likeliest label of every step of each, ``[T]``.

        Raises:
            DataError: what is not as what was learned from.
        """
        return [self.classes_[shares.argmax(1)] for shares in self.predict_proba(X)]

    def evaluate(self, X: Any, y: Any) -> Judged:
        """What the labels of these are worth: chunks, accuracy, F1, which is taken for which, mistakes.

        Raises:
            DataError: a label that was never seen, or more or fewer of them than steps.
        """
        table = _table(X, y)
        kind = "frames" if isinstance(table["x"], Ragged) else "words"
        return self._judged(sources.labelled(table, Columns(kind, words="x", label="label")))

    def score(self, X: Any, y: Any) -> float:
        """The measure that counts first: of chunks their F1, else the accuracy; or what ``metric`` names.

        Raises:
            DataError: as `evaluate`.
        """
        values, metric = self.evaluate(X, y).values(), self._fitted().config.metric
        return values.get("chunk_f1", values["accuracy"]) if metric == "guess" else values[metric]

    def stream(self, frames: Iterable[Sequence[float]]) -> Iterator[NDArray[np.float32]]:
        """How likely each label is, ``[K]``, frame by frame as they come, in constant memory.

        Raises:
            OptionError: the network reads words, or needs the frames that come after.
        """
        return using.stream(self._fitted(), frames)

    def explain(self, x: Any) -> Trace:
        """All that is computed over one sentence or sequence, and back from -log p of its likeliest labels.

        Raises:
            DataError: what is not as what was learned from, or of more than `EXPLAINED` steps.
        """
        return self._explained(_steps([x]))

    def evaluate_sources(self, sources: Sequence[str], run: RunFolder, **options: Any) -> Report:
        """Judges files; without any, what the run was judged on.

        Raises:
            DataError: steps without a label, labels that were never seen, or else not as in training.
        """
        self._without("evaluate", options)
        kept = self._fitted()
        if not sources:
            task: Any = Tagging.reopen(kept.config, run.data, run.path / Tagging.READER)
            return Report("what the run was judged on", task.judged(kept.model))
        return Report(" ".join(sources), self._judged(lines.labelled(kept, sources)))

    def predict_source(self, source: str, **options: Any) -> Tags | Coming:
        """The labels of a file's sentences or frames, of lines of words, or of the words themselves.

        Frames from standard input are labelled as they come, in constant memory, by a network that reads in
        one direction.

        Raises:
            DataError: what is not as what was learned from; names the row.
        """
        self._without("predict", options)
        kept = self._fitted()
        if source == "-" and lines.can_stream(kept):
            return Coming(kept.reader.labels, using.stream(kept, lines.frames(kept)))
        x = lines.steps(kept, source)
        shares = using.probabilities(kept, x)
        return Tags(kept.reader.labels, shares, None if isinstance(x, Ragged) else x)

    def explain_source(self, source: str) -> Trace:
        """The trace of the first sentence or sequence of a file, or of the words themselves.

        Raises:
            DataError: what is not as what was learned from.
        """
        return self._explained(lines.steps(self._fitted(), source)[:1])

    def _steps(self, x: list[list[str]] | Ragged) -> list[list[str]] | Ragged:
        """The sentences or sequences, if they are what the model reads.

        Raises:
            DataError: words for frames or the other way, another number of features, or none at all.
        """
        return lines.checked(self._fitted().reader, x)

    def _judged(self, table: Table) -> Judged:
        kept = self._fitted()
        labels = sources.labels_of(table)
        unit = "word" if isinstance(kept.reader, Words) else "frame"
        places = [
            f"{table.where(row)}, {unit} {k + 1}" for row, ours in enumerate(labels) for k in range(len(ours))
        ]
        y = kept.reader.classes.numbers([label for ours in labels for label in ours], places)
        x = table["x"]
        x = x if isinstance(x, Ragged) else sentences(table)
        shares = using.probabilities(kept, self._steps(x))
        starts = np.append(0, np.cumsum([len(ours) for ours in labels]))
        words = None if isinstance(x, Ragged) else x
        return judging.judge(kept.reader.classes, Ragged(y, starts), shares, table.where, words)

    def _explained(self, x: list[list[str]] | Ragged) -> Trace:
        kept = self._fitted()
        x = self._steps(x)
        if len(x[0]) > EXPLAINED:
            rule, fix = f"have at most {EXPLAINED:,} steps to be explained", "Give a part of it."
            raise DataError("the sequence", rule, f"{len(x[0]):,}", fix)
        batch, model = using.one(kept, x), kept.model
        named = not isinstance(x, Ragged)
        names = list(x[0]) if named else list(map(str, range(len(x[0]))))
        spelled = not isinstance(batch, Tensor)
        with torch.no_grad():
            vectors = model.inputs(batch) if spelled else None
        read = {"ids": batch} if isinstance(batch, Tensor) and not batch.is_floating_point() else {}

        def course() -> Course:
            y = model(batch) if vectors is None else model.head(model.layers(vectors)[0])
            log_p = log_softmax(y, -1)
            loss_t = -log_p.amax(-1)
            return Course(y, loss_t.mean(), [y], extra={**read, "p": log_p.exp(), "loss_t": loss_t})

        about = {
            "tokens": [names],
            "between": " " if named else None,
            "outputs": list(map(str, kept.reader.labels)),
        }
        traced = self._traced(course, len(x[0]), **about)
        if spelled:
            why = "its steps are characters, and not the words that are labelled"
            traced.facts["left_out"]["inputs.spelling"] = why
        return traced

    def __sklearn_is_fitted__(self) -> bool:
        return self._kept is not None

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import (  # pyright: ignore[reportMissingTypeStubs]
            InputTags,
            Tags,
            TargetTags,
        )

        reads = InputTags(one_d_array=True, two_d_array=True, three_d_array=True, string=True)
        return Tags(estimator_type=None, target_tags=TargetTags(required=True), input_tags=reads)


def _steps(X: Any) -> list[list[str]] | Ragged:
    """Sentences, or sequences of numbers, whatever holds them.

    Raises:
        DataError, DtypeError, ShapeError: something else.
    """
    column = given.column(X)
    if not len(column):
        raise DataError("X", "have a sequence", "none", "Give some.")
    if any(isinstance(one, str) for one in column):
        raise DataError("X", "be lists of words", "a text", 'Part it: "some words".split().')
    if isinstance(column, list) and any(np.iterable(one) and _has_words(one) for one in column):
        return [[str(word) for word in sentence] for sentence in column]
    return given.sequences(X)


def _table(X: Any, y: Any) -> Table:
    """Sentences or sequences and their labels as a table.

    Raises:
        DataError: not as many label lists as sequences.
    """
    x = _steps(X)
    labels = given.labels(y, len(x))
    if any(isinstance(of, str) or not np.iterable(of) for of in labels):
        fix = "For one label a sequence: unrolled.SequenceClassifier."
        raise DataError("y", "be a list of labels for each sequence", "single labels", fix)
    plain = [[label.item() if isinstance(label, np.generic) else label for label in of] for of in labels]
    return Table({"x": x, "label": plain}, Places.of("sequence", range(len(x))))


def _has_words(one: Any) -> bool:
    return isinstance(next(iter(one), None), str)
