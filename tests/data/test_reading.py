"""Text from every kind of source, in pieces; and what is said where there is none."""

import gzip
import hashlib
import io
import os
import sys
import threading
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from unrolled.data import reading
from unrolled.errors import DataError, OptionError


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "BLOCK", 7)


def text(*sources: str | Path, encoding: str = "utf-8") -> str:
    return "".join(reading.texts(sources, encoding))


def refusal(*sources: str | Path, encoding: str = "utf-8") -> DataError:
    with pytest.raises(DataError) as caught:
        text(*sources, encoding=encoding)
    return caught.value


def give_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def test_pieces_are_the_text_and_cut_no_word(tmp_path: Path, small_blocks: None):
    wanted = "to be, or not\nto be:  that is\n\n the question… naïve 🙂 end"
    (tmp_path / "a.txt").write_text(wanted, encoding="utf-8")
    pieces = list(reading.texts([tmp_path / "a.txt"]))
    assert "".join(pieces) == wanted
    assert len(pieces) > 4
    assert all(after[0].isspace() and not before[-1].isspace() for before, after in pairwise(pieces))


def test_a_word_longer_than_a_block_is_passed_on_in_parts(tmp_path: Path, small_blocks: None):
    (tmp_path / "a.txt").write_text("x" * 50)
    assert text(tmp_path / "a.txt") == "x" * 50


def test_packed_files_and_other_encodings(tmp_path: Path, small_blocks: None):
    wanted = "naïve façade\n" * 5
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(wanted.encode()))
    (tmp_path / "b.txt").write_bytes(wanted.encode("cp1252"))
    (tmp_path / "c.txt").write_bytes(wanted.encode("utf-16"))
    assert text(tmp_path / "a.txt.gz") == wanted
    assert text(tmp_path / "b.txt", encoding="cp1252") == wanted
    assert text(tmp_path / "c.txt", encoding="utf-16") == wanted


def test_line_ends_become_one_character_and_a_byte_order_mark_none(tmp_path: Path, small_blocks: None):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo..\r\nthree\rfour")
    assert text(tmp_path / "a.txt") == "one\ntwo..\nthree\nfour"


def test_files_that_follow_each_other_do_so_on_new_lines(tmp_path: Path):
    for name, contents in {"a": "one", "b": "two\n", "c": "", "d": "three"}.items():
        (tmp_path / name).write_text(contents)
    assert text(*(tmp_path / name for name in "abcd")) == "one\ntwo\nthree"
    assert b"".join(reading.raw([tmp_path / name for name in "abcd"])) == b"onetwo\nthree"


def test_a_folder_gives_its_texts_by_name(tmp_path: Path):
    for name in ("b.txt", "a.md", "sub/c.txt", ".hidden", ".git/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "e.txt.gz").write_bytes(gzip.compress(b"e"))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (tmp_path / "numbers.npy").write_bytes(bytes(100))
    found = [path.relative_to(tmp_path).as_posix() for path in reading.files([tmp_path])]
    assert found == ["a.md", "b.txt", "e.txt.gz", "sub/c.txt"]


def test_a_pattern_gives_what_it_matches_by_name(tmp_path: Path):
    for name in ("b.txt", "a.txt", "c.md"):
        (tmp_path / name).write_text(name)
    assert [path.name for path in reading.files([f"{tmp_path}/*.txt"])] == ["a.txt", "b.txt"]


def test_standard_input_and_pipes_are_copied_to_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    give_stdin(monkeypatch, b"from stdin")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"from a pipe"))
    writer.start()
    with reading.spooled(["-", pipe, "other.txt"], tmp_path) as readable:
        assert [text(source) for source in readable[:2] for _ in "ab"] == [
            *["from stdin"] * 2,
            *["from a pipe"] * 2,
        ]
        assert readable[2] == "other.txt"
    writer.join()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"one\ncaf\xe9\n", ": line 2, byte 7 must be text in utf-8"),
        (b"a\0b", " must be text; got a binary file"),
        (b"", " must hold text; got an empty file"),
    ],
)
@pytest.mark.parametrize("source", ["-", "pipe"])
def test_what_is_wrong_with_what_comes_once_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, data: bytes, said: str
):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    if source == "-":
        give_stdin(monkeypatch, data)
    else:
        threading.Thread(target=Path(source).write_bytes, args=(data,)).start()
    with pytest.raises(DataError) as caught, reading.spooled([source], tmp_path) as readable:
        text(*readable)
    called = "standard input" if source == "-" else source
    assert str(caught.value).startswith(f"{called}{said}")


def test_what_is_wrong_with_standard_input_read_at_once(monkeypatch: pytest.MonkeyPatch):
    give_stdin(monkeypatch, b"caf\xe9")
    assert str(refusal("-")).startswith("standard input: line 1, byte 3 must be text in utf-8")


def test_standard_input_can_be_read_as_it_comes(monkeypatch: pytest.MonkeyPatch):
    give_stdin(monkeypatch, b"as it comes")
    assert text("-") == "as it comes"


