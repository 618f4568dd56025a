"""A text's tokens in a file: cut where they should be, fitted on the training part, read as written."""

import json
import os
import re
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from safetensors.numpy import load_file

from unrolled.config import LanguageModelConfig
from unrolled.data import Corpus, reading
from unrolled.data.corpus import Encoded
from unrolled.errors import DataError, RunError

PLAY = "to be or not to be\n" * 40 + "that is the question\n" * 9 + "that is the question?"
PARTS = ["train", "valid", "test"]


@pytest.fixture
def config(tmp_path: Path) -> LanguageModelConfig:
    (tmp_path / "play.txt").write_text(PLAY)
    return LanguageModelConfig(sources=(str(tmp_path / "play.txt"),))


def written(tmp_path: Path, config: LanguageModelConfig, **changes: Any) -> Corpus:
    return Corpus.write(tmp_path / "data.safetensors", structs.replace(config, **changes))


def shared(*names: str) -> tuple[str, ...]:
    """Files of the data sets that UNROLLED_DATA names."""
    if "UNROLLED_DATA" not in os.environ:
        pytest.skip("needs the data sets: set UNROLLED_DATA to their folder")
    return tuple(str(Path(os.environ["UNROLLED_DATA"], name)) for name in names)


@pytest.mark.parametrize("block", [10, 1 << 20])
def test_characters_are_cut_by_position(
    tmp_path: Path, config: LanguageModelConfig, monkeypatch: pytest.MonkeyPatch, block: int
):
    monkeypatch.setattr(reading, "BLOCK", block)
    corpus = written(tmp_path, config, valid=0.05, test=0.1)
    texts = [corpus.tokenizer.decode(corpus.part(part)) for part in PARTS]
    # 970 characters: 85 % are 824.5, 90 % are 873.
    told = PLAY.replace("?", "\ufffd")  # which stands at the end alone, so that no one learns it
    assert texts == [told[:824], told[824:873], told[873:]]
    assert corpus.characters == {"train": 824, "valid": 49, "test": 97}
    assert corpus.text_bytes("test") == told[873:].encode()
    assert corpus.text_bytes("test", last=5) == "tion\ufffd".encode()


def test_the_vocabulary_is_fitted_on_the_training_part_alone(tmp_path: Path, config: LanguageModelConfig):
    corpus = written(tmp_path, config)
    seen = set(PLAY[:824])
    assert corpus.tokenizer.size == 1 + len(seen)
    assert corpus.unknown == {"train": 0, "valid": 0, "test": sum(c not in seen for c in PLAY[873:])}
    assert corpus.unknown["test"] > 0
    assert np.count_nonzero(corpus.test == 0) == corpus.unknown["test"]


def test_words_are_cut_at_white_space(tmp_path: Path, config: LanguageModelConfig):
    corpus = written(tmp_path, config, tokens="word", valid=0.07, test=0.3)
    words = [(found.start(), found.group()) for found in re.finditer(r"\S+", PLAY)]
    # Of 970 characters, 63 % are 611.1 and 70 % are 679; a word belongs to the part that it begins in.
    for part, begin, end in zip(PARTS, (0, 611, 679), (611, 679, 970), strict=True):
        found = corpus.tokenizer.decode(corpus.part(part)).split()
        wanted = [word for start, word in words if begin <= start < end]
        assert [word for word in found if word != "<unk>"] == [
            w for w in wanted if w in corpus.tokenizer.vocabulary
        ]
        assert (
            found.count("<unk>")
            == corpus.unknown[part]
            == sum(w not in corpus.tokenizer.vocabulary for w in wanted)
        )


