"""Where the pairs of a translator come from, and which are learned from and which it is judged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unrolled.config.translate import TranslateConfig
from unrolled.data import formats, given, parts, reading, same
from unrolled.data.formats import Options, parallel
from unrolled.data.splits import PARTS
from unrolled.data.tables import Places, Table
from unrolled.errors import DataError
from unrolled.tasks.translate.texts import words

SOURCE, TARGET = "source", "target"
"""What the two columns are called once they are found."""

PARALLEL = "parallel"
"""The format of two files whose lines go together: texts, and their translations."""


@dataclass(frozen=True)
class Pairs:
    """The pairs of one part.

    Attributes:
        table: with the columns `SOURCE` and `TARGET`.
    """

    table: Table

    @property
    def sources(self) -> list[str]:
        """Each pair's text to translate."""
        return self.table.texts(SOURCE)

    @property
    def targets(self) -> list[str]:
        """Each pair's translation."""
        return self.table.texts(TARGET)

    def gathered(self) -> tuple[list[str], list[list[str]]]:
        """Each text to translate once, in order, and all translations that it has."""
        numbers = same.numbered([self.sources])[0]
        sources: dict[int, str] = {}
        targets: dict[int, dict[str, None]] = {}
        for number, source, target in zip(numbers.tolist(), self.sources, self.targets, strict=True):
            sources.setdefault(number, source)
            targets.setdefault(number, {})[target] = None
        return list(sources.values()), [list(each) for each in targets.values()]


def read(
    config: TranslateConfig, heard: Callable[[str, int], None], in_python: Any = None
) -> tuple[dict[str, Pairs], list[str]]:
    """The pairs of train, valid and test, and remarks on what was left out.

    Where there are no files for a part, it is drawn from the pairs to learn from, so that no text to
    translate is in two parts. Of data in Python, nothing is kept aside to be judged.

    Args:
        in_python: sources and targets, in place of the config's files.

    Raises:
        DataError: files that cannot be read or do not go together, a column that is not there, an empty side,
            or too few pairs.
    """
    tables = {"train": _table(config.sources, config) if in_python is None else in_memory(*in_python).table}
    wanted = {"valid": config.valid}
    if in_python is None:
        wanted["test"] = config.test
        for part, files in (("valid", config.valid_sources), ("test", config.test_sources)):
            if files:
                tables[part] = _table(files, config)
    heard("pairs", sum(map(len, tables.values())))
    remarks: list[str] = []
    kept = {part: _kept(table, config, remarks) for part, table in tables.items()}
    shares = {part: share for part, share in wanted.items() if part not in kept}
    rows = _rows(kept["train"], config, shares)
    found = kept | {part: kept["train"].take(numbers) for part, numbers in rows.items()}
    for part in wanted:
        if part not in found:
            fix = f"Say so of some rows, or name files: --{part}-sources."
            raise DataError(f'column "{config.split}"', f"name the part {part}", "no such row", fix)
    return {part: Pairs(found[part]) for part in PARTS if part in found}, remarks


def of_files(sources: Sequence[str], config: TranslateConfig) -> Pairs:
    """The pairs of files that a trained model is judged on.

    Raises:
        DataError: files that cannot be read or do not go together, a column that is not there, an empty side.
    """
    table = _table(sources, config)
    return Pairs(table.without_missing([SOURCE, TARGET]) if config.drop_missing else table)


def in_memory(sources: Any, targets: Any) -> Pairs:
    """The pairs that Python holds.

    Raises:
        DataError: not as many targets as sources, or none.
        DtypeError: something that is no text.
    """
    texts = {SOURCE: given.texts(sources), TARGET: given.texts(targets)}
    counts = [len(column) for column in texts.values()]
    if counts[0] != counts[1] or not counts[0]:
        fix = "Give a translation for each text, in the same order."
        raise DataError("targets", f"be as many as sources, {counts[0]:,}", f"{counts[1]:,}", fix)
    return Pairs(Table({**texts}, Places.of("row", range(counts[0]))))


