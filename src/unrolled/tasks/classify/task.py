"""Classification as a task: a class for each text or each sequence of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from unrolled.config import ClassifyConfig
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.data.report import DataReport
from unrolled.data.tables import Table, listed
from unrolled.tasks.base import Card, Carried, Kept, Measure, Row, Score, Step, Terms, Watched, parameters
from unrolled.tasks.classify import baselines, judging, network, reading
from unrolled.tasks.classify import reader as readers
from unrolled.tasks.classify.columns import LABEL, X
from unrolled.tasks.classify.judging import Confusion, Judged
from unrolled.tasks.classify.reader import Reader, TextReader
from unrolled.tasks.examples import Batch, Examples, ExamplesTask, OverExamples, Prepared
from unrolled.wirings import ManyToOne

WATCHED = 128
"""Steps on which gradients are looked at."""

RAW = "raw"
"""Beside the parts: the texts of the examples, and the places of those that are judged."""

REGRESSION, SUMMARIES = "n-grams, tf-idf, regression", "mean, extremes, last; regression"
"""What stands beside the baselines."""

USES = {"train": "learn from", "valid": "choose the best weights", "test": "judge"}

SMALL = 1e-6
"""What a nat of loss counts where scores are equal."""


class Classification(ExamplesTask[ManyToOne]):
    """A classifier's task: texts or measurements, their classes, judgement."""

    CARD: ClassVar[Card] = Card(
        pipeline="text-classification",
        tag="classification",
        sentence="A recurrent classifier ({cell})",
        commands='unrolled predict {run} "a value, or a file of them"\nunrolled evaluate {run} FILE',
        python='model = unrolled.SequenceClassifier.load("{run}")\nmodel.predict([...])',
        limits="It answers with one of the classes it was trained on, whatever it is given, and knows "
        "nothing but the examples\nit learned from: their errors and prejudices are its own.",
    )

    def __init__(self, config: ClassifyConfig, prepared: Prepared) -> None:
        reader: Reader = prepared.reader
        self._weights: Tensor | None = None
        if config.class_weights == "balanced":
            self._weights = torch.from_numpy(reader.labels.weights(_classes(prepared.parts["train"]))).float()
        super().__init__(config, prepared)
        accuracy = Measure("accuracy", "accuracy", ".3f", higher=True)
        macro_f1 = Measure("macro_f1", "macro-F1", ".3f", higher=True)
        first, second = (accuracy, macro_f1) if config.metric == "accuracy" else (macro_f1, accuracy)
        self.measures = (first, second, Measure("nats", "nats an\nexample"))
        self.terms = Terms("example", "nats an example", f"{reader.unit}s", first)

    @classmethod
    def prepare(
        cls,
        config: ClassifyConfig,
        heard: Callable[[str, int], None],
        given: Mapping[str, Table] | None = None,
    ) -> Prepared:
        """Reads the sources, or takes the tables that are given by part.

        Raises:
            DataError: data that cannot be read or cannot be learned from.
            OptionError: a format that is not offered, or too small a vocabulary.
        """
        tables, columns = reading.prepared(config, heard, given)
        labels = Labels(tables["train"][LABEL])
        reader = readers.fit(config, columns, labels, tables["train"])
        parts: dict[str, Examples] = {
            part: {"x": reader.numbers(table[X]), "y": labels.numbers(list(table[LABEL]), _places(table))}
            for part, table in tables.items()
        }
        raw: dict[str, Ragged] = {}
        if "test" in tables:
            raw["places"] = Ragged.of_texts(_places(tables["test"]))
            if isinstance(reader, TextReader):
                raw |= {part: Ragged.of_texts(map(str, tables[part][X])) for part in ("train", "test")}
        report = DataReport.of(tables, X, LABEL, gaps=True).data()
        return Prepared({**parts, RAW: raw}, reader, {**report, "columns": columns.facts()})

    @classmethod
    def load_reader(cls, path: Path) -> Reader:
        """What turns texts or measurements into numbers."""
        return Reader.load(path)

    @classmethod
    def build(cls, config: ClassifyConfig, reader: Reader) -> ManyToOne:
        """A network for what this reader gives."""
        return network.build(config, reader)

    @classmethod
    def description(cls, config: ClassifyConfig, reader: Reader, model: ManyToOne) -> dict[str, Any]:
        """Type, classes and sizes."""
        return {
            "model_type": "unrolled-classify",
            "kind": reader.kind,
            "classes": list(reader.labels.names),
            "inputs": model.inputs.size,
            "cell": config.cell,
            "layers": config.layers,
            "hidden": config.hidden,
            "bidirectional": config.bidirectional,
            "read": config.read,
            "parameters": parameters(model),
        }

    @classmethod
    def described(cls, kept: Kept) -> list[tuple[str, str]]:
        """Task, classes, model, parameters."""
        reader: Reader = kept.reader
        return [("task", _task(reader)), *_model(kept.config, reader, kept.model)]

    @classmethod
    def rehearse(cls, kept: Kept) -> None:
        """Answers for an example of one step."""
        reader: Reader = kept.reader
        network.probabilities(kept.model, reader.numbers(reader.example()))

    def about(self, model: ManyToOne) -> list[tuple[str, str]]:
        """Task, data, classes, split, model, parameters."""
        reader: Reader = self.reader
        uses = [f"{len(self._y(part)):,} to {use}" for part, use in USES.items() if self.has(part)]
        sources = " ".join(self.config.sources)
        remarks: list[str] = self.data_report()["remarks"]
        return [
            ("task", _task(reader)),
            *([("data", sources)] if sources else []),
            ("columns", str(reader.columns)),
            ("split", ", ".join(uses)),
            *(("note", remark) for remark in remarks),
            *_model(self.config, reader, model),
        ]

    def loss(self, model: ManyToOne, batch: Batch, carried: Carried, generator: torch.Generator) -> Step:
        """The mean cross entropy of a batch, of weighted classes where the config says so."""
        del carried  # the state before the last steps is found anew for each batch
        x, y = batch.columns["x"], batch.columns["y"]
        logits = network.logits(model, x, batch.lengths, batch.reset, self.config.length, generator)
        return Step(cross_entropy(logits, y, self._weights), int(batch.lengths.sum()))

    def answers(self, model: ManyToOne, batch: Batch) -> NDArray[np.float64]:
        """The probability of each class, ``[B, K]``."""
        logits = network.answers(model, batch.columns["x"], batch.lengths, batch.reset)
        return logits.double().softmax(-1).numpy()

    def score(self, part: str, answered: list[tuple[Batch, NDArray[np.float64]]]) -> Score:
        """Accuracy, macro-F1 and loss."""
        y, shares = self._gathered(part, answered)
        values = self._values(y, shares)
        choice = SMALL * values["nats"] - values[self.config.metric]
        return Score(values["nats"], values, choice if self.config.choose == "score" else None)

    def judged(self, model: ManyToOne) -> Judged:
        """All that there is to say of the answers to the examples that are judged."""
        y, shares = self._gathered("test", self.answered(model, "test"))
        raw, x = self.parts[RAW], self.parts["test"]["x"]
        places, texts = raw["places"], raw.get("test")
        assert isinstance(places, Ragged)
        assert isinstance(x, Ragged)

        def shown(row: int) -> str:
            return texts[[row]].texts()[0] if isinstance(texts, Ragged) else f"{x.lengths[row]} steps"

        def where(row: int) -> str:
            return places[[row]].texts()[0]

        return judging.judge(self.reader.labels.names, y, shares, shown, where)

    def baselines(self) -> list[Row]:
        """The most frequent class; logistic regression on words or characters, or on summaries."""
        y, truth, raw, K = self._y("train"), self._y("test"), self.parts[RAW], len(self.reader.labels)
        rows = [self._row("most frequent class", baselines.majority(y, len(truth), K))]
        if isinstance(self.reader, TextReader):
            by_words = self.reader.tokenizer.name == "word"
            learned, judged = (self._texts(raw[part]) for part in ("train", "test"))
            for characters in (False, True) if by_words else (True,):
                what = "characters" if characters else "words"
                shares = baselines.bag_of_ngrams(learned, y, judged, K, characters)
                rows.append(self._row(f"bag of {what}", shares, REGRESSION))
        else:
            learned, judged = (self.parts[part]["x"] for part in ("train", "test"))
            assert isinstance(learned, Ragged)
            assert isinstance(judged, Ragged)
            rows.append(self._row("summaries", baselines.summaries(learned, y, judged, K), SUMMARIES))
        return rows

    def watched(self) -> Watched | None:
        """Two held-out examples, as far as both reach."""
        x, y = self.parts["valid"]["x"], self._y("valid")
        assert isinstance(x, Ragged)
        rows = np.argsort(-x.lengths, kind="stable")[:2]
        batch, lengths = x.padded(rows)
        steps = network.tensor(batch[: min(WATCHED, int(lengths.min()))])
        classes = torch.from_numpy(y[rows])
        return Watched(steps, lambda logits: cross_entropy(logits, classes))

    def _objective(self, examples: Examples) -> OverExamples[ManyToOne]:
        return super()._objective({name: examples[name] for name in ("x", "y")})

    def _y(self, part: str) -> NDArray[np.int64]:
        return _classes(self.parts[part])

    def _texts(self, column: Ragged | NDArray[Any]) -> list[str]:
        """Texts as the tokenizer was given them: words and marks with blanks between."""
        assert isinstance(column, Ragged)
        assert isinstance(self.reader, TextReader)
        return [self.reader.ready(text) for text in column.texts()]

    def _gathered(
        self, part: str, answered: list[tuple[Batch, NDArray[np.float64]]]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The classes ``[E]`` and the answers ``[E, K]`` of a part, in its order."""
        shares = np.zeros((len(self._y(part)), len(self.reader.labels)))
        for batch, of_batch in answered:
            shares[batch.rows] = of_batch
        return self._y(part), shares

    def _values(self, y: NDArray[np.int64], shares: NDArray[np.float64]) -> dict[str, float]:
        confusion = Confusion.of(self.reader.labels.names, y, shares.argmax(1))
        return {**confusion.values(), "nats": judging.mean_loss(y, shares)}

    def _row(self, name: str, shares: NDArray[np.float64], remark: str = "") -> Row:
        return Row(name, {**self._values(self._y("test"), shares)}, remark)


def _classes(examples: Examples) -> NDArray[np.int64]:
    """The class of each example, ``[E]``."""
    y = examples["y"]
    assert isinstance(y, np.ndarray)
    return y


def _places(table: Table) -> list[str]:
    return [table.where(row) for row in range(len(table))]


def _task(reader: Reader) -> str:
    what = "texts" if reader.kind == "text" else "sequences of numbers"
    names = listed(map(str, reader.labels.names), most=8)
    return f"classify {what}: {len(reader.labels)} classes, {names}"


def _model(config: ClassifyConfig, reader: Reader, model: ManyToOne) -> list[tuple[str, str]]:
    """What the network is, line by line."""
    layers = f"{config.layers} layer{'s' * (config.layers > 1)} of {config.hidden}"
    ways = " in both directions" if config.bidirectional else ""
    of = {"last": "the last state", "attention": "attention over all steps"}
    read = of.get(config.read, f"the {config.read} of all steps")
    lines = [("model", f"{config.cell_in_words}, {layers}{ways}, reads out {read}")]
    if isinstance(reader, TextReader):
        size = f"{reader.tokenizer.size:,} different {reader.unit}s, embedding {config.embedding}"
        lines.append(("tokens", size))
    else:
        lines.append(("features", f"{model.inputs.size} a step"))
    return [*lines, ("parameters", f"{parameters(model):,}, the same at any length")]
