"""A classifier of texts or of sequences of numbers as an estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self, final

import narwhals
import numpy as np
from numpy.typing import NDArray
from torch.nn.functional import log_softmax

from unrolled.data import given
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Table
from unrolled.errors import DataError
from unrolled.estimators.base import Estimator
from unrolled.report.classes import Answers, Report
from unrolled.tasks.base import Kept
from unrolled.tasks.classify import Classification, Judged, judging, network, reading
from unrolled.tasks.classify.columns import LABEL, X
from unrolled.traces import Trace
from unrolled.tracing import Course
from unrolled.training.run_folder import RunFolder

EXPLAINED = 10_000
"""Steps of a sequence that is explained at most: all that is computed at each is kept."""


@final
class SequenceClassifier(Estimator):
    """Says to which class a text, or a sequence of numbers, belongs.

    The options are the fields of `unrolled.config.ClassifyConfig`. X is a list of texts, or of arrays ``[T]``
    or ``[T, I]``, whose T may differ; or an array or a tensor ``[E, T]`` or ``[E, T, I]``; or a column of a
    data frame. A share ``valid`` of it chooses the best weights; nothing is kept aside to be judged.

    Attributes:
        classes_: the labels that are known, in the order of the probabilities, ``[K]``.

    Raises:
        OptionError: a field that does not exist, or a value that cannot be.

    Example:
        >>> texts, labels = ["good", "so good", "bad", "so bad"] * 8, [1, 1, 0, 0] * 8
        >>> model = SequenceClassifier(hidden=8, epochs=8.0, batch=4, learning_rate=0.02)
        >>> model.fit(texts, labels).predict(["very good", "bad"])
        array([1, 0])
    """

    TASK: ClassVar[str] = "classify"
    _estimator_type: ClassVar[str] = "classifier"

    def fit(self, X: Any, y: Any, *, verbose: bool = False) -> Self:
        """Learns from examples and their labels.

        Shapes:
            X: E examples; y: ``[E]``.

        Raises:
            DataError: more or fewer labels than examples, one without a label, only one class, a class of
                fewer than two examples that differ, a text without a character, a sequence without a step.
            DtypeError, ShapeError: no texts and no numbers, or steps of different shapes.
            NonFiniteError: the loss is no number any more.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; what was best until then can be used, if there was time
                to judge any.
        """
        x = _column(X)
        known = {"train": reading.given(x, given.labels(y, len(x)))}
        return self._fit(self.config, known, verbose)

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels that are known."""
        return np.array(self._fitted().reader.labels.names)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of each class of `classes_` for each example, ``[E, K]``.

        Raises:
            DataError: what is not as the examples that were learned from.
        """
        return self._shares(reading.given(_column(X)))

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each example, ``[E]``.

        Raises:
            DataError: what is not as the examples that were learned from.
        """
        return self.classes_[self.predict_proba(X).argmax(1)]

    def evaluate(self, X: Any, y: Any) -> Judged:
        """What the answers to these examples are worth: accuracy, F1, who is taken for whom, mistakes.

        Raises:
            DataError: a label that was never seen, or more or fewer of them than examples.
        """
        x = _column(X)
        return self._judged(reading.given(x, given.labels(y, len(x))))

    def score(self, X: Any, y: Any) -> float:
        """The accuracy on these examples.

        Raises:
            DataError: as `evaluate`.
        """
        return self.evaluate(X, y).confusion.accuracy

    def explain(self, x: Any) -> Trace:
        """All that is computed over one example, and back from -log of the probability of its answer.

        Args:
            x: a text, or a sequence ``[T]`` or ``[T, I]``.

        Raises:
            DataError: what is not as the examples that were learned from, or of more than `EXPLAINED` steps.
        """
        return self._explained(reading.given(_column([x])))

    def evaluate_sources(self, sources: Sequence[str], run: RunFolder, **options: Any) -> Report:
        """Judges files; without any, what the run was judged on.

        Raises:
            DataError: rows without a label, labels that were never seen, or else not as in training.
        """
        self._without("evaluate", options)
        kept = self._fitted()
        if not sources:
            task: Any = Classification.reopen(kept.config, run.data, run.path / Classification.READER)
            return Report("what the run was judged on", task.judged(kept.model))
        found = kept.reader.columns
        table = reading.read(kept.config, sources)
        if kept.config.drop_missing:
            table = reading.without_missing(table, found)
        return Report(" ".join(sources), self._judged(reading.labelled(table, found)))

    def predict_source(self, source: str, **options: Any) -> Answers:
        """The classes of the rows or lines of a file or of standard input, or of the value itself.

        Raises:
            DataError: what is not as the examples that were learned from; names the row.
        """
        self._without("predict", options)
        kept, table = self._fitted(), self._read(source)
        shown = _shown(table)
        return Answers(kept.reader.labels.names, self._shares(table), list(map(shown, range(len(table)))))

    def explain_source(self, source: str) -> Trace:
        """The trace of the first example of a file, or of the value itself.

        Raises:
            DataError: what is not as the examples that were learned from.
        """
        return self._explained(self._read(source).take([0]))

    def _read(self, source: str) -> Table:
        kept = self._fitted()
        return reading.unlabelled(kept.config, kept.reader.columns, source)

    def _shares(self, table: Table) -> NDArray[np.float64]:
        """The probabilities for a table with a column x."""
        kept = self._fitted()
        return network.probabilities(kept.model, kept.reader.numbers(table[X]))

    def _judged(self, table: Table) -> Judged:
        labels: Labels = self._fitted().reader.labels
        places = [table.where(row) for row in range(len(table))]
        y = labels.numbers(table.labels(LABEL), places)
        return judging.judge(labels.names, y, self._shares(table), _shown(table), table.where)

    def _explained(self, table: Table) -> Trace:
        kept: Kept = self._fitted()
        x = kept.reader.numbers(table[X])
        if len(x.values) > EXPLAINED:
            rule, fix = f"have at most {EXPLAINED:,} steps to be explained", "Give a part of it."
            raise DataError(table.where(0), rule, f"{len(x.values):,}", fix)
        batch = network.tensor(x.padded()[0])
        read = {} if batch.is_floating_point() else {"ids": batch}

        def course() -> Course:
            y = kept.model(batch)
            log_p = log_softmax(y, -1)
            extra = {**read, "p": log_p.exp()}
            return Course(y, -log_p.max(), [y], extra=extra, timed=False)

        tokens, outputs = [kept.reader.names(x[0])], list(map(str, kept.reader.labels.names))
        return self._traced(course, 1, tokens=tokens, between=kept.reader.between, outputs=outputs)

    def __sklearn_is_fitted__(self) -> bool:
        return self._kept is not None

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import (  # pyright: ignore[reportMissingTypeStubs]
            ClassifierTags,
            InputTags,
            Tags,
            TargetTags,
        )

        reads = InputTags(one_d_array=True, two_d_array=True, three_d_array=True, string=True)
        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=reads,
        )


def _column(X: Any) -> Column:
    """Texts or sequences of numbers, whatever holds them.

    Raises:
        DataError, DtypeError, ShapeError: something else.
    """
    frame = narwhals.from_native(X, eager_only=True, pass_through=True)
    held = X
    if isinstance(frame, narwhals.DataFrame):
        held = frame[frame.columns[0]].to_native() if len(frame.columns) == 1 else frame.to_numpy()
    x = given.column(held)
    if not len(x):
        raise DataError("X", "have examples", "none", "Give some.")
    if isinstance(x, list) and any(isinstance(one, str) for one in x):
        return given.texts(x)
    return given.sequences(held if isinstance(x, np.ndarray) else x)


def _shown(table: Table) -> Callable[[int], str]:
    """What the example of a row is: its text, or how long it is."""
    x = table[X]
    return lambda row: f"{len(x[row])} steps" if isinstance(x, Ragged) else str(x[row])
