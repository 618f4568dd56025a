"""Sentences or sequences with a label for every step, from files or from Python, part by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Any, Literal

import numpy as np

from unrolled.config.tag import TagConfig
from unrolled.data import features, formats, guess, parts, same
from unrolled.data.features import Roles
from unrolled.data.formats import Options, conll
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.data.splits import PARTS
from unrolled.data.tables import Column, Table, is_missing, listed
from unrolled.errors import DataError, nearest

Kind = Literal["words", "frames"]

UNSEEN = 0.01
"""The share of held-out steps whose labels may be missing in training; they cannot be learned, and count."""

FEW = 20
"""Sequences of frames below which parts are cut from the end of each, and not drawn among them."""


@dataclass(frozen=True)
class Columns:
    """Which column is what.

    Attributes:
        features: of frames, the measurements in their order; none where they have no names.
    """

    kind: Kind
    words: str = ""
    label: str = ""
    sequence: str = ""
    time: str = ""
    features: tuple[str, ...] = ()

    def roles(self) -> Roles:
        """What the reading of frames is told."""
        return Roles(self.label, self.sequence, self.time, self.features)


def read(config: TagConfig, sources: Sequence[str]) -> Table:
    """The rows of files, as the config says that they are written.

    Raises:
        DataError: they cannot be read.
        OptionError: a format or a delimiter that is not offered.
    """
    header = {"on": True, "off": False}.get(config.header)
    options = Options(config.encoding, header, config.names, config.delimiter)
    return formats.read(sources, config.format, options)


def columns_of(config: TagConfig, table: Table, labelled: bool = True) -> Columns:
    """Which columns a table's words or frames and their labels are in: those the config names, or a guess.

    Raises:
        DataError: a column that is not there, or none that could be meant.
    """
    lists = [name for name, column in table.columns.items() if _has_lists(column)]
    kind: Kind = "words" if config.kind == "words" or config.words else "frames"
    if config.kind == "guess" and lists and not isinstance(table.columns.get("x"), Ragged):
        kind = "words"
    if kind == "words":
        words = config.words or _called("words", lists) or next(iter(lists or table.columns))
        others = [name for name in lists if name != table.name(words)]
        label = config.label or _called("tags", others) or next(reversed(others), "")
        if labelled and not label:
            raise _no_label(table, [name for name in table.columns if name != words])
        return Columns("words", table.name(words), table.name(label) if labelled else "", config.sequence)
    if isinstance(table.columns.get("x"), Ragged):
        return Columns("frames", label="label")
    label = config.label or next(iter(guess.labels_of(table)), "") if labelled else ""
    if labelled and not label:
        raise _no_label(table, table.columns)
    return Columns("frames", "", label and table.name(label), config.sequence, config.time, config.features)


def parted(config: TagConfig, given: Mapping[str, Table] | None) -> tuple[dict[str, Table], Columns]:
    """The parts of a data set: tables with the columns x and label, a sentence or a sequence a row.

    The train part, and others perhaps, may be ``given``, as they would be read; then nothing is put aside to
    be judged. Other parts that have no files and that no column names are drawn by the seed from what is
    there to learn from; of few long sequences, each one's end is cut off for them.

    Raises:
        DataError: data that cannot be read or learned from.
    """
    raw, columns = _raw(config, given)
    tables = {part: labelled(table, columns, config.drop_missing) for part, table in raw.items()}
    tables |= _drawn(config, tables, _missing(config, tables, given), columns.kind)
    return {part: tables[part] for part in PARTS if part in tables}, columns


def labelled(table: Table, columns: Columns, drop_missing: bool = False) -> Table:
    """A table with the columns x and label, a list each; of frames, x is a `Ragged` and has float64 steps.

    Raises:
        DataError: a column that is not there, a step without a label, no steps, or no numbers.
    """
    making = _sentences if columns.kind == "words" else _frames
    made = making(table, columns, drop_missing)
    _check(made, "word" if columns.kind == "words" else "frame")
    return made


def classes(tables: Mapping[str, Table], step: str) -> tuple[Labels, list[str]]:
    """The labels of all parts, and a remark on each that is held out alone and so cannot be learned.

    Raises:
        DataError: fewer than two labels to learn, or a held-out part with many that are not among them.
    """
    counts = {part: Counter(chain.from_iterable(labels_of(table))) for part, table in tables.items()}
    Labels(counts["train"])
    remarks: list[str] = []
    for part in [part for part in counts if part != "train"]:
        unseen = [label for label in counts[part] if label not in counts["train"]]
        steps = sum(counts[part][label] for label in unseen)
        for label in unseen:
            place = _first(tables[part], label, step)
            if steps > UNSEEN * counts[part].total():
                rule = "have a label that is in the train part too"
                raise DataError(place, rule, repr(label), nearest(str(label), map(str, counts["train"])))
            often = f"{counts[part][label]} {step}{'s' * (counts[part][label] > 1)} of {part}"
            remarks.append(f"Label {label!r} ({often}, first {place}) is not in train: nothing can learn it.")
    return Labels(label for part in counts.values() for label in part), remarks


def _first(table: Table, label: Any, step: str) -> str:
    """The first place of a label."""
    row, labels = next((row, labels) for row, labels in enumerate(labels_of(table)) if label in labels)
    return f"{table.where(row)}, {step} {labels.index(label) + 1}"


def steps_of(table: Table, columns: Columns) -> list[list[str]] | Ragged:
    """The sentences or sequences of a table without labels.

    Raises:
        DataError: a column that is not there, or cells that are no words or no numbers.
    """
    if columns.kind == "words":
        return conll.tagged(table, columns.words, columns.words)[0]
    if isinstance(table.columns.get("x"), Ragged):
        x = table["x"]
    else:
        x = features.long(table, Roles("", columns.sequence, columns.time, columns.features))["x"]
    assert isinstance(x, Ragged)
    return x


def labels_of(table: Table) -> list[list[Any]]:
    """The labels of each sentence or sequence of a table that `labelled` made."""
    column = table["label"]
    assert isinstance(column, list)
    return column


def _raw(config: TagConfig, given: Mapping[str, Table] | None) -> tuple[dict[str, Table], Columns]:
    """The rows of the parts that have files, or that a column tells apart, as they were read."""
    whole = given["train"] if given else read(config, config.sources)
    columns = columns_of(config, whole)
    if columns.kind == "frames" and not isinstance(whole.columns.get("x"), Ragged):
        names, remarks = features.measurements(whole, columns.roles())
        columns = replace(columns, features=tuple(names))
        whole = Table(whole.columns, whole.places, [*whole.remarks, *remarks])
    raw = {"train": whole, **(given or {})}
    for part, sources in (("valid", config.valid_sources), ("test", config.test_sources)):
        if sources and not given:
            raw[part] = read(config, sources)
    if config.split:
        rows = parts.by_column(whole, config.split)
    elif config.group:
        rows = parts.by_group(whole.labels(config.group), _missing(config, raw, given), config.seed)
    else:
        rows = {}
    return raw | {part: whole.take(numbers) for part, numbers in rows.items()}, columns


def _missing(
    config: TagConfig, have: Mapping[str, Table], given: Mapping[str, Table] | None
) -> dict[str, float]:
    """The shares of the parts still to be made; of what is given, nothing is put aside to be judged."""
    shares = {"valid": config.valid} | ({} if given else {"test": config.test})
    return {part: share for part, share in shares.items() if part not in have}


def _drawn(
    config: TagConfig, tables: Mapping[str, Table], shares: dict[str, float], kind: Kind
) -> dict[str, Table]:
    """The parts that are not there yet, taken from those to train on, and what is left of these."""
    train = tables["train"]
    if not shares:
        return {}
    if kind == "frames" and len(train) < FEW:
        return _ends(train, shares)
    alike = same.numbered([train["x"]])[0]
    rows = parts.by_share(len(train), shares, config.seed, same=alike)
    return {part: train.take(numbers) for part, numbers in rows.items()}


def _ends(train: Table, shares: dict[str, float]) -> dict[str, Table]:
    """The last steps of each sequence for other parts than train, the earlier ones for valid.

    Raises:
        DataError: a sequence too short to have a step in each part.
    """
    x, labels = train["x"], labels_of(train)
    assert isinstance(x, Ragged)
    bounds: dict[str, list[tuple[int, int]]] = {part: [] for part in ("train", *shares)}
    for row, length in enumerate(x.lengths.tolist()):
        ends = [round(length * (1 - sum(list(shares.values())[k:]))) for k in range(len(shares))]
        cuts = [0, *ends, length]
        if any(b <= a for a, b in pairwise(cuts)):
            fix = "Give longer or more sequences, or name files for the parts: --valid-sources FILE."
            got = f"{length} in a sequence"
            raise DataError(train.where(row), "have frames for every part", got, fix)
        for part, a, b in zip(bounds, cuts[:-1], cuts[1:], strict=True):
            bounds[part].append((a, b))
    made: dict[str, Table] = {}
    for part, ranges in bounds.items():
        columns: dict[str, Column] = {
            "x": Ragged.of([one[a:b] for one, (a, b) in zip(x, ranges, strict=True)]),
            "label": [one[a:b] for one, (a, b) in zip(labels, ranges, strict=True)],
        }
        made[part] = train.with_columns(columns)
    share = ", ".join(f"{part} the last {share:.0%}" for part, share in reversed(shares.items()))
    remark = f"With {len(train)} sequences, parts are cut from the end of each: {share}, after the rest."
    return {**made, "train": Table(made["train"].columns, train.places, [*train.remarks, remark])}


def _sentences(table: Table, columns: Columns, drop_missing: bool) -> Table:
    if columns.sequence:
        table = _gathered(table, columns)
    if drop_missing:
        table = table.without_missing([columns.words, columns.label])
    words, labels = conll.tagged(table, columns.words, columns.label)
    return table.with_columns({"x": words, "label": labels})


def _gathered(table: Table, columns: Columns) -> Table:
    """Rows that are a word each, gathered into sentences."""
    groups: dict[Any, list[int]] = {}
    for row, key in enumerate(table.labels(columns.sequence)):
        groups.setdefault(key, []).append(row)
    cells = {name: list(table[name]) for name in (columns.words, columns.label)}
    made: dict[str, Column] = {
        name: [[column[row] for row in rows] for rows in groups.values()] for name, column in cells.items()
    }
    return Table(made, table.places.take([rows[0] for rows in groups.values()]), table.remarks)


def _frames(table: Table, columns: Columns, drop_missing: bool) -> Table:
    if isinstance(table.columns.get("x"), Ragged):
        if not _has_lists(table["label"]):
            fix = "Give y a label for each step; one for a whole sequence: unrolled train classify."
            raise DataError(table.where(0, "label"), "have a label for each frame", "one label", fix)
        made = table
    else:
        roles = columns.roles()
        if drop_missing:
            table = table.without_missing([roles.label])
        made = features.frames(table, roles)
    return made.with_columns({"x": made["x"], "label": made["label"]})


def _check(made: Table, step: str) -> None:
    """Holds sentences or sequences to having steps, all with a label, and no number that is infinite."""
    x, labels = made["x"], labels_of(made)
    for row, (steps, ours) in enumerate(zip(x, labels, strict=True)):
        if not len(steps):
            fix = "Leave it out: --drop-missing on."
            raise DataError(made.where(row), f"have at least one {step}", "length 0", fix)
        if len(steps) != len(ours):
            fix = f"Give one label for each {step}."
            raise DataError(made.where(row), f"have {len(steps)} labels, one a {step}", len(ours), fix)
        for number, label in enumerate(ours, 1):
            if is_missing(label):
                fix = "Write one there; where nothing is meant, a label of its own, such as O."
                raise DataError(f"{made.where(row)}, {step} {number}", "have a label", "nothing", fix)
        if isinstance(x, Ragged) and np.isinf(steps).any():
            number, feature = np.argwhere(np.isinf(steps.reshape(len(steps), -1)))[0] + 1
            place = f"{made.where(row)}, {step} {number}, feature {feature}"
            fix = "Write nothing where a number is missing."
            raise DataError(place, "be a number", "infinity", fix)


def _has_lists(column: Column) -> bool:
    return isinstance(column, list) and any(isinstance(cell, list) for cell in column)


def _called(role: str, names: Sequence[str]) -> str:
    """The first of the columns that is called as those of a role often are."""
    return next((name for name in names if name.lower() in guess.NAMES[role]), "")


def _no_label(table: Table, others: Any) -> DataError:
    fix = "Name it: --label COLUMN."
    return DataError(table.where(0), "have a column of labels", f"columns {listed(others)}", fix)
