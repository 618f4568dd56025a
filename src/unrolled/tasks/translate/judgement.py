"""How good translations are: BLEU and chrF, as sacrebleu has them, and how many are right to the letter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unrolled.errors import UnavailableError
from unrolled.tasks.base import Measure

BLEU = Measure("bleu", "BLEU", ".2f", higher=True)
CHRF = Measure("chrf", "chrF", ".2f", higher=True)
EXACT = Measure("exact", "exactly\nright", ".4f", higher=True)

MEASURES = {"bleu": (BLEU, CHRF, EXACT), "exact": (EXACT, CHRF, BLEU)}
"""By what counts first."""


@dataclass(frozen=True)
class Mistake:
    """A translation beside those that would have been right.

    Units: ``score`` from 0 to 100: BLEU of this text alone, smoothed, or where the letter counts, its chrF.
    """

    source: str
    said: str
    references: tuple[str, ...]
    score: float


class Judge:
    """Compares texts with their references, one or several each.

    Args:
        lower: capitals do not count.
        metric: ``bleu`` or ``exact``: what counts first, and which score a single text gets.

    Raises:
        UnavailableError: sacrebleu is not installed.

    Source: Post 2018, A Call for Clarity in Reporting BLEU Scores; Popović 2015, chrF.

    Example:
        >>> Judge(lower=True, metric="exact").values(["1999-03-03"], [["1999-03-03"]])["exact"]
        1.0
    """

    def __init__(self, lower: bool, metric: str) -> None:
        library = _library()
        self.lower, self.metric = lower, metric
        self._bleu = library.BLEU(lowercase=lower)
        self._chrf = library.CHRF(lowercase=lower)
        self._alone = library.BLEU(lowercase=lower, effective_order=True) if metric == "bleu" else self._chrf
        self.measures = MEASURES[metric]

    def values(self, said: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
        """All three measures over all texts: BLEU and chrF from 0 to 100, the right ones from 0 to 1."""
        streams = _streams(references)
        return {
            "bleu": self._bleu.corpus_score(list(said), streams).score,
            "chrf": self._chrf.corpus_score(list(said), streams).score,
            "exact": sum(map(self.right, said, references)) / len(said),
        }

    def right(self, said: str, references: Sequence[str]) -> bool:
        """Whether a text is one of its references, white space apart."""
        return self._plain(said) in map(self._plain, references)

    def alone(self, said: str, references: Sequence[str]) -> float:
        """The score of a single text, from 0 to 100."""
        return self._alone.sentence_score(said, list(references)).score

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """How BLEU is counted, in the form that lets others count it so too."""
        few, many = min(references, key=len), max(references, key=len)
        self._bleu.corpus_score([few[0], many[0]], _streams([few, many]))  # only then does it know how many
        return str(self._bleu.get_signature())

    def worst(
        self, sources: Sequence[str], said: Sequence[str], references: Sequence[Sequence[str]], most: int = 10
    ) -> list[Mistake]:
        """The texts with the lowest scores, the worst first; what is right to the letter is none of them."""
        mistakes = [
            Mistake(source, text, tuple(right), self.alone(text, right))
            for source, text, right in zip(sources, said, references, strict=True)
            if not self.right(text, right)
        ]
        return sorted(mistakes, key=lambda mistake: mistake.score)[:most]

    def _plain(self, text: str) -> str:
        text = " ".join(text.split())
        return text.lower() if self.lower else text


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """The first reference of each text, the second of each, and so on; None where there are no more."""
    most = max(map(len, references))
    return [[each[k] if k < len(each) else None for each in references] for k in range(most)]


def _library() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError as error:
        fix = 'Fix: pip install "unrolled[text]"'
        raise UnavailableError("translate: its judge", "find the package sacrebleu", "none", fix) from error
    return metrics
