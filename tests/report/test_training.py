"""What a training shows: the same facts as a box and a bar on a terminal, and as plain lines elsewhere."""

import dataclasses
import io
import re

import pytest
from rich.console import Console

from unrolled.report import training
from unrolled.report.training import TOKENS, Display, Evaluation, Progress
from unrolled.tasks.base import Measure, Row

ROWS = [
    Row("this model", {"bits": 1.731, "nats": 1.2, "perplexity": 3.32}, "best at update 90"),
    Row("uniform", {"bits": 6.492, "nats": 4.5, "perplexity": 90.0}),
    Row("xz given the training text", {"bits": 1.5}),
]
MEASURES = (
    Measure("bits", "bits a\nchar"),
    Measure("nats", "nats a\nchar"),
    Measure("perplexity", "perplexity", ".2f"),
)


def report(update: int, loss: float = 2.0, clipped: float = 0.0) -> Progress:
    return Progress(update, 100, 0.5, 2, 1234.0, loss, 1e-3, 0.5, clipped, 62)


class Screen:
    """A display that writes into memory, on a terminal or not."""

    def __init__(self, monkeypatch, terminal: bool, width: int = 80, **how: bool) -> None:
        monkeypatch.setattr(training, "LIVE", 0)
        monkeypatch.setattr(training, "LINES", 0)
        monkeypatch.delenv("TERM", raising=False)
        self.progress, self.results = io.StringIO(), io.StringIO()
        consoles = [
            Console(file=file, force_terminal=terminal, width=width, highlight=False)
            for file in (self.progress, self.results)
        ]
        self.display = Display(progress=consoles[0], results=consoles[1], **how)


@pytest.fixture
def plain(monkeypatch) -> Screen:
    return Screen(monkeypatch, terminal=False)


def everything(display: Display) -> None:
    with display:
        display.begin([("data", "book.txt"), ("saved in", "runs/" + "x" * 100)])
        display.progress(report(25))
        display.evaluation(Evaluation(25, 0.5, 2.1, 2.0, 2.8854, best=True))
        display.sample("once [bold]upon\na \x1b[31mtime")
        display.note("one thing")
        display.result("Judged on 10 characters", ROWS, MEASURES, ["unrolled generate last"])


def test_without_a_terminal_there_are_whole_plain_lines(plain: Screen):
    everything(plain.display)
    said = plain.progress.getvalue()
    assert "\x1b" not in said
    assert "\r" not in said
    assert f"  saved in  runs/{'x' * 100}\n" in said
    assert " 25%  update 25 of 100  loss 2.000 nats, 2.885 bits a token" in said
    assert "1,234 tokens/s  1:02 left\n" in said
    assert "    once [bold]upon\n    a ␛[31mtime\n" in said
    assert "note: one thing\n" in said
    assert re.search(r"25 +0\.50 +2\.1000 +2\.0000 +2\.8854 +0:00  best\n", said)


