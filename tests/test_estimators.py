"""The language model as a Python user meets it."""

from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from unrolled.errors import DataError, NotFittedError, OptionError
from unrolled.estimators import LanguageModel

TEXT = "the sea, the wind and the sail; " * 60


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(hidden=24, batch=4, length=16, epochs=12.0, learning_rate=0.01).fit(TEXT)


def test_it_learns_a_text_that_repeats(model: LanguageModel) -> None:
    assert model.evaluate(TEXT[:200]).nats < 0.2
    assert "the sail" in "".join(model.generate("the sea, the wind and ", temperature=0, length=40))


def test_generating_is_the_same_for_a_seed_and_ends_where_asked(model: LanguageModel) -> None:
    one, same, other = ("".join(model.generate("the", length=80, temperature=2.0, seed=s)) for s in (1, 1, 2))
    assert one == same != other
    assert len(one) == 80
    whole = "".join(model.generate("the ", length=80, temperature=0))
    cut = "".join(model.generate("the ", length=80, temperature=0, stop=["wind", "nowhere"]))
    assert cut == whole[: whole.index("wind")]
    assert "".join(model.generate("the ", length=0)) == ""


def test_evaluate_is_the_mean_of_what_predict_shows(model: LanguageModel) -> None:
    text = "the wind and the sea"
    foreseen = model.predict(text)
    assert "".join(f.token for f in foreseen).replace("␣", " ") == text
    surprises = [f.surprise for f in foreseen if f.surprise is not None]
    assert len(surprises) == len(text) - 1
    judgement = model.evaluate(text)
    assert np.mean(surprises) * log(2) == pytest.approx(judgement.nats, rel=1e-5)
    assert sum(surprises) / len(text) == pytest.approx(judgement.bits_per_character, rel=1e-5)
    assert model.score(text) == -judgement.nats
    for f in foreseen[1:]:
        shares = [p for _, p in f.expected]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1.000001


def test_by_length_is_the_loss_at_each_position_from_nothing(model: LanguageModel) -> None:
    text = TEXT[:259]
    found = model.evaluate(text, by_length=True).by_length
    kept = model._kept
    assert kept
    longest = 128  # eight times the length of training
    ids = torch.from_numpy(kept.tokenizer.encode(text)[: 2 * (longest + 1)].astype(np.int64)).view(2, -1).T
    logits = kept.model(ids[:-1])[0]
    losses = cross_entropy(logits.flatten(0, 1), ids[1:].flatten(), reduction="none").view(longest, 2).mean(1)
    assert [(a, b) for a, b, _ in found] == [
        (1, 1),
        (2, 2),
        (3, 4),
        (5, 8),
        (9, 16),
        (17, 32),
        (33, 64),
        (65, 128),
    ]
    for a, b, nats in found:
        assert nats == pytest.approx(losses[a - 1 : b].mean().item(), rel=1e-4, abs=1e-6)


def test_what_is_saved_says_the_same(model: LanguageModel, tmp_path: Path) -> None:
    model.save(tmp_path / "sea")
    again = LanguageModel.load(tmp_path / "sea")
    assert again.evaluate(TEXT[:100]) == model.evaluate(TEXT[:100])
    assert list(again.generate("the", seed=3)) == list(model.generate("the", seed=3))


def test_paths_are_read_and_texts_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "sea.txt"
    path.write_text(TEXT)
    fields = {"hidden": 8, "batch": 4, "length": 16, "epochs": 1.0}
    by_path = LanguageModel(**fields).fit(path)
    by_text = LanguageModel(**fields).fit(TEXT)
    assert by_path.score(TEXT[:300]) == by_text.score(TEXT[:300])
    assert by_path.score(path) == by_path.score(TEXT)
    by_pieces = LanguageModel(**fields).fit([TEXT[:500], TEXT[500:]])  # texts of their own, each on its line
    by_lines = LanguageModel(**fields).fit(TEXT[:500] + "\n" + TEXT[500:])
    assert by_pieces.score(TEXT[:300]) == by_lines.score(TEXT[:300])


def test_characters_never_seen_are_counted(model: LanguageModel) -> None:
    assert model.evaluate("the zebra").unknown == 3  # z, b, r


def test_mistakes_are_said() -> None:
    with pytest.raises(OptionError, match="hidden"):
        LanguageModel(hiden=3)
    with pytest.raises(NotFittedError, match=r"fit\(text\) first"):
        LanguageModel().generate()
    with pytest.raises(DataError):
        LanguageModel().fit("short")


def test_the_options_can_be_asked_for_and_changed() -> None:
    model = LanguageModel(hidden=8)
    assert model.get_params()["hidden"] == 8
    assert model.set_params(hidden=16).config.hidden == 16
    assert LanguageModel(**model.get_params()).config == model.config
