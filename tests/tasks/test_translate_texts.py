"""Texts as tokens and back, of each kind, and what is kept of that."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.config import TranslateConfig
from unrolled.errors import RunError
from unrolled.tasks.translate.texts import JOINED, Pair, Side, apart, together, words

TEXTS = ["The cat's here.", 'l\'eau, "vite" !', "3.5 (or 4) t-shirts?", "¿Qué?"]


@given(st.text())
def test_apart_is_undone(text: str) -> None:
    text = " ".join(text.replace(JOINED, "").split())
    assert together(" ".join(apart(text).split())) == text


def test_a_word_is_the_same_token_wherever_it_stands() -> None:
    found = {word for text in ("cat", "cat,", "(cat)", "a cat's") for word in apart(text).split()}
    assert {"cat", "a", "s"} < found
    assert all(len(word.replace(JOINED, "")) == 1 for word in found - {"cat", "a", "s"})


@pytest.mark.parametrize("tokens", ["word", "char", "bpe"])
def test_ids_are_undone(tokens: str) -> None:
    side = Side.fit(tokens, TEXTS, 0, 1, lower=False)
    ids = side.ids(TEXTS)
    assert [side.text(one) for one in ids] == TEXTS
    assert all(one[-1] == side.end for one in ids)
    assert int(ids.values.max()) == side.end == side.size - 1


@pytest.mark.parametrize("tokens", ["word", "char", "bpe"])
def test_white_space_of_any_kind_is_one_blank_and_capitals_may_be_left_out(tokens: str) -> None:
    side = Side.fit(tokens, ["a b c"], 0, 1, lower=True)
    assert [side.text(one) for one in side.ids(["A\u202fb\t\n C"])] == ["a b c"]


def test_rare_words_are_unknown_and_never_written() -> None:
    side = Side.fit("word", ["a a b", "a c c"], 0, 2, lower=False)
    ids = side.ids(["a b c d"])
    unknown = side.tokenizer.unknown
    assert (ids.values == unknown).tolist() == [False, True, False, True, False]
    assert side.unknown(ids) == 2
    assert unknown in side.never
    assert side.begin in side.never


def test_a_vocabulary_that_is_limited_has_the_commonest_words() -> None:
    side = Side.fit("word", ["a a a b b c"], 3, 1, lower=False)
    assert [side.text(one) for one in side.ids(["a", "b", "c"])] == ["a", "b", "<unk>"]


@pytest.mark.parametrize("tokens", ["word", "char", "bpe"])
@pytest.mark.parametrize("shared", [False, True])
def test_a_pair_is_kept(tokens: str, shared: bool, tmp_path: Path) -> None:
    config = TranslateConfig(tokens=tokens, shared=shared, min_count=1, lower=True)  # pyright: ignore[reportArgumentType]
    pair = Pair.fit(config, TEXTS, TEXTS[::-1])
    pair.save(tmp_path / "reader.json")
    kept = Pair.load(tmp_path / "reader.json")
    assert kept.shared is pair.shared is shared
    assert (kept.metric, kept.longest) == (pair.metric, pair.longest)
    for side, same in ((pair.source, kept.source), (pair.target, kept.target)):
        np.testing.assert_array_equal(side.ids(TEXTS).values, same.ids(TEXTS).values)


def test_short_targets_are_judged_by_the_letter() -> None:
    config = TranslateConfig(tokens="char")
    assert Pair.fit(config, ["3 May 99", "4 May 99"], ["1999-05-03", "1999-05-04"]).metric == "exact"
    assert Pair.fit(config, ["drei", "vier"], ["number three", "number four"]).metric == "bleu"


@pytest.mark.parametrize("text", ["", "{}", '{"unrolled_pair": 99}', '{"unrolled_pair": 1, "lower": true}'])
def test_a_damaged_reader_is_said(text: str, tmp_path: Path) -> None:
    path = tmp_path / "reader.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"reader\.json"):
        Pair.load(path)


def test_signs_alone_are_no_words() -> None:
    assert [words(text) for text in ("", "a b", "est-ce que ?", "- !")] == [0, 2, 2, 0]