@pytest.mark.parametrize("unit", ["token", "word", "example of many words"])
def test_headings_say_of_what_the_losses_are(plain: Screen, unit: str):
    heads = [f"nats a {unit}", f"bits a {unit}"]
    terms = dataclasses.replace(TOKENS, loss=heads[0], shown=Measure("bits", heads[1], ".4f"))
    plain.display.begin([("data", "book.txt")], terms)
    for update in (5, 10):
        plain.display.evaluation(Evaluation(update, 0.5, 2.1, 2.0, 2.8854, best=True))
    said = plain.progress.getvalue().splitlines()[2:]
    head, per, *rows = said
    assert head.split() == ["update", "epoch", "training", "held", "out", "held", "out", "time"]
    assert re.split("  +", per.strip()) == [heads[0], *heads]
    assert len(rows) == 2
    assert rows[0].index("2.1000") + 6 == per.index(heads[0]) + len(heads[0]), (
        "numbers stand below their unit"
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_reading_is_shown_now_and_then_and_gives_way_to_the_box(monkeypatch, terminal: bool):
    screen = Screen(monkeypatch, terminal)
    with screen.display as display:
        monkeypatch.setattr(training, "LINES" if not terminal else "LIVE", 1e9)
        display.reading("count", 1_000_000)
        assert screen.progress.getvalue() == "", "what is read at once is not spoken of"
        monkeypatch.setattr(training, "LINES" if not terminal else "LIVE", 0)
        display.reading("write train", 2_000_000)
        assert "reading: write train, 2,000,000 characters" in screen.progress.getvalue()
        display.begin([("data", "book.txt")])
        said = screen.progress.getvalue()
        assert "\r" in said.split("reading")[-1] or not terminal, "the line is gone before the box"
    quiet = Screen(monkeypatch, terminal, quiet=True)
    quiet.display.reading("count", 5)
    assert quiet.progress.getvalue() == ""


def test_terminal_has_a_box_and_a_bar_that_goes_away(monkeypatch):
    screen = Screen(monkeypatch, terminal=True)
    everything(screen.display)
    said = screen.progress.getvalue()
    assert "╭─" in said
    assert "━" in said
    assert "epoch 0.5 of 2" in said
    assert "\x1b[31m" not in said, "what the model writes cannot command the terminal"
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l"), "the cursor is shown again"


def test_cursor_comes_back_after_an_error(monkeypatch):
    screen = Screen(monkeypatch, terminal=True)

    def stopped() -> None:
        with screen.display as display:
            display.progress(report(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    said = screen.progress.getvalue()
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l")


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_box_bar_or_result_is_cut(monkeypatch, width: int):
    screen = Screen(monkeypatch, terminal=True, width=width)
    everything(screen.display)
    assert "…" not in screen.progress.getvalue() + screen.results.getvalue()


def test_reports_between_two_lines_are_averaged_by_their_updates(monkeypatch, plain: Screen):
    monkeypatch.setattr(training, "LINES", 1e9)
    plain.display.progress(report(10, loss=4.0, clipped=1.0))
    monkeypatch.setattr(training, "LINES", 0)
    plain.display.progress(report(40, loss=2.0, clipped=0.0))
    assert "update 40 of 100  loss 2.500 nats, 3.607 bits a token  rate" in plain.progress.getvalue()
    assert "clipped 25%" in plain.progress.getvalue()


def test_samples_come_now_and_then(monkeypatch, plain: Screen):
    plain.display.sample("first")
    plain.display.sample("too soon")
    plain.display.sample("wanted", always=True)
    monkeypatch.setattr(training, "SAMPLES", -1)
    plain.display.sample("later")
    said = plain.progress.getvalue()
    assert said.split() == ["first", "wanted", "later"]


def test_result_is_sorted_and_missing_numbers_are_left_out(plain: Screen):
    plain.display.result("Judged", ROWS, MEASURES, ["unrolled generate last"])
    lines = plain.results.getvalue().splitlines()
    first_words = [line.split()[0] for line in lines if line.strip()]
    assert [word for word in first_words if word in ("xz", "this", "uniform")] == ["xz", "this", "uniform"]
    assert "nats a" in plain.results.getvalue()
    assert "  unrolled generate last" in lines


def test_quiet_says_the_result_alone(monkeypatch):
    screen = Screen(monkeypatch, terminal=False, quiet=True)
    everything(screen.display)
    assert screen.progress.getvalue() == ""
    assert "this model" in screen.results.getvalue()


def test_json_leaves_the_result_to_others(monkeypatch):
    screen = Screen(monkeypatch, terminal=False, json=True)
    everything(screen.display)
    assert screen.results.getvalue() == ""


@pytest.mark.parametrize("nothing", [float("nan"), float("inf"), None])
def test_what_has_no_number_stands_last_and_without_a_bar(nothing):
    rows = [Row("first", {"bits": nothing}), Row("second", {"bits": 2.0}), Row("third", {"bits": 1.0})]
    said = io.StringIO()
    Console(file=said, width=80).print(training.comparison(rows, MEASURES[:1], 20))
    lines = [line.split() for line in said.getvalue().splitlines()[2:]]
    assert [line[0] for line in lines] == ["third", "second", "first"]
    assert [line[-1] for line in lines] == ["1.000", "2.000", "━"]
