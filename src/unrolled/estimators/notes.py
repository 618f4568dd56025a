"""A model of polyphonic music as an estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, final

import numpy as np
import torch
from msgspec import structs
from numpy.typing import NDArray

from unrolled.data import given
from unrolled.data.formats import notes
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Places, Table
from unrolled.errors import DataError
from unrolled.estimators.base import Estimator
from unrolled.report.music import Expected, Worth
from unrolled.tasks import notes as task
from unrolled.tasks.notes import Music
from unrolled.traces import Trace
from unrolled.tracing import Course
from unrolled.training.run_folder import RunFolder

EXPLAINED = 10_000
"""Steps of a piece that is explained at most: all that is computed at each is kept."""

OWN = "what the run was judged on"


@final
class NoteModel(Estimator):
    """Says which of a piano's 88 keys sound next, each by itself, given all that sounded before.

    The options are the fields of `unrolled.config.NotesConfig`. X is a list of pieces: each a list of steps,
    each of these a list of MIDI notes; or of arrays ``[T, 88]``, 1 where a key sounds. A share ``valid`` of
    it chooses the best weights; nothing is kept aside to be judged.

    Raises:
        OptionError: a field that does not exist, or a value that cannot be.

    Example:
        >>> scale = [[note] for note in (60, 62, 64, 65, 67, 69, 71, 72)]
        >>> pieces = [scale[k:] + scale[:k] for k in range(8)] * 3
        >>> model = NoteModel(hidden=24, epochs=60.0, batch=4, learning_rate=0.02).fit(pieces)
        >>> model.predict([[[60], [62]]])
        [[[62], [64]]]
    """

    TASK: ClassVar[str] = "notes"

    def fit(self, X: Any, y: None = None, *, verbose: bool = False) -> Self:
        """Learns from pieces; ``y`` is there for scikit-learn's tools.

        Raises:
            DataError: a note that a piano does not have, a piece of fewer than two steps, or too few pieces.
            NonFiniteError: the loss is no number any more.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; what was best until then can be used, if there was time
                to judge any.
        """
        del y
        # nothing is judged, so there is nothing to compare with a twin without memory
        return self._fit(structs.replace(self.config, memoryless=False), {"train": _table(X)}, verbose)

    def predict_proba(self, X: Any) -> list[NDArray[np.float32]]:
        """How likely each key sounds after each step of each piece, ``[T, 88]``.

        Raises:
            DataError: no pieces, or a note that a piano does not have.
        """
        return task.probabilities(self._fitted(), _pieces(_table(X)))

    def predict(self, X: Any) -> list[list[list[int]]]:
        """The MIDI notes that more likely sound than not after each step of each piece.

        Raises:
            DataError: as `predict_proba`.
        """
        lowest = self._fitted().reader.lowest
        return [
            [(np.flatnonzero(of > 0.5) + lowest).tolist() for of in shares]
            for shares in self.predict_proba(X)
        ]

    def evaluate(self, X: Any) -> Worth:
        """What the model says of pieces, beside what follows in them.

        Raises:
            DataError: as `fit`.
        """
        return self._worth("the pieces", _table(X))

    def score(self, X: Any, y: None = None) -> float:
        """Minus the nats a step of `evaluate`, so that more is better."""
        del y
        return -self.evaluate(X).nats

    def evaluate_sources(self, sources: Sequence[str], run: RunFolder, **options: Any) -> Worth:
        """Judges files; without any, what the run was judged on.

        Raises:
            DataError: they hold no pieces, or a piece of fewer than two steps.
        """
        self._without("evaluate", options)
        kept = self._fitted()
        if sources:
            return self._worth(" ".join(sources), task.read(kept.config, tuple(sources)))
        music: Any = Music.reopen(kept.config, run.data, run.path / Music.READER)
        values = music.judge(kept.model, "test").values
        return Worth(OWN, len(music.parts["test"]["y"].values), values["nats"], values["accuracy"])

    def predict_source(self, source: str, **options: Any) -> Expected:
        """The keys expected after each step of the pieces of a file or of standard input.

        Raises:
            DataError: it holds no pieces.
        """
        self._without("predict", options)
        kept = self._fitted()
        pieces = _pieces(task.read(kept.config, (source,)))
        return Expected(kept.reader.lowest, task.probabilities(kept, pieces))

    def explain_source(self, source: str) -> Trace:
        """The trace of the first piece of a file.

        Raises:
            DataError: it holds no pieces, or a piece too long or too short.
        """
        kept = self._fitted()
        examples = task.examples(task.read(kept.config, (source,)).take([0]))
        x, y = (torch.from_numpy(np.asarray(examples[name][0], np.float32))[:, None] for name in ("x", "y"))
        if len(x) > EXPLAINED:
            rule, fix = f"have at most {EXPLAINED:,} steps to be explained", "Give a part of it."
            raise DataError("the piece", rule, f"{len(x):,}", fix)

        def course() -> Course:
            logits = kept.model(x)
            loss_t = task.surprise(logits, y)
            return Course(logits, loss_t.mean(), [logits], extra={"p": logits.sigmoid(), "loss_t": loss_t})

        keys = [str(kept.reader.lowest + key) for key in range(kept.reader.keys)]
        names = list(map(str, range(len(x))))
        return self._traced(course, len(x), tokens=[names], between=None, outputs=keys)

    def _worth(self, source: str, table: Table) -> Worth:
        examples = task.examples(table)
        x, y = examples["x"], examples["y"]
        assert isinstance(x, Ragged)
        assert isinstance(y, Ragged)
        shares = np.concatenate(task.probabilities(self._fitted(), x)).astype(np.float64)
        values = task.values(shares, y.values > 0)
        return Worth(source, len(y.values), values["nats"], values["accuracy"])

    def __sklearn_is_fitted__(self) -> bool:
        return self._kept is not None


def _table(X: Any) -> Table:
    """Pieces as a table.

    Raises:
        DataError: something else.
    """
    if isinstance(X, Ragged) or (len(X) and isinstance(X[0], np.ndarray)):
        x = given.sequences(X)
        if x.values.shape[1:] != (notes.KEYS,):
            fix = "Give lists of MIDI notes, or 1 for each key that sounds."
            raise DataError("X", f"have {notes.KEYS} keys a step", list(x.values.shape[1:]), fix)
        return Table(
            {"x": Ragged((x.values > 0).astype(np.uint8), x.starts)}, Places.of("piece", range(len(x)))
        )
    if not notes.are_in(X):
        fix = "Give a list of pieces, each a list of steps, each a list of MIDI notes."
        raise DataError("X", "be pieces of music", type(X).__name__ if len(X) else "none", fix)
    return notes.table(X, "X")


def _pieces(table: Table) -> Ragged:
    pieces = table["x"]
    assert isinstance(pieces, Ragged)
    return pieces
