"""The config of a translator: a text of one kind in, a text of another kind out."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from unrolled.config.base import DROPOUTS, HOW_LONG, MACHINE, OPTIMISER, at_odds
from unrolled.config.examples import KEEPING, MODEL, PARTS
from unrolled.config.field import Share, at_least
from unrolled.config.tables import READING, TableConfig

Tokens = Literal["word", "bpe", "char"]


class TranslateConfig(TableConfig, frozen=True, kw_only=True):
    """How an encoder and a decoder learn to make one text of another. Every field has a default.

    Units: durations in seconds; ``longest`` in words; ``warmup``, ``evaluate_every`` and ``teaching_pace`` in
    updates.

    Raises:
        OptionError: a value of another type, outside its limits, or at odds with another field.

    Example:
        >>> from unrolled.config import override
        >>> override(TranslateConfig(), {"tokens": "char", "attention": "additive"}).target_tokens
        'same'
    """

    SECTIONS: ClassVar[dict[str, str]] = {
        "This file": "schema task",
        "Data": f"sources {READING} source_column target_column longest",
        "Parts": PARTS,
        "Texts as tokens": "tokens target_tokens lower vocabulary target_vocabulary min_count shared",
        "Model": f"{MODEL} embedding attention tied {DROPOUTS}",
        "Batches": "length batch",
        "How long": HOW_LONG,
        "Optimiser": f"{OPTIMISER} smoothing",
        "Reading its own words": "teaching teacher teaching_pace",
        "Judging and keeping": f"metric beam length_penalty judged sample {KEEPING}",
        "Machine": MACHINE,
    }

    task: Annotated[
        Literal["translate"], Meta(description="what is learned: a text from another, by pairs")
    ] = "translate"

    sources: Annotated[
        tuple[str, ...], Meta(description="pairs: a table, or two files whose lines go together")
    ] = ()
    source_column: Annotated[str, Meta(description="column to translate from; empty: the first")] = ""
    target_column: Annotated[str, Meta(description="column to translate into; empty: the second")] = ""
    header: Annotated[
        Literal["guess", "on", "off"],
        Meta(description="whether the first line has the columns' names; guess: if one is asked for by name"),
    ] = "guess"
    longest: Annotated[
        int, at_least(0, "words a side may have; longer pairs are left out everywhere; 0: any")
    ] = 0

    tokens: Annotated[Tokens, Meta(description="what one step reads, or writes")] = "word"
    target_tokens: Annotated[
        Literal["same", "word", "bpe", "char"], Meta(description="what one step writes, if not the same")
    ] = "same"
    lower: Annotated[bool, Meta(description="small letters only; judged so too")] = False
    vocabulary: Annotated[int, at_least(0, "most entries of a side; 0: all of them, for bpe 8000")] = 0
    target_vocabulary: Annotated[int, at_least(0, "most entries of the target side; 0: as vocabulary")] = 0
    min_count: Annotated[int, at_least(1, "times a word must be seen to be in the vocabulary")] = 2
    shared: Annotated[bool, Meta(description="one vocabulary, fitted on both sides")] = False

    hidden: Annotated[int, at_least(1, "hidden units of a layer")] = 256
    bidirectional: Annotated[bool, Meta(description="the encoder reads in both directions")] = True
    embedding: Annotated[int, at_least(0, "features of a token; 0: as many as hidden units")] = 0
    attention: Annotated[
        Literal["none", "additive", "dot"], Meta(description="how the decoder looks at the source")
    ] = "dot"
    tied: Annotated[bool, Meta(description="output weights are those of the target's embedding")] = False
    dropout_input: Annotated[Share, Meta(description="share of the input's features set to 0")] = 0.0

    batch: Annotated[int, at_least(1, "pairs side by side in an update")] = 64

    smoothing: Annotated[Share, Meta(description="share of a target spread over all tokens")] = 0.1

    teaching: Annotated[
        Literal["constant", "linear", "inverse_sigmoid"],
        Meta(description="how the share of right tokens that the decoder is told falls"),
    ] = "constant"
    teacher: Annotated[
        float, Meta(ge=0, le=1, description="share of right tokens told: least, or constant")
    ] = 1.0
    teaching_pace: Annotated[float, at_least(1, "updates over which that share falls")] = 10000.0

    metric: Annotated[
        Literal["guess", "bleu", "exact"],
        Meta(description="what counts first; guess: exact where targets are single words"),
    ] = "guess"
    beam: Annotated[int, at_least(1, "how many beginnings the result is searched with; 1: greedy")] = 5
    length_penalty: Annotated[float, at_least(0, "how much a beam favours longer targets")] = 0.6
    judged: Annotated[int, at_least(0, "held-out sources that are translated at an evaluation; 0: all")] = 400
    sample: Annotated[int, at_least(0, "translations shown at an evaluation; 0: none")] = 3

    def check(self) -> None:
        """Checks what no field can see alone.

        Raises:
            OptionError: two fields are at odds.
        """
        super().check()
        if self.length:
            rule = "be whole: the target is read after the last step of the source"
            raise at_odds("length", rule, self.length, "Leave it out; --longest leaves out long pairs.")
        if self.tied and self.embedding not in (0, self.hidden):
            rule = f"be as many as hidden units, {self.hidden}, where weights are tied"
            raise at_odds("embedding", rule, self.embedding, "Leave it out, or --tied off.")
        if self.shared and (self.target_tokens not in ("same", self.tokens) or self.target_vocabulary):
            rule = "be left out where the vocabulary is shared"
            field = "target_vocabulary" if self.target_vocabulary else "target_tokens"
            raise at_odds(field, rule, getattr(self, field), "Or --shared off.")
        kinds = {"vocabulary": self.tokens, "target_vocabulary": self.written}
        for name, kind in kinds.items():
            size = getattr(self, name)
            if kind == "bpe" and 0 < size <= 256:
                rule = "be above 256 for bpe, which begins with the 256 bytes"
                raise at_odds(name, rule, size, "Leave it out for 8000.")
        if self.teaching != "constant" and self.teacher == 1:
            rule = "be below 1 where the share of right tokens falls"
            raise at_odds("teacher", rule, self.teacher, "Say where it ends: --teacher 0.5.")

    @property
    def written(self) -> str:
        """The kind of the target's tokens."""
        return self.tokens if self.target_tokens == "same" else self.target_tokens
