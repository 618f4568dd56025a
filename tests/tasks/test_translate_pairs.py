"""Where pairs come from, which part they are in, and what is said of files that are no pairs."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from unrolled.config import TranslateConfig
from unrolled.errors import DataError, OptionError
from unrolled.tasks.base import unheard
from unrolled.tasks.translate import pairs
from unrolled.tasks.translate.task import Translating

PAIRS = [(f"source {k}", f"target {k}") for k in range(20)]


def read(config: TranslateConfig) -> dict[str, pairs.Pairs]:
    return pairs.read(config, unheard)[0]


def whole(found: dict[str, pairs.Pairs]) -> set[tuple[str, str]]:
    return {pair for one in found.values() for pair in zip(one.sources, one.targets, strict=True)}


def tsv(path: Path, rows: Any = PAIRS) -> str:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_table_two_files_and_json_give_the_same_pairs(tmp_path: Path) -> None:
    for name, k in (("a.de", 0), ("a.en.gz", 1)):
        text = "".join(pair[k] + "\n" for pair in PAIRS).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    lines = [json.dumps({"en": target, "note": "", "de": source}) for source, target in PAIRS]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    files = (str(tmp_path / "a.de"), str(tmp_path / "a.en.gz"))
    columns: Any = {"source_column": "de", "target_column": "en"}
    configs = [
        TranslateConfig(sources=(tsv(tmp_path / "a.tsv"),)),
        TranslateConfig(sources=(tsv(tmp_path / "plain.txt"),)),
        TranslateConfig(sources=files),
        TranslateConfig(sources=(str(tmp_path / "a.jsonl"),), **columns),
    ]
    for config in configs:
        found = read(config)
        assert whole(found) == set(PAIRS)
        assert [len(found[part].sources) for part in ("train", "valid", "test")] == [16, 2, 2]


def test_columns_may_be_taken_the_other_way_round(tmp_path: Path) -> None:
    config = TranslateConfig(sources=(tsv(tmp_path / "a.tsv"),), source_column="2")
    assert whole(read(config)) == {(target, source) for source, target in PAIRS}


def test_a_source_with_several_targets_is_in_one_part_and_has_them_all(tmp_path: Path) -> None:
    rows = [(source, f"{target} {k}") for source, target in PAIRS for k in range(3)]
    rows += [(source.upper(), "shouted") for source, _ in PAIRS]
    found = read(TranslateConfig(sources=(tsv(tmp_path / "a.tsv", rows),), valid=0.2, test=0.2))
    sources = [{source.lower() for source in one.sources} for one in found.values()]
    assert [len(one) for one in sources] == [12, 4, 4]
    assert not set.union(*sources[1:]) & sources[0]
    texts, targets = found["test"].gathered()
    assert len(texts) == 4
    assert all(len(each) == 4 for each in targets)
    assert targets[0] == [*(f"target {texts[0].split()[1]} {k}" for k in range(3)), "shouted"]


def test_files_of_their_own_are_taken_whole(tmp_path: Path) -> None:
    other = tsv(tmp_path / "b.tsv", [("x", "y")] * 2)
    config = TranslateConfig(
        sources=(tsv(tmp_path / "a.tsv"),), valid_sources=(other,), test_sources=(other,)
    )
    found = read(config)
    assert len(found["train"].sources) == 20
    assert found["test"].gathered() == (["x"], [["y"]])


def test_a_column_may_name_the_parts(tmp_path: Path) -> None:
    parts = ["train"] * 18 + ["dev", "test"]
    rows = [("de", "en", "part"), *((*pair, part) for pair, part in zip(PAIRS, parts, strict=True))]
    found = read(TranslateConfig(sources=(tsv(tmp_path / "a.tsv", rows),), split="part"))
    assert found["valid"].sources == ["source 18"]
    assert found["test"].targets == ["target 19"]


def test_long_pairs_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [*PAIRS, ("a b c d", "short"), ("short", "a b c d")]
    config = TranslateConfig(sources=(tsv(tmp_path / "a.tsv", rows),), longest=3)
    found, remarks = pairs.read(config, unheard)
    assert whole(found) == set(PAIRS)
    assert remarks == ["2 of 22 pairs were left out, for a side of them has more than 3 words."]


def test_of_python_s_data_nothing_is_kept_aside_to_be_judged() -> None:
    found = pairs.read(TranslateConfig(), unheard, tuple(zip(*PAIRS, strict=True)))[0]
    assert [len(one.sources) for one in found.values()] == [18, 2]


def config_of(tmp_path: Path, *texts: str, **fields: Any) -> TranslateConfig:
    names = ["a.de", "a.en", "a.fr"] if len(texts) > 1 else ["a.tsv"]
    for name, text in zip(names, texts, strict=False):
        (tmp_path / name).write_text(text)
    return TranslateConfig(
        sources=tuple(str(tmp_path / name) for name, _ in zip(names, texts, strict=False)), **fields
    )


BAD = {
    "parallel files of different length": (
        ("a\nb\nc\n", "x\ny\n"), {},
        r"a\.en must have 3 lines, as .*a\.de; got 2\. Look where they part: line 2",
    ),
    "an empty side": (("a\tx\nb\t\n",), {}, r'a\.tsv: line 2, column "target" must hold text; got nothing.'),
    "an empty side of two files": (("a\n\n", "x\ny\n"), {}, r'a\.de: line 2, column "source" must hold text'),
    "one column": (("one\ntwo\n",), {}, r"a\.tsv must have two columns.*; got one\. Part the two sides"),
    "a column that is not there": (
        ("german\tenglish\na\tx\n",), {"source_column": "germn"},
        r'must have a column "germn".*Did you mean german',
    ),
    "the same column twice": (
        ("german\tenglish\na\tx\n",), {"source_column": "german", "target_column": "german"}, "must be two",
    ),
    "a row with too many cells": (("a\tx\nb\ty\tz\n",), {}, r"a\.tsv: line 2"),
    "three plain files": (("a\n", "x\n", "y\n"), {}, "must be two files"),
    "only long pairs": (("a b\tx\n",), {"longest": 1}, "must have some of at most 1 words; got none"),
    "too few pairs": (("a\tx\nb\ty\n",), {}, "must have at least 3 examples that differ"),
    "an empty file": (("",), {}, "must have rows; got an empty file"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_said_in_a_sentence(what: str, tmp_path: Path) -> None:
    texts, fields, message = BAD[what]
    with pytest.raises(DataError, match=message):
        Translating.prepare(config_of(tmp_path, *texts, **fields), unheard, None)


def test_pairs_with_an_empty_side_may_be_left_out(tmp_path: Path) -> None:
    rows = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    config = config_of(tmp_path, rows + "nothing\t\n", drop_missing=True)
    found, remarks = pairs.read(config, unheard)
    assert whole(found) == set(PAIRS)
    assert remarks == ["1 of 21 rows (4.8%) were left out, for source or target is empty there."]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"length": 5}, "length must be whole"),
        ({"tied": True, "embedding": 3}, "embedding must be as many as hidden units"),
        ({"shared": True, "target_tokens": "char"}, "target_tokens must be left out"),
        ({"tokens": "bpe", "vocabulary": 200}, "vocabulary must be above 256"),
        ({"target_tokens": "bpe", "target_vocabulary": 200}, "target_vocabulary must be above 256"),
        ({"teaching": "linear"}, "teacher must be below 1"),
    ],
)
def test_fields_at_odds_are_said(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        TranslateConfig(**fields)
