"""Sequences from .ts and NumPy's files, and sentences with their tags from CoNLL and CoNLL-U."""

import io
from collections.abc import Callable

import numpy as np
import pytest

from tests.data import sets
from unrolled.data import formats
from unrolled.data.formats import Options, conll, npz, ts
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Places, Table
from unrolled.errors import DataError

HEADER = "# about\n@problemName x\n@timeStamps false\n@classLabel true a b\n@data\n"


def message(do: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        do()
    return str(caught.value)


def x_of(table: Table) -> Ragged:
    x = table["x"]
    assert isinstance(x, Ragged)
    return x


def saved(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **arrays)
    return file.getvalue()


def test_channels_of_different_length_and_missing_values():
    made = ts.read(HEADER + "1,2,3:4,?,6:a\n\n7:8:b\n", "a.ts", Options())
    assert made["label"] == ["a", "b"]
    assert x_of(made)[0].T.tolist()[0] == [1, 2, 3]
    assert np.isnan(x_of(made)[0][:, 1]).tolist() == [False, True, False]
    assert x_of(made)[1].tolist() == [[7, 8]]
    assert made.where(1) == "a.ts: line 8"


def test_targets_and_no_labels():
    assert ts.read("@targetLabel true\n@data\n1,2:0.5\n", "a.ts", Options())["label"] == [0.5]
    plain = ts.read("@classLabel false\n@data\n1,2:3,4\n", "a.ts", Options())
    assert (list(plain.columns), x_of(plain)[0].tolist()) == (["x"], [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n", "a.ts: line 1 must begin with # or @ before @data; got 1,2"),
        ("@problemName x\n", "must have a line @data"),
        (HEADER, "must have a sequence after @data"),
        (HEADER + "1,x:2,3:a\n", "a.ts: line 6, channel 1 must hold numbers; got could not convert"),
        (HEADER + "1,2:2:a\n", "a.ts: line 6, channel 2 must have 2 values, as the first channel; got 1"),
        (HEADER + "1:2:a\n1:a\n", "a.ts: line 7 must have 2 channels, as the sequences before it; got 1"),
        (HEADER + "1:2:c\n", "must end with one of the labels a, b; got 'c'"),
        (HEADER + "a\n", "must have values before its label"),
        ("@timeStamps true\n@data\n", "without time stamps"),
        ("@targetLabel true\n@data\n1,2:\n", "must end with one number; got 0"),
    ],
)
def test_ts_files_that_are_wrong(text: str, words: str):
    assert words in message(lambda: ts.read(text, "a.ts", Options()))


@pytest.mark.parametrize(
    ("name", "rows", "features", "classes", "shortest", "longest"),
    [
        ("japanese-vowels/JapaneseVowels_TRAIN.ts.gz", 270, 12, 9, 7, 26),
        ("japanese-vowels/JapaneseVowels_TEST.ts.gz", 370, 12, 9, 7, 29),
        ("basic-motions/BasicMotions_TRAIN.ts", 40, 6, 4, 100, 100),
        ("basic-motions/BasicMotions_TEST.ts", 40, 6, 4, 100, 100),
    ],
)
def test_real_series(name: str, rows: int, features: int, classes: int, shortest: int, longest: int):
    made = formats.read([sets.file(name)])
    x = x_of(made)
    assert (len(x), x.values.shape[1], len(set(made.labels("label")))) == (rows, features, classes)
    assert (x.lengths.min(), x.lengths.max()) == (shortest, longest)


def test_arrays_of_one_length_padded_and_end_to_end():
    same = npz.read(saved(x=np.ones((2, 3, 4)), y=np.array(["a", "b"])), "a.npz", Options())
    assert (x_of(same).lengths.tolist(), same["label"]) == ([3, 3], ["a", "b"])
    padded = npz.read(saved(x=np.arange(6).reshape(2, 3), lengths=np.array([3, 1])), "a.npz", Options())
    assert [one.tolist() for one in x_of(padded)] == [[0, 1, 2], [3]]
    ragged = npz.read(saved(x=np.arange(4), starts=np.array([0, 1, 4]), y=np.arange(4)), "a.npz", Options())
    assert [one.tolist() for one in x_of(ragged)] == [[0], [1, 2, 3]]
    assert ragged["label"] == [[0], [1, 2, 3]]
    frames = npz.read(
        saved(x=np.ones((1, 3, 2)), y=np.array([[5, 6, 7]]), lengths=np.array([2])), "a", Options()
    )
    assert frames["label"] == [[5, 6]]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"z": np.ones(2)}, "must have arrays named x (sequences), y (labels), lengths, starts; got z"),
        ({"x": np.ones(2)}, "a.npz: x must have shape [E, T] or [E, T, I]; got [2]"),
        ({"x": np.array(["a"])}, "a.npz: x must be numbers"),
        (
            {"x": np.ones((2, 3)), "lengths": np.array([4, 1])},
            "a.npz: lengths must have a whole number from 0 to 3",
        ),
        ({"x": np.ones(3), "starts": np.array([0, 4])}, "rise from 0 to N = 3"),
        ({"x": np.ones((2, 3)), "y": np.ones(5)}, "a.npz: y must have a label for each of 2 sequences"),
        (
            {"x": np.array([[1], None], object)},
            "must be an .npz file of numbers and texts; got ValueError: Object",
        ),
    ],
)
def test_arrays_that_do_not_go_together(arrays: dict[str, np.ndarray], words: str):
    assert words in message(lambda: npz.read(saved(**arrays), "a.npz", Options()))


