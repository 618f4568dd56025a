"""What every task's config has: data, recurrent layers, how long, optimiser, judging and keeping."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_type_hints

import tomli_w
from msgspec import Meta, Struct, structs

from unrolled.config.field import Field, Seconds, Share, at_least
from unrolled.errors import OptionError

SCHEMA = 1

LAYERS = "cell order layers hidden"
DROPOUTS = "dropout_input dropout_layers dropout_steps dropout_output init remember"
HOW_LONG = "epochs budget"
OPTIMISER = (
    "optimiser learning_rate momentum weight_decay schedule warmup final_rate decay decay_from clip average"
)
MACHINE = "seed threads"


class Config(Struct, frozen=True, kw_only=True):
    """How a model is trained: data, model, optimiser, judgement. Every field has a default.

    A task's own config adds its fields, and says in `SECTIONS` in which order all of them stand.

    Units: durations in seconds; ``warmup`` and ``evaluate_every`` in updates.

    Raises:
        OptionError: a value of another type, outside its limits, or at odds with another field.
    """

    SECTIONS: ClassVar[dict[str, str]] = {}
    """The headings, and the names of the fields under each."""

    schema: Annotated[int, Meta(ge=1, le=SCHEMA, description="version of this list of fields")] = SCHEMA
    task: Annotated[str, Meta(description="what is learned")] = ""

    sources: Annotated[tuple[str, ...], Meta(description="data: files, folders, patterns")] = ()
    valid_sources: Annotated[
        tuple[str, ...], Meta(description="data that choose the best weights, instead of a share")
    ] = ()
    test_sources: Annotated[
        tuple[str, ...], Meta(description="data the result is judged on, instead of a share")
    ] = ()
    encoding: Annotated[str, Meta(description="how the files' bytes spell characters")] = "utf-8"
    valid: Annotated[Share, Meta(description="share of the data that chooses the best weights")] = 0.1
    test: Annotated[Share, Meta(description="share of the data that the result is judged on")] = 0.1

    cell: Annotated[Literal["rnn", "lstm", "gru", "hornn"], Meta(description="the recurrent cell")] = "gru"
    order: Annotated[int, at_least(1, "of hornn: how many past states a step reads")] = 2
    layers: Annotated[int, Meta(ge=1, le=1000, description="layers on top of each other")] = 1
    hidden: Annotated[int, at_least(1, "hidden units of a layer")] = 128
    dropout_input: Annotated[Share, Meta(description="share of the input's features set to 0")] = 0.0
    dropout_layers: Annotated[Share, Meta(description="share of the units set to 0 between layers")] = 0.0
    dropout_steps: Annotated[Share, Meta(description="share of the units set to 0 between steps")] = 0.0
    dropout_output: Annotated[Share, Meta(description="share of the units set to 0 before the output")] = 0.0
    init: Annotated[float, at_least(0, "initial weights uniform in +-init; 0: as torch does")] = 0.0
    remember: Annotated[int, at_least(0, "steps back that gates remember at first; 0: as torch does")] = 0

    batch: Annotated[int, at_least(1, "sequences side by side in an update")] = 32
    epochs: Annotated[float, Meta(gt=0, description="passes over the data, if there is no budget")] = 10.0
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
    checkpoint_every: Annotated[Seconds, Meta(gt=0, description="time between checkpoints")] = 60.0
    memoryless: Annotated[
        bool, Meta(description="train the same network without memory too, to compare with")
    ] = True

    seed: Annotated[int, Meta(ge=0, le=2**63 - 1, description="of weights, dropout, order and samples")] = 0
    threads: Annotated[int, Meta(ge=0, le=4096, description="processor threads; 0: torch's own number")] = 0

    def __post_init__(self) -> None:
        for name, field in self.fields().items():
            field.check(getattr(self, name))
        self.check()

    def __str__(self) -> str:
        """TOML, every field with its meaning as a comment."""
        lines: list[str] = []
        for title, fields in self.sections():
            lines += ["", f"# {title}"]
            for field in fields:
                value = _toml(getattr(self, field.name))
                lines.append(f"{f'{field.name} = {value}':<27} # {field.help}")
        return "\n".join(lines[1:]) + "\n"

    @classmethod
    def fields(cls) -> dict[str, Field]:
        """Every field by its name, in the order of the sections."""
        return _declared(cls)

    @classmethod
    def sections(cls) -> Iterator[tuple[str, list[Field]]]:
        """The fields under their headings, in order."""
        fields = cls.fields()
        for title, names in cls.SECTIONS.items():
            yield title, [fields[name] for name in names.split()]

    @property
    def cell_in_words(self) -> str:
        """The cell as a sentence names it."""
        return f"HORNN of order {self.order}" if self.cell == "hornn" else self.cell.upper()

    def check(self) -> None:
        """Checks what no field can see alone; a task's config adds to it.

        Raises:
            OptionError: two fields are at odds.
        """
        self.check_shares()
        if self.layers == 1 and self.dropout_layers:
            rule = "be 0 with one layer, which has none above it"
            raise at_odds("dropout_layers", rule, self.dropout_layers, "Use dropout_output, or --layers 2.")
        if self.cell != "hornn" and self.order != self.fields()["order"].default:
            rule, fix = f"be left out with {self.cell}, which reads one past state", "Or --cell hornn."
            raise at_odds("order", rule, self.order, fix)
        if self.cell in ("rnn", "hornn") and self.remember:
            rule = f"be 0 with {self.cell}, which has no gates"
            raise at_odds("remember", rule, self.remember, "Or --cell gru.")
        if self.remember == 1:
            raise at_odds("remember", "be 0 or at least 2", 1, "Leave it out for torch's own start.")
        if self.optimiser != "sgd" and self.momentum:
            rule = f"be 0 with {self.optimiser}, which has its own"
            raise at_odds("momentum", rule, self.momentum, "Leave it out, or --optimiser sgd.")

    def check_shares(self) -> None:
        """Checks that every part has data.

        Raises:
            OptionError: one has none.
        """
        if not (self.valid_sources or self.valid):
            raise at_odds("valid", "be above 0", self.valid, "Or name files: --valid-sources FILE.")
        if not (self.test_sources or self.test):
            raise at_odds("test", "be above 0", self.test, "Or name files: --test-sources FILE.")
        shares = (0 if self.valid_sources else self.valid) + (0 if self.test_sources else self.test)
        if shares >= 1:
            fields = self.fields()
            usual = f"{fields['valid'].default:g} and {fields['test'].default:g}"
            raise at_odds("valid + test", "leave data to train on", shares, f"Leave out both for {usual}.")


def at_odds(name: str, rule: str, got: object, fix: str) -> OptionError:
    """The error of a field that does not go with another."""
    return OptionError(f"config: {name}", rule, got, fix)


@cache
def _declared(kind: type[Config]) -> dict[str, Field]:
    hints = get_type_hints(kind, include_extras=True)
    defaults = {field.name: field.default for field in structs.fields(kind)}
    names = [name for names in kind.SECTIONS.values() for name in names.split()]
    assert sorted(names) == sorted(defaults), set(names) ^ defaults.keys()
    return {name: Field.declared(name, hints[name], defaults[name]) for name in names}


def _toml(value: Any) -> str:
    """One value in TOML, lists on one line."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
