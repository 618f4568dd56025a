"""A language model as an estimator."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from math import log
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias, cast, final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from unrolled import metrics
from unrolled.config import LanguageModelConfig
from unrolled.data import Corpus, Tokenizer, reading, splits
from unrolled.data.corpus import Encoded
from unrolled.errors import DataError, OptionError, note
from unrolled.estimators.base import Estimator
from unrolled.report.answers import Foreseen, Judged, Judgement, Surprises
from unrolled.tasks import lm, sampling
from unrolled.tasks.base import Kept
from unrolled.tasks.sampling import Choice
from unrolled.traces import Trace
from unrolled.tracing import trace_run
from unrolled.training.run_folder import RunFolder

Text: TypeAlias = str | Path | Iterable[str | Path]
"""A text itself, paths (of class Path) of files and folders with it, or several of these as one."""

ITEMISED = 1000
"""Tokens that are explained at most: the gradients of every step's loss at every step are held at once."""


@final
class LanguageModel(Estimator):
    """Says which token comes next.

    The options are the fields of `unrolled.config.LanguageModelConfig`.

    Raises:
        OptionError: a field that does not exist, or a value that cannot be.

    Example:
        >>> model = LanguageModel(hidden=16, batch=2, length=8, epochs=1.0, valid=0.2, test=0.2)
        >>> model = model.fit("to be, or not to be, that is the question. " * 8)
        >>> len("".join(model.generate("to be", length=20, seed=1)))
        20
        >>> model.evaluate("to be or not").tokens
        12
    """

    TASK: ClassVar[str] = "lm"

    def fit(self, text: Text, *, verbose: bool = False) -> Self:
        """Learns from a text: the text itself, or paths (of class Path) of files and folders with it.

        Several are read as one, each beginning a line.

        Raises:
            DataError: a text that cannot be read, or is too short, or the name of a file as a text.
            NonFiniteError: the loss is no number any more.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; what was best until then can be used, if there was time
                to judge any.
        """
        with tempfile.TemporaryDirectory() as place:
            sources = _sources(_parts(text, self.config), self.config, Path(place))
            return self._fit(structs.replace(self.config, sources=sources), None, verbose)

    def generate(
        self,
        prompt: str | bytes = "",
        *,
        length: int = 500,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: str | Sequence[str] = (),
    ) -> Iterator[str]:
        """Writes on from the prompt, piece by piece as it comes, up to ``length`` characters or a ``stop``.

        A token costs the same however long the text already is. The prompt and the stop string are not part
        of the text. Where the tokens are bytes, so may the prompt be.

        Raises:
            DataError: a prompt that is no text.
            OptionError: a number out of its range.
        """
        kept, choice = self._fitted(), Choice(temperature, top_k, top_p)
        before = _prompt(prompt, kept.config)
        _say_unknown(kept.reader.look_up(before)[1], "prompt")
        return sampling.text(kept.model, kept.reader, before, choice, length, seed, stop)

    def evaluate(self, text: Text | NDArray[Any], *, by_length: bool = False) -> Judgement:
        """Judges a text, the text of paths, or ids; ``by_length`` up to eight times the length of training.

        It is read as one stream, and of more than two million tokens as one stream a million.

        Shapes:
            ids: ``[N]``, of a `Corpus` with the model's tokenizer.

        Raises:
            DataError: fewer than two tokens, or a text that cannot be read.
            StorageError: there is no room for the ids of a text.
        """
        kept = self._fitted()
        return self._judged(_encoded(kept, text, least=2), by_length)

    def _judged(self, text: Encoded, by_length: bool) -> Judgement:
        kept, (ids, characters, unknown) = self._fitted(), text
        nats = lm.judge(kept.model, ids, lm.streams_to_conclude(len(ids)))
        first = kept.reader.characters(ids[:1])
        positions: list[tuple[int, int, float]] = []
        if by_length:
            longest = min(8 * (kept.config.length or 128), len(ids) - 1)
            positions = lm.judge_by_position(kept.model, ids, longest)
        return Judgement(
            tokens=len(ids),
            characters=characters,
            unknown=unknown,
            nats=nats,
            bits_per_character=metrics.bits_per_character(nats, len(ids), characters, first),
            perplexity=metrics.perplexity(nats),
            by_length=tuple(positions),
        )

    def score(self, text: Text) -> float:
        """Mean log-likelihood of a text's tokens, larger is better.

        Units: nats a token.
        """
        return -self.evaluate(text).nats

    def predict(self, text: Text, *, top: int = 5) -> list[Foreseen]:
        """Every token of the text with its surprise, and a last one, empty, for what comes after.

        Raises:
            DataError: an empty text, or one that cannot be read.
        """
        kept = self._fitted()
        ids, _, unknown = _encoded(kept, text, least=1)
        _say_unknown(unknown, "text")
        names = kept.reader.vocabulary
        foreseen = [Foreseen(names[ids[0]], None)]
        for log_p in sampling.log_probabilities(kept.model, ids):
            likeliest = log_p.topk(min(top, len(names)))
            shares, tokens = likeliest.values.exp().tolist(), likeliest.indices.tolist()
            come = ids[len(foreseen) : len(foreseen) + len(log_p)].tolist()
            surprises = (-log_p[range(len(come)), come] / log(2)).tolist()
            named = [*(names[token] for token in come), ""]  # the last block has a row more: what comes next
            for token, surprise, *expected in zip(named, [*surprises, None], tokens, shares, strict=False):
                foreseen.append(Foreseen(token, surprise, _named(names, *expected)))
        return foreseen

    def explain(self, text: Text) -> Trace:
        """Everything that is computed over a text and back from its losses, each step's loss for itself too.

        Raises:
            DataError: fewer than two tokens or more than `ITEMISED`, or a text that cannot be read.
        """
        kept = self._fitted()
        whole = "".join(_pieces(_parts(text, kept.config), kept.config))
        tokens = len(kept.reader.look_up(whole)[0])
        if tokens > ITEMISED:
            rule, fix = f"have at most {ITEMISED:,} tokens to be explained", "Give a part of it."
            raise DataError("the text", rule, f"{tokens:,}", fix)
        return self._told(trace_run(kept, whole, keep=("forward", "backward", "itemised")))

    def evaluate_sources(self, sources: Sequence[str], run: RunFolder, **options: Any) -> Judged:
        """Judges files; ``by_length`` also by how many tokens stand before.

        Raises:
            DataError: a text that cannot be read, or of fewer than two tokens.
            RunError: the run's own text is not there, or another.
        """
        self._without("evaluate", options, "by_length")
        files = list(map(Path, sources))
        judged = _encoded(self._fitted(), files, least=2) if files else _judged_part(run)
        judgement = self._judged(judged, options.get("by_length", False))
        return Judged(
            text=" ".join(sources) or "what the run was judged on",
            unit=lm.unit_of(self.config),
            trained_length=self.config.length,
            **asdict(judgement),
        )

    def predict_source(self, source: str, **options: Any) -> Surprises:
        """How surprising each token is; ``top`` likeliest ones beside it.

        Raises:
            DataError: no text.
            OptionError: ``top`` below 0.
        """
        self._without("predict", options, "top")
        top = options.get("top", 5)
        if top < 0:
            raise OptionError("predict: top", "be 0 or more", top, "Leave it out for 5.")
        return Surprises(self.predict(_text_or_path(source), top=top))

    def explain_source(self, source: str) -> Trace:
        """The trace of a text.

        Raises:
            DataError: fewer than two tokens or more than `ITEMISED`, or a text that cannot be read.
        """
        return self.explain(_text_or_path(source))


