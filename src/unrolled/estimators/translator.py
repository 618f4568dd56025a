"""A translator as an estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, final

import torch
from msgspec import structs

from unrolled.data import formats, given, reading
from unrolled.errors import DataError
from unrolled.estimators.base import Estimator
from unrolled.losses import cross_entropy_t
from unrolled.report.translations import TranslationReport, Translations
from unrolled.tasks.base import Kept
from unrolled.tasks.translate import Alignment, Judge, Search, Translating, alignment, network, pairs
from unrolled.traces import Trace
from unrolled.tracing import Course
from unrolled.training.run_folder import RunFolder
from unrolled.wirings import Written

WORST = 10
"""Mistakes that a judgement shows."""


@final
class Translator(Estimator):
    """Makes one text of another: a translation, a date in another form, a word as it is spoken.

    The options are the fields of `unrolled.config.TranslateConfig`. A share ``valid`` of the pairs chooses
    the best weights; nothing is kept aside to be judged.

    Raises:
        OptionError: a field that does not exist, or a value that cannot be.

    Example:
        >>> sources = [a + b for a in "abcdef" for b in "abcdef"]
        >>> model = Translator(tokens="char", hidden=32, epochs=30.0, batch=8, learning_rate=0.01, beam=1)
        >>> model.fit(sources, [text.upper() for text in sources]).predict(["fade"[:2]])
        ['FA']
    """

    TASK: ClassVar[str] = "translate"

    def fit(self, sources: Any, targets: Any, *, verbose: bool = False) -> Self:
        """Learns from texts and their translations: lists, arrays or columns of data frames.

        Raises:
            DataError: more or fewer translations than texts, an empty one, or too few that differ.
            DtypeError: something that is no text.
            UnavailableError: what the tokens or the judgement need is not installed.
            NonFiniteError: the loss is no number any more.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; what was best until then can be used, if there was time
                to judge any.
        """
        config = structs.replace(self.config, memoryless=False)  # where nothing is judged, nor is a twin
        return self._fit(config, (sources, targets), verbose)

    def predict(self, sources: Any) -> list[str]:
        """The translation of each text.

        Raises:
            DtypeError: something that is no text.
        """
        return network.texts(self._fitted().reader, self._written(given.texts(sources)))

    def evaluate(self, sources: Any, targets: Any) -> TranslationReport:
        """What the translations of these texts are worth; a text that comes again has several references.

        Raises:
            DataError: more or fewer targets than sources, or an empty one.
            DtypeError: something that is no text.
        """
        return self._judged("these texts", pairs.in_memory(sources, targets))

    def score(self, sources: Any, targets: Any) -> float:
        """BLEU from 0 to 100, or where exactness counts first, the share that is right to the letter.

        Raises:
            DataError, DtypeError: as `evaluate`.
        """
        return self.evaluate(sources, targets).values[self._fitted().reader.metric]

    def attention(self, source: str, target: str | None = None) -> Alignment:
        """Where the decoder looks in a text as it writes its translation, or another one.

        Raises:
            OptionError: the network has no attention.
            DtypeError: something that is no text.
        """
        kept = self._fitted()
        said = self.predict([source])[0] if target is None else target
        x, y = kept.reader.source.ids(given.texts([source])), kept.reader.target.ids(given.texts([said]))
        return alignment(kept.model, kept.reader, x, y[0].tolist())

    def explain(self, source: str) -> Trace:
        """All that the encoder computes over a text, and back from the mean loss of its translation's tokens.

        Raises:
            DtypeError: something that is no text.
        """
        kept = self._fitted()
        source_side, target_side = kept.reader.source, kept.reader.target
        x = source_side.ids(given.texts([source]))
        y = torch.tensor(target_side.ids(self.predict([source]))[0].tolist())
        told = torch.cat([torch.tensor([target_side.begin]), y[:-1]])[:, None]
        ids = torch.tensor(x[0].tolist())[:, None]

        def course() -> Course:
            logits = kept.model(ids, told)
            loss_t = cross_entropy_t(logits, y[:, None])
            extra = {"ids": ids, "p": logits.softmax(-1), "loss_t": loss_t}
            return Course(logits, loss_t.mean(), [logits], extra=extra, timed=False)

        names, written = source_side.names(x[0]), target_side.names(y.tolist())
        outputs = target_side.names(range(target_side.size))
        between = " " if source_side.tokenizer.name == "word" else ""
        about = {"tokens": [names], "between": between, "outputs": outputs, "output_tokens": [written]}
        return _encoder_of(self._traced(course, 1, **about))

    def evaluate_sources(self, sources: Sequence[str], run: RunFolder, **options: Any) -> TranslationReport:
        """Judges the pairs of files; without any, those that the run was judged on.

        Raises:
            DataError: pairs that cannot be read, or with an empty side.
        """
        self._without("evaluate", options)
        kept = self._fitted()
        if sources:
            return self._judged(" ".join(sources), pairs.of_files(sources, kept.config))
        task: Any = Translating.reopen(kept.config, run.data, run.path / Translating.READER)
        return self._report("what the run was judged on", task.texts("test"), task.references("test"))

    def predict_source(self, source: str, **options: Any) -> Translations:
        """The translation of each row of a table, line of a file or of standard input, or of the text itself.

        Raises:
            DataError: a file that cannot be read, or without text.
        """
        self._without("predict", options)
        lines = self._read(source)
        written = self._written(lines)
        said = network.texts(self._fitted().reader, written)
        return Translations(lines, said, [one.log_p for one in written])

    def explain_source(self, source: str) -> Trace:
        """The trace of the first line of a file, or of the text itself.

        Raises:
            DataError: a file that cannot be read, or without text.
        """
        return self.explain(self._read(source)[0])

    def _read(self, source: str) -> list[str]:
        """The texts of a file or of standard input, or the text itself.

        Raises:
            DataError: there is none, or one that cannot be read.
        """
        config = self._fitted().config
        if source != "-" and not reading.is_file(source):
            return [source]
        if formats.kind_of(source):
            return pairs.texts_of(source, config)
        text = "".join(reading.texts([source], config.encoding))
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines:
            raise DataError(source, "hold a line of text", "none", "Write a text on each line.")
        return lines

    def _written(self, texts: Sequence[str]) -> list[Written]:
        """What the model writes, as its config searches."""
        kept: Kept = self._fitted()
        search = Search(kept.config.beam, kept.config.length_penalty)
        return network.write(kept.model, kept.reader, kept.reader.source.ids(texts), search)

    def _judged(self, name: str, those: pairs.Pairs) -> TranslationReport:
        return self._report(name, *those.gathered())

    def _report(
        self, name: str, sources: Sequence[str], references: Sequence[Sequence[str]]
    ) -> TranslationReport:
        kept = self._fitted()
        judge, said = Judge(kept.config.lower, kept.reader.metric), self.predict(list(sources))
        worst = judge.worst(sources, said, references, WORST)
        values = judge.values(said, references)
        return TranslationReport(name, len(sources), values, judge.signature(references), worst)

    def __sklearn_is_fitted__(self) -> bool:
        return self._kept is not None

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import (  # pyright: ignore[reportMissingTypeStubs]
            InputTags,
            Tags,
            TargetTags,
        )

        reads = InputTags(one_d_array=True, two_d_array=False, string=True)
        return Tags(estimator_type=None, target_tags=TargetTags(required=True), input_tags=reads)


def _encoder_of(whole: Trace) -> Trace:
    """The trace without the decoder's layers, whose steps are others than the source's."""
    abouts = [about for about in whole.facts["layers"] if about["module"].startswith("encoder.")]
    names = {about["name"] for about in abouts}
    arrays = {
        name: array for name, array in whole.arrays.items() if "/" not in name or name.split("/")[0] in names
    }
    why = "its steps are those of what is written, and not of what is read"
    left_out = {**whole.facts["left_out"], "decoder.layers": why}
    return Trace(arrays, {**whole.facts, "layers": abouts, "left_out": left_out})
