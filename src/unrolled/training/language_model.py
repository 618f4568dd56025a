"""A language model from its config to its result: the text made ready, the loop, the judgement."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from unrolled import config as configs
from unrolled.config import LanguageModelConfig
from unrolled.data import Corpus, Streams, Tokenizer
from unrolled.data.corpus import PARTS, Source
from unrolled.errors import DataError
from unrolled.metrics import bits_per_character, perplexity
from unrolled.report import card
from unrolled.report.training import Display, ResultRow
from unrolled.report.wording import clock
from unrolled.tasks import baselines, lm
from unrolled.training import keeping, room
from unrolled.training.keeping import MEMORYLESS, MODEL, Keeping
from unrolled.training.learner import Learner
from unrolled.training.loop import UNKNOWN, Ending, Loop, planned
from unrolled.training.run_folder import RunFolder

TRIAL_UPDATES = 4
"""Updates on a copy of the model, to say beforehand how long a training takes."""


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Units: seconds of training; ``rows`` as `unrolled.report.training.ResultRow`, the model first; they are
    missing where the training was stopped, and where it was asked for none.
    """

    run: str | None
    reason: str
    finished: bool
    updates: int
    seconds: float
    valid_loss: float
    best_update: int
    unit: str
    rows: tuple[ResultRow, ...]


