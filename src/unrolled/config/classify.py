"""The config of a classifier."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from unrolled.config.base import DROPOUTS, HOW_LONG, MACHINE, OPTIMISER, at_odds
from unrolled.config.examples import KEEPING, MODEL, PARTS
from unrolled.config.field import Share, at_least
from unrolled.config.tables import READING, TableConfig


class ClassifyConfig(TableConfig, frozen=True, kw_only=True):
    """How a classifier of texts or of sequences of numbers is trained. Every field has a default.

    Units: durations in seconds; ``length`` in steps; ``warmup`` and ``evaluate_every`` in updates.

    Raises:
        OptionError: a value of another type, outside its limits, or at odds with another field.

    Example:
        >>> from unrolled.config import override
        >>> override(ClassifyConfig(), {"label": "stars", "read": "max"}).read
        'max'
    """

    SECTIONS: ClassVar[dict[str, str]] = {
        "This file": "schema task",
        "Data": f"sources {READING}",
        "Columns": "kind text label features sequence time",
        "Parts": PARTS,
        "Tokens of texts": "tokens lower vocabulary min_count embedding word_dropout",
        "Model": f"{MODEL} read {DROPOUTS}",
        "Batches": "batch length class_weights",
        "How long": HOW_LONG,
        "Optimiser": OPTIMISER,
        "Judging and keeping": f"{KEEPING} metric",
        "Machine": MACHINE,
    }

    task: Annotated[Literal["classify"], Meta(description="what is learned: a class for each sequence")] = (
        "classify"
    )

    kind: Annotated[
        Literal["guess", "text", "sensors"], Meta(description="what is read: texts, or numbers in time")
    ] = "guess"
    text: Annotated[str, Meta(description="column of the texts, instead of a guess")] = ""
    label: Annotated[str, Meta(description="column of the classes, instead of a guess")] = ""
    features: Annotated[tuple[str, ...], Meta(description="columns of measurements; none: all numbers")] = ()
    sequence: Annotated[
        str, Meta(description="column that says which rows are steps of one sequence; none: a row is one")
    ] = ""
    time: Annotated[str, Meta(description="column that orders the steps of a sequence")] = ""

    tokens: Annotated[
        Literal["word", "char", "byte", "bpe"], Meta(description="what one step of a text reads")
    ] = "word"
    lower: Annotated[bool, Meta(description="read capitals as small letters")] = True
    vocabulary: Annotated[int, at_least(0, "most different tokens; 0: all of them, for bpe 8000")] = 0
    min_count: Annotated[int, at_least(1, "times that a token is in the train part, or it is unknown")] = 2
    embedding: Annotated[int, at_least(1, "features of a token")] = 100
    word_dropout: Annotated[Share, Meta(description="share of tokens read as unknown in training")] = 0.0

    read: Annotated[
        Literal["last", "mean", "max", "attention"], Meta(description="what stands for all of a sequence")
    ] = "max"
    bidirectional: Annotated[bool, Meta(description="read in both directions")] = True

    class_weights: Annotated[
        Literal["none", "balanced"], Meta(description="balanced: all classes count the same in the loss")
    ] = "none"
    metric: Annotated[
        Literal["accuracy", "macro_f1"], Meta(description="the score that counts first and may choose")
    ] = "accuracy"

    def check(self) -> None:
        """Checks what no field can see alone.

        Raises:
            OptionError: two fields are at odds.
        """
        super().check()
        if self.word_dropout and self.tokens in ("byte", "bpe"):
            rule = f"be 0 with {self.tokens}, where no token is unknown"
            raise at_odds("word_dropout", rule, self.word_dropout, "Leave it out, or --tokens word.")
        if self.tokens == "byte" and self.vocabulary:
            rule = "be 0 for bytes, of which there are 256"
            raise at_odds("vocabulary", rule, self.vocabulary, "Leave it out, or --tokens bpe.")
        if self.length and (self.bidirectional or self.read == "attention"):
            got = "--bidirectional on" if self.bidirectional else "--read attention"
            rule = f"be whole with {got}, which needs all steps at once"
            fix = "Add --bidirectional off --read last, mean or max; or leave it out."
            raise at_odds("length", rule, self.length, fix)
