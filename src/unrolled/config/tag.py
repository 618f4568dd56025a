"""The config of a tagger."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from unrolled.config.base import DROPOUTS, HOW_LONG, MACHINE, OPTIMISER
from unrolled.config.examples import KEEPING, MODEL, PARTS
from unrolled.config.field import Share, at_least
from unrolled.config.tables import READING, TableConfig


class TagConfig(TableConfig, frozen=True, kw_only=True):
    """How a network is trained that labels every word of a sentence, or every frame of a sequence.

    Every field has a default.

    Units: durations in seconds; ``length`` in words or frames; ``warmup`` and ``evaluate_every`` in updates.

    Raises:
        OptionError: a value of another type, outside its limits, or at odds with another field.

    Example:
        >>> from unrolled.config import override
        >>> override(TagConfig(), {"label": "chunk", "characters": "on"}).characters
        'on'
    """

    SECTIONS: ClassVar[dict[str, str]] = {
        "This file": "schema task",
        "Data": f"sources {READING}",
        "Columns": "kind words label features sequence time normalise",
        "Parts": PARTS,
        "Words": "lower vocabulary min_count embedding word_dropout",
        "Characters of words": "characters character_embedding character_hidden",
        "Model": f"{MODEL} {DROPOUTS}",
        "Batches": "batch length class_weights",
        "How long": HOW_LONG,
        "Optimiser": OPTIMISER,
        "Judging and keeping": f"{KEEPING} metric",
        "Machine": MACHINE,
    }

    task: Annotated[Literal["tag"], Meta(description="what is learned: a label for each step")] = "tag"

    kind: Annotated[
        Literal["guess", "words", "frames"], Meta(description="what has labels: words, or rows of numbers")
    ] = "guess"
    words: Annotated[str, Meta(description="column of the words, instead of a guess")] = ""
    label: Annotated[str, Meta(description="column of the labels, instead of a guess")] = ""
    features: Annotated[tuple[str, ...], Meta(description="columns of measurements; none: all numbers")] = ()
    sequence: Annotated[
        str, Meta(description="column that says which rows make a sequence; none: a file is one")
    ] = ""
    time: Annotated[str, Meta(description="column that orders the rows; none: as they stand")] = ""

    normalise: Annotated[
        Literal["train", "sequence"],
        Meta(description="measurements by mean and scale of the train part, or of each whole sequence"),
    ] = "train"

    lower: Annotated[bool, Meta(description="words read capitals as small letters; characters never")] = True
    vocabulary: Annotated[int, at_least(0, "most different words; 0: all of them")] = 0
    min_count: Annotated[int, at_least(1, "times that a word is in the train part, or it is unknown")] = 2
    embedding: Annotated[int, at_least(1, "features of a word")] = 100
    word_dropout: Annotated[Share, Meta(description="share of words read as unknown in training")] = 0.0

    characters: Annotated[
        Literal["guess", "on", "off"],
        Meta(description="read how words are spelled; guess: where over 1 % of them are unknown"),
    ] = "guess"
    character_embedding: Annotated[int, at_least(1, "features of a character")] = 25
    character_hidden: Annotated[int, at_least(1, "units that read characters, in each direction")] = 25

    bidirectional: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride]  a guess stands beside on and off
        Literal["guess", "on", "off"], Meta(description="read in both directions; guess: on for words alone")
    ] = "guess"

    class_weights: Annotated[
        Literal["none", "balanced"], Meta(description="balanced: all labels count the same in the loss")
    ] = "none"
    metric: Annotated[
        Literal["guess", "chunk_f1", "accuracy", "macro_f1"],
        Meta(description="the score that counts first and may choose; guess: chunk_f1 if labels are B- I- O"),
    ] = "guess"