class Course:
    """All that belongs to one training: corpus, vocabulary, learner, and where it is kept."""

    def __init__(
        self, config: LanguageModelConfig, corpus: Corpus, tokenizer: Tokenizer, folder: RunFolder | None
    ) -> None:
        self.config, self.corpus, self.tokenizer, self.folder = config, corpus, tokenizer, folder
        streams = Streams(corpus.train, config.batch, config.length, config.carry, config.seed)
        self.learner = Learner(config, tokenizer.size, streams)
        self.keeping = Keeping(folder)

    def about(self) -> list[tuple[str, str]]:
        """What is learned, from what and by what, line by line."""
        config, corpus, model = self.config, self.corpus, self.learner.pupil.model
        unit = unit_of(config)
        sizes = [len(corpus.part(part)) for part in PARTS]
        uses = ", ".join(f"{size:,} to {use}" for size, use in zip(sizes, USES, strict=True))
        different = self.tokenizer.size - (self.tokenizer.unknown is not None)
        layers = f"{config.layers} layer{'s' * (config.layers > 1)} of {config.hidden}"
        about = [
            ("task", f"language model: which {unit} comes next"),
            ("data", " ".join(config.sources)),
            ("tokens", f"{sum(sizes):,} {unit}s, {different:,} different ones"),
            ("split", uses),
            (
                "model",
                f"{config.cell.upper()}, {layers}, embedding {model.sizes.embedding}",
            ),
            ("parameters", f"{lm.parameters(model):,}, the same at any length of text"),
        ]
        unknown = sum(corpus.unknown[part] for part in PARTS)
        if unknown:
            about.insert(4, ("unknown", f"{unknown:,} {unit}s are not in the vocabulary and read as one"))
        return about

    def facts(self) -> list[tuple[str, str]]:
        """`about`, and what it will take."""
        saved = [("saved in", str(self.folder.path))] if self.folder else []
        return [
            *self.about(),
            ("memory", f"about {self.memory() / 1e6:,.0f} MB, besides torch itself"),
            ("time", self._expected()),
            *saved,
        ]

    def memory(self) -> int:
        """What an update takes, in bytes."""
        return lm.memory(self.config, self.learner.pupil.model, self.learner.streams.length)

    def _expected(self) -> str:
        """How long the training takes at the pace of a few updates on a copy."""
        config, at = self.config, self.learner.position
        if config.budget:
            left = clock(max(0.0, config.budget - at.seconds))
            return f"{left}, what is left of the budget" if at.update else f"{left}, as the budget says"
        trial = Learner(config, self.tokenizer.size, self.learner.streams)
        trial.position.updates = UNKNOWN
        seconds: list[float] = []
        for _ in range(TRIAL_UPDATES):
            begun = perf_counter()
            trial.step()
            seconds.append(perf_counter() - begun)
        updates = planned(config, self.learner.streams.updates_per_epoch) - at.update
        return f"about {clock(updates * median(seconds[1:]))} for {updates:,} updates"

    def run(self, display: Display) -> Outcome:
        """Trains, and judges what was best."""
        ending = Loop(self.learner, self.corpus, self.tokenizer, self.keeping, display).run()
        rows = self.judged(display) if ending.finished else []
        if self.folder and rows:
            at = self.learner.position
            words = f"{at.update:,} updates in {clock(at.seconds)}, weights of update {at.best_update:,}"
            self.folder.write_card(
                card.language_model(self.folder.name, self.config, self.about(), rows, words)
            )
        return self._outcome(ending, rows)

    def judged(self, display: Display) -> list[ResultRow]:
        """The best weights on the judged text, beside the baselines."""
        config, corpus, learner = self.config, self.corpus, self.learner
        display.note("judging on text it has not seen, beside the baselines")
        model = deepcopy(learner.model)
        self.keeping.load_best(MODEL, model)
        nats = lm.judge(model, corpus.test, lm.streams_to_conclude(len(corpus.test)))
        rows = [self._row("this model", nats)]
        if learner.twin:
            twin = deepcopy(learner.twin.judged)
            self.keeping.load_best(MEMORYLESS, twin)
            nats = lm.judge_memoryless(twin, corpus.test)
            rows.append(self._row("the same without memory", nats, "reset at every step, trained equally"))
        train, test, size = corpus.train, corpus.test, self.tokenizer.size
        order, counted = 3 if config.tokens == "word" else 5, baselines.LIMIT
        remark = "interpolated, Witten-Bell" + f", of the last {counted:,}" * (len(train) > counted)
        return [
            *rows,
            self._row(f"{order}-gram", baselines.witten_bell(train, test, size, order), remark),
            self._row("frequencies alone", baselines.unigram(train, test, size)),
            self._row("guessing", baselines.uniform(size), "all equally likely"),
            *self._compressed(),
        ]

    def _compressed(self) -> list[ResultRow]:
        """What xz makes of the judged text, alone and after the text to learn from."""
        corpus, most = self.corpus, baselines.XZ_LIMIT
        train, test = (corpus.text_bytes(part, last=most) for part in ("train", "test"))
        characters = self.tokenizer.characters(corpus.test[-most:])
        alone, known = (bits / characters for bits in (baselines.xz(test), baselines.xz_given(train, test)))
        cut = {part: f", its last {most / 1e6:.0f} MB" * (len(corpus.part(part)) > most) for part in PARTS}
        of, after = f"on the judged text alone{cut['test']}", f"after the text to learn from{cut['train']}"
        return [
            ResultRow("xz", None, alone, None, of),
            ResultRow("xz, given the text", None, known, None, after),
        ]

    def _row(self, name: str, nats: float, remark: str = "") -> ResultRow:
        """A row of the result; what is predicted is every token but the first."""
        ids, characters = self.corpus.test, self.corpus.characters["test"]
        bits = bits_per_character(nats, len(ids), characters, self.tokenizer.characters(ids[:1]))
        return ResultRow(name, nats, bits, perplexity(nats), remark)

    def _outcome(self, ending: Ending, rows: list[ResultRow]) -> Outcome:
        at = self.learner.position
        return Outcome(
            run=str(self.folder.path) if self.folder else None,
            reason=ending.reason,
            finished=ending.finished,
            updates=at.update,
            seconds=at.seconds,
            valid_loss=at.best,
            best_update=at.best_update,
            unit=unit_of(self.config),
            rows=tuple(rows),
        )


USES = ("learn from", "choose the best weights", "judge")


