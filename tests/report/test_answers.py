"""What a model in use answers, as text and as data."""

from dataclasses import dataclass
from time import time

import pytest
from rich.cells import cell_len

from unrolled.report.answers import BETWEEN, Foreseen, Judged, Samples, Surprises
from unrolled.report.runs import Runs
from unrolled.report.wording import visible


@dataclass
class Run:
    name: str
    changed: float
    training: bool = False
    finished: bool = False
    update: int | None = None
    valid_loss: float | None = None


def judged(**facts: object) -> str:
    known: dict[str, object] = dict(
        text="book.txt",
        unit="word",
        tokens=1000,
        characters=5000,
        unknown=0,
        nats=4.5,
        bits_per_character=1.3,
    )
    return str(Judged(**{**known, "perplexity": 90.02, "trained_length": 35, **facts}))  # type: ignore[arg-type]


def test_samples_come_piece_by_piece_and_only_when_asked_for():
    begun: list[int] = []

    def text(number: int):
        begun.append(number)
        yield from ("a", "b")

    samples = Samples([text(1), text(2)])
    assert next(samples) == "a"
    assert begun == [1]
    assert list(samples) == ["b", BETWEEN, "a", "b"]


def test_samples_as_data_are_whole():
    assert Samples([iter("ab"), iter("cd")]).as_data() == {"samples": ["ab", "cd"]}


def test_judgement_names_its_units_and_counts_the_unknown():
    assert "nats a word           4.5000" in judged()
    assert "bits a character      1.3000" in judged()
    assert "unknown" not in judged()
    assert "25 of them were never seen in training (2.5%)" in judged(unknown=25)
    assert "bits a byte" in judged(unit="byte")


def test_lengths_beyond_those_of_training_are_marked():
    lines = judged(by_length=((1, 1, 6.0), (33, 64, 4.0), (65, 128, 3.0))).splitlines()[-3:]
    assert ["longer" in line for line in lines] == [False, False, True]
    assert [line.count("━") for line in lines] == [20, 13, 10]
    whole = judged(by_length=((65, 128, 3.0),), trained_length=0)
    assert "longer" not in whole, "gradients went back through all of the text"


def test_surprises_are_aligned_whatever_the_width_of_letters():
    tokens = [Foreseen("語", None), Foreseen("\x1b", 2.0, (("é", 0.5),)), Foreseen("", None, (("x", 0.251),))]
    lines = str(Surprises(tokens)).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["語", "␛", "next"]
    assert lines[2].endswith("━" * 20 + "  é 50%")
    assert cell_len(lines[2].split("2.00")[0]) == cell_len(lines[0].split("bits")[0])
    assert lines[3].endswith("x 25%")
    assert lines[-1] == "mean 2.000 bits = 1.386 nats a token, the first apart"


def test_one_token_has_no_mean():
    assert "mean" not in str(Surprises([Foreseen("a", None), Foreseen("", None)]))


def test_runs_say_their_state_and_how_to_go_on():
    runs = [
        Run("one", time(), training=True, update=1234, valid_loss=1.5),
        Run("two", time() - 7200, finished=True),
    ]
    text = str(Runs(runs))
    assert "one  training       1,234    1.5000  just now" in text
    assert "two  finished                        2 hours ago" in text
    assert "resume" not in text
    assert "unrolled resume RUN" in str(Runs([*runs, Run("three", time())]))


def test_no_runs_says_how_to_get_one():
    assert str(Runs([])) == "No runs yet. Train one: unrolled train lm TEXT"


@pytest.mark.parametrize("control", ["\x1b", "\r", "\x08", "\x9b", "\x7f", "\u202e", "\udcff"])
def test_nothing_that_commands_a_terminal_is_visible(control: str):
    assert visible(f"a{control}b\n").encode() != f"a{control}b\n".encode(errors="replace")
    assert all(c.isprintable() or c == "\n" for c in visible(f"a{control}b\n"))
