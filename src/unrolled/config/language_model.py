"""The config of a language model."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from unrolled.config.base import DROPOUTS, HOW_LONG, LAYERS, MACHINE, OPTIMISER, Config, at_odds
from unrolled.config.field import Share, Steps, at_least


class LanguageModelConfig(Config, frozen=True, kw_only=True):
    """How a language model is trained: data, model, optimiser, judgement. Every field has a default.

    Units: durations in seconds; ``length`` in tokens; ``warmup`` and ``evaluate_every`` in updates.

    Raises:
        OptionError: a value of another type, outside its limits, or at odds with another field.

    Example:
        >>> from unrolled.config import override
        >>> override(LanguageModelConfig(), {"hidden": "512", "budget": "10m"}).budget
        600.0
    """

    SECTIONS: ClassVar[dict[str, str]] = {
        "This file": "schema task",
        "Data": "sources valid_sources test_sources encoding tokens vocabulary valid test",
        "Model": f"{LAYERS} embedding tied {DROPOUTS}",
        "Windows of text": "length batch carry",
        "How long": HOW_LONG,
        "Optimiser": OPTIMISER,
        "Judging and keeping": "evaluate_every patience sample checkpoint_every memoryless",
        "Machine": MACHINE,
    }

    task: Annotated[Literal["lm"], Meta(description="what is learned: the next token")] = "lm"

    sources: Annotated[tuple[str, ...], Meta(description="texts: files, folders, patterns")] = ()
    tokens: Annotated[Literal["char", "byte", "word", "bpe"], Meta(description="what one step reads")] = (
        "char"
    )
    vocabulary: Annotated[int, at_least(0, "most entries; 0: all of them, for bpe 8000")] = 0
    valid: Annotated[Share, Meta(description="share of the text that chooses the best weights")] = 0.05
    test: Annotated[Share, Meta(description="share of the text, its end, that the result is judged on")] = 0.1

    hidden: Annotated[int, at_least(1, "hidden units of a layer")] = 256
    embedding: Annotated[int, at_least(0, "features of a token; 0: as many as hidden units")] = 0
    tied: Annotated[bool, Meta(description="output weights are those of the embedding")] = False

    length: Annotated[Steps, at_least(0, "steps that gradients go back through; 0 or whole: the text")] = 128
    batch: Annotated[int, at_least(1, "streams of text read side by side")] = 32
    carry: Annotated[
        bool, Meta(description="a window begins with the state the one before left; off: shuffled, from 0")
    ] = True

    sample: Annotated[int, at_least(0, "characters of a sample at an evaluation; 0: none")] = 200

    def check(self) -> None:
        """Checks what no field can see alone.

        Raises:
            OptionError: two fields are at odds.
        """
        super().check()
        if self.tied and self.embedding not in (0, self.hidden):
            rule = f"be as many as hidden units, {self.hidden}, where weights are tied"
            raise at_odds("embedding", rule, self.embedding, "Leave it out, or --tied off.")
        if self.tokens == "byte" and self.vocabulary:
            rule = "be 0 for bytes, of which there are 256"
            raise at_odds("vocabulary", rule, self.vocabulary, "Leave it out, or --tokens bpe.")
        if self.tokens == "bpe" and 0 < self.vocabulary <= 256:
            rule = "be above 256 for bpe, which begins with the 256 bytes"
            raise at_odds("vocabulary", rule, self.vocabulary, "Leave it out for 8000.")
