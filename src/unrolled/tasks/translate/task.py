"""Translating as a task: pairs of texts, how the network learns from them, what it is judged by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from unrolled.config.translate import TranslateConfig
from unrolled.data.ragged import Ragged
from unrolled.data.report import DataReport
from unrolled.tasks.base import (
    Card,
    Carried,
    Kept,
    Row,
    Score,
    Step,
    Terms,
    Watched,
    never,
    parameters,
)  # fmt: skip
from unrolled.tasks.examples import Batch, Examples, ExamplesTask, OverExamples, Prepared
from unrolled.tasks.translate import baselines, network, pairs
from unrolled.tasks.translate.judgement import Judge, Mistake
from unrolled.tasks.translate.network import Search
from unrolled.tasks.translate.texts import Pair
from unrolled.wirings import EncoderDecoder, Teaching

GREEDY = Search()

SAID = "{part}_texts"
"""The part that has the texts of another: batches have no use of them, the judge and the baselines do."""

TIE = 1e-4
"""What a nat of loss counts beside the score: it decides among weights of the same score."""

WATCHED = 4
"""Pairs on which gradients are looked at."""


class Told(OverExamples[EncoderDecoder]):
    """Batches that know how many of the right tokens the decoder is told."""

    def batch(self, update: int) -> Batch:
        """The batch, with the column ``teacher``, a single number."""
        batch, config = super().batch(update), self.config
        teaching = Teaching(config.teaching, config.teacher, config.teaching_pace)
        return batch._replace(columns=batch.columns | {"teacher": torch.tensor(teaching.at(update))})


class Translating(ExamplesTask[EncoderDecoder]):
    """A translator's task.

    Columns of a part: ``x`` the source's ids and their end, ``y`` the target's. Held-out sources stand there
    once each, with their first translation; their other ones are among the texts.
    """

    CARD: ClassVar[Card] = Card(
        pipeline="translation",
        tag="translation",
        sentence="A recurrent encoder and decoder that makes one text of another ({cell})",
        commands='unrolled predict {run} "some text"\nunrolled predict {run} FILE\n'
        "unrolled evaluate {run} PAIRS",
        python='model = unrolled.Translator.load("{run}")\nprint(model.predict(["some text"])[0])',
        limits="It knows pairs like those it was trained on and nothing else: what is longer, or of another "
        "kind, it gets\nwrong without a sign of doubt, and it may say fluently what the source does not.",
    )

    def __init__(self, config: TranslateConfig, prepared: Prepared) -> None:
        super().__init__(config, prepared)
        self.judging = Judge(config.lower, self.reader.metric)
        self.measures = self.judging.measures
        unit = {"word": "word", "char": "character", "bpe": "token"}[config.written]
        short = "char" if unit == "character" else unit
        self.terms = Terms(unit, f"nats a {short}", f"target {unit}s", self.measures[0])

    @classmethod
    def prepare(cls, config: TranslateConfig, heard: Callable[[str, int], None], given: Any) -> Prepared:
        """Reads the pairs, fits the vocabularies on those to learn from, and makes numbers of all.

        Raises:
            DataError: pairs that cannot be read, or cannot be learned from.
            UnavailableError: sacrebleu, or the library for byte pairs, is not installed.
        """
        found, remarks = pairs.read(config, heard, given)
        train = found["train"]
        reader = Pair.fit(config, train.sources, train.targets)
        Judge(config.lower, reader.metric)  # before the training, should it not be installed
        parts: dict[str, Examples] = {}
        unknown: dict[str, dict[str, int]] = {}
        for part, those in found.items():
            if part == "train":
                sources, targets = those.sources, [[target] for target in those.targets]
            else:
                sources, targets = those.gathered()
            x, y = reader.source.ids(sources), reader.target.ids(each[0] for each in targets)
            parts[part] = {"x": x, "y": y}
            one_line = ["\n".join(" ".join(text.split()) for text in each) for each in targets]
            said = {"x": Ragged.of_texts(sources), "y": Ragged.of_texts(one_line)}
            parts[SAID.format(part=part)] = said
            if part == "train":
                reader = replace(reader, longest=int(y.lengths.max()))
            unknown[part] = {"source": reader.source.unknown(x), "target": reader.target.unknown(y)}
            heard(f"write {part}", len(sources))
        report = DataReport.of(
            {part: those.table for part, those in found.items()}, pairs.SOURCE, others=[pairs.TARGET]
        ).data()
        report["remarks"] += remarks
        return Prepared(parts, reader, report | {"unknown": unknown})

    @classmethod
    def load_reader(cls, path: Path) -> Pair:
        """How texts become tokens."""
        return Pair.load(path)

    @classmethod
    def build(cls, config: TranslateConfig, reader: Pair) -> EncoderDecoder:
        """A network for these tokens."""
        return network.build(config, reader)

    @classmethod
    def description(cls, config: TranslateConfig, reader: Pair, model: EncoderDecoder) -> dict[str, Any]:
        """Type, tokens and sizes."""
        return {
            "model_type": "unrolled-translate",
            "tokens": [config.tokens, config.written],
            "vocabulary": [reader.source.size, reader.target.size],
            "cell": config.cell,
            "layers": config.layers,
            "hidden": config.hidden,
            "bidirectional": config.bidirectional,
            "attention": config.attention,
            "parameters": parameters(model),
        }

    @classmethod
    def described(cls, kept: Kept) -> list[tuple[str, str]]:
        """What a model is, line by line."""
        return [
            ("task", "translation: a text from another"),
            *_described(kept.config, kept.reader, kept.model),
        ]

    @classmethod
    def rehearse(cls, kept: Kept) -> None:
        """Translates a text."""
        translated(kept, ["a text"])

    def about(self, model: EncoderDecoder) -> list[tuple[str, str]]:
        """Task, data, split, tokens, model, parameters."""
        config, counts = self.config, [f"{len(self.parts['train']['x']):,} pairs to learn from"]
        for part, use in (("valid", "choose the best weights"), ("test", "judge")):
            if self.has(part):
                counts.append(f"{len(self.parts[part]['x']):,} to {use}")
        judged = self.references("test" if self.has("test") else "valid")
        return [
            ("task", "translation: a text from another"),
            ("data", " ".join(config.sources) or "given in Python"),
            ("split", ", ".join(counts)),
            *[("note", remark) for remark in self._report["remarks"]],
            *_described(config, self.reader, model),
            ("judged by", f"{self.reader.metric}; BLEU as {self.judging.signature(judged)}"),
        ]

    def loss(
        self, model: EncoderDecoder, batch: Batch, carried: Carried, generator: torch.Generator | None
    ) -> Step:
        """The mean loss of the real target tokens."""
        del carried
        columns = batch.columns
        smoothing = self.config.smoothing if model.training else 0.0
        teacher = float(columns["teacher"]) if "teacher" in columns else 1.0
        with network.remembering(model, batch.reset is None):
            loss, seen = network.nats(
                model, (columns["x"], batch.lengths), columns["y"], self.reader.target.begin,
                smoothing, teacher, generator,
            )  # fmt: skip
        return Step(loss, seen)

    def answers(self, model: EncoderDecoder, batch: Batch) -> tuple[float, int]:
        """The summed loss of a batch in nats, and of how many tokens."""
        step = self.loss(model, batch, None, None)
        return float(step.loss) * step.seen, step.seen

    def score(self, part: str, answered: list[tuple[Batch, tuple[float, int]]]) -> Score:
        """The mean loss; `judge` adds what translations are worth."""
        del part
        nats, seen = np.sum([answer for _, answer in answered], axis=0)
        return Score(float(nats / seen))

    def judge(
        self,
        model: EncoderDecoder,
        part: str,
        to_stop: Callable[[], bool] = never,
        memoryless: bool = False,
    ) -> Score:
        """The loss of a part, and what translations are worth: all of test by beam, some of valid greedily.

        Raises:
            AbandonedError: it was to stop.
        """
        loss = super().judge(model, part, to_stop, memoryless).loss
        rows = self._judged(part)
        search = GREEDY if part == "valid" else Search(self.config.beam, self.config.length_penalty)
        with network.remembering(model, not memoryless):
            said = self._translated(model, part, rows, search, to_stop)
        references = self.references(part)
        values = self.judging.values(said, [references[row] for row in rows])
        choice = TIE * loss - values[self.measures[0].key]
        return Score(loss, values, choice if self.config.choose == "score" else None)

    def baselines(self) -> list[Row]:
        """The known text that is most alike, every word by its likeliest, the source as it is."""
        config, test, references = self.config, self.texts("test"), self.references("test")

        def row(name: str, said: Sequence[str], remark: str = "") -> Row:
            return Row(name, {**self.judging.values(said, references)}, remark)

        train, targets = self.texts("train"), [each[0] for each in self.references("train")]
        alike = baselines.nearest(test, train, targets, letters=config.tokens == "char")
        rows = [row("the nearest known text", alike, "its translation, by tf-idf")]
        if config.tokens == config.written == "word":
            table = baselines.WordByWord(self._ids("train", "x"), self._ids("train", "y"))
            said = [self.reader.target.text(table.translated(ids[:-1])) for ids in self._ids("test", "x")]
            rows.append(row("word by word", said, "each its likeliest, IBM model 1"))
        return [*rows, row("the source as it is", test)]

    def mistakes(self, model: EncoderDecoder, most: int = 10) -> list[Mistake]:
        """The worst translations of the judged texts, the worst first."""
        rows = self._judged("test")
        said = self._translated(model, "test", rows, Search(self.config.beam, self.config.length_penalty))
        return self.judging.worst(self.texts("test"), said, self.references("test"), most)

    def texts(self, part: str) -> list[str]:
        """The texts to translate of a part."""
        return self._said(part, "x").texts()

    def references(self, part: str) -> list[list[str]]:
        """The translations that each text of a part has."""
        return [text.split("\n") for text in self._said(part, "y").texts()]

    def watched(self) -> Watched | None:
        """The first held-out pairs whose sources have one length, the commonest."""
        x, y = (self._ids("valid", side) for side in "xy")
        rows = np.flatnonzero(x.lengths == np.bincount(x.lengths).argmax())[:WATCHED]
        source, target = (torch.from_numpy(side.padded(rows)[0].astype(np.int64)) for side in (x, y))
        begin, end = self.reader.target.begin, self.reader.target.end
        told = torch.cat([torch.full_like(target[:1], begin), target[:-1]])
        real = torch.arange(len(target))[:, None] <= (target == end).int().argmax(0)

        def loss(logits: Tensor) -> Tensor:
            return torch.nn.functional.cross_entropy(logits[real], target[real])

        return Watched((source, told), loss)

    def sample(self, model: EncoderDecoder, update: int) -> str:
        """A few held-out texts, what the model makes of them, and what would be right."""
        del update
        rows = self._judged("valid")[: self.config.sample]
        if not len(rows):
            return ""
        said = self._translated(model, "valid", rows, GREEDY)
        sources, references = self.texts("valid"), self.references("valid")
        shown = [
            f"{sources[row]}\n-> {text}\n =  {references[row][0]}"
            for row, text in zip(rows, said, strict=True)
        ]
        return "\n\n".join(shown)

    def memory(self, model: EncoderDecoder) -> int:
        """Weights, tapes, and the logits of a batch of the longest pairs, with their gradients."""
        config, lengths = self.config, self._ids("train", "y").lengths
        tokens = int(np.sort(lengths)[-config.batch :].sum())
        held = 4 * 4 * tokens * self.reader.target.size * (2 if config.memoryless else 1)
        return 2 * super().memory(model) + held

    def _objective(self, examples: Examples) -> Told:
        plain = super()._objective(examples)
        return Told(self.config, examples, plain.model, self.loss, self.READ)

    def _translated(
        self,
        model: EncoderDecoder,
        part: str,
        rows: Sequence[int],
        search: Search,
        to_stop: Callable[[], bool] = never,
    ) -> list[str]:
        sources = self._ids(part, "x")[rows]
        return network.texts(self.reader, network.write(model, self.reader, sources, search, to_stop))

    def _judged(self, part: str) -> list[int]:
        """Which texts of a part are translated: all, but of valid as many as the config says."""
        count = len(self.parts[part]["x"])
        most = min(count, self.config.judged or count) if part == "valid" else count
        return np.linspace(0, count - 1, most).round().astype(int).tolist()

    def _said(self, part: str, side: str) -> Ragged:
        said = self.parts[SAID.format(part=part)][side]
        assert isinstance(said, Ragged)
        return said

    def _ids(self, part: str, side: str) -> Ragged:
        ids = self.parts[part][side]
        assert isinstance(ids, Ragged)
        return ids


def translated(kept: Kept, texts: Sequence[str], search: Search | None = None) -> list[str]:
    """Translations of texts by a model in use; by its config's beam unless another search is given."""
    config, reader = kept.config, kept.reader
    search = search or Search(config.beam, config.length_penalty)
    return network.texts(reader, network.write(kept.model, reader, reader.source.ids(texts), search))


def _described(config: TranslateConfig, reader: Pair, model: EncoderDecoder) -> list[tuple[str, str]]:
    """What the model is, line by line."""
    both = "both directions" if config.bidirectional else "one direction"
    layers = f"{config.layers} layer{'s' * (config.layers > 1)} of {config.hidden}"
    kinds = dict.fromkeys((config.tokens, config.written))
    shared = ", of both sides together" if reader.shared else ""
    return [
        ("tokens", f"{' and '.join(kinds)}: {reader.source.size:,} and {reader.target.size:,}{shared}"),
        ("model", f"{config.cell_in_words}, {layers}, encoder in {both}, attention {config.attention}"),
        ("parameters", f"{parameters(model):,}, the same at any length of text"),
    ]
