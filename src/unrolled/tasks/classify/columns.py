"""Which columns of a source hold what a classifier reads, and the examples that they make."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self, final

import numpy as np

from unrolled.config import ClassifyConfig
from unrolled.data import features, guess
from unrolled.data.features import Roles
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Table, as_number, listed
from unrolled.errors import DataError

X, LABEL = "x", "label"
"""The columns of a table of examples."""


@final
@dataclass(frozen=True)
class Columns:
    """What holds what: said by the config, or else guessed.

    Attributes:
        layout: how examples lie: ``text``, a text a row; ``sequences``, a sequence a row, in a column x;
            ``long``, a step a row; ``wide``, a sequence a row, a step a column.
        features: the measurements of a step.
        guessed: the roles that nobody said, in words.
    """

    layout: str
    label: str = ""
    text: str = ""
    sequence: str = ""
    time: str = ""
    features: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What is read: ``text`` or ``sensors``."""
        return "text" if self.layout == "text" else "sensors"

    def facts(self) -> dict[str, Any]:
        """As JSON has it, for `of_facts`."""
        return asdict(self)

    @classmethod
    def of_facts(cls, facts: dict[str, Any]) -> Self:
        """What gave these facts."""
        lists: dict[str, Any] = {name: tuple(facts[name]) for name in ("features", "guessed")}
        return cls(**{**facts, **lists})

    def __str__(self) -> str:
        named = {"text": self.text, "sequence": self.sequence, "time": self.time, "label": self.label}
        roles = [f'{role} in "{name}"' for role, name in named.items() if name]
        if self.guessed:
            options = " ".join(f"--{role} COLUMN" for role in self.guessed if role != "kind")
            roles.append(f"guessed: {listed(self.guessed)}; otherwise {options or '--kind text or sensors'}")
        return ", ".join(roles) or "a sequence and its class in each row"


def find(config: ClassifyConfig, table: Table) -> Columns:
    """What the columns of a table hold, as the config says, and as they look where it does not say.

    Raises:
        DataError: a column that is not there, or one that has to be named.
    """
    if isinstance(table.columns.get(X), Ragged):
        return _of_sequences(config, table)
    if config.kind == "text" or (config.kind == "guess" and _looks_like_text(config, table)):
        return _of_texts(config, table)
    return _of_numbers(config, table)


def examples(table: Table, columns: Columns, label: str | None = None) -> Table:
    """The examples of a table: column x, and column label where the table has one.

    Args:
        label: another column to take for the label, each example having one value of it.

    Shapes:
        x: texts, or a `Ragged` ``[N, I]`` of numbers, NaN where one is missing.

    Raises:
        DataError: a column that is not there, or a cell that is not as it must be.
    """
    wanted = columns.label if label is None else label
    label = wanted if label is not None or wanted in table.columns else ""
    if columns.layout == "text":
        column: Column = table.texts(columns.text)
        return _made(table, column, table.labels(label) if label else None)
    if columns.layout == "sequences":
        x = table[X]
        assert isinstance(x, Ragged)
        steps = x if x.values.ndim > 1 else Ragged(x.values[:, None], x.starts)
        return _made(table, _flat(steps), table.labels(label) if label else None)
    known = {role: getattr(columns, role) for role in ("sequence", "time")}
    roles = Roles(label=label, features=columns.features or _steps(table, columns), **known)
    made = (features.long if columns.layout == "long" else features.wide)(table, roles)
    return _made(made, made[X], made.labels(LABEL) if label else None)


def _of_sequences(config: ClassifyConfig, table: Table) -> Columns:
    return Columns("sequences", _label(config, table, LABEL))


def _of_texts(config: ClassifyConfig, table: Table) -> Columns:
    guessed: list[str] = []
    if config.text:
        text = table.name(config.text)
    else:
        named = table.name(config.label) if config.label else ""
        found = [name for name in guess.texts_of(table) if name != named]
        if not found:
            raise _unnamed(table, "text", "have a column of texts", "none that looks so")
        text, guessed = found[0], ["text"]
    if config.label:
        return Columns("text", table.name(config.label), text, guessed=tuple(guessed))
    labels = [name for name in guess.labels_of(table) if name != text]
    if not labels:
        raise _unnamed(table, "label", "have a column of labels", "none of few different values")
    return Columns("text", labels[0], text, guessed=(*guessed, "label"))


def _of_numbers(config: ClassifyConfig, table: Table) -> Columns:
    guessed: list[str] = []
    label = table.name(config.label) if config.label else ""
    if not label:
        labels = guess.labels_of(table)
        if not labels:
            raise _unnamed(table, "label", "have a column of labels", "none of few different values")
        label, guessed = labels[0], ["label"]
    sequence, time = (table.name(name) if name else "" for name in (config.sequence, config.time))
    if not sequence:
        sequence = guess.sequence_of(table, label)
        guessed += ["sequence"] * bool(sequence)
    if not (sequence or time):
        wide = Columns("wide", label, "", "", "", tuple(map(table.name, config.features)), tuple(guessed))
        _check_wide(table, wide)
        return wide
    roles = Roles(label, sequence, time, config.features)
    names = tuple(features.measurements(table, roles)[0])
    return Columns("long", label, "", sequence, time, names, tuple(guessed))


def _check_wide(table: Table, columns: Columns) -> None:
    """Refuses rows that are no sequences of numbers: more likely each is a step.

    Raises:
        DataError: naming the columns without a number.
    """
    steps = columns.features or _steps(table, columns)
    others = [name for name in steps if all(as_number(cell) is None for cell in table[name])]
    if others:
        fix = (
            "Where a row is a step, name what tells sequences apart: --sequence; where each step has a label "
        )
        fix += "of its own: unrolled train tag. Where a row is a sequence, name its numbers: --features."
        place = table.where(0).rpartition(":")[0] or "the data"
        raise DataError(
            place, "have a sequence of numbers in each row", f"other columns too: {listed(others)}", fix
        )


def _looks_like_text(config: ClassifyConfig, table: Table) -> bool:
    if config.text or config.features or config.sequence or config.time:
        return bool(config.text)
    label = table.name(config.label) if config.label else ""
    others = {name: column for name, column in table.columns.items() if name != label}
    return bool(guess.texts_of(table.with_columns(others)))


def _label(config: ClassifyConfig, table: Table, usual: str) -> str:
    if config.label:
        return table.name(config.label)
    if usual not in table.columns:
        raise _unnamed(table, "label", "have labels", f"columns {listed(table.columns)}")
    return usual


def _steps(table: Table, columns: Columns) -> tuple[str, ...]:
    """The columns of a wide table that are steps: all that have no other role."""
    return tuple(name for name in table.columns if name not in (columns.label, columns.sequence))


def _flat(x: Ragged) -> Ragged:
    """The features of a step in one axis, in float64."""
    return Ragged(x.values.reshape(len(x.values), -1).astype(np.float64), x.starts)


def _made(table: Table, x: Column, labels: list[Any] | None) -> Table:
    return table.with_columns({X: x} if labels is None else {X: x, LABEL: labels})


def _unnamed(table: Table, role: str, rule: str, got: str) -> DataError:
    where = table.places.names[0].rpartition(":")[0] if table.places.names else ""
    fix = f"Name it: --{role}, one of {listed(table.columns)}."
    return DataError(where or "the data", rule, got, fix)