def unit_of(config: LanguageModelConfig) -> str:
    """What a token is, in a word."""
    return {"char": "character", "byte": "byte", "word": "word", "bpe": "piece"}[config.tokens]


def train(
    config: LanguageModelConfig,
    folder: RunFolder | None = None,
    display: Display | None = None,
    is_new: bool = True,
) -> Outcome:
    """Trains a model of the config on the text it names and judges it; in a folder, nothing of it is lost.

    Without a folder, the tokens are written where temporary files are, and the best weights are only in
    memory: take them from the `Course`, as `unrolled.LanguageModel` does.

    Raises:
        DataError: a text that cannot be read, or is too short.
        NonFiniteError: the loss is no number any more.
        StorageError: the disk is full.
    """
    with display or Display(quiet=True) as shown, begun(config, folder, is_new, shown.reading) as course:
        shown.begin(course.facts(), unit=unit_of(config))
        with folder.resumable() if folder else nullcontext():
            return course.run(shown)


def _unheard(doing: str, characters: int) -> None:
    """Tells nobody how far the reading is."""


@contextmanager
def begun(
    config: LanguageModelConfig,
    folder: RunFolder | None,
    is_new: bool = True,
    heard: Callable[[str, int], None] = _unheard,
) -> Generator[Course]:
    """A course at its beginning: the text read, the vocabulary fitted, all of it written in the folder.

    ``heard`` is told how far the reading is. If something fails, a folder that ``is_new`` goes.

    Raises:
        DataError: a text that cannot be read, is too short, or is to be learned from and judged.
        UnavailableError: it cannot fit into this machine.
    """
    with ExitStack() as stack:
        stack.enter_context(room.using(config.threads))
        if folder:
            stack.enter_context(folder.lock())
        place = folder.path if folder else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            corpus = Corpus.write(place / "data.safetensors", config, heard)
            _check_apart(corpus)
            course = Course(config, corpus, corpus.tokenizer, folder)
            room.check("train lm", course.memory())
            if folder:
                corpus.tokenizer.save(folder.tokenizer)
                folder.write_data_report(corpus.report())
                folder.write_config_json(keeping.description(config, course.learner.model))
                folder.write_env()
        except BaseException:
            if folder and is_new:
                folder.discard()
            raise
        yield course


def _check_apart(corpus: Corpus) -> None:
    """Refuses a file that two parts have been given.

    Raises:
        DataError: naming it.
    """
    seen: dict[str, Source] = {}
    for source in corpus.sources:
        other = seen.setdefault(source.sha256, source)
        if other.part != source.part:
            raise DataError(
                f"train lm: {source.name}",
                f"not be among the {source.part} texts and the {other.part} texts",
                f"the same text as {other.name}",
                "What is judged must not have been learned: leave it out of one of them.",
            )


def resume(folder: RunFolder, display: Display | None = None) -> Outcome:
    """Goes on with a training where its newest good checkpoint was written; judges it if it was at its end.

    One that was killed before its first checkpoint begins again.

    Raises:
        RunError: no good checkpoint, a damaged file, or another process that trains there.
    """
    if not folder.has_checkpoint:
        return train(configs.load(folder.config), folder, display, is_new=False)
    config = configs.load(folder.config)
    with room.using(config.threads), folder.lock(), display or Display(quiet=True) as shown:
        corpus = Corpus.open(folder.data)
        course = Course(config, corpus, Tokenizer.load(folder.tokenizer), folder)
        course.keeping.restore(course.learner)
        shown.begin(course.facts(), unit=unit_of(config))
        at = course.learner.position
        total = "" if at.updates == UNKNOWN else f" of {at.updates:,}"
        ended = folder.card.exists()
        going_on = f"going on after update {at.update:,}{total}"
        shown.note(f"it had ended, after update {at.update:,}; it is judged anew" if ended else going_on)
        with folder.resumable():
            return course.run(shown)
