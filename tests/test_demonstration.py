from pathlib import Path

import pytest

from unrolled import demonstration
from unrolled.errors import OptionError
from unrolled.report.training import Display
from unrolled.training.run_folder import list_runs


def test_the_manual_is_a_text_of_some_length():
    text = demonstration.manual()
    assert len(text) > 300_000
    paragraphs = text.split("\n\n")
    assert len(paragraphs) == len(set(paragraphs)) > 1000


def test_it_leaves_a_run_with_a_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    written: list[str] = []
    monkeypatch.setattr(Display, "sample", lambda self, text, always=False: written.append(text))
    outcome = demonstration.run(2.0, seed=0, display=Display(quiet=True))
    assert outcome.finished
    assert {row.name for row in outcome.rows} >= {"this model", "the same without memory", "5-gram", "xz"}
    assert written[-1].startswith(demonstration.PROMPT)
    assert [run.finished for run in list_runs()] == [True]


def test_no_time_is_refused():
    with pytest.raises(OptionError, match=r"^demo: seconds must be above 0; got 0\."):
        demonstration.run(0, seed=0, display=Display(quiet=True))
