"""Tagging as a task: sentences or sequences, a network with an answer at every step, scores, baselines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from unrolled.config.tag import TagConfig
from unrolled.data.ragged import Ragged
from unrolled.data.report import DataReport
from unrolled.data.tables import Table, listed
from unrolled.tasks.base import Card, Carried, Kept, Row, Score, Step, Terms, Watched, parameters
from unrolled.tasks.examples import Batch, Examples, ExamplesTask, Prepared
from unrolled.tasks.tag import baselines, judging, network, scoring, using
from unrolled.tasks.tag.frames import Frames
from unrolled.tasks.tag.judging import Judged
from unrolled.tasks.tag.network import Reader
from unrolled.tasks.tag.scoring import Tagged
from unrolled.tasks.tag.sources import classes, parted
from unrolled.tasks.tag.words import Forms, Words
from unrolled.wirings import ManyToMany, Spelled

USES = {"train": "learn from", "valid": "choose the best weights", "test": "judge"}

FORMS = "forms"
"""The part that has every different word once; batches have the numbers of its rows."""

PLACES = "places"
"""The part that has the place of each example that is judged."""

WATCHED = 128
"""Steps of the sequence on which gradients are looked at, at most."""

SMALL = 1e-6
"""What a nat of loss counts where scores are equal."""

SHOWN = 25
"""Words of a sentence that is shown while a model trains, at most."""


class Tagging(ExamplesTask[ManyToMany]):
    """A tagger's task.

    Columns of a part: ``x``, measurements of each frame or the number of each word among the forms; ``y``,
    the number of each label.
    """

    ALIGNED: ClassVar[tuple[str, ...]] = ("x", "y")
    CARD: ClassVar[Card] = Card(
        pipeline="token-classification",
        tag="tagging",
        sentence="A recurrent tagger ({cell}), with a label for every word or every frame of a sequence",
        commands='unrolled predict {run} "a few words"\nunrolled predict {run} FILE\n'
        "unrolled evaluate {run} FILE",
        python='tagger = unrolled.SequenceTagger.load("{run}")\n'
        'print(tagger.predict([["some", "words"]]))  # or an array [T, I] of measurements',
        limits="It knows the labels it was trained on and no others, and says one for every step, even where "
        "it has no\nidea: `predict_proba` says how sure it is. Text of another kind it labels worse, and "
        "what another sensor\nmeasured.",
    )

    def __init__(self, config: TagConfig, prepared: Prepared) -> None:
        super().__init__(config, prepared)
        self._starts = {part: _column(self.parts[part], "y").starts for part in USES if self.has(part)}
        guessed = "chunk_f1" if scoring.has_chunks(self.reader.classes) else "accuracy"
        self.measures = scoring.measures(
            self.reader.classes, guessed if config.metric == "guess" else config.metric
        )
        unit = _unit(self.reader)
        shown = self.measures[0]._replace(heading=" ".join(self.measures[0].heading.split()))
        self.terms = Terms(unit, f"nats a {unit}", f"{unit}s", shown)
        y = _column(self.parts["train"], "y").values
        balanced = torch.from_numpy(self.reader.classes.weights(y)).float()
        self._weights = balanced if config.class_weights == "balanced" else None

    @classmethod
    def prepare(
        cls, config: TagConfig, heard: Callable[[str, int], None], given: dict[str, Table] | None = None
    ) -> Prepared:
        """Reads the data, or takes those ``given`` in Python by part, and makes numbers of them.

        Raises:
            DataError: data that cannot be read, or cannot be learned from.
        """
        tables, columns = parted(config, given)
        step = columns.kind.removesuffix("s")
        labels, remarks = classes(tables, step)
        report = DataReport.of(tables, "x", "label", gaps=True).data()
        report |= {"problems": [], "remarks": [*report["remarks"], *remarks]}
        parts: dict[str, Examples] = {}
        if "test" in tables:
            table = tables["test"]
            parts[PLACES] = {"test": Ragged.of_texts(table.where(row) for row in range(len(table)))}
        if columns.kind == "frames":
            reader: Reader = Frames.fit(config, columns, tables, labels)
            for part, table in tables.items():
                parts[part] = reader.examples(table)
        else:
            reader = Words.fit(config, columns, tables, labels)
            forms = Forms(reader)
            for part, table in tables.items():
                parts[part] = reader.examples(table, forms)
                heard(part, len(forms))
            parts[FORMS] = forms.columns()
        return Prepared(parts, reader, report)

    @property
    def bidirectional(self) -> bool:
        """Whether the network reads in both directions."""
        return self.reader.bidirectional

    @classmethod
    def load_reader(cls, path: Path) -> Reader:
        """What turns words or frames into numbers."""
        return network.load(path)

    @classmethod
    def build(cls, config: TagConfig, reader: Reader) -> ManyToMany:
        """A network over what the reader gives."""
        return network.network(config, reader)

    @classmethod
    def description(cls, config: TagConfig, reader: Reader, model: ManyToMany) -> dict[str, Any]:
        """Type and sizes."""
        return {
            "model_type": "unrolled-tag",
            "reads": _unit(reader),
            "labels": list(reader.labels),
            "cell": config.cell,
            "layers": config.layers,
            "hidden": config.hidden,
            "bidirectional": reader.bidirectional,
            "inputs": model.inputs.size,
            "parameters": parameters(model),
        }

    @classmethod
    def described(cls, kept: Kept) -> list[tuple[str, str]]:
        """Task, labels, network, parameters."""
        task = [("task", f"tagging: a label for every {_unit(kept.reader)}")]
        return [*task, *_described(kept.config, kept.reader, kept.model)]

    @classmethod
    def rehearse(cls, kept: Kept) -> None:
        """Labels a little."""
        if isinstance(kept.reader, Words):
            using.probabilities(kept, [["a", "rehearsal"]])
        else:
            using.probabilities(kept, Ragged.of([np.zeros((2, len(kept.reader.mean)))]))

    def about(self, model: ManyToMany) -> list[tuple[str, str]]:
        """Task, data, split, labels, network, parameters."""
        unit = self.terms.unit
        whole = "sentence" if unit == "word" else "sequence"
        parts = [
            f"{starts[-1]:,} {unit}s in {len(starts) - 1:,} {whole}{'s' * (len(starts) > 2)} to {USES[part]}"
            for part, starts in self._starts.items()
        ]
        return [
            ("task", f"tagging: a label for every {unit}"),
            ("data", " ".join(self.config.sources) or "given in Python"),
            ("split", ", ".join(parts)),
            *[("note", remark) for remark in self._report["remarks"]],
            *_described(self.config, self.reader, model),
        ]

    def loss(self, model: ManyToMany, batch: Batch, carried: Carried, generator: torch.Generator) -> Step:
        """The mean loss of the real steps; read in one direction, the state goes on to the next window."""
        logits, after = model.go_on(
            self._read(batch), carried, lengths=batch.lengths, reset=batch.reset, generator=generator
        )
        real = _real(batch)
        loss = cross_entropy(logits[real], batch.columns["y"][real], self._weights)
        goes_on = self.config.length and not self.reader.bidirectional
        return Step(loss, int(batch.lengths.sum()), after if goes_on else None)

    def answers(self, model: ManyToMany, batch: Batch) -> tuple[Any, Any]:
        """The likeliest label and the nats of the true one, ``[T, B]`` each."""
        logits = model(self._read(batch), lengths=batch.lengths, reset=batch.reset)
        nats = -log_softmax(logits, -1).gather(-1, batch.columns["y"][..., None])[..., 0]
        return logits.argmax(-1).numpy(), nats.numpy()

    def score(self, part: str, answered: list[tuple[Batch, Any]]) -> Score:
        """Every real step counts once."""
        tagged = Tagged.gathered(answered, self._starts[part])
        nats = float(tagged.nats.mean())
        values = scoring.values(tagged.found, _column(self.parts[part], "y"), self.reader.classes)
        choice = SMALL * nats - values[self.measures[0].key] if self.config.choose == "score" else None
        return Score(nats, {**values, "nats": nats}, choice)

    def judged(self, model: ManyToMany) -> Judged:
        """All that there is to say of the labels of what is judged."""
        test, forms = self.parts["test"], self.parts.get(FORMS)
        x, places = _column(test, "x"), _column(self.parts[PLACES], "test").texts()
        kept = Kept(model, self.reader, self.config, {})
        if forms is None:
            return judging.judge(
                self.reader.classes, _column(test, "y"), using.shares(kept, x, None), places.__getitem__
            )
        texts = _column(forms, "text").texts()
        words = [[texts[form] for form in sentence] for sentence in x]
        shares = using.shares(kept, x, forms)
        return judging.judge(self.reader.classes, _column(test, "y"), shares, places.__getitem__, words)

    def baselines(self) -> list[Row]:
        """The most frequent label; that of each word, or a logistic regression of each frame."""
        train, test, forms = self.parts["train"], self.parts["test"], self.parts.get(FORMS)
        x, y, judged = _column(train, "x"), _column(train, "y"), _column(test, "x")
        rows = [self._row("the most frequent label", baselines.most_frequent(y, judged))]
        if forms is None:
            found = baselines.by_frame(x, y, judged, self.config.class_weights == "balanced")
            return [*rows, self._row("logistic regression", found, "of each frame alone, scikit-learn")]
        counts = np.bincount(x.values, minlength=len(_column(forms, "text")))
        found = baselines.by_word(x, y, judged, counts == 1)
        return [*rows, self._row("each word's own label", found, "the one it has most often")]

    def watched(self) -> Watched:
        """A sequence of the held-out part, of median length, or the first steps of a long one."""
        x, y = _column(self.parts["valid"], "x"), _column(self.parts["valid"], "y")
        row = int(np.argsort(x.lengths, kind="stable")[len(x) // 2])
        batch = using.batch(x[row][:WATCHED, None])
        labels = torch.from_numpy(y[row][:WATCHED].astype(np.int64))
        read = network.read(batch, self.parts.get(FORMS))
        return Watched((read,), lambda logits: cross_entropy(logits[:, 0], labels))

    def sample(self, model: ManyToMany, update: int) -> str:
        """Of words, a held-out sentence with what the model says of each, and what it should have said."""
        forms, x = self.parts.get(FORMS), _column(self.parts["valid"], "x")
        if forms is None:
            return ""
        row = np.random.default_rng([self.config.seed, update]).integers(len(x))
        numbers, true = x[row][:SHOWN], _column(self.parts["valid"], "y")[row][:SHOWN]
        words = _column(forms, "text")[numbers].texts()
        with torch.inference_mode():
            found = model(network.read(using.batch(numbers[:, None]), forms))[:, 0].argmax(-1).numpy()
        labels, right = self.reader.classes.of(found), self.reader.classes.of(true)
        told = zip(words, labels, right, strict=True)
        return " ".join(f"{word} [{one}{f', not {other}' * (one != other)}]" for word, one, other in told)

    def _row(self, name: str, found: Any, remark: str = "") -> Row:
        values = scoring.values(found, _column(self.parts["test"], "y"), self.reader.classes)
        return Row(name, {**values}, remark)

    def _read(self, batch: Batch) -> Tensor | Spelled:
        return network.read(batch.columns["x"], self.parts.get(FORMS))


def _column(examples: Examples, name: str) -> Ragged:
    column = examples[name]
    assert isinstance(column, Ragged)
    return column


def _unit(reader: Reader) -> str:
    return "word" if isinstance(reader, Words) else "frame"


def _real(batch: Batch) -> Tensor:
    """Shapes: gives bool ``[T, B]``, true before each end."""
    return torch.arange(batch.columns["y"].size(0))[:, None] < batch.lengths


def _described(config: TagConfig, reader: Reader, model: ManyToMany) -> list[tuple[str, str]]:
    """What the model is, line by line."""
    layers = f"{config.layers} layer{'s' * (config.layers > 1)} of {config.hidden}"
    directions = "in both directions" if reader.bidirectional else "from first to last"
    if isinstance(reader, Words):
        reads = f"{len(reader.vocabulary):,} words by their own vectors"
        reads += f", all by {len(reader.characters):,} characters" if reader.characters else ""
    else:
        names = reader.features or [str(number) for number in range(1, len(reader.mean) + 1)]
        reads = f"{len(names)} features: {listed(names)}"
    return [
        ("labels", f"{len(reader.labels)}: {listed(map(str, reader.labels))}"),
        ("reads", reads),
        ("model", f"{config.cell_in_words}, {layers}, {directions}"),
        ("parameters", f"{parameters(model):,}, the same at any length"),
    ]