@pytest.mark.parametrize("tokens", ["char", "byte", "word", "bpe"])
@pytest.mark.parametrize("block", [50, 1 << 20])
def test_the_file_is_what_tokens_of_the_whole_parts_are(
    tmp_path: Path, config: LanguageModelConfig, monkeypatch: pytest.MonkeyPatch, tokens: str, block: int
):
    monkeypatch.setattr(reading, "BLOCK", block)
    corpus = written(tmp_path, config, tokens=tokens, vocabulary=300 if tokens == "bpe" else 0)
    corpus.verify()
    assert corpus.train.dtype == (np.uint16 if tokens == "bpe" else np.uint8)
    for part in PARTS:
        text = corpus.tokenizer.decode(corpus.part(part))
        assert corpus.characters[part] == corpus.tokenizer.characters(corpus.part(part)) == len(text)
    np.testing.assert_array_equal(
        corpus.train, corpus.tokenizer.encode(corpus.tokenizer.decode(corpus.train))
    )
    others = load_file(corpus.path)  # an independent reader of the format
    for part in PARTS:
        np.testing.assert_array_equal(others[part], corpus.part(part))
        assert not corpus.part(part).flags.writeable


def test_many_words_take_two_bytes_each(tmp_path: Path):
    (tmp_path / "a.txt").write_text("".join(f"w{i} " for i in range(500)) * 2)
    corpus = Corpus.write(
        tmp_path / "d", LanguageModelConfig(sources=(str(tmp_path / "a.txt"),), tokens="word")
    )
    assert corpus.train.dtype == np.uint16


def test_parts_with_sources_of_their_own_are_not_cut_from_the_text(
    tmp_path: Path, config: LanguageModelConfig
):
    (tmp_path / "valid.txt").write_text("not to be")
    (tmp_path / "test.txt").write_text("to be or that!")
    valid, test = ((str(tmp_path / f"{name}.txt"),) for name in ("valid", "test"))
    corpus = written(tmp_path, config, valid_sources=valid, test_sources=test, valid=0.5, test=0.5)
    assert [corpus.characters[part] for part in PARTS] == [970, 9, 14]
    assert corpus.unknown["test"] == 1  # an exclamation mark
    corpus = written(tmp_path, config, test_sources=test, valid=0.1)
    assert [corpus.characters[part] for part in PARTS] == [873, 97, 14]


def test_bytes_are_those_of_the_file(tmp_path: Path):
    data = bytes(range(256)) * 4 + b"\r\n\xff"
    (tmp_path / "a.bin").write_bytes(data)
    config = LanguageModelConfig(sources=(str(tmp_path / "a.bin"),), tokens="byte")
    corpus = Corpus.write(tmp_path / "d", config)
    assert b"".join(corpus.text_bytes(part) for part in PARTS) == data


def test_it_is_the_same_file_every_time(tmp_path: Path, config: LanguageModelConfig):
    first = written(tmp_path, config, tokens="word").path.read_bytes()
    assert written(tmp_path, config, tokens="word").path.read_bytes() == first


def test_it_remembers_whence_it_came(
    tmp_path: Path, config: LanguageModelConfig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BytesIO(PLAY.encode())))
    corpus = written(tmp_path, config, sources=("-", *config.sources))
    assert [(source.part, source.name) for source in corpus.sources] == [
        ("train", "-"),
        ("train", str(tmp_path / "play.txt")),
    ]
    assert {source.sha256 for source in corpus.sources} == {reading.digest(tmp_path / "play.txt")}
    assert sum(corpus.characters.values()) == 2 * len(PLAY) + 1  # a line's end between the two
    assert {path.name for path in tmp_path.iterdir()} == {"play.txt", "data.safetensors"}


@pytest.mark.parametrize("tokens", ["char", "byte", "word", "bpe"])
def test_it_can_be_shortened(tmp_path: Path, config: LanguageModelConfig, tokens: Any):
    corpus = written(tmp_path, config, tokens=tokens, vocabulary=300 if tokens == "bpe" else 0)
    whole = {part: corpus.part(part).tolist() for part in PARTS}
    corpus.shorten(9)
    for part in PARTS:
        text = corpus.tokenizer.decode(whole[part][:9])
        assert corpus.part(part).tolist() == whole[part][:9]
        assert corpus.characters[part] == len(text)
        assert corpus.unknown[part] == whole[part][:9].count(corpus.tokenizer.unknown)


