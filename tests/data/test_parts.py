"""No example is in two parts, whatever they are cut by; every class is in each; the seed decides alone."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.data import sets
from unrolled.data import formats, parts, same
from unrolled.data.parts import Parts
from unrolled.data.tables import Places, Table
from unrolled.errors import DataError, OptionError

SHARES = {"valid": 0.2, "test": 0.1}


def check_each_row_once(found: Parts, count: int) -> None:
    assert sorted(row for rows in found.values() for row in rows) == list(range(count))
    assert all((np.diff(rows) > 0).all() for rows in found.values())


@settings(max_examples=200)
@given(st.lists(st.integers(0, 30), min_size=3, max_size=80), st.integers(0, 9))
def test_the_same_example_is_never_in_two_parts(examples: list[int], seed: int):
    assume(len(set(examples)) > 2)
    found = parts.by_share(len(examples), SHARES, seed, same=np.array(examples))
    check_each_row_once(found, len(examples))
    inside = {part: {examples[row] for row in rows} for part, rows in found.items()}
    assert not inside["train"] & inside["valid"]
    assert not (inside["train"] | inside["valid"]) & inside["test"]


@settings(max_examples=200)
@given(st.lists(st.sampled_from("abc"), min_size=9, max_size=60), st.integers(0, 9))
def test_every_class_is_in_every_part_by_its_share(labels: list[str], seed: int):
    assume(min(map(labels.count, set(labels))) >= 3)
    found = parts.by_share(len(labels), SHARES, seed, labels)
    check_each_row_once(found, len(labels))
    for name in set(labels):
        counts = {part: sum(labels[row] == name for row in rows) for part, rows in found.items()}
        assert all(counts.values())
        assert all(abs(counts[part] - share * labels.count(name)) <= 1 for part, share in SHARES.items())


def test_the_seed_decides_alone():
    first, again, other = (parts.by_share(100, SHARES, seed) for seed in (1, 1, 2))
    assert first["valid"].tolist() == again["valid"].tolist() != other["valid"].tolist()
    assert [len(first[part]) for part in ("train", "valid", "test")] == [70, 20, 10]
    assert list(parts.by_share(10, {"test": 0.2})) == ["train", "test"]
    assert list(parts.by_share(10, {})) == ["train"]


def test_an_example_of_two_classes_counts_for_the_rarer():
    labels = ["a"] * 8 + ["b", "b"]
    found = parts.by_share(10, {"test": 0.3}, labels=labels, same=np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 1]))
    test = {labels[row] for row in found["test"]}
    train = {labels[row] for row in found["train"]}
    assert test == train == {"a", "b"}


def test_a_class_with_too_few_examples_is_named():
    with pytest.raises(DataError) as caught:
        parts.by_share(6, SHARES, labels=["a", "a", "a", "a", "b", "b"])
    assert str(caught.value).startswith(
        "class 'b' must have at least 3 examples that differ, one for each part; got 2."
    )
    with pytest.raises(DataError, match="the data must have at least 3"):
        parts.by_share(4, SHARES, same=np.array([0, 0, 1, 1]))


@pytest.mark.parametrize(
    "shares", [{"valid": 1.0}, {"valid": 0.5, "test": 0.5}, {"valid": -0.1}, {"dev": 0.1}]
)
def test_shares_that_are_none(shares: dict[str, float]):
    with pytest.raises(OptionError, match="must be parts of 1 for valid and test"):
        parts.by_share(10, shares)


@settings(max_examples=200)
@given(st.lists(st.integers(0, 9), min_size=3, max_size=60), st.integers(0, 9))
def test_groups_are_never_cut(groups: list[int], seed: int):
    assume(len(set(groups)) > 2)
    found = parts.by_group(groups, SHARES, seed)
    check_each_row_once(found, len(groups))
    assert list(found) == ["train", "valid", "test"]
    inside = [{groups[row] for row in rows} for rows in found.values()]
    assert sum(map(len, inside)) == len(set(groups))


def test_groups_of_one_size_have_the_shares():
    found = parts.by_group([person for person in range(10) for _ in range(7)], SHARES)
    assert {part: len(rows) for part, rows in found.items()} == {"train": 49, "valid": 14, "test": 7}
    with pytest.raises(DataError, match="the groups must be at least 3, one a part; got 2: x, y"):
        parts.by_group(["x", "y", "x"], SHARES)


@settings(max_examples=200)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_what_is_judged_on_is_later_than_what_is_trained_on(moments: list[int]):
    times = np.array(moments)
    try:
        found = parts.by_time(times, SHARES)
    except DataError:
        assert len(moments) < 12 or max(map(moments.count, moments)) > 1
        return
    check_each_row_once(found, len(moments))
    assert times[found["train"]].max() < times[found["valid"]].min()
    assert times[found["valid"]].max() < times[found["test"]].min()


def test_times_that_differ_have_the_shares():
    found = parts.by_time(np.arange(100)[::-1], SHARES)
    assert {part: len(rows) for part, rows in found.items()} == {"train": 70, "valid": 20, "test": 10}
    with pytest.raises(DataError, match="the test part must have an example; got 2 different times"):
        parts.by_time(np.array([1, 1, 2]), SHARES)


def test_a_column_names_the_parts():
    def table(*words: str) -> Table:
        return Table({"split": list(words)}, Places.of("a.csv: line", range(2, 2 + len(words))))

    found = parts.by_column(table("train", "dev", "Test", "validation"), "split")
    assert {part: rows.tolist() for part, rows in found.items()} == {
        "train": [0],
        "valid": [1, 3],
        "test": [2],
    }
    with pytest.raises(DataError, match=r"a\.csv: line 3, column \"split\" must name a part; got 'tset'"):
        parts.by_column(table("train", "tset"), "split")
    with pytest.raises(DataError, match="the train part must have an example"):
        parts.by_column(table("dev"), "split")


def test_real_names_and_music():
    names = formats.read([sets.file("names")])
    known = same.numbered([names["text"]])[0]
    found = parts.by_share(len(names), {"test": 0.2}, 0, names.labels("label"), known)
    check_each_row_once(found, 20_050)
    assert not np.intersect1d(known[found["train"]], known[found["test"]]).size
    labels = names.labels("label")
    assert len({labels[row] for row in found["test"]}) == 18
    music = formats.read([sets.file("jsb-chorales/jsb-chorales-quarter.json.gz")])
    assert {part: len(rows) for part, rows in parts.by_column(music, "part").items()} == {
        "train": 229,
        "valid": 76,
        "test": 77,
    }