def test_a_digest_is_that_of_the_file(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc")
    assert reading.digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("block", [4, 7, 1000])
@pytest.mark.parametrize(
    ("data", "line", "byte"),
    [
        (b"one\ntwo\ncaf\xe9 au lait\n", 3, 11),
        (b"\xe9", 1, 0),
        (b"one\r\ntwo \xc3", 2, 9),  # ends within a letter
        ("naïve\nünder\n".encode() + b"\xff", 3, 14),
    ],
)
def test_what_is_not_utf_8_is_named_by_line_and_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, data: bytes, line: int, byte: int
):
    monkeypatch.setattr(reading, "BLOCK", block)
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    error = refusal(path)
    assert error.subject == f"{path}: line {line}, byte {byte}"
    assert f"0x{data[byte]:02x}" in str(error.got)
    assert "--encoding cp1252" in error.fix


def test_utf_16_is_recognised_by_its_mark(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes("text".encode("utf-16"))
    assert "--encoding utf-16" in refusal(tmp_path / "a.txt").fix
    (tmp_path / "b.txt").write_bytes("text".encode("utf-16-be"))
    with pytest.raises(DataError, match="be text in utf-16"):
        text(tmp_path / "b.txt", encoding="utf-16")


@pytest.mark.parametrize("data", [b"\x7fELF\0\0\0", b"\x89PNG\r\n\x1a\n\0\0", b"words\0and"])
def test_a_binary_file_is_called_that(tmp_path: Path, data: bytes):
    (tmp_path / "a.txt").write_bytes(data)
    error = refusal(tmp_path / "a.txt")
    assert "binary" in str(error.got)
    assert "--tokens byte" in error.fix
    assert b"".join(reading.raw([tmp_path / "a.txt"])) == data


def test_an_unknown_encoding_is_no_encoding(tmp_path: Path):
    (tmp_path / "a.txt").write_text("a")
    for name in ("utf-9", "hex", "idna", "punycode", "undefined", "", "utf\0"):
        with pytest.raises(OptionError, match="be a text encoding that Python knows"):
            text(tmp_path / "a.txt", encoding=name)


def test_nothing_to_read_is_said_as_it_is(tmp_path: Path):
    (tmp_path / "book.txt").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(b"\x89PNG\0")
    said = {
        tmp_path / "book.txt": "must hold text; got an empty file",
        tmp_path / "bok.txt": f"Did you mean {tmp_path / 'book.txt'}?",
        tmp_path / "none/book.txt": f"no folder {tmp_path / 'none'}",
        tmp_path / "*.md": "must match a file; got no match",
        tmp_path / "empty": "got no file at all",
        tmp_path / "pictures": "got 1 file, none of them text",
    }
    for source, words in said.items():
        assert words in str(refusal(source))
    assert "got no source" in str(refusal())


def test_a_damaged_gzip_file_is_called_that(tmp_path: Path):
    path = tmp_path / "a.txt.gz"
    whole = gzip.compress(b"some text " * 100)
    for data in (b"no gzip", whole[:-9], whole[:20] + b"\xff" * 10 + whole[30:]):
        path.write_bytes(data)
        assert "must be a whole gzip file" in str(refusal(path))


def test_a_file_that_may_not_be_read_is_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.txt").write_text("a")

    def denied(*_: object):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", denied)
        assert "be readable; got Permission denied" in str(refusal(tmp_path / "a.txt"))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", denied)
        assert "be readable; got Permission denied" in str(refusal(tmp_path / "b.txt"))
    monkeypatch.setattr(Path, "stat", denied)
    assert "be readable; got Permission denied" in str(refusal(tmp_path / "a.txt"))
    assert not reading.is_file(str(tmp_path / "a.txt"))


def test_a_folder_that_may_not_be_looked_into_is_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.txt").write_text("a")

    def denied(folder: Path):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", denied)
    assert f"{tmp_path} must be readable; got Permission denied" in str(refusal(tmp_path))


def test_a_name_that_no_file_can_have_is_none(tmp_path: Path):
    for name in ("x" * 300, "x" * 300 + "/a.txt", "a\0b"):
        assert "nothing of that name" in str(refusal(tmp_path / name))
        assert not reading.is_file(str(tmp_path / name))
    assert "got no match" in str(refusal(f"{tmp_path}/{'x' * 300}*"))


def test_a_link_to_nothing_is_called_that(tmp_path: Path):
    (tmp_path / "a.txt").symlink_to("gone.txt")
    for source in (tmp_path / "a.txt", tmp_path / "*.txt"):
        assert "got nothing of that name. It is a link to nothing" in str(refusal(source))


@pytest.mark.parametrize("parts", [["one two", "three\n", "  four"], ["\ufeffa\r\nb\rc", "", "d"], ["x" * 9]])
def test_texts_in_memory_are_joined_as_their_files_are(tmp_path: Path, parts: list[str]):
    for number, part in enumerate(parts):
        (tmp_path / f"{number}.txt").write_bytes(reading.encoded(part, "utf-8"))
    assert "".join(reading.joined([reading.as_read(part)] for part in parts)) == text(tmp_path)


def test_what_an_encoding_lacks_is_said():
    assert reading.encoded("é", "cp1252") == b"\xe9"
    with pytest.raises(DataError, match=r"have characters of cp1252 alone; got '\\u8a9e' at 1\. Leave"):
        reading.encoded("a語", "cp1252")
    with pytest.raises(OptionError, match="that Python knows"):
        reading.encoded("a", "cp-none")
