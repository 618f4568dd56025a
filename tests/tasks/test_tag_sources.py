"""What a tagger's sources may be, and what is said of sources that it cannot learn from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import sets
from unrolled.config.tag import TagConfig
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Table
from unrolled.errors import DataError
from unrolled.tasks.tag.sources import classes, labels_of, parted
from unrolled.tasks.tag.words import sentences

SENTENCES = [("the cat sat", "D N V"), ("a dog ran off", "D N V P"), ("it sat", "R V"), ("we ran", "R V")]
MORE = [(f"{words} {k}", f"{tags} C") for k in range(5) for words, tags in SENTENCES]


def read(*sources: Path, **fields: Any) -> dict[str, Table]:
    return parted(TagConfig(sources=tuple(map(str, sources)), **fields), None)[0]


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def conll(path: Path, tagged: list[tuple[str, str]] = MORE) -> Path:
    blocks = ["\n".join(f"{w} x {t}" for w, t in zip(a.split(), b.split(), strict=True)) for a, b in tagged]
    return written(path, "\n\n".join(blocks) + "\n")


def pairs(parts: dict[str, Table]) -> set[tuple[str, str]]:
    return {
        (" ".join(words), " ".join(labels))
        for table in parts.values()
        for words, labels in zip(sentences(table), labels_of(table), strict=True)
    }


def frames_csv(path: Path, rows: int = 60, label: str = "phase") -> Path:
    lines = [f"{k},{k * 7 % 5 / 2},{k % 3},{'on' if k % 20 > 9 else 'off'}" for k in range(rows)]
    return written(path, "\n".join([f"n,a,b,{label}", *lines]) + "\n")


# ------------------------------------------------------------------------------------------ formats


def test_columns_of_words_with_the_label_in_the_last(tmp_path: Path):
    parts = read(conll(tmp_path / "a.conll"))
    assert pairs(parts) == set(MORE)
    assert [len(parts[part]) for part in ("train", "valid", "test")] == [16, 2, 2]


def test_labels_by_the_name_of_their_column(tmp_path: Path):
    source = conll(tmp_path / "a.conll")
    parts = read(source, names=("form", "shape", "tag"), label="shape", valid_sources=(str(source),))
    assert {label for labels in labels_of(parts["valid"]) for label in labels} == {"x"}


def test_objects_of_words_and_tags_a_line(tmp_path: Path):
    rows = [
        {"id": k, "tokens": words.split(), "ner_tags": tags.split()} for k, (words, tags) in enumerate(MORE)
    ]
    source = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert pairs(read(source)) == set(MORE)


def test_a_word_a_row_with_the_number_of_its_sentence(tmp_path: Path):
    rows = [
        f"{k},{word},{tag}"
        for k, (words, tags) in enumerate(MORE)
        for word, tag in zip(words.split(), tags.split(), strict=True)
    ]
    source = written(tmp_path / "a.csv", "\n".join(["sentence,word,tag", *rows]) + "\n")
    assert pairs(read(source, words="word", label="tag", sequence="sentence")) == set(MORE)


def test_conllu_without_the_tokens_that_are_no_words():
    source = sets.file("ud-english-lines/en_lines-ud-dev.conllu.gz")
    parts = read(source)
    assert sum(len(labels) for table in parts.values() for labels in labels_of(table)) == 21_637
    assert len(classes(parts, "word")[0]) == 17


def test_frames_of_a_file_are_cut_at_its_end_and_what_counts_rows_is_no_measurement(tmp_path: Path):
    parts = read(frames_csv(tmp_path / "a.csv"), label="phase")
    assert [len(labels_of(table)[0]) for table in parts.values()] == [48, 6, 6]
    x = parts["valid"]["x"]
    assert isinstance(x, Ragged)
    assert x.values[:, 0].tolist() == [k * 7 % 5 / 2 for k in range(48, 54)]
    assert x.values.shape[1] == 2
    remarks = " ".join(parts["train"].remarks)
    assert "n rises from row to row" in remarks
    assert "test the last 10%, valid the last 10%, after the rest" in remarks


def test_frames_by_the_column_that_parts_them_and_in_the_order_of_time(tmp_path: Path):
    rows = [f"{k % 2},{'train' if k < 40 else 'dev'},{40 - k},{k},{'ab'[k // 4 % 2]}" for k in range(60)]
    source = written(tmp_path / "a.csv", "\n".join(["series,part,clock,value,label", *rows]) + "\n")
    parts = read(source, split="part", sequence="series", time="clock", test_sources=(str(source),))
    x = parts["train"]["x"]
    assert isinstance(x, Ragged)
    assert [one[:3, 0].tolist() for one in x] == [[38, 36, 34], [39, 37, 35]]
    assert len(parts["valid"]) == 2


def test_groups_stay_in_one_part(tmp_path: Path):
    rows = [{"words": a.split(), "tags": b.split(), "who": k % 5} for k, (a, b) in enumerate(MORE)]
    source = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    parts = read(source, group="who", valid=0.2, test=0.2)
    who = [{words[-1] for words in sentences(table)} for table in parts.values()]
    assert sum(map(len, parts.values())) == 20
    assert len(who) == 3


def test_arrays_with_a_label_a_step(tmp_path: Path):
    x, y = (
        np.random.default_rng(0).normal(size=(30, 7, 2)),
        np.tile(["p", "q", "q", "p", "p", "q", "p"], (30, 1)),
    )
    np.savez(tmp_path / "a.npz", x=x, y=y)
    parts = read(tmp_path / "a.npz")
    assert sum(len(table) for table in parts.values()) == 30
    assert labels_of(parts["train"])[0] == ["p", "q", "q", "p", "p", "q", "p"]


# ---------------------------------------------------------------------------------------- bad input


def message(*sources: Path, **fields: Any) -> str:
    with pytest.raises(DataError) as caught:
        classes(read(*sources, **fields), "word")
    return str(caught.value)


def test_a_word_without_a_label_is_named(tmp_path: Path):
    rows = [{"words": ["a", "b"], "tags": ["X", "Y"]}, {"words": ["c", "d"], "tags": ["X", ""]}] * 5
    source = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    said = message(source)
    assert said.startswith(f"{source}: line 2, word 2 must have a label; got nothing.")


def test_sentences_and_tags_of_different_length(tmp_path: Path):
    rows = [{"words": ["a", "b"], "tags": ["X", "Y"]}, {"words": ["c", "d"], "tags": ["X"]}]
    source = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert 'line 2, column "tags" must have a tag for each of 2 words; got 1 tags' in message(source)


def test_an_empty_sentence(tmp_path: Path):
    rows = [row for k in range(5) for row in ({"words": [f"w{k}"], "tags": ["X"]}, {"words": [], "tags": []})]
    source = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert "line 2 must have at least one word; got length 0." in message(source)
    assert sum(map(len, read(source, drop_missing=True).values())) == 5


def test_a_misspelled_column_names_the_nearest(tmp_path: Path):
    assert 'have a column "phse"' in message(frames_csv(tmp_path / "a.csv"), label="phse")
    assert "Did you mean phase?" in message(frames_csv(tmp_path / "a.csv"), label="phse")


def test_a_frame_without_a_label_or_a_number(tmp_path: Path):
    source = frames_csv(tmp_path / "a.csv")
    lines = source.read_text().split("\n")
    lines[7] = "6,1,0,"
    written(source, "\n".join(lines))
    assert 'line 8, column "phase" must hold a label; got nothing' in message(source, label="phase")
    parts = read(source, label="phase", drop_missing=True)
    assert sum(len(labels_of(table)[0]) for table in parts.values()) == 59
    lines[7] = "6,warm,0,on"
    written(source, "\n".join(lines))
    assert 'line 8, column "a" must hold a number' in message(source, label="phase", features=("a", "b"))
    lines[7] = "6,inf,0,on"
    written(source, "\n".join(lines))
    assert "frame 7, feature 1 must be a number; got infinity" in message(source, label="phase")


def test_one_label_only(tmp_path: Path):
    source = conll(
        tmp_path / "a.conll", [(words, " ".join("X" for _ in tags.split())) for words, tags in MORE]
    )
    assert "must be of at least two classes; got one, 'X'" in message(source)


def test_a_held_out_label_that_is_rare_is_remarked_and_one_that_is_frequent_refused(tmp_path: Path):
    source = conll(tmp_path / "a.conll")
    many = [*MORE * 20, ("we ran", "R Verb")]
    tables = read(
        source, valid_sources=(str(source),), test_sources=(str(conll(tmp_path / "b.conll", many)),)
    )
    labels, remarks = classes(tables, "word")
    assert "Verb" in labels.names
    assert "Label 'Verb' (1 word of test, first " in remarks[0]
    few = conll(tmp_path / "c.conll", [("we ran", "R Verb")])
    said = message(source, valid_sources=(str(source),), test_sources=(str(few),))
    assert "line 1, word 2 must have a label that is in the train part too; got 'Verb'." in said


def test_one_label_for_a_sequence_is_a_classifiers_task(tmp_path: Path):
    np.savez(tmp_path / "a.npz", x=np.zeros((30, 7, 2)), y=np.arange(30) % 2)
    assert "unrolled train classify" in message(tmp_path / "a.npz")


def test_a_sequence_too_short_to_be_cut(tmp_path: Path):
    assert "must have frames for every part; got 3" in message(
        frames_csv(tmp_path / "a.csv", 3), label="phase"
    )


def test_no_column_of_labels(tmp_path: Path):
    source = written(tmp_path / "a.csv", "a,b\n" + "\n".join(f"{k}.5,{k * k}.25" for k in range(30)))
    assert "have a column of labels; got columns a, b. Name it: --label COLUMN." in message(source)