@pytest.mark.parametrize("tokens", ["char", "byte", "word", "bpe"])
def test_a_text_is_encoded_piece_by_piece(tmp_path: Path, config: LanguageModelConfig, tokens: Any):
    tokenizer = written(tmp_path, config, tokens=tokens, vocabulary=300 if tokens == "bpe" else 0).tokenizer
    text = "to be or not to be\nthat zebra? is the question" * 20
    pieces = re.findall(r"\s*\S+", text)
    found = Encoded.of(pieces, tokenizer)
    ids, unknown = tokenizer.look_up(text)
    assert isinstance(found.ids, np.memmap)
    assert tokens == "bpe" or found.ids.tolist() == ids.tolist()  # pairs are not merged across pieces
    assert (found.characters, found.unknown) == (tokenizer.characters(found.ids), unknown)
    assert tokenizer.decode(found.ids) == tokenizer.decode(ids)
    assert Encoded.of([], tokenizer).ids.size == 0


def test_it_says_what_it_is_doing(tmp_path: Path, config: LanguageModelConfig):
    said: dict[str, int] = {}
    Corpus.write(tmp_path / "d", config, heard=said.__setitem__)
    assert list(said.items()) == [
        ("count", 970),
        ("fit train", 824),
        ("write train", 824),
        ("write valid", 49),
        ("write test", 97),
    ]


@pytest.mark.parametrize("text", ["a", "ab\n", "0123456789"])
def test_a_part_without_two_tokens_is_refused_and_nothing_is_left(tmp_path: Path, text: str):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match=r"the \w+ text must have at least 2 tokens; got [01]\. "):
        Corpus.write(tmp_path / "d", LanguageModelConfig(sources=(str(tmp_path / "a.txt"),)))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_unreadable_text_leaves_what_was_there(tmp_path: Path, config: LanguageModelConfig):
    before = written(tmp_path, config).path.read_bytes()
    (tmp_path / "bad.txt").write_bytes(b"well, " * 1000 + b"\xff")
    with pytest.raises(DataError, match=re.escape("bad.txt: line 1, byte 6000 must be text in utf-8")):
        written(tmp_path, config, test_sources=(str(tmp_path / "bad.txt"),))
    assert (tmp_path / "data.safetensors").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_damaged_file_is_refused_by_name(tmp_path: Path, config: LanguageModelConfig):
    path = written(tmp_path, config).path
    whole = path.read_bytes()
    for cut in (0, 5, 200, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(RunError, match=r"data\.safetensors must be the tokens of a text"):
            Corpus.open(path)
    path.write_bytes(b"some other file, long enough to have a header of its own")
    with pytest.raises(RunError, match=r"data\.safetensors"):
        Corpus.open(path)
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    with pytest.raises(RunError, match="got other tokens than were written"):
        Corpus.open(path).verify()
    path.unlink()
    with pytest.raises(RunError, match="FileNotFoundError"):
        Corpus.open(path)


def test_tinyshakespeare_in_characters(tmp_path: Path):
    corpus = Corpus.write(tmp_path / "d", LanguageModelConfig(sources=shared("tinyshakespeare/input.txt.gz")))
    assert sum(corpus.characters.values()) == 1_115_394
    assert len(corpus.test) == 1_115_394 - 1_003_854  # as int(0.9 * n) leaves it
    assert corpus.tokenizer.size == 1 + 65
    assert json.dumps(corpus.unknown) == '{"train": 0, "valid": 0, "test": 0}'


def test_penn_treebank_in_words_has_the_published_counts(tmp_path: Path):
    train, valid, test = shared("ptb/ptb.train.txt.gz", "ptb/ptb.valid.txt", "ptb/ptb.test.txt.gz")
    config = LanguageModelConfig(
        sources=(train,), valid_sources=(valid,), test_sources=(test,), tokens="word"
    )
    corpus = Corpus.write(tmp_path / "d", config)
    assert [len(corpus.part(part)) for part in PARTS] == [929_589, 73_760, 82_430]
    assert corpus.tokenizer.size == 10_000
    assert corpus.unknown == {"train": 0, "valid": 0, "test": 0}
