"""The config of a model of music."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from unrolled.config.base import DROPOUTS, HOW_LONG, MACHINE, OPTIMISER, at_odds
from unrolled.config.examples import KEEPING, MODEL, PARTS, ExamplesConfig
from unrolled.config.field import at_least


class NotesConfig(ExamplesConfig, frozen=True, kw_only=True):
    """How a model of polyphonic music is trained: which keys sound next. Every field has a default.

    Units: durations in seconds; ``length`` in steps; ``transpose`` in semitones; ``warmup`` and
    ``evaluate_every`` in updates.

    Raises:
        OptionError: a value of another type, outside its limits, or at odds with another field.

    Example:
        >>> from unrolled.config import override
        >>> override(NotesConfig(), {"hidden": "200", "transpose": "5"}).transpose
        5
    """

    SECTIONS: ClassVar[dict[str, str]] = {
        "This file": "schema task",
        "Data": "sources encoding transpose",
        "Parts": PARTS,
        "Model": f"{MODEL} {DROPOUTS}",
        "Batches": "batch length",
        "How long": HOW_LONG,
        "Optimiser": OPTIMISER,
        "Judging and keeping": KEEPING,
        "Machine": MACHINE,
    }

    task: Annotated[Literal["notes"], Meta(description="what is learned: the keys that sound next")] = "notes"

    sources: Annotated[tuple[str, ...], Meta(description="JSON of pieces: lists of steps of MIDI notes")] = ()
    transpose: Annotated[
        int, at_least(0, "semitones up or down by which pieces are shifted at most in training")
    ] = 0
    batch: Annotated[int, at_least(1, "pieces side by side in an update")] = 8

    def check(self) -> None:
        """Checks what no field can see alone.

        Raises:
            OptionError: two fields are at odds.
        """
        super().check()
        if self.bidirectional:
            rule = "be off: what comes next would be read"
            raise at_odds("bidirectional", rule, "on", "Leave it out.")
