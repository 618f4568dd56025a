"""What a run's name means, what its folder holds, and that one process writes it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.runs import a_run, files, newest
from unrolled import storage
from unrolled.errors import OptionError, RunError
from unrolled.training.run_folder import PARENT, RunFolder, list_runs, parent_folder, run_name

CONFIG = "schema = 1\n"


def test_a_new_folder_has_its_config_and_opens(tmp_path: Path):
    folder = RunFolder.create(CONFIG, "lm-book", tmp_path / "runs")
    assert files(folder) == [folder.config]
    assert folder.config.read_text() == CONFIG
    for run in ("lm-book", "last", folder.path, str(folder.path)):
        assert RunFolder.open(run, tmp_path / "runs").path == folder.path


def test_runs_are_kept_in_the_current_folder_or_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PARENT, raising=False)
    assert parent_folder() == Path("runs")
    monkeypatch.setenv(PARENT, str(tmp_path / "elsewhere"))
    RunFolder.create(CONFIG, "lm-book")
    assert RunFolder.open("last").path == tmp_path / "elsewhere" / "lm-book"


def test_last_is_the_one_that_trained_last(tmp_path: Path):
    for age, name in enumerate(("newest", "middle", "oldest")):
        folder = RunFolder.create(CONFIG, name, tmp_path)
        os.utime(folder.config, (1000 - age, 1000 - age))
    assert RunFolder.open("last", tmp_path).name == "newest"
    RunFolder.open("oldest", tmp_path).journal.append({"update": 1})
    assert RunFolder.open("last", tmp_path).name == "oldest"
    assert [summary.name for summary in list_runs(tmp_path)] == ["oldest", "newest", "middle"]


def test_what_is_no_run_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(RunError, match=r"last must be a run's folder.*Train one: unrolled train lm TEXT"):
        RunFolder.open("last", tmp_path)
    RunFolder.create(CONFIG, "lm-book", tmp_path)
    with pytest.raises(RunError, match=r"got none, and none in .*Did you mean lm-book\? See all of them"):
        RunFolder.open("lm-bok", tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match=r"other must be a run's folder.* got a folder without config\.toml"):
        RunFolder.open(tmp_path / "other", tmp_path)


def test_what_may_not_be_looked_at_or_has_too_long_a_name_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(
        RunError, match=r"must be a run's folder, a run's name or last; got none, and none in"
    ):
        RunFolder.open("x" * 300, tmp_path)

    looked_at = Path.stat

    def denied(path: Path, **options: bool) -> os.stat_result:
        if "secret" in path.parts:
            raise PermissionError(13, "Permission denied")
        return looked_at(path, **options)

    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(RunError, match=r"secret/config\.toml must be readable; got permission denied\. See"):
        RunFolder.open("secret", tmp_path)


def test_a_name_is_taken_once(tmp_path: Path):
    RunFolder.create(CONFIG, "lm-book", tmp_path)
    with pytest.raises(
        RunError, match=r"lm-book must be new.*--name, or go on with it: unrolled resume lm-bo"
    ):
        RunFolder.create("schema = 2\n", "lm-book", tmp_path)
    assert RunFolder.open("lm-book", tmp_path).config.read_text() == CONFIG


@pytest.mark.parametrize("name", ["", ".", "..", "last", "a/b", "a\\b", "a\0b", "what?"])
def test_a_name_is_that_of_a_folder(tmp_path: Path, name: str):
    with pytest.raises(OptionError, match="run: name must be that of a folder, and not last"):
        RunFolder.create(CONFIG, name, tmp_path)


@pytest.mark.parametrize(
    ("source", "stem"),
    [("books/war and peace.txt", "war-and-peace"), ("-", "text"), ("*.txt", "text"), ("Füße.txt", "Füße")],
)
def test_a_new_name_tells_task_source_and_time(source: str, stem: str):
    day = time.strftime("%Y%m%d-")
    assert run_name("lm", source).startswith(f"lm-{stem}-{day}")


def test_what_is_written_about_a_run(tmp_path: Path):
    folder = RunFolder.create(CONFIG, "lm-book", tmp_path)
    folder.write_env()
    folder.write_card("# A model\n")
    folder.write_config_json({"hidden": 5})
    env = json.loads(folder.env.read_text())
    assert {"unrolled", "torch", "numpy", "python", "machine", "threads", "commit", "started"} <= env.keys()
    assert folder.card.read_text() == "# A model\n"
    assert json.loads(folder.config_json.read_text()) == {"hidden": 5}


def test_a_list_of_runs_has_their_numbers_or_none_where_they_are_damaged(tmp_path: Path):
    folder = a_run(tmp_path)
    (summary,) = list_runs(tmp_path)
    assert (summary.name, summary.update, summary.valid_loss) == ("small", 2, 1.0)
    assert (summary.training, summary.finished) == (False, False)
    folder.metrics.write_bytes(folder.metrics.read_bytes().replace(b"1.0", b"0.0"))
    folder.write_card("# A model\n")
    assert not folder.finished  # the card comes with the first weights
    folder.write_result({"rows": []})
    with folder.lock():
        (summary,) = list_runs(tmp_path)
    assert (summary.update, summary.valid_loss) == (None, None)
    assert (summary.training, summary.finished) == (True, True)
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_that_kept_nothing_can_be_discarded(tmp_path: Path):
    kept, failed = a_run(tmp_path), RunFolder.create(CONFIG, "failed", tmp_path)
    kept.discard()
    failed.discard()
    assert newest(kept) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_one_process_writes_a_run(tmp_path: Path):
    folder = a_run(tmp_path)
    there = files(folder)
    (folder.path / ".lock").write_text("999999999")  # of a process that was killed
    storage.beside(folder.last / "checkpoint.safetensors").write_bytes(b"half")
    program = (
        "import sys\nfrom pathlib import Path\nfrom unrolled.training.run_folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).lock():\n    print('locked', flush=True)\n    sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", program, str(folder.path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        assert folder.training()
        got = rf"must be trained by one process; got process {process.pid}\."
        with pytest.raises(RunError, match=got), folder.lock():
            pass
        process.kill()
        process.wait()
        assert not folder.training()
        with folder.lock():
            assert folder.training()
    assert files(folder) == there


def test_the_lock_of_a_folder_that_cannot_be_written(tmp_path: Path):
    folder = RunFolder(tmp_path / "gone")
    with pytest.raises(OSError, match=r"\.lock must be written"), folder.lock():
        pass
