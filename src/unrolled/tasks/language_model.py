"""Language modelling as a task: a text, its next tokens, and what else foresees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import log
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from unrolled.config import LanguageModelConfig
from unrolled.data import Corpus, Streams, Tokenizer, Window
from unrolled.data.corpus import PARTS, Source
from unrolled.errors import DataError, note
from unrolled.losses import cross_entropy
from unrolled.metrics import bits, bits_per_character, perplexity
from unrolled.tasks import baselines, lm, sampling
from unrolled.tasks.base import (
    Card,
    Carried,
    Kept,
    Measure,
    Objective,
    Row,
    Score,
    Step,
    Task,
    Terms,
    Watched,
    never,
    parameters,
    unheard,
)  # fmt: skip
from unrolled.wirings import TokenModel

USES = ("learn from", "choose the best weights", "judge")
BY_HEART = 0.1
"""Loss in nats a token at which a batch counts as learned."""


class NextToken(Objective[TokenModel]):
    """Which token comes next, window by window; `training.learner.Learner.step` carries the state."""

    def __init__(self, config: LanguageModelConfig, vocabulary: int, streams: Streams) -> None:
        self.config, self.vocabulary, self.streams = config, vocabulary, streams
        self.updates_per_epoch = streams.updates_per_epoch

    def model(self) -> TokenModel:
        """A new model, drawn from the config's seed alone."""
        return lm.model(self.config, self.vocabulary)

    def batch(self, update: int) -> Window:
        """The window that an update reads."""
        return self.streams.window(update)

    def loss(self, model: TokenModel, batch: Window, carried: Carried, generator: torch.Generator) -> Step:
        """The mean loss of the window's tokens, and the states that the next one begins with."""
        inputs, targets = _tensors(batch)
        logits, after = model(inputs, carried, generator=generator)
        return Step(cross_entropy(logits, targets), targets.numel(), after)

    def memoryless_loss(self, model: TokenModel, batch: Window, generator: torch.Generator) -> Tensor:
        """The loss where the network sees one token and nothing before it."""
        return lm.memoryless_loss(model, *_tensors(batch), generator)


