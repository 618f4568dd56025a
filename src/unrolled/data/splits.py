"""Which characters of a text are trained on, which choose the weights, and which the result is judged on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TypeAlias, cast, final

from unrolled.config import LanguageModelConfig
from unrolled.data import reading

Heard: TypeAlias = Callable[[str, int], None]
"""Is told what is being done and how many characters of it are, after every piece."""

PARTS = ("train", "valid", "test")


def pieces(sources: Sequence[str], tokens: str, encoding: str = "utf-8") -> Iterator[str]:
    """What a tokenizer of the kind ``tokens`` is to be given of the sources: their text, piece by piece.

    Where the tokens are bytes, the pieces are bytes: only a byte tokenizer gets them, and it takes both.

    Raises:
        DataError: a source that cannot be read.
    """
    return cast(Iterator[str], reading.raw(sources)) if tokens == "byte" else reading.texts(sources, encoding)


@final
class SplitText:
    """The text of a config in its parts, as often as they are wanted.

    A part that has no sources of its own is cut from the end of the training text: train, valid, test. Cuts
    are exact to the character; where the tokens are words, they move on to the next word's beginning.

    Attributes:
        cuts: from where to where each part goes in its sources, in characters; None is their end.
    """

    def __init__(
        self, config: LanguageModelConfig, sources: dict[str, tuple[str, ...]], heard: Heard
    ) -> None:
        self.config, self.sources, self.heard = config, sources, heard
        self.cuts = self._find_cuts()

    def pieces(self, part: str, doing: str = "write") -> Iterator[str]:
        """The pieces of a part; says what is done with them."""
        start, stop = self.cuts[part]
        done = 0
        for piece in _between(self._read(part if self.sources[part] else "train"), start, stop):
            yield piece
            done += len(piece)
            self.heard(f"{doing} {part}", done)

    def _read(self, part: str) -> Iterator[str]:
        return pieces(self.sources[part], self.config.tokens, self.config.encoding)

    def _find_cuts(self) -> dict[str, tuple[int, int | None]]:
        config = self.config
        test = Fraction(0) if self.sources["test"] else Fraction(str(config.test))
        valid = Fraction(0) if self.sources["valid"] else Fraction(str(config.valid))
        cuts: dict[str, tuple[int, int | None]] = dict.fromkeys(PARTS, (0, None))
        if not test + valid:
            return cuts
        length = 0
        for piece in self._read("train"):
            length += len(piece)
            self.heard("count", length)
        first, second = int(length * (1 - test - valid)), int(length * (1 - test))
        if config.tokens == "word":
            first, second = (_behind_space(self._read("train"), position) for position in (first, second))
        cuts["train"] = 0, first
        if valid:
            cuts["valid"] = first, second
        if test:
            cuts["test"] = second, length
        return cuts


def _between(pieces: Iterable[str], start: int, stop: int | None) -> Iterator[str]:
    """What of the pieces stands from ``start`` to ``stop``, counted in characters from the first piece on."""
    begin = 0
    for piece in pieces:
        if stop is not None and begin >= stop:
            return
        wanted = piece[max(0, start - begin) : None if stop is None else stop - begin]
        begin += len(piece)
        if wanted:
            yield wanted


def _behind_space(pieces: Iterable[str], position: int) -> int:
    """The first place from ``position`` on that has white space, or nothing, before it."""
    if position == 0:
        return 0
    for piece in _between(pieces, position - 1, None):
        for character in piece:
            if character.isspace():
                return position
            position += 1
    return position - 1