def test_words_with_their_tags():
    text = "-DOCSTART- -X- O\n\n# a comment, with more\nHe PRP B-NP\n# # I-NP\n\n \nWe PRP B-NP\n"
    made = conll.read(text, "a.conll", Options())
    assert made["1"] == [["He", "#"], ["We"]]
    assert made["3"] == [["B-NP", "I-NP"], ["B-NP"]]
    assert made.where(1) == "a.conll: line 8"
    assert list(conll.read("a\tb c\n", "a", Options(names=("word", "tag"))).columns) == ["word", "tag"]


def test_universal_dependencies_leave_out_what_is_no_word():
    rest = "\t_" * 8
    text = f"# text = don't\n1-2\tdon't{rest}\n1\tdo{rest}\n2\tn't{rest}\n2.1\tgone{rest}\n\n1\tHe{rest}\n"
    made = conll.read_conllu(text, "a.conllu", Options())
    assert made["form"] == [["do", "n't"], ["He"]]
    assert made.where(0) == "a.conllu: line 3"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b\nc d\ne\n", "a.conll: line 3 must have 2 columns (1, 2); got 1"),
        ("\n\n", "must have a sentence; got an empty file"),
        ("-DOCSTART- -X-\n", "must have a sentence; got none"),
    ],
)
def test_sentences_that_are_wrong(text: str, words: str):
    assert words in message(lambda: conll.read(text, "a.conll", Options()))


def test_words_and_tags_of_any_table():
    places = Places.of("a.jsonl: line", [1, 2])
    made = Table({"words": [["a", "b"], "c d"], "tags": ["X Y", ["Z", "Z"]]}, places)
    assert conll.tagged(made, "words", "tags") == ([["a", "b"], ["c", "d"]], [["X", "Y"], ["Z", "Z"]])
    short = Table({"words": [["a", "b"], ["c"]], "tags": [["X", "Y"], []]}, places)
    assert message(lambda: conll.tagged(short, "words", "tags")) == (
        'a.jsonl: line 2, column "tags" must have a tag for each of 1 words; got 0 tags. '
        "Write one tag for each word."
    )
    other = Table({"words": [["a"], [1]], "tags": [["X"], ["Y"]]}, places)
    assert 'line 2, column "words" must be a list of texts' in message(
        lambda: conll.tagged(other, "words", "tags")
    )


@pytest.mark.parametrize(
    ("name", "column", "sentences", "words", "tags"),
    [
        ("conll2000/train.txt.gz", "3", 8936, 211_727, 22),
        ("conll2000/test.txt.gz", "3", 2012, 47_377, None),
        ("ud-english-lines/en_lines-ud-train.conllu.gz", "upos", 3457, 64_684, 17),
        ("ud-english-lines/en_lines-ud-dev.conllu.gz", "upos", 1118, 21_637, None),
        ("ud-english-atis/en_atis-ud-train.conllu.gz", "upos", 4274, 48_655, None),
        ("ud-english-atis/en_atis-ud-dev.conllu", "upos", 572, 6644, None),
    ],
)
def test_real_sentences(name: str, column: str, sentences: int, words: int, tags: int | None):
    found = [tag for sentence in formats.read([sets.file(name)])[column] for tag in sentence]
    assert (len(formats.read([sets.file(name)])), len(found)) == (sentences, words)
    assert tags is None or len(set(found)) == tags