class LanguageModelling(Task[TokenModel]):
    """A language model's task: corpus, vocabulary, judgement."""

    READER: ClassVar[str] = "tokenizer.json"
    CARD: ClassVar[Card] = Card(
        pipeline="text-generation",
        tag="language-model",
        sentence="A recurrent language model ({cell})",
        commands='unrolled generate {run} --prompt "..."\n'
        "unrolled evaluate {run} --by-length\n"
        'unrolled predict {run} "some text"',
        python='model = unrolled.LanguageModel.load("{run}")\n'
        'print("".join(model.generate("...", length=200)))',
        limits="It knows the text it was trained on and nothing else: it repeats that text's habits, errors "
        "and prejudices,\nand what it writes is not to be taken for fact.",
    )

    def __init__(self, config: LanguageModelConfig, corpus: Corpus, tokenizer: Tokenizer) -> None:
        self.config, self.corpus, self.reader = config, corpus, tokenizer
        streams = Streams(corpus.train, config.batch, config.length, config.carry, config.seed)
        self.objective = self._streams = NextToken(config, tokenizer.size, streams)
        unit = lm.unit_of(config)
        short = "char" if unit == "character" else unit
        character = "byte" if unit == "byte" else "char"
        self.terms = Terms(unit, f"nats a {short}", "tokens", Measure("bits", f"bits a {short}", ".4f"))
        self.measures = (
            Measure("bits_per_character", f"bits a\n{character}"),
            Measure("nats", f"nats a\n{short}"),
            Measure("perplexity", "perplexity", ",.2f"),
        )

    @classmethod
    def begin(
        cls,
        config: LanguageModelConfig,
        data: Path,
        heard: Callable[[str, int], None] = unheard,
        given: None = None,
    ) -> LanguageModelling:
        """Reads the text, fits the vocabulary and writes the tokens; all of it is in the sources.

        Raises:
            DataError: a text that cannot be read, is too short, or is to be learned from and judged.
        """
        del given
        corpus = Corpus.write(data, config, heard)
        _check_apart(corpus.sources)
        return cls(config, corpus, corpus.tokenizer)

    @classmethod
    def reopen(cls, config: LanguageModelConfig, data: Path, reader: Path) -> LanguageModelling:
        """From the tokens and the vocabulary that were written."""
        return cls(config, Corpus.open(data), Tokenizer.load(reader))

    @classmethod
    def load_reader(cls, path: Path) -> Tokenizer:
        """The tokenizer."""
        return Tokenizer.load(path)

    @classmethod
    def build(cls, config: LanguageModelConfig, reader: Tokenizer) -> TokenModel:
        """A model of this vocabulary."""
        return lm.model(config, reader.size)

    @classmethod
    def description(cls, config: LanguageModelConfig, reader: Tokenizer, model: TokenModel) -> dict[str, Any]:
        """Type, tokens and sizes."""
        del reader
        return {
            "model_type": "unrolled-lm",
            "tokens": config.tokens,
            **asdict(model.sizes),
            "dropouts": model.dropouts._asdict(),
            "parameters": parameters(model),
        }

    @classmethod
    def described(cls, kept: Kept) -> list[tuple[str, str]]:
        """Task, vocabulary, model, parameters."""
        unit = lm.unit_of(kept.config)
        return [
            ("task", f"language model: which {unit} comes next"),
            ("vocabulary", f"{kept.reader.size:,} different {unit}s"),
            *described(kept.config, kept.model),
        ]

    @classmethod
    def rehearse(cls, kept: Kept) -> None:
        """Writes a little."""
        sampling.sample(kept.model, kept.reader, 20, kept.config.seed)

    def data_report(self) -> dict[str, Any]:
        """What the corpus is."""
        return self.corpus.report()

    def about(self, model: TokenModel) -> list[tuple[str, str]]:
        """Task, data, tokens, split, model, parameters."""
        config, corpus, unit = self.config, self.corpus, self.terms.unit
        sizes = [len(corpus.part(part)) for part in PARTS]
        uses = ", ".join(f"{size:,} to {use}" for size, use in zip(sizes, USES, strict=True))
        different = self.reader.size - (self.reader.unknown is not None)
        unknown = sum(corpus.unknown[part] for part in PARTS)
        unread = f"{unknown:,} {unit}s are not in the vocabulary and read as one"
        return [
            ("task", f"language model: which {unit} comes next"),
            ("data", " ".join(config.sources)),
            ("tokens", f"{sum(sizes):,} {unit}s, {different:,} different ones"),
            ("split", uses),
            *([("unknown", unread)] if unknown else []),
            *described(config, model),
        ]

    def memory(self, model: TokenModel) -> int:
        """Weights, tapes and logits of an update."""
        return lm.memory(self.config, model, self._streams.streams.length)

    def judge(
        self,
        model: TokenModel,
        part: str,
        to_stop: Callable[[], bool] = never,
        memoryless: bool = False,
    ) -> Score:
        """The mean loss of a part; the held-out one is read in many streams at once.

        Raises:
            AbandonedError: it was to stop.
        """
        ids = self.corpus.part(part)
        if memoryless:
            return self._score(lm.judge_memoryless(model, ids, to_stop), part)
        many = part == "valid"
        streams = lm.streams_to_judge(self.config, len(ids)) if many else lm.streams_to_conclude(len(ids))
        return self._score(lm.judge(model, ids, streams, to_stop), part)

    def baselines(self) -> list[Row]:
        """n-grams, frequencies, chance, and xz, alone and after the text to learn from."""
        train, test, size = self.corpus.train, self.corpus.test, self.reader.size
        order, counted = 3 if self.config.tokens == "word" else 5, baselines.LIMIT
        remark = "interpolated, Witten-Bell" + f", of the last {counted:,}" * (len(train) > counted)
        return [
            self._row(f"{order}-gram", baselines.witten_bell(train, test, size, order), remark),
            self._row("frequencies alone", baselines.unigram(train, test, size)),
            self._row("guessing", baselines.uniform(size), "all equally likely"),
            *self._compressed(),
        ]

    def _row(self, name: str, nats: float, remark: str = "") -> Row:
        return Row(name, {**self._score(nats, "test").values}, remark)

    def evaluation_interval(self, updates: int) -> int:
        """As often as a tenth of the time allows."""
        per_epoch, held_out = self.objective.updates_per_epoch, len(self.corpus.valid)
        return lm.evaluation_interval(self.config, updates, per_epoch, held_out)

    def watched(self) -> Watched:
        """A window of the held-out text, always the same."""
        ids = lm.watched(self.corpus.valid, self.config.length)
        return Watched(ids[:-1], lambda out: cross_entropy(out[0], ids[1:]))

    def shorten(self, most: int) -> None:
        """Judges so many tokens of each part from now on."""
        self.corpus.shorten(most)

    def sample(self, model: TokenModel, update: int) -> str:
        """A little text."""
        characters = self.config.sample
        return (
            sampling.sample(model, self.reader, characters, self.config.seed + update) if characters else ""
        )

    def by_heart(self) -> tuple[NextToken, float]:
        """One window of each stream; which stream it is cannot be known from its first tokens."""
        whole = self._streams.streams
        one = Streams(self.corpus.train[: whole.batch * whole.length + 1], whole.batch, whole.length)
        return NextToken(self.config, self.reader.size, one), BY_HEART + log(whole.batch) / whole.length

    def _score(self, nats: float, part: str) -> Score:
        """A loss in all measures; what is predicted is every token but the first."""
        ids, characters = self.corpus.part(part), self.corpus.characters[part]
        per_character = bits_per_character(nats, len(ids), characters, self.reader.characters(ids[:1]))
        values = {"bits_per_character": per_character, "nats": nats, "perplexity": perplexity(nats)}
        return Score(nats, {**values, "bits": bits(nats)})

    def _compressed(self) -> list[Row]:
        """What xz makes of the judged text, alone and after the text to learn from."""
        train, _, cut_train = self._last_bytes("train", baselines.XZ_LIMIT)
        test, characters, cut_test = self._last_bytes("test", baselines.XZ_LIMIT)
        alone, known = baselines.xz(test) / characters, baselines.xz_given(train, test) / characters
        return [
            Row("xz", {"bits_per_character": alone}, f"on the judged text alone{cut_test}"),
            Row(
                "xz, given the text",
                {"bits_per_character": known},
                f"after the text to learn from{cut_train}",
            ),
        ]

    def _last_bytes(self, part: str, most: int) -> tuple[bytes, int, str]:
        """The last bytes of a part's text, how many characters they are, and what is to be said of a cut."""
        ids, text = self.corpus.part(part), self.corpus.text_bytes(part, last=most)  # a byte each, at least
        if len(ids) <= most and len(text) <= most:
            return text, self.corpus.characters[part], ""
        text = text[-most:]
        begun = np.frombuffer(text, np.uint8) & 0xC0 != 0x80  # a byte of UTF-8 that goes on with no character
        characters = len(text) if self.config.tokens == "byte" else int(np.count_nonzero(begun))
        return text, characters, f", its last {most / 1e6:.0f} MB"


