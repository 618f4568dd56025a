"""What a command line cannot mean, or this machine cannot do, is said in a sentence; nothing stays behind."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from unrolled.cli import main

SMALL = ["hidden=8", "length=8", "batch=2", "epochs=0.2", "sample=0", "memoryless=off"]


def call(*arguments: str, given: str | bytes = "") -> Result:
    return CliRunner().invoke(main, list(arguments), input=given)


def said(code: int, *arguments: str, given: str | bytes = "") -> str:
    """What a command that fails with this exit code says, without a traceback."""
    result = call(*arguments, given=given)
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (code, True), result.stderr
    return result.stderr


@pytest.fixture(autouse=True)
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A text in an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNROLLED_RUNS", raising=False)
    (tmp_path / "book.txt").write_text("to be, or not to be: that is the question.\n" * 30)
    return tmp_path / "book.txt"


def trained(name: str, *settings: str) -> str:
    result = call("train", "lm", "book.txt", *SMALL, *settings, "--name", name, "-q")
    assert result.exit_code == 0, result.output
    return name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train lm {long}", "must be a file, a folder, a pattern or -; got nothing of that name"),
        ("train {long}", "the task must be a task or a file; got xxx"),
        ("train lm book.txt name={long}", "the field must be one that exists; got name"),
        ("check {long}", "the task must be a task or a file; got xxx"),
        ("generate {long}", "must be a run's folder, a run's name or last; got none"),
        ("evaluate {long}", "must be a run's folder, a run's name or last; got none"),
    ],
)
def test_too_long_a_name_is_nothing_s_name(words: str, message: str):
    arguments = words.format(long="x" * 300).split()
    code = 2 if "the task" in message or "the field" in message else 1
    assert message in said(code, *arguments)


@pytest.mark.parametrize(
    "words", ["train book.txt", "train lm book.txt", "check book.txt", "check lm book.txt"]
)
def test_a_file_that_may_not_be_looked_at_is_called_that(words: str, monkeypatch: pytest.MonkeyPatch):
    stat = Path.stat

    def denied(path: Path, **options: bool) -> Any:
        if path.name == "book.txt":
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", denied)
    assert "book.txt must be readable; got Permission denied" in said(1, *words.split())
    assert not list(Path().glob("runs/*"))


def test_a_prompt_is_text():
    trained("letters")
    trained("bytes", "tokens=byte")
    trained("pieces", "tokens=bpe", "vocabulary=300")
    bad = b"to be \xff"
    where = "standard input: line 1, byte 6 must be text in utf-8"
    assert where in said(1, "generate", "letters", "--prompt", "-", given=bad)
    assert where in said(1, "predict", "letters", "-", given=bad)
    for run in ("letters", "pieces"):
        assert "got '\\udcff' at 0" in said(1, "generate", run, "--prompt", "\udcff")
    result = call("generate", "bytes", "--prompt", "-", "--length", "5", "--seed", "1", given=bad)
    assert (result.exit_code, len(result.stdout) > 1) == (0, True)
    one, other = (call("generate", "--prompt", *p, "--seed", "1", given=g).stdout for p, g in PROMPTS)
    assert one == other


PROMPTS = ((["to be"], ""), (["-"], "to be\n"))
"""The same prompt as a word and by standard input."""


@pytest.mark.parametrize("samples", ["1", "2"])
def test_a_seed_is_no_negative_number(samples: str):
    run = trained("small")
    words = ("generate", run, "--seed", "-1", "--samples", samples)
    assert "generate: seed must be 0 or more; got -1. Leave it out" in said(2, *words)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("seed=99999999999999999999", "seed must be at most 9,223,372,036,854,775,807; got 9999"),
        ("hidden=99999999999", "hidden must be at most 2,147,483,647; got 99999999999"),
        ("layers=1001", "layers must be at most 1,000; got 1001"),
        ("threads=100000", "threads must be at most 4,096; got 100000"),
        ("encoding=idna", "encoding must be a text encoding that Python knows; got idna"),
        ("encoding=undefined", "encoding must be a text encoding that Python knows; got undefined"),
    ],
)
def test_numbers_and_names_beyond_what_there_is(field: str, message: str):
    assert message in said(2, "train", "lm", "book.txt", *SMALL[1:], field)
    assert not list(Path().glob("runs/*"))


def test_the_largest_seed_is_one():
    result = call("train", "lm", "book.txt", *SMALL[:-1], f"seed={2**63 - 1}", "-q")  # its twin has the next
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("field", ["hidden=1000000", "hidden=1000000000", "hidden=2147483647"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_model_that_no_machine_could_hold_is_refused_before_it_is_made(field: str, cell: str):
    words = ("train", "lm", "book.txt", *SMALL[1:], field, f"cell={cell}")
    assert "the model and its windows must fit into memory; got" in said(1, *words)
    assert not list(Path().glob("runs/*"))


def test_a_run_is_not_resumed_where_it_does_not_fit(monkeypatch: pytest.MonkeyPatch):
    run = trained("small")
    monkeypatch.setattr("unrolled.tasks.lm.memory", lambda *_: 10**15)
    assert "train lm: the model and its windows must fit into memory" in said(1, "resume", run)


def test_a_demonstration_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("unrolled.training.trainer.Trainer.begin", fails)
        assert "must fit into memory; got none left" in said(1, "demo", "--seconds", "1")
    assert not list(Path().glob("runs/*"))
    monkeypatch.setattr("unrolled.demonstration.manual", fails)
    assert "must fit into memory; got none left" in said(1, "demo", "--seconds", "1")
    assert not list(Path().glob("runs/*"))


def test_a_stopped_run_says_how_to_go_on(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unrolled.tasks.language_model.LanguageModelling.baselines", interrupted)
    result = call("train", "lm", "book.txt", *SMALL, "--name", "judging")
    assert (result.exit_code, "Stopped." in result.stderr) == (130, True)
    assert "stopped; go on with it: unrolled resume judging" in caplog.text


def test_the_run_s_own_part_is_judged_as_the_run_judged_it(monkeypatch: pytest.MonkeyPatch, book: Path):
    monkeypatch.setattr("unrolled.tasks.lm.streams_to_conclude", lambda tokens: max(1, tokens // 40))
    run = trained("streams")
    result = json.loads(Path("runs", run, "result.json").read_text())
    judged = json.loads(call("evaluate", run, "--json").stdout)
    assert judged["nats"] == result["rows"][0]["values"]["nats"]
    assert judged["bits_per_character"] == result["rows"][0]["values"]["bits_per_character"]


def test_weights_that_were_removed_are_made_up_for_while_there_are_newer_ones():
    folder = Path("runs", trained("small"))
    (folder / "model.safetensors").unlink()
    assert f"unrolled resume {folder}" in said(1, "predict", "small", "to be")
    assert call("resume", "small", "-q").exit_code == 0
    assert call("predict", "small", "to be").exit_code == 0
    for path in (folder / "model.safetensors", *(folder / "last").iterdir()):
        path.unlink()
    assert f"unrolled train lm --config {folder}/config.toml" in said(1, "predict", "small", "to be")
