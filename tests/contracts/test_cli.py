"""The command line is the Python interface: same verbs, arguments and defaults; errors without tracebacks."""

import csv
import inspect
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner, Result

import unrolled
from unrolled import api
from unrolled.cli import FieldOption, main
from unrolled.config import CONFIGS, Config
from unrolled.errors import OptionError

SIZES = ("--hidden", "8", "--length", "8", "--batch", "2")
SMALL = (*SIZES, "--epochs", "0.2", "--sample", "0", "--memoryless", "off")


def call(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(main, list(arguments), input=given)


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    """A text in an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNROLLED_RUNS", raising=False)
    (tmp_path / "book.txt").write_text("to be, or not to be: that is the question.\n" * 30)
    return tmp_path / "book.txt"


@pytest.fixture
def run(book) -> str:
    result = call("train", "lm", "book.txt", *SMALL, "--name", "small", "-q")
    assert result.exit_code == 0, result.output
    return "small"


def test_verbs_are_the_functions_of_api():
    homes = ((value, str(getattr(value, "__module__", ""))) for value in vars(api).values())
    own = [value for value, home in homes if home.startswith(f"{api.__name__}.")]
    public = [value.__name__ for value in own if inspect.isfunction(value) and value.__name__[0] != "_"]
    assert sorted(main.commands) == sorted(public) == api.__all__


@pytest.mark.parametrize("verb", api.__all__)
def test_options_are_the_parameters(verb: str):
    command = main.commands[verb]
    given = command.commands["lm"].params if isinstance(command, click.Group) else command.params
    own = [p for p in given if not isinstance(p, FieldOption)]
    named = [p for p in own if p.name not in ("json", "csv", "print_python")]
    parameters = dict(inspect.signature(getattr(api, verb)).parameters)
    assert all(len(get_args(p.annotation)) == 2 for p in parameters.values()), "each says what it means"
    parameters.pop("json", None)
    parameters.pop("fields", None)
    parameters.pop("task", None)  # is the command's own name
    assert [p.name for p in named] == list(parameters)
    for made in named:
        default = parameters[made.name].default
        assert made.required or made.nargs == -1 or made.default == default
    assert [p.name for p in given if p.name == "json"] == ["json"]


@pytest.mark.parametrize(("task", "kind"), CONFIGS.items())
def test_every_field_of_the_config_is_an_option(task: str, kind: type[Config]):
    tasks = main.commands["train"]
    assert isinstance(tasks, click.Group)
    fields = [p.name for p in tasks.commands[task].params if isinstance(p, FieldOption)]
    assert fields == [name for name in kind.fields() if name not in ("schema", "task", "sources")]
    text = call("train", task, "--help").output
    assert all(f"--{name.replace('_', '-')} " in text for name in fields)


@pytest.mark.parametrize("verb", api.__all__)
def test_help_of_a_verb(verb: str):
    result = call(verb, "--help")
    assert result.exit_code == 0
    assert "Raises" not in result.output
    assert "Exit codes" in result.output


def test_unknown_verb_names_the_nearest():
    result = call("demoo")
    assert (result.exit_code, "Did you mean 'demo'?" in result.stderr) == (2, True)


def test_unknown_option_names_the_nearest():
    result = call("bench", "--forwardonly")
    assert (result.exit_code, "--forward-only" in result.stderr) == (2, True)


def test_wrong_value_is_an_error_of_the_house_without_a_traceback():
    result = call("bench", "--H", "0")
    assert result.exit_code == 2
    assert result.stderr == "Error: bench: H must be at least 1; got 0. Leave it out for the default.\n"


def test_value_that_is_not_offered_lists_what_is():
    result = call("bench", "--cell", "grru")
    assert (result.exit_code, "'rnn', 'lstm', 'gru'" in result.stderr) == (2, True)


def test_bench_answers_for_a_shape():
    result = call("bench", "--cell", "lstm", "--T", "5", "--B", "2", "--H", "8", "--forward-only", "--json")
    speed = json.loads(result.stdout)
    assert speed["shape"] == dict(cell="lstm", T=5, B=2, I=8, H=8, layers=1, bidirectional=False)
    assert speed["ours"] > 0
    assert speed["ratio"]["low"] <= speed["ratio"]["median"] <= speed["ratio"]["high"]
    assert speed["difference"] < 1e-6


def test_doctor_says_what_runs():
    result = call("doctor")
    assert result.exit_code == 0
    assert "compiled core" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "",
            "TEXT must name a file, a folder, a pattern or -; got nothing. For example: unrolled train lm",
        ),
        ("book.txt hiden=3", "the field must be one that exists; got hiden. Did you mean hidden?"),
        ("book.txt hidden=0", "hidden must be a whole number, at least 1; got 0."),
        ("book.txt cell=grru", "Did you mean gru?"),
        ("book.txt hidden=4 --hidden 8", "hidden is given twice"),
        ("book.txt lr=1 --learning-rate 2", "learning_rate is given twice"),
        ("book.txt lr=1 learning-rate=2", "learning_rate is given twice"),
        ("book.txt task=lm", "config: task must not be given as key=value; got task=lm. Leave it out"),
        ("book.txt sources=other.txt", "sources must not be given as key=value; got sources=other.txt."),
        ("book.txt sources=other.txt --print-python", "sources must not be given as key=value"),
        ("book.txt schema=1", "schema must not be given as key=value"),
        ("book.txt --hiden 3", "'--hidden'"),
        ("book.txt --budget soon", "be a duration such as 90s, 10m or 2h"),
    ],
)
def test_mistakes_of_a_command_line(book: Path, words: str, message: str):
    result = call("train", "lm", *words.split())
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert isinstance(result.exception, SystemExit), "no traceback"
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train lm nowhere.txt", "nowhere.txt must be a file, a folder, a pattern or -"),
        ("train lm empty.txt", "empty.txt must hold text"),
        ("train lm book.txt --config none.toml", "none.toml must be a readable file"),
        ("train lm book.txt --batch 10000", "batch"),
        ("generate nothing", "nothing must be a run's folder, a run's name or last"),
        ("resume nothing", "Train one: unrolled train lm TEXT"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(book: Path, words: str, message: str):
    Path("empty.txt").touch()
    result = call(*words.split())
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    assert isinstance(result.exception, SystemExit), "no traceback"
    assert not list(Path().glob("runs/*"))


def test_python_call_is_the_command(book: Path, monkeypatch):
    calls: list[tuple[tuple[str, ...], dict[str, object]]] = []
    for home in (unrolled, api):
        monkeypatch.setattr(home, "train", lambda *a, **k: calls.append((a, k)), raising=False)
    words = ("book.txt", "hidden=512", "lr=1e-3", "--carry", "off", "--budget", "10m", "-q")
    exec(call("train", "lm", *words, "--print-python").stdout)
    given = dict(hidden=512, learning_rate=1e-3, carry=False, budget=600.0, quiet=True)
    assert calls == [(("lm", "book.txt"), given)]
    assert not Path("runs").exists()


def test_file_flags_and_settings_make_one_config(run: str, book: Path):
    Path("small.toml").write_text("hidden = 12\nlength = 9\nbatch = 3\n")
    words = ("book.txt", "hidden=8", "--batch", "2", "--config", "small.toml", "--name", "mixed")
    assert call("train", "lm", *words, *SMALL[len(SIZES) :], "-q").exit_code == 0
    kept: Any = api.config("mixed")
    assert (kept.hidden, kept.length, kept.batch, kept.sources) == (8, 9, 2, ("book.txt",))


def test_python_takes_paths_and_gives_the_outcome(book: Path, capsys):
    sizes: dict[str, Any] = dict(hidden=8, length=8, batch=2, epochs=0.2, memoryless=False)
    outcome = unrolled.train("lm", book, quiet=True, json=True, **sizes)
    assert outcome.updates > 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("field", ["schema", "sources"])
def test_python_gives_texts_by_place_alone(field: str):
    given: dict[str, Any] = {field: 1}
    with pytest.raises(OptionError, match=rf"{field} must not be given by name; got 1\. Files come after"):
        unrolled.train("lm", "book.txt", **given)


def test_training_as_data(book: Path):
    result = call("train", "lm", "-", *SMALL, "--json", given=book.read_text())
    outcome = json.loads(result.stdout)
    assert (outcome["finished"], outcome["unit"]) == (True, "character")
    assert outcome["rows"][0]["values"]["bits_per_character"] > 0
    assert [row["name"] for row in json.loads(call("runs", "--json").stdout)["runs"]] == [
        Path(outcome["run"]).name
    ]


def test_result_goes_to_standard_output_and_progress_to_standard_error(book: Path):
    result = call("train", "lm", "book.txt", *SMALL)
    assert "this model" in result.stdout
    assert "parameters" not in result.stdout
    assert "parameters" in result.stderr
    assert "\x1b" not in result.output


def test_a_run_in_use(run: str):
    assert len(call("generate", run, "--prompt", "to", "--length", "20", "--seed", "1").stdout) == 21
    samples = json.loads(call("generate", "--samples", "2", "--length", "9", "--seed", "1", "--json").stdout)
    assert [len(text) for text in samples["samples"]] == [9, 9]
    assert "perplexity" in call("evaluate", run, "--by-length").stdout
    judged = json.loads(call("evaluate", run, "book.txt", "--json").stdout)
    assert judged["tokens"] == len(Path("book.txt").read_text())
    foreseen = json.loads(call("predict", run, "-", "--top", "2", "--json", given="to be").stdout)["tokens"]
    assert "".join(token["token"] for token in foreseen) == "to␣be"
    assert all(len(token["expected"]) == 2 for token in foreseen[1:])
    assert "hidden = 8 " in call("config", run).stdout
    assert call("generate", run, "--samples", "0").exit_code == 2


def test_dry_run_keeps_nothing(book: Path):
    result = call("train", "lm", "book.txt", *SMALL, "--dry-run")
    assert (result.exit_code, "saving, loading and using it work" in result.stdout) == (0, True)
    assert list(Path().iterdir()) == [Path("book.txt")]


def test_overfit_learns_one_batch_by_heart(book: Path):
    words = ("train", "lm", "book.txt", "--hidden", "32", "--length", "16", "--batch", "2", "--overfit")
    tried = json.loads(call(*words, "lr=1e-2", "--json").stdout)
    assert tried["loss"] < 0.1 + 0.7 / 16
    result = call(*words, "lr=1e-9")
    assert (result.exit_code, "must fall below 0.143 nats a char" in result.stderr) == (1, True)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "lack",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("[enforce] can't allocate memory: 1 TB"),
    ],
    ids=lambda lack: type(lack).__name__,
)
def test_too_little_memory_is_said_and_leaves_nothing(book: Path, monkeypatch, lack: Exception):
    def fails(*_: object) -> None:
        raise lack

    monkeypatch.setattr("unrolled.training.learner.Learner.step", fails)
    result = call("train", "lm", "book.txt", *SMALL, "-q")
    assert (result.exit_code, "must fit into memory; got" in result.stderr) == (1, True)
    assert not list(Path().glob("runs/*"))


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("generate small", "unrolled.training.keeping.put"),
        ("generate small", "unrolled.tasks.sampling.Speaker.read"),
        ("evaluate small", "unrolled.wirings.TokenModel.hidden"),
        ("predict small text", "unrolled.wirings.TokenModel.hidden"),
    ],
)
def test_too_little_memory_for_a_model_in_use_is_said(run: str, monkeypatch, words: str, where: str):
    def fails(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(where, fails)
    result = call(*words.split())
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)
    assert f"{words.split()[0]}: the model and its windows must fit into memory; got none" in result.stderr
    assert "--hidden" not in result.stderr
    assert "Give a shorter text" in result.stderr


def test_tokens_that_are_not_the_run_s_own_are_not_judged(run: str):
    def refusal() -> str:
        result = call("evaluate", run)
        assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)
        return result.stderr

    data = Path("runs", run, "data.safetensors")
    whole = data.read_bytes()
    data.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "data.safetensors must be the tokens of a text; got other tokens than were written." in refusal()
    Path("other.txt").write_text("another text of other letters. " * 30)
    assert call("train", "lm", "other.txt", *SMALL, "--name", "other", "-q").exit_code == 0
    data.write_bytes(Path("runs", "other", data.name).read_bytes())
    assert "got ids of another vocabulary than the model's. Take it from its run again" in refusal()
    data.write_bytes(whole)
    assert call("evaluate", run).exit_code == 0


def test_second_interrupt_ends_at_once_with_its_own_exit_code(book: Path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unrolled.training.learner.Learner.step", interrupted)
    assert call("train", "lm", "book.txt", *SMALL, "-q").exit_code == 130


def test_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "unrolled", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.startswith("unrolled, version")) == (0, True)


@pytest.mark.parametrize("verb", api.__all__)
def test_help_texts_stand_beside_their_options(verb: str):
    """Only a name too long for its column has a line of its own; none ends in blanks."""
    for line in call(verb.replace("_", "-"), "--help").stdout.splitlines():
        assert line == line.rstrip()
        if line.startswith("  -") and len(line.strip()) <= 30:
            assert "  " in line.strip(), line


def test_runs_are_compared(book: Path):
    for seed in ("1", "2"):
        assert (
            call("train", "lm", "book.txt", *SMALL, f"seed={seed}", "--name", f"gru{seed}", "-q").exit_code
            == 0
        )
    assert call("train", "lm", "book.txt", *SMALL, "cell=rnn", "--name", "plain", "-q").exit_code == 0
    found = json.loads(call("compare", "gru1", "gru2", "plain", "--json").stdout)
    assert sorted((line["runs"], line["differs"]["cell"]) for line in found["lines"]) == [
        (1, "rnn"),
        (2, "gru"),
    ]
    result = json.loads(Path("runs/plain/result.json").read_text())
    [line] = [line for line in found["lines"] if line["runs"] == 1]
    assert line["values"]["nats"][0] == result["rows"][0]["values"]["nats"]
    assert "gru1 and 1 more seeds" in call("compare", "gru1", "gru2", "plain").stdout
    assert call("compare", "gru1").exit_code == 2
    assert call("compare", "gru1", "gru1").exit_code == 2


def test_data_are_checked_without_a_training(book: Path):
    result = call("check", "lm", "book.txt", *SMALL)
    assert (result.exit_code, "characters" in result.stdout) == (0, True)
    assert not Path("runs").exists()
    Path("empty.txt").write_text("")
    result = call("check", "lm", "empty.txt")
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)


def test_the_task_is_made_out_from_the_data(book: Path):
    book.write_text("the wind and the sail, the sea, and all\nthe gulls that no one knows\n" * 30)
    result = call("check", "book.txt", *SMALL)
    assert result.exit_code == 0, result.output
    assert "language model" in result.stdout
    result = call("train", "book", *SMALL)
    assert (result.exit_code, "must be a task or a file; got book." in result.stderr) == (2, True)


def test_python_calls_show_what_the_commands_show(run: str, capsys):
    for words in ("predict small text", "generate small --length 9 --seed 1", "runs"):
        shown = call(*words.split()).stdout
        exec(call(*words.split(), "--print-python").stdout)
        assert capsys.readouterr().out.strip() == shown.strip()


def test_rows_come_as_csv(run: str):
    rows = list(csv.DictReader(io.StringIO(call("predict", run, "to be", "--csv").stdout)))
    assert [row["token"] for row in rows] == [*"to␣be", ""]
    assert float(rows[1]["bits"]) > 0
    assert call("runs", "--csv").exit_code == 2


def test_a_name_that_is_no_file_is_said(run: str, caplog):
    assert call("predict", run, "nofile.txt").exit_code == 0
    assert "there is no file nofile.txt" in caplog.text


def test_a_file_named_twice_is_refused(book: Path):
    result = call("train", "lm", "book.txt", "book.txt", *SMALL)
    assert (result.exit_code, "book.txt must be named once" in result.stderr) == (1, True)
    assert not list(Path().glob("runs/*"))
