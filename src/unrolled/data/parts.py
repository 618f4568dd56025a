"""Which examples are trained on, which choose the weights, and which the result is judged on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from unrolled.data.splits import PARTS
from unrolled.data.tables import Table, listed
from unrolled.errors import DataError, OptionError

Parts: TypeAlias = "dict[str, NDArray[np.int64]]"
"""The rows of each part, rising; a part without rows is left out."""

WORDS = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev", "development"),
    "test": ("test", "testing", "eval"),
}
"""How a column may call the parts."""


def by_column(table: Table, wanted: str) -> Parts:
    """The parts that a column of the table names.

    Raises:
        DataError: no such column, another word than `WORDS` has, or no row to train on.
    """
    name = table.name(wanted)
    known = {word: part for part, words in WORDS.items() for word in words}
    rows: dict[str, list[int]] = {part: [] for part in PARTS}
    for row, cell in enumerate(table[name]):
        part = known.get(str(cell).strip().lower())
        if part is None:
            fix = "Write train, valid or test, or split by a share: --valid 0.1."
            raise DataError(table.where(row, name), "name a part", repr(cell), fix)
        rows[part].append(row)
    return _filled(rows)


def by_share(
    count: int,
    shares: dict[str, float],
    seed: int = 0,
    labels: Sequence[Any] | None = None,
    same: NDArray[np.int64] | None = None,
) -> Parts:
    """Parts of about these shares, drawn by the seed; with labels, of about these shares of every class.

    Examples with the same number in ``same`` come into the same part, so the shares hold for examples that
    differ. A class has at least one of them in every part.

    Shapes:
        labels, same: ``[E]``, E being ``count``.

    Raises:
        DataError: a class with fewer examples that differ than there are parts.
        OptionError: shares that are no shares.
    """
    _check(shares)
    same = np.arange(count) if same is None else same
    wanted = [part for part in ("valid", "test") if shares.get(part)]
    units = _grouped(same.tolist())
    labelled = _classes(units, labels)
    random = np.random.default_rng(seed)
    rows: dict[str, list[int]] = {part: [] for part in PARTS}
    for members in _grouped(labelled):
        _check_class(len(members), len(wanted) + 1, labelled[members[0]])
        drawn = [members[i] for i in random.permutation(len(members))]
        for part in wanted:
            number = max(1, round(len(members) * shares[part]))
            while len(drawn) - number < len(wanted) - wanted.index(part):
                number -= 1
            rows[part] += [row for unit in drawn[:number] for row in units[unit]]
            drawn = drawn[number:]
        rows["train"] += [row for unit in drawn for row in units[unit]]
    return _filled(rows)


def by_group(groups: Sequence[Any], shares: dict[str, float], seed: int = 0) -> Parts:
    """Parts that share no group, such as a person: about these shares of the examples, drawn by the seed.

    Raises:
        DataError: fewer groups than parts.
        OptionError: shares that are no shares.
    """
    _check(shares)
    wanted = [part for part in ("valid", "test") if shares.get(part)]
    units = _grouped(list(groups))
    if len(units) <= len(wanted):
        got = f"{len(units)}: {listed(dict.fromkeys(map(str, groups)))}"
        fix = "Split by a share of the rows, or name another column."
        raise DataError("the groups", f"be at least {len(wanted) + 1}, one a part", got, fix)
    drawn = [units[i] for i in np.random.default_rng(seed).permutation(len(units))]
    rows: dict[str, list[int]] = {part: [] for part in PARTS}
    for part in wanted:
        later = len(wanted) - wanted.index(part)
        while not rows[part] or (
            len(drawn) > later and len(rows[part]) + len(drawn[0]) / 2 <= shares[part] * len(groups)
        ):
            rows[part] += drawn.pop(0)
    rows["train"] = [row for unit in drawn for row in unit]
    return _filled(rows)


def by_time(times: NDArray[Any], shares: dict[str, float]) -> Parts:
    """Parts of about these shares, the earliest trained on, the latest judged on; no time is in two parts.

    Shapes:
        times: ``[E]``, in any order.

    Raises:
        DataError: fewer different times than parts, so that one would be empty.
        OptionError: shares that are no shares.
    """
    _check(shares)
    order = np.argsort(times, kind="stable")
    sorted_times = times[order]
    ends = [1 - shares.get("valid", 0) - shares.get("test", 0), 1 - shares.get("test", 0), 1]
    cuts = [0]
    for end in ends:
        cut = round(len(times) * end)
        # rows of one time stay together, on the later side
        cut = int(np.searchsorted(sorted_times, sorted_times[cut])) if 0 < cut < len(times) else cut
        cuts.append(max(cut, cuts[-1]))
    rows = {part: order[a:b].tolist() for part, a, b in zip(PARTS, cuts[:-1], cuts[1:], strict=True)}
    for part in PARTS:
        if not rows[part] and (part == "train" or shares.get(part)):
            fix = "Take larger shares, or split by a share of the rows."
            got = f"{len(np.unique(times))} different times"
            raise DataError(f"the {part} part", "have an example", got, fix)
    return _filled(rows)


def _classes(units: Sequence[Sequence[int]], labels: Sequence[Any] | None) -> list[Any]:
    """The class that each set of examples that are the same counts for: of its labels, the rarest of all."""
    if labels is None:
        return [None] * len(units)
    counts = Counter(labels)
    return [min((labels[row] for row in unit), key=counts.__getitem__) for unit in units]


def _grouped(keys: Sequence[Hashable]) -> list[list[int]]:
    """The positions of each key, in the order of the keys' first positions."""
    found: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        found.setdefault(key, []).append(position)
    return list(found.values())


def _filled(rows: dict[str, list[int]]) -> Parts:
    if not rows["train"]:
        raise DataError("the train part", "have an example", "none", "Give some rows to train on.")
    return {part: np.array(sorted(rows[part]), np.int64) for part in PARTS if rows[part]}


def _check(shares: dict[str, float]) -> None:
    sound = all(0 <= share < 1 for share in shares.values()) and sum(shares.values()) < 1
    if not set(shares) <= {"valid", "test"} or not sound:
        got = ", ".join(f"{part} {share}" for part, share in shares.items())
        fix = "For example --valid 0.1 --test 0.1; the rest is trained on."
        raise OptionError("shares", "be parts of 1 for valid and test, less than 1 in all", got, fix)


def _check_class(members: int, parts: int, label: Any) -> None:
    if members < parts:
        what = "the data" if label is None else f"class {label!r}"
        fix = "Add rows, leave the class out, or name files for the parts."
        rule = f"have at least {parts} examples that differ, one for each part"
        raise DataError(what, rule, members, fix)
