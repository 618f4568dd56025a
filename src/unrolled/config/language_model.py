"""The config of a language model."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_type_hints

import tomli_w
from msgspec import Meta, Struct, structs

from unrolled.config.field import Field, Seconds, Share, Steps, at_least
from unrolled.errors import OptionError

SCHEMA = 1

SECTIONS = {
    "schema": "This file",
    "sources": "Data",
    "cell": "Model",
    "length": "Windows of text",
    "epochs": "How long",
    "optimiser": "Optimiser",
    "evaluate_every": "Judging and keeping",
    "seed": "Machine",
}
"""The heading above a field and those that follow it."""


class LanguageModelConfig(Struct, frozen=True, kw_only=True):
    """How a language model is trained: data, model, optimiser, judgement. Every field has a default.

    Units: durations in seconds; ``length`` in tokens; ``warmup`` and ``evaluate_every`` in updates.

    Raises:
        OptionError: a value of another type, outside its limits, or at odds with another field.

    Example:
        >>> from unrolled.config import override
        >>> override(LanguageModelConfig(), {"hidden": "512", "budget": "10m"}).budget
        600.0
    """

    schema: Annotated[int, Meta(ge=1, le=SCHEMA, description="version of this list of fields")] = SCHEMA
    task: Annotated[Literal["lm"], Meta(description="what is learned: the next token")] = "lm"

    sources: Annotated[tuple[str, ...], Meta(description="texts: files, folders, patterns")] = ()
    valid_sources: Annotated[
        tuple[str, ...], Meta(description="texts that choose the best weights, instead of a share")
    ] = ()
    test_sources: Annotated[
        tuple[str, ...], Meta(description="texts the result is judged on, instead of a share")
    ] = ()
    encoding: Annotated[str, Meta(description="how the files' bytes spell characters")] = "utf-8"
    tokens: Annotated[Literal["char", "byte", "word", "bpe"], Meta(description="what one step reads")] = (
        "char"
    )
    vocabulary: Annotated[int, at_least(0, "most entries; 0: all of them, for bpe 8000")] = 0
    valid: Annotated[Share, Meta(description="share of the text that chooses the best weights")] = 0.05
    test: Annotated[Share, Meta(description="share of the text, its end, that the result is judged on")] = 0.1

    cell: Annotated[Literal["rnn", "lstm", "gru"], Meta(description="the recurrent cell")] = "gru"
    layers: Annotated[int, at_least(1, "layers on top of each other")] = 1
    hidden: Annotated[int, at_least(1, "hidden units of a layer")] = 256
    embedding: Annotated[int, at_least(0, "features of a token; 0: as many as hidden units")] = 0
    tied: Annotated[bool, Meta(description="output weights are those of the embedding")] = False
    dropout_input: Annotated[Share, Meta(description="share of the embedding's features set to 0")] = 0.0
    dropout_layers: Annotated[Share, Meta(description="share of the units set to 0 between layers")] = 0.0
    dropout_steps: Annotated[Share, Meta(description="share of the units set to 0 between steps")] = 0.0
    dropout_output: Annotated[Share, Meta(description="share of the units set to 0 before the output")] = 0.0
    init: Annotated[float, at_least(0, "initial weights uniform in +-init; 0: as torch does")] = 0.0
    remember: Annotated[int, at_least(0, "steps back that gates remember at first; 0: as torch does")] = 0

    length: Annotated[Steps, at_least(0, "steps that gradients go back through; 0 or whole: the text")] = 128
    batch: Annotated[int, at_least(1, "streams of text read side by side")] = 32
    carry: Annotated[
        bool, Meta(description="a window begins with the state the one before left; off: shuffled, from 0")
    ] = True

    epochs: Annotated[float, Meta(gt=0, description="passes over the text, if there is no budget")] = 10.0
    budget: Annotated[Seconds, at_least(0, "time to train, such as 90s, 10m or 2h; 0: epochs decide")] = 0.0

    optimiser: Annotated[
        Literal["adam", "adamw", "sgd"], Meta(description="how gradients become updates")
    ] = "adam"
    learning_rate: Annotated[float, Meta(gt=0, description="size of an update at its largest")] = 2e-3
    momentum: Annotated[Share, Meta(description="of sgd")] = 0.0
    weight_decay: Annotated[float, at_least(0, "pull of the weights toward 0")] = 0.0
    schedule: Annotated[
        Literal["constant", "cosine", "linear", "decay", "plateau"],
        Meta(description="how the learning rate falls"),
    ] = "cosine"
    warmup: Annotated[int, at_least(0, "updates over which the rate rises from 0")] = 0
    final_rate: Annotated[
        float, Meta(ge=0, le=1, description="share of the rate that cosine and linear end at")
    ] = 0.05
    decay: Annotated[
        float, Meta(gt=0, le=1, description="factor on the rate: decay, each epoch; plateau, when stuck")
    ] = 0.5
    decay_from: Annotated[int, at_least(0, "epochs at the full rate before decay sets in")] = 4
    clip: Annotated[float, at_least(0, "largest norm of all gradients together; 0: any")] = 1.0
    average: Annotated[
        Share, Meta(description="decay of a moving average of the weights, which is judged and kept; 0: none")
    ] = 0.0

    evaluate_every: Annotated[
        int, at_least(0, "updates between evaluations; 0: each epoch, or 20 times a run")
    ] = 0
    patience: Annotated[int, at_least(0, "evaluations without a better loss before stopping; 0: never")] = 0
    sample: Annotated[int, at_least(0, "characters of a sample at an evaluation; 0: none")] = 200
    checkpoint_every: Annotated[Seconds, Meta(gt=0, description="time between checkpoints")] = 60.0
    memoryless: Annotated[
        bool, Meta(description="train the same network without memory too, to compare with")
    ] = True

    seed: Annotated[int, at_least(0, "of weights, dropout, order and samples")] = 0
    threads: Annotated[int, at_least(0, "processor threads; 0: torch's own number")] = 0

    def __post_init__(self) -> None:
        for name, field in FIELDS.items():
            field.check(getattr(self, name))
        _check_together(self)

    def __str__(self) -> str:
        """TOML, every field with its meaning as a comment."""
        lines: list[str] = []
        for name, field in FIELDS.items():
            if name in SECTIONS:
                lines += ["", f"# {SECTIONS[name]}"]
            lines.append(f"{f'{name} = {_toml(getattr(self, name))}':<27} # {field.help}")
        return "\n".join(lines[1:]) + "\n"


def sections() -> Iterator[tuple[str, list[Field]]]:
    """The fields under their headings, in order."""
    names = list(FIELDS)
    starts = [names.index(first) for first in SECTIONS]
    for title, start, end in zip(SECTIONS.values(), starts, [*starts[1:], len(names)], strict=True):
        yield title, [FIELDS[name] for name in names[start:end]]


def _check_together(c: LanguageModelConfig) -> None:
    """Checks what no field can see alone.

    Raises:
        OptionError: two fields are at odds.
    """
    shares = 0 if c.valid_sources else c.valid, 0 if c.test_sources else c.test
    if not (c.valid_sources or c.valid):
        raise _at_odds("valid", "be above 0", c.valid, "Or name texts: --valid-sources FILE.")
    if not (c.test_sources or c.test):
        raise _at_odds("test", "be above 0", c.test, "Or name texts: --test-sources FILE.")
    if sum(shares) >= 1:
        raise _at_odds(
            "valid + test", "leave text to train on", sum(shares), "Leave out both for 0.05 and 0.1."
        )
    if c.tied and c.embedding not in (0, c.hidden):
        rule = f"be as many as hidden units, {c.hidden}, where weights are tied"
        raise _at_odds("embedding", rule, c.embedding, "Leave it out, or --tied off.")
    if c.layers == 1 and c.dropout_layers:
        rule = "be 0 with one layer, which has none above it"
        raise _at_odds("dropout_layers", rule, c.dropout_layers, "Use dropout_output, or --layers 2.")
    if c.cell == "rnn" and c.remember:
        raise _at_odds("remember", "be 0 with rnn, which has no gates", c.remember, "Or --cell gru.")
    if c.remember == 1:
        raise _at_odds("remember", "be 0 or at least 2", c.remember, "Leave it out for torch's own start.")
    if c.optimiser != "sgd" and c.momentum:
        rule = f"be 0 with {c.optimiser}, which has its own"
        raise _at_odds("momentum", rule, c.momentum, "Leave it out, or --optimiser sgd.")
    if c.tokens == "byte" and c.vocabulary:
        rule = "be 0 for bytes, of which there are 256"
        raise _at_odds("vocabulary", rule, c.vocabulary, "Leave it out, or --tokens bpe.")
    if c.tokens == "bpe" and 0 < c.vocabulary <= 256:
        rule = "be above 256 for bpe, which begins with the 256 bytes"
        raise _at_odds("vocabulary", rule, c.vocabulary, "Leave it out for 8000.")


def _at_odds(name: str, rule: str, got: object, fix: str) -> OptionError:
    return OptionError(f"config: {name}", rule, got, fix)


def _toml(value: Any) -> str:
    """One value in TOML, lists on one line."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def _declared() -> dict[str, Field]:
    hints = get_type_hints(LanguageModelConfig, include_extras=True)
    defaults = {field.name: field.default for field in structs.fields(LanguageModelConfig)}
    return {name: Field.declared(name, hints[name], defaults[name]) for name in defaults}


FIELDS = _declared()
