"""Language modelling as a task: what else foresees its text."""

from pathlib import Path
from typing import Any

import pytest

from unrolled.config import LanguageModelConfig
from unrolled.tasks import baselines
from unrolled.tasks.language_model import LanguageModelling

TEXT = "naïve Käse – ünd grüße, über alles in der Welt; " * 60


@pytest.mark.parametrize("tokens", ["char", "byte", "word", "bpe"])
def test_xz_is_given_so_many_bytes_and_says_so(
    tmp_path: Path, tokens: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    config = LanguageModelConfig(
        sources=(str(tmp_path / "text.txt"),), tokens=tokens, batch=2, length=8,
        vocabulary=300 if tokens == "bpe" else 0,
    )  # fmt: skip
    task = LanguageModelling.begin(config, tmp_path / "data.safetensors")
    test = task.corpus.text_bytes("test")
    characters = len(test) if tokens == "byte" else len(test.decode())
    whole, _ = task._compressed()
    assert whole.remark == "on the judged text alone"
    assert whole.values["bits_per_character"] == pytest.approx(baselines.xz(test) / characters)
    monkeypatch.setattr(baselines, "XZ_LIMIT", 101)  # bytes; the letters with marks have two
    cut, after = task._compressed()
    assert (cut.remark, after.remark) == (
        "on the judged text alone, its last 0 MB",
        "after the text to learn from, its last 0 MB",
    )
    last = test[-101:]
    of_letters = len(last) if tokens == "byte" else len(last.decode(errors="ignore"))
    assert cut.values["bits_per_character"] == pytest.approx(baselines.xz(last) / of_letters)