def described(config: LanguageModelConfig, model: TokenModel) -> list[tuple[str, str]]:
    """What the model is, line by line."""
    layers = f"{config.layers} layer{'s' * (config.layers > 1)} of {config.hidden}"
    return [
        ("model", f"{config.cell_in_words}, {layers}, embedding {model.sizes.embedding}"),
        ("parameters", f"{parameters(model):,}, the same at any length of text"),
    ]


def _tensors(window: Window) -> tuple[Tensor, Tensor]:
    """Inputs and targets, int64 ``[T, B]``."""
    return torch.from_numpy(window.ids[:-1]), torch.from_numpy(window.ids[1:])


def _check_apart(sources: Sequence[Source]) -> None:
    """Refuses a file that two parts have been given, or one part twice; says of a copy that it is one.

    Raises:
        DataError: naming it.
    """
    seen: dict[str, Source] = {}
    for source in sources:
        other = seen.setdefault(source.sha256, source)
        if other is not source and other.part == source.part:
            if other.name == source.name:
                fix = "Name it once: a text that stands twice would be learned and judged."
                raise DataError(f"train lm: {source.name}", "be named once", "it twice", fix)
            note(f"{source.name} is the same text as {other.name}; both are read")
        if other.part != source.part:
            raise DataError(
                f"train lm: {source.name}",
                f"not be among the {source.part} texts and the {other.part} texts",
                f"the same text as {other.name}",
                "What is judged must not have been learned: leave it out of one of them.",
            )
