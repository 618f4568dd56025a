"""What the configs of tasks have that learn from examples: sequences of different length, each by itself."""

from typing import Annotated, Literal

from msgspec import Meta

from unrolled.config.base import LAYERS, Config
from unrolled.config.field import Steps, at_least

PARTS = "valid_sources test_sources valid test split group"
"""The fields that say which examples are for what."""

MODEL = f"{LAYERS} bidirectional"

KEEPING = "choose evaluate_every patience checkpoint_every memoryless"


class ExamplesConfig(Config, frozen=True, kw_only=True):
    """What all tasks with examples have. Abstract: a task's own config says the sections.

    Units: ``length`` in steps; else as `Config`.
    """

    split: Annotated[str, Meta(description="column that says train, valid or test, instead of shares")] = ""
    group: Annotated[str, Meta(description="column whose equal values stay in one part")] = ""

    bidirectional: Annotated[bool, Meta(description="read in both directions")] = False
    length: Annotated[
        Steps, at_least(0, "steps that gradients go back through; 0 or whole: all of a sequence")
    ] = 0
    choose: Annotated[
        Literal["loss", "score"], Meta(description="what the best weights have: least loss, best score")
    ] = "score"