def prompt_in(path: Path, config: LanguageModelConfig) -> str | bytes:
    """What stands in a file, or comes by standard input, as a prompt, without the end of its last line.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    contents = reading.contents(path)
    if config.tokens == "byte":
        return contents.removesuffix(b"\n")
    return reading.decoded(contents, path, config.encoding).removesuffix("\n")


def _prompt(prompt: str | bytes, config: LanguageModelConfig) -> str:
    """The prompt as its tokenizer takes it: that of bytes takes both.

    Raises:
        DataError: it is no text.
    """
    if isinstance(prompt, str):
        reading.encoded(prompt, "utf-8")
    elif config.tokens != "byte" or not isinstance(prompt, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        fix = "Decode it, for example: text.decode()."
        raise DataError("generate: prompt", "be a str", type(prompt).__name__, fix)
    return cast(str, prompt)


def _text_or_path(source: str) -> str | Path:
    """A text, or the path of a file or of standard input."""
    if source == "-" or reading.is_file(source):
        return Path(source)
    if re.fullmatch(r"\S+\.[A-Za-z]\w{0,4}", source):
        note(f"there is no file {source}; it is taken for the text itself")
    return source


def _judged_part(folder: RunFolder) -> Encoded:
    """The tokens that a run was judged on, as they were written, with the vocabulary of its model.

    Raises:
        RunError: they are not there, or others.
    """
    corpus = Corpus.open(folder.data)
    corpus.verify(Tokenizer.load(folder.tokenizer))
    return Encoded(corpus.test, corpus.characters["test"], corpus.unknown["test"])


def _parts(text: Text, config: LanguageModelConfig) -> list[str | Path]:
    """The texts and paths that are given as one text.

    Raises:
        DataError: something else, or a text that no file could hold, or the name of a file as a text.
    """
    parts = list(text) if isinstance(text, Iterable) and not isinstance(text, str | bytes) else [text]
    for part in parts:
        if isinstance(part, Path):
            continue
        if not isinstance(part, str):
            fix = (
                'Decode it: text.decode("utf-8").' if isinstance(part, bytes) else 'Such as Path("book.txt").'
            )
            raise DataError("the text", "be a str, or paths of class pathlib.Path", type(part).__name__, fix)
        if reading.is_file(part):
            fix = f"Pass its path: pathlib.Path({part!r})."
            raise DataError("the text", "be a text and not the name of a file", repr(part), fix)
        reading.encoded(part, "utf-8")
        if "\0" in part and config.tokens != "byte":
            fix = 'Leave it out, or take bytes as tokens: tokens="byte".'
            raise DataError("the text", "be text", f"a zero byte at {part.index(chr(0))}", fix)
    if not any(parts):
        raise DataError("the text", "hold text", "none", "Give a longer one.")
    return parts


def _sources(parts: list[str | Path], config: LanguageModelConfig, place: Path) -> tuple[str, ...]:
    """Files with the text, written to ``place`` where it is a text itself."""
    encoding = "utf-8" if config.tokens == "byte" else config.encoding
    paths: list[str] = []
    for number, part in enumerate(parts):
        path = part if isinstance(part, Path) else place / f"text-{number:06}.txt"
        if not isinstance(part, Path):
            path.write_bytes(reading.encoded(part, encoding))
        paths.append(str(path))
    return tuple(paths)


def _pieces(parts: list[str | Path], config: LanguageModelConfig) -> Iterator[str]:
    """The text that a training would read of `_sources`, piece by piece."""
    by_bytes = config.tokens == "byte"
    texts = (
        splits.pieces((str(part),), config.tokens, config.encoding)
        if isinstance(part, Path)
        else (part if by_bytes else reading.as_read(part),)
        for part in parts
    )
    return chain.from_iterable(texts) if by_bytes else reading.joined(texts)


def _encoded(kept: Kept, text: Text | NDArray[Any], least: int) -> Encoded:
    """A text as ids.

    Raises:
        DataError: fewer ids than ``least``, or a text that cannot be read.
        StorageError: there is no room for the ids of a text.
    """
    tokenizer = kept.reader
    if isinstance(text, np.ndarray):
        ids = _checked(text, tokenizer.size)
        unknown = 0 if tokenizer.unknown is None else int((ids == tokenizer.unknown).sum())
        encoded = Encoded(ids, tokenizer.characters(ids), unknown)
    else:
        encoded = Encoded.of(_pieces(_parts(text, kept.config), kept.config), tokenizer)
    if len(encoded.ids) < least:
        got = len(encoded.ids)
        raise DataError("the text", f"have at least {least} tokens", got, "Give a longer one.")
    return encoded


def _checked(ids: NDArray[Any], size: int) -> NDArray[Any]:
    """Ids of a vocabulary of this size, and nothing else."""
    fix = "Take those of a Corpus with the model's tokenizer."
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise DataError("the ids", "be whole numbers [N]", f"{ids.dtype} {list(ids.shape)}", fix)
    if len(ids) and not 0 <= ids.min() <= ids.max() < size:
        raise DataError("the ids", f"lie below {size}", f"{ids.min()} to {ids.max()}", fix)
    return ids


def _say_unknown(count: int, where: str) -> None:
    if count:
        note(f"{count} of the {where}'s tokens were not in the text it learned from and are read as one")


def _named(names: list[str], tokens: list[int], shares: list[float]) -> tuple[tuple[str, float], ...]:
    """Tokens by name, each with its probability."""
    return tuple((names[token], share) for token, share in zip(tokens, shares, strict=True))
