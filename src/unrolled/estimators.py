"""Models with the manners of scikit-learn: made with options, fitted to data, then used."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from unrolled import config as configs
from unrolled.config import LanguageModelConfig
from unrolled.data import splits
from unrolled.errors import DataError, NotFittedError, note
from unrolled.report.training import Display
from unrolled.tasks import lm, sampling
from unrolled.tasks.sampling import Choice
from unrolled.training import keeping, language_model
from unrolled.training.keeping import MODEL, Kept
from unrolled.training.language_model import Outcome
from unrolled.training.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well a text was foreseen.

    Units: ``nats`` and ``perplexity`` a token; ``by_length``: mean nats of the tokens with so many before
    them, as (from, to, nats).
    """

    tokens: int
    characters: int
    unknown: int
    nats: float
    bits_per_character: float
    perplexity: float
    by_length: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A token of a text, and what was expected in its place.

    Units: ``surprise`` in bits, missing for the first token, which nothing stands before; ``expected`` the
    likeliest tokens and their probabilities, likeliest first.
    """

    token: str
    surprise: float | None
    expected: tuple[tuple[str, float], ...]


@final
class LanguageModel:
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

    def __init__(self, **fields: Any) -> None:
        self.config: LanguageModelConfig = configs.override(LanguageModelConfig(), fields, "LanguageModel")
        self.outcome: Outcome | None = None
        self._kept: Kept | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The fields of the config, by name, as scikit-learn's tools ask for them."""
        del deep
        return structs.asdict(self.config)

    def set_params(self, **fields: Any) -> Self:
        """Changes fields of the config; a fitted model stays as it is."""
        self.config = configs.override(self.config, fields, "LanguageModel")
        return self

    def fit(self, text: str | Path | Iterable[str | Path], *, verbose: bool = False) -> Self:
        """Learns from a text: the text itself, or paths (of class Path) of files and folders with it.

        Raises:
            DataError: a text that cannot be read, or is too short.
            NonFiniteError: the loss is no number any more.
        """
        with tempfile.TemporaryDirectory() as place:
            sources = _sources(text, Path(place))
            config = structs.replace(self.config, sources=sources)
            with language_model.begun(config, None) as course, Display(quiet=not verbose) as display:
                display.begin(course.facts())
                self.outcome = course.run(display)
                model = deepcopy(course.learner.model)
                course.keeping.load_best(MODEL, model)
                self._kept = Kept(model.eval(), course.tokenizer, config, {})
        return self

    @classmethod
    def load(cls, run: str | Path = "last") -> Self:
        """The best weights of a run: its folder, its name, or ``last``.

        Raises:
            RunError: there is no such run, or a file of it is damaged.
        """
        kept = keeping.load(RunFolder.open(run))
        loaded = cls()
        loaded.config, loaded._kept = kept.config, kept
        return loaded

    def save(self, folder: str | Path) -> None:
        """Writes a folder that `load` reads.

        Raises:
            RunError: the folder is there.
            StorageError: the disk is full.
        """
        kept, folder = self._fitted(), Path(folder)
        config = structs.replace(kept.config, sources=())
        keeping.write(RunFolder.create(configs.dumps(config), folder.name, folder.parent), kept)

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 500,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
    ) -> Iterator[str]:
        """Writes on from the prompt, piece by piece as it comes, up to ``length`` characters or a ``stop``.

        A token costs the same however long the text already is. The stop string is not part of the text.

        Raises:
            OptionError: a number out of its range.
        """
        kept, choice = self._fitted(), Choice(temperature, top_k, top_p)
        unknown = kept.tokenizer.look_up(prompt)[1]
        if unknown:
            note(f"{unknown} of the prompt's tokens were not in the text it learned from and are read as one")
        return sampling.text(kept.model, kept.tokenizer, prompt, choice, length, seed, stop)

    def evaluate(
        self, text: str | Path | Iterable[str | Path] | NDArray[Any], *, by_length: bool = False
    ) -> Judgement:
        """Judges a text, the text of paths, or ids; ``by_length`` up to eight times the length of training.

        Shapes:
            ids: ``[N]``, of a `Corpus` with the model's tokenizer.

        Raises:
            DataError: fewer than two tokens, or a text that cannot be read.
        """
        kept = self._fitted()
        ids, unknown = _ids(kept, text)
        nats = lm.judge(kept.model, ids)
        characters = kept.tokenizer.characters(ids)
        positions: list[tuple[int, int, float]] = []
        if by_length:
            longest = min(8 * (kept.config.length or 128), len(ids) - 1)
            positions = lm.judge_by_position(kept.model, ids, longest)
        return Judgement(
            tokens=len(ids),
            characters=characters,
            unknown=unknown,
            nats=nats,
            bits_per_character=nats * (len(ids) - 1) / log(2) / characters,
            perplexity=exp(min(nats, 700)),
            by_length=tuple(positions),
        )

    def score(self, text: str | Path | Iterable[str | Path]) -> float:
        """Mean log-likelihood of a text's tokens, larger is better.

        Units: nats a token.
        """
        return -self.evaluate(text).nats

    def predict(self, text: str, *, top: int = 5) -> list[Foreseen]:
        """Every token of the text with its surprise, and a last one, empty, for what comes after.

        Raises:
            DataError: an empty text.
        """
        kept = self._fitted()
        ids, _ = _ids(kept, text, least=1)
        log_p = sampling.log_probabilities(kept.model, ids)
        names = kept.tokenizer.vocabulary
        likeliest = np.argsort(-log_p, axis=1, kind="stable")[:, :top]
        expected = [
            tuple((names[k], float(np.exp(row[k]))) for k in best)
            for row, best in zip(log_p, likeliest.tolist(), strict=True)
        ]
        tokens = [names[token] for token in ids.tolist()]
        surprises = [None, *(-log_p[:-1][range(len(ids) - 1), ids[1:]] / log(2)).tolist()]
        return [
            Foreseen(*foreseen)
            for foreseen in zip([*tokens, ""], [*surprises, None], [(), *expected], strict=True)
        ]

    def _fitted(self) -> Kept:
        if self._kept is None:
            fix = "Call fit(text) first, or LanguageModel.load(run)."
            raise NotFittedError("LanguageModel", "be fitted before it is used", "no weights yet", fix)
        return self._kept


