"""Text to tokens and back, for every kind; fitted, kept, read again, and refused when damaged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data import tokenizers
from unrolled.data.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer
from unrolled.errors import OptionError, RunError, UnavailableError

SAMPLE = "the cat sat on the mat\nthe naïve 🙂 café\n\nand the \t end"
KINDS: dict[str, Tokenizer] = {name: tokenizers.fit(name, [SAMPLE]) for name in Tokenizer.kinds}
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("the cat\n "), max_size=80)


def streamed(tokenizer: Tokenizer, ids: np.ndarray) -> str:
    decoder = tokenizer.decoder()
    return "".join([decoder.feed(int(token)) for token in ids]) + decoder.finish()


def test_every_kind_has_its_name():
    assert sorted(Tokenizer.kinds) == ["bpe", "byte", "char", "word"]
    with pytest.raises(OptionError, match="Did you mean word"):
        tokenizers.fit("words", [])


@pytest.mark.parametrize("name", KINDS)
def test_ids_are_within_the_vocabulary_and_the_fitted_text_is_known(name: str):
    tokenizer = KINDS[name]
    ids, unseen = tokenizer.look_up(SAMPLE)
    assert ids.dtype == np.uint32
    assert int(ids.max()) < tokenizer.size == len(tokenizer.vocabulary)
    assert unseen == 0
    assert tokenizer.unknown not in ids


@pytest.mark.parametrize("name", ["char", "byte", "bpe"])
def test_the_fitted_text_comes_back_to_the_letter(name: str):
    tokenizer = KINDS[name]
    ids = tokenizer.encode(SAMPLE)
    assert tokenizer.decode(ids) == streamed(tokenizer, ids) == SAMPLE
    assert tokenizer.to_bytes(ids) == SAMPLE.encode()


@pytest.mark.parametrize("name", ["byte", "bpe"])
@settings(max_examples=200)
@given(text=TEXT)
def test_nothing_is_unknown_to_bytes(name: str, text: str):
    tokenizer = KINDS[name]
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=200)
@given(text=TEXT)
def test_the_stream_says_what_decode_says_and_characters_count_it(name: str, text: str):
    tokenizer = KINDS[name]
    ids = tokenizer.encode(text)
    decoded = tokenizer.decode(ids)
    assert streamed(tokenizer, ids) == decoded
    assert tokenizer.characters(ids) == len(decoded.encode() if name == "byte" else decoded)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=200)
@given(text=TEXT)
def test_a_text_cut_before_white_space_has_the_same_tokens(name: str, text: str):
    tokenizer = KINDS[name]
    cuts = [i for i in range(1, len(text)) if text[i].isspace() and not text[i - 1].isspace()]
    for cut in cuts[:3]:
        parts = tokenizer.encode(text[:cut]), tokenizer.encode(text[cut:])
        np.testing.assert_array_equal(np.concatenate(parts), tokenizer.encode(text))


@pytest.mark.parametrize("name", KINDS)
def test_it_is_read_as_it_was_kept(name: str, tmp_path: Path):
    tokenizer, path = KINDS[name], tmp_path / "tokenizer.json"
    tokenizer.save(path)
    again = Tokenizer.load(path)
    assert type(again) is type(tokenizer)
    assert again.vocabulary == tokenizer.vocabulary
    assert again.dumps() == tokenizer.dumps()
    np.testing.assert_array_equal(again.encode(SAMPLE), tokenizer.encode(SAMPLE))
    assert json.loads(path.read_text())["tokens"] == name
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", KINDS)
def test_fitting_is_the_same_in_every_process(name: str):
    """Also where sets and dictionaries are salted in another way."""
    code = f"from unrolled.data import tokenizers; print(tokenizers.fit({name!r}, [{SAMPLE!r}] * 3).dumps())"
    run = [sys.executable, "-c", code]
    dumped = {
        subprocess.run(run, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert dumped == {tokenizers.fit(name, [SAMPLE] * 3).dumps().encode() + b"\n"}


def test_characters_are_in_unicode_s_order_after_the_unknown_one():
    tokenizer = CharTokenizer.fit(["ba", "\n🙂 "])
    assert tokenizer.vocabulary == ["<unk>", "\\n", "␣", "a", "b", "🙂"]
    assert tokenizer.encode("ab?\U0010ffff🙂\n").tolist() == [3, 4, 0, 0, 5, 1]
    assert tokenizer.look_up("ab?\U0010ffff")[1] == 2
    assert tokenizer.decode([3, 0, 4]) == "a\ufffdb"


def test_the_most_frequent_characters_stay():
    assert CharTokenizer.fit(["aab", "cbcb"], 3).vocabulary == ["<unk>", "a", "b"]
    assert CharTokenizer.fit(["zzzyyx"], 2).vocabulary == ["<unk>", "z"]


@settings(max_examples=200)
@given(text=st.text(), more=st.text())
def test_characters_beside_a_dictionary(text: str, more: str):
    tokenizer = CharTokenizer.fit([text])
    ids = {character: i for i, character in enumerate(sorted(set(text)), start=1)}
    assert tokenizer.encode(more).tolist() == [ids.get(character, 0) for character in more]


def test_bytes_take_bytes_and_hold_back_half_letters():
    tokenizer = ByteTokenizer()
    assert tokenizer.look_up(b"\xff\0")[0].tolist() == [255, 0]
    decoder = tokenizer.decoder()
    assert [decoder.feed(byte) for byte in "é!".encode()] == ["", "é", "!"]
    assert decoder.feed(0xC3) == ""
    assert decoder.finish() == "\ufffd"


def test_words_are_ranked_by_frequency_and_lines_end_with_a_word():
    tokenizer = WordTokenizer.fit([" b a b \n", " a <unk> b c\n"])
    assert tokenizer.vocabulary == ["<unk>", "b", "<eos>", "a", "c"]
    ids, unseen = tokenizer.look_up(" b <unk> new\n\n a ")
    assert ids.tolist() == [1, 0, 0, 2, 2, 3]
    assert unseen == 1, "a text's own <unk> is no stranger"
    assert tokenizer.decode(ids) == "b <unk> <unk>\n\na"
    assert WordTokenizer.fit(["b a b a b c"], 3).vocabulary == ["<unk>", "b", "a"]


def test_pairs_are_merged_up_to_the_size_that_was_asked_for():
    assert BPETokenizer.fit(["ab ab ab"], 257).vocabulary[256] == "ab"
    assert BPETokenizer.fit([""]).size == 256
    long = "some words and more " * 5000  # looked up in several chunks
    assert KINDS["bpe"].decode(KINDS["bpe"].encode(long)) == long


@pytest.mark.parametrize(("name", "least"), [("char", 2), ("word", 2), ("byte", 256), ("bpe", 256)])
def test_too_small_a_vocabulary_is_refused(name: str, least: int):
    with pytest.raises(OptionError, match=f"be 0 .all. or at least {least}; got {least - 1}"):
        tokenizers.fit(name, [SAMPLE], least - 1)
    assert tokenizers.fit(name, [SAMPLE], least).size == least


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("wrong", [-1, 10_000])
def test_ids_of_another_vocabulary_are_refused(name: str, wrong: int):
    with pytest.raises(OptionError, match=f"ids must be from 0 to .*; got {wrong}"):
        KINDS[name].decode([1, wrong])


@pytest.mark.parametrize("name", KINDS)
def test_no_ids_are_no_text(name: str):
    tokenizer = KINDS[name]
    assert tokenizer.decode([]) == ""
    assert tokenizer.encode("").size == tokenizer.characters([]) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"unrolled_tokenizer": 1, "tokens": "none"}',
        '{"unrolled_tokenizer": 1, "tokens": "char"}',
        '{"unrolled_tokenizer": 1, "tokens": "word", "words": 5}',
        '{"unrolled_tokenizer": 1, "tokens": "bpe", "tokenizers": {}}',
        '{"unrolled_tokenizer": 9, "tokens": "byte"}',
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, damage: str):
    path = tmp_path / "tokenizer.json"
    path.write_text(damage)
    with pytest.raises(RunError) as caught:
        Tokenizer.load(path)
    assert caught.value.subject == str(path)


def test_a_missing_file_and_a_binary_one_are_named(tmp_path: Path):
    (tmp_path / "b").write_bytes(b"\xff")
    for name in "ab":
        with pytest.raises(RunError, match="be a readable tokenizer"):
            Tokenizer.load(tmp_path / name)


def test_byte_pairs_without_their_library_say_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UnavailableError, match=r'pip install "unrolled\[text\]"'):
        tokenizers.fit("bpe", [SAMPLE])
