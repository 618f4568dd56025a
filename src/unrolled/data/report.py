"""What there is to know of a data set before a network learns from it, in numbers and in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from unrolled.data import same
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Column, Table, is_missing, listed
from unrolled.errors import DataError

MANY = 20
"""Classes that are listed one by one; of more, the largest."""

UNEVEN, LONG = 20, 20
"""How many times as large as the smallest class the largest is, and as long as half of all sequences the
longest is, from where on it is remarked."""


@dataclass(frozen=True)
class Lengths:
    """How long sequences are.

    Attributes:
        unit: of these numbers: words, characters or steps.
    """

    unit: str
    shortest: int
    median: float
    most: float
    """Nine in ten are no longer."""
    longest: int
    total: int


@dataclass(frozen=True)
class PartReport:
    """What one part of a data set holds.

    Attributes:
        lengths: of the sequences in each column that has some.
        classes: how many examples, or steps, have each label.
        missing: how many cells of each column are empty.
        empty: sequences without a step.
        duplicates: examples whose input is that of one before.
        leaks: examples whose input is one that is trained on.
    """

    rows: int
    lengths: dict[str, Lengths]
    classes: dict[Any, int]
    missing: dict[str, int]
    empty: int
    duplicates: int
    leaks: int


@final
@dataclass(frozen=True)
class DataReport:
    """What the parts of a data set hold, and what is wrong with them.

    Attributes:
        parts: what each part holds.
        problems: what stops a training, a sentence each, with its place and what to do.
        remarks: what does not stop one, but is good to know.
    """

    parts: dict[str, PartReport]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]

    @classmethod
    def of(
        cls,
        parts: Mapping[str, Table],
        x: str,
        label: str = "",
        others: Sequence[str] = (),
        gaps: bool = False,
    ) -> DataReport:
        """Looks at the column ``x`` of the inputs, that of the labels if there is one, and at others.

        With ``gaps``, numbers may be missing: NaN is counted and is no problem.

        Raises:
            DataError: a column that the tables do not have.
        """
        numbers = dict(zip(parts, same.numbered([table[x] for table in parts.values()]), strict=True))
        reports: dict[str, PartReport] = {}
        for part, table in parts.items():
            repeated = len(table) - len(np.unique(numbers[part]))
            leaks = 0
            if part != "train" and "train" in parts:
                leaks = int(np.isin(numbers[part], numbers["train"]).sum())
            reports[part] = _part(table, [x, *others], label, repeated, leaks)
        problems = [
            one
            for part, table in parts.items()
            for one in _rowless(table, part) or _wrong(table, [x, *others], label, gaps)
        ]
        remarks = dict.fromkeys(remark for table in parts.values() for remark in table.remarks)
        if label:
            problems += _wrong_classes(reports)
        return cls(reports, tuple(problems), (*remarks, *_remarks(parts, reports, x)))

    def data(self) -> dict[str, Any]:
        """All of it as numbers, texts and lists, as JSON has them."""
        parts = {part: asdict(report) for part, report in self.parts.items()}
        for report in parts.values():
            report["classes"] = {str(name): count for name, count in report["classes"].items()}
        return {"parts": parts, "problems": list(self.problems), "remarks": list(self.remarks)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> DataReport:
        """What `data` gave."""
        parts: dict[str, PartReport] = {}
        for part, report in data["parts"].items():
            lengths = {name: Lengths(**some) for name, some in report["lengths"].items()}
            facts: dict[str, Any] = {**report, "lengths": lengths}
            parts[part] = PartReport(**facts)
        return cls(parts, tuple(data["problems"]), tuple(data["remarks"]))

    def __str__(self) -> str:
        """A column of numbers a part, and below it what is wrong and what is remarked."""
        lines = [["", *self.parts]]
        reports = list(self.parts.values())
        lines.append(["rows", *(f"{report.rows:,}" for report in reports)])
        for name in dict.fromkeys(name for report in reports for name in report.lengths):
            lines += _lines_of_lengths(name, [report.lengths.get(name) for report in reports])
        lines += _lines_of_classes([report.classes for report in reports])
        for words in ("empty", "duplicates", "leaks"):
            counts = [getattr(report, words) for report in reports]
            if any(counts):
                name = "also in train" if words == "leaks" else words
                lines.append([name, *(f"{count:,}" for count in counts)])
        for name in dict.fromkeys(name for report in reports for name in report.missing):
            counts = [report.missing.get(name, 0) for report in reports]
            lines.append([f"missing in {name}", *(f"{count:,}" for count in counts)])
        text = [f"problem: {problem}" for problem in self.problems]
        text += [f"note: {remark}" for remark in self.remarks]
        return "\n".join([*_aligned(lines), *text])


def lengths_of(column: Column) -> tuple[NDArray[np.int64], str] | None:
    """How long each sequence of a column is, ``[E]``, and in what: words, characters or steps.

    Texts are counted in words, or where most have but one, in characters. None of a column of single values.
    """
    if isinstance(column, Ragged):
        return column.lengths, "steps"
    if isinstance(column, np.ndarray):
        return None if column.ndim < 2 else (np.full(len(column), column.shape[1]), "steps")
    if not column or not all(isinstance(cell, str | list) or cell is None for cell in column):
        return None
    if isinstance(next((cell for cell in column if cell is not None), None), list):
        return np.array([len(cell or ()) for cell in column], np.int64), "words"
    words = np.array([len((cell or "").split()) for cell in column], np.int64)
    if np.median(words) > 1:
        return words, "words"
    return np.array([len(cell or "") for cell in column], np.int64), "characters"


def _part(table: Table, inputs: Sequence[str], label: str, duplicates: int, leaks: int) -> PartReport:
    names = [table.name(name) for name in inputs]
    lengths: dict[str, Lengths] = {}
    empty = 0
    for name in names:
        found = lengths_of(table[name])
        if found and len(found[0]):
            lengths[name] = _summary(*found)
            empty += int((found[0] == 0).sum())
    columns = [*names, table.name(label)] if label else names
    counts = {name: _count_missing(table[name]) for name in columns}
    missing = {name: count for name, count in counts.items() if count}
    classes = Counter(one for one in _flat(table[label]) if not is_missing(one)) if label else Counter[Any]()
    ordered = dict(sorted(classes.items(), key=lambda item: (-item[1], str(item[0]))))
    return PartReport(len(table), lengths, ordered, missing, empty, duplicates, leaks)


def _count_missing(column: Column) -> int:
    """Empty cells, and numbers that are NaN."""
    if isinstance(column, list):
        return sum(map(is_missing, column))
    values = column.values if isinstance(column, Ragged) else column
    return int(np.isnan(values).sum()) if values.dtype.kind in "fc" else 0


def _summary(lengths: NDArray[np.int64], unit: str) -> Lengths:
    return Lengths(
        unit,
        int(lengths.min()),
        float(np.median(lengths)),
        float(np.quantile(lengths, 0.9)),
        int(lengths.max()),
        int(lengths.sum()),
    )


def _flat(column: Column) -> list[Any]:
    """The labels of a column, or where each row has a list, those of all lists."""
    cells = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return [one for cell in cells for one in (cell if isinstance(cell, list) else [cell])]


def _rowless(table: Table, part: str) -> list[str]:
    return [] if len(table) else [str(DataError(f"the {part} part", "have rows", "none", "Give some."))]


def _wrong(table: Table, inputs: Sequence[str], label: str, gaps: bool) -> list[str]:
    """What in one part stops a training."""
    errors: list[DataError] = []
    for name in map(table.name, inputs):
        column = table[name]
        found = lengths_of(column)
        if found and (found[0] == 0).any():
            errors.append(_empty(table, name, np.flatnonzero(found[0] == 0)))
        if isinstance(column, Ragged):
            errors += _not_finite(table, name, column, gaps)
    if label:
        try:
            lists = isinstance(table[label], list) and any(isinstance(cell, list) for cell in table[label])
            if not lists:
                table.labels(label)
        except DataError as error:
            errors.append(error)
    return [str(error) for error in errors]


def _empty(table: Table, name: str, rows: NDArray[np.intp]) -> DataError:
    alike = f" ({len(rows)} rows like this, {len(rows) / len(table):.1%})" if len(rows) > 1 else ""
    fix = "Leave such rows out: --drop-missing."
    return DataError(table.where(int(rows[0]), name), "have at least one step", f"length 0{alike}", fix)


def _not_finite(table: Table, name: str, column: Ragged, gaps: bool) -> list[DataError]:
    """Of a column of numbers, where the first is NaN and where the first is infinite."""
    if column.values.dtype.kind not in "fc":
        return []
    errors: list[DataError] = []
    kinds = (("NaN", np.isnan(column.values)), ("infinity", np.isinf(column.values)))
    for what, found in kinds:
        if not found.any() or (gaps and what == "NaN"):
            continue
        step, *feature = np.argwhere(found)[0].tolist()
        row = int(np.searchsorted(column.starts, step, side="right")) - 1
        place = f"{table.where(row, name)}, step {step - int(column.starts[row]) + 1}"
        place += f", feature {feature[0] + 1}" if feature else ""
        got = f"{what} ({int(found.sum())} of {found.size} numbers)"
        fix = "Fill in what is missing, or leave such rows out: --drop-missing."
        errors.append(DataError(place, "be a number", got, fix))
    return errors


def _wrong_classes(parts: Mapping[str, PartReport]) -> list[str]:
    problems: list[str] = []
    train = parts.get("train")
    if train is None:
        return []
    if len(train.classes) < 2:
        got = f"one, {next(iter(train.classes))!r}" if train.classes else "none"
        fix = "Name the column of the labels: --label, or add rows of other classes."
        problems.append(str(DataError("the train part", "have at least two classes", got, fix)))
    for part, report in parts.items():
        unseen = [str(name) for name in report.classes if name not in train.classes]
        if unseen and train.classes:
            fix = "Correct them, or add such rows to the train part."
            rule = "have classes that the train part has"
            problems.append(str(DataError(f"the {part} part", rule, listed(unseen), fix)))
    return problems


def _remarks(tables: Mapping[str, Table], parts: Mapping[str, PartReport], x: str) -> list[str]:
    remarks: list[str] = []
    for part, report in parts.items():
        if report.leaks:
            share = report.leaks / report.rows
            remarks.append(
                f"{report.leaks:,} inputs of {part} ({share:.1%}) are in train too: they flatter the result."
            )
        if report.duplicates:
            share = report.duplicates / report.rows
            remarks.append(f"{report.duplicates:,} inputs of {part} ({share:.1%}) are there more than once.")
    train = parts.get("train")
    if train is None:
        return remarks
    if len(train.classes) > 1:
        (first, most), *_, (last, least) = train.classes.items()
        if most > UNEVEN * least:
            remarks.append(f"Class {first} has {most:,} examples and {last} has {least:,}: look at macro-F1.")
    for name, found in train.lengths.items():
        if found.longest > LONG * max(found.median, 1):
            half = f"half of them have at most {found.median:g}"
            remarks.append(f"The longest of {name} has {found.longest:,} {found.unit}; {half}.")
    return remarks + _constant(tables["train"][x])


def _constant(column: Column) -> list[str]:
    """The features of a column of sequences that are the same at every step."""
    if not isinstance(column, Ragged) or column.values.ndim != 2 or len(column.values) < 2:
        return []
    same_all = np.flatnonzero((column.values == column.values[0]).all(0))
    if not len(same_all) or column.values.dtype.kind == "u":
        return []
    names = listed([str(feature + 1) for feature in same_all])
    return [f"Features that are the same at every step of train, and tell nothing: {names}."]


def _lines_of_lengths(name: str, lengths: Sequence[Lengths | None]) -> list[list[str]]:
    unit = next(one.unit for one in lengths if one)
    shown = {
        "shortest": "shortest",
        "half at most": "median",
        "9 of 10 at most": "most",
        "longest": "longest",
    }
    return [
        [f"{unit} of {name}: {words}", *(f"{getattr(one, key):,.10g}" if one else "" for one in lengths)]
        for words, key in shown.items()
    ]


def _lines_of_classes(classes: Sequence[dict[Any, int]]) -> list[list[str]]:
    names = list(dict.fromkeys(name for counts in classes for name in counts))
    lines = [
        [f"class {name}", *(f"{counts.get(name, 0):,}" for counts in classes)] for name in names[:MANY]
    ]  # fmt: skip
    if len(names) > MANY:
        rest = [f"{sum(counts.get(name, 0) for name in names[MANY:]):,}" for counts in classes]
        lines.append([f"{len(names) - MANY} more classes", *rest])
    return lines


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    texts: list[str] = []
    for first, *cells in lines:
        numbers = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        texts.append("  ".join([first.ljust(widths[0]), *numbers]))
    return texts