def _sources(text: str | Path | Iterable[str | Path], place: Path) -> tuple[str, ...]:
    """Files with the text, written to ``place`` where it is a text itself."""
    if isinstance(text, Path):
        return (str(text),)
    pieces = [text] if isinstance(text, str) else list(text)
    paths: list[str] = []
    for number, piece in enumerate(pieces):
        path = piece if isinstance(piece, Path) else place / f"text-{number:06}.txt"
        if not isinstance(piece, Path):
            path.write_text(piece, encoding="utf-8", newline="")
        paths.append(str(path))
    return tuple(paths)


def _ids(
    kept: Kept, text: str | Path | Iterable[str | Path] | NDArray[Any], least: int = 2
) -> tuple[NDArray[Any], int]:
    """The ids of a text and how many are unknown; files are read as those of the training were."""
    config, tokenizer = kept.config, kept.tokenizer
    if isinstance(text, np.ndarray):
        return text, 0 if tokenizer.unknown is None else int((text == tokenizer.unknown).sum())
    parts = [text] if isinstance(text, str | Path) else text
    looked_up = [
        tokenizer.look_up(piece)
        for part in parts
        for piece in (
            splits.pieces((str(part),), config.tokens, config.encoding) if isinstance(part, Path) else (part,)
        )
    ]
    ids = np.concatenate([ids for ids, _ in looked_up]) if looked_up else np.zeros(0, np.uint32)
    if len(ids) < least:
        raise DataError("the text", f"have at least {least} tokens", len(ids), "Give a longer one.")
    return ids, sum(unknown for _, unknown in looked_up)