def texts_of(file: str, config: TranslateConfig) -> list[str]:
    """The texts to translate of a table, which may have no translations.

    Raises:
        DataError: a file that cannot be read, no such column, or an empty text.
    """
    table = formats.read([file], config.format, _options(config))
    return table.texts(config.source_column or next(iter(table.columns)))


def _table(sources: Sequence[str], config: TranslateConfig) -> Table:
    """The two columns, and those by which the pairs are split, from a table or two parallel files."""
    options = _options(config)
    plain = [one for one in sources if not reading.is_folder(Path(one)) and not formats.kind_of(one)]
    if config.format == PARALLEL or (not config.format and len(sources) == len(plain) == 2):
        table = parallel.read(sources, options)
    elif len(plain) > 2 and not config.format:
        fix = "Say what they are: --format tsv; an option such as --valid-sources takes a file at a time."
        rule = "be two files, what is translated and its translations, or tables"
        raise DataError("train translate: the sources", rule, f"{len(plain)} plain files", fix)
    else:
        table = formats.read(sources, config.format, options)
    return _named(table, config)


def _options(config: TranslateConfig) -> Options:
    """How files are read: the first line is a pair as others are, unless a column is asked for by name."""
    asked = (config.source_column, config.target_column, config.split, config.group)
    by_name = any(name and not name.isdecimal() for name in asked)
    header = {"guess": None if by_name else False, "on": True, "off": False}[config.header]
    return Options(config.encoding, header, config.names, config.delimiter)


def _named(table: Table, config: TranslateConfig) -> Table:
    """The table with its two columns called `SOURCE` and `TARGET`."""
    names = list(table.columns)
    if len(names) < 2:
        place = table.places.names[0].rpartition(":")[0] or "the data"
        fix = "Part the two sides by a tab, or give two files: unrolled train translate a.de a.en"
        raise DataError(place, "have two columns, a text and its translation", "one", fix)
    source = table.name(config.source_column or names[0])
    others = [name for name in names if name != source]
    target = table.name(config.target_column or (names[1] if source != names[1] else others[0]))
    if source == target:
        fix = "Name the other one: --target-column."
        raise DataError("the columns", "be two", f'"{source}" for both sides', fix)
    rest = {table.name(name): table[name] for name in (config.split, config.group) if name}
    return table.with_columns({**rest, SOURCE: table[source], TARGET: table[target]})


def _kept(table: Table, config: TranslateConfig, remarks: list[str]) -> Table:
    """The pairs that are neither empty nor too long."""
    if config.drop_missing:
        before = len(table.remarks)
        table = table.without_missing([SOURCE, TARGET])
        remarks += table.remarks[before:]
    sides = table.texts(SOURCE), table.texts(TARGET)
    if not config.longest:
        return table
    most = config.longest
    short = [row for row, pair in enumerate(zip(*sides, strict=True)) if max(map(words, pair)) <= most]
    if not short:
        raise DataError("the pairs", f"have some of at most {most} words", "none", "Take a larger --longest.")
    if lost := len(table) - len(short):
        share = f"{lost:,} of {len(table):,} pairs"
        remarks.append(f"{share} were left out, for a side of them has more than {most} words.")
    return table.take(short)


def _rows(table: Table, config: TranslateConfig, shares: dict[str, float]) -> dict[str, NDArray[np.int64]]:
    """The rows of the parts that are drawn from the pairs to learn from, by shares or as the split says."""
    if config.split:
        named = parts.by_column(table, config.split)
        return {part: rows for part, rows in named.items() if part == "train" or part in shares}
    if not shares:
        return {}
    if config.group:
        return parts.by_group(list(table[config.group]), shares, config.seed)
    alike = same.numbered([table.texts(SOURCE)])[0]
    return parts.by_share(len(table), shares, config.seed, same=alike)
