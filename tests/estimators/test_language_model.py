"""The language model as a Python user meets it."""

import os
import signal
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from unrolled.config import LanguageModelConfig
from unrolled.data.splits import SplitText
from unrolled.errors import DataError, NotFittedError, OptionError
from unrolled.estimators import LanguageModel
from unrolled.estimators import language_model as estimators
from unrolled.tasks import sampling
from unrolled.training.learner import Learner
from unrolled.training.loop import UNKNOWN

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
    assert sum(surprises) / (len(text) - 1) == pytest.approx(judgement.bits_per_character, rel=1e-5)
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
    ids = torch.from_numpy(kept.reader.encode(text)[: 2 * (longest + 1)].astype(np.int64)).view(2, -1).T
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


def test_what_is_saved_has_a_card_of_what_is_known(model: LanguageModel, tmp_path: Path) -> None:
    model.save(tmp_path / "sea")
    LanguageModel.load(tmp_path / "sea").save(tmp_path / "again")
    fitted, loaded = ((tmp_path / name / "README.md").read_text() for name in ("sea", "again"))
    results = "## On what it has not seen\n"
    assert (results in fitted, results in loaded) == (True, False)
    assert "| this model | " in fitted
    assert "updates, weights of update" in fitted
    assert "training |" not in loaded
    for card in (fitted, loaded):
        assert "| model | GRU, 1 layer of 24, embedding 24 |\n" in card
        assert "| vocabulary | 14 different characters |\n" in card
        assert "\n\n\n" not in card
        assert card.count("\n\n## Use\n") == 1
        assert "{" not in card
    assert loaded.startswith(fitted[:20])


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


@pytest.fixture(scope="module")
def words() -> LanguageModel:
    return LanguageModel(tokens="word", hidden=8, batch=2, length=8, epochs=1.0).fit(TEXT.replace(";", "\n"))


@pytest.mark.parametrize("tokens", ["char", "byte", "word", "bpe"])
def test_several_texts_are_read_as_they_were_learned(tokens: str, tmp_path: Path) -> None:
    fields: dict[str, Any] = dict(hidden=8, batch=2, length=8, epochs=0.1, memoryless=False)
    model = LanguageModel(tokens=tokens, vocabulary=300 if tokens == "bpe" else 0, **fields).fit(TEXT)
    parts = ["the sea\r\n", "  the wind", "", "and the sail"]
    for number, part in enumerate(parts):
        (tmp_path / f"{number}.txt").write_text(part, newline="")
    config = LanguageModelConfig(sources=(str(tmp_path),), tokens=model.config.tokens)
    one = "".join(parts) if tokens == "byte" else "the sea\n  the wind\nand the sail"
    kept = model._kept
    assert kept
    given: list[Any] = [parts, [tmp_path], [*parts[:2], tmp_path / "3.txt"]]
    for text in given:
        read = estimators._encoded(kept, text, 2)
        np.testing.assert_array_equal(read.ids, kept.reader.encode(one))
        assert read.characters == kept.reader.characters(read.ids)
    learned = SplitText(config, {"train": config.sources, "valid": (), "test": ()}, lambda *_: None)
    learned.cuts["train"] = (0, None)
    np.testing.assert_array_equal(
        np.concatenate([kept.reader.encode(piece) for piece in learned.pieces("train")]),
        kept.reader.encode(one),
    )


def test_bits_a_character_leave_out_the_first_token_with_its_characters(words: LanguageModel) -> None:
    text = "sea, the wind\nand the sail"
    judgement, foreseen = words.evaluate(text), words.predict(text)
    bits = sum(f.surprise for f in foreseen if f.surprise is not None)
    assert judgement.bits_per_character == pytest.approx(bits / len(" the wind\nand the sail"), rel=1e-5)
    assert judgement.characters == len(text)


@pytest.mark.parametrize("entries", [1, 90, 1 << 20])
def test_predict_is_the_same_however_much_at_a_time(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    kept, text = model._kept, "the sea, the wind and"
    assert kept
    with torch.inference_mode():
        ids = torch.from_numpy(kept.reader.encode(text).astype(np.int64))
        log_p = torch.log_softmax(kept.model(ids[:, None])[0][:, 0], -1).numpy()
    monkeypatch.setattr(sampling, "ENTRIES", entries)
    foreseen = model.predict(text, top=4)
    names = kept.reader.vocabulary
    assert [f.token for f in foreseen] == [*(names[token] for token in ids), ""]
    assert (foreseen[0].surprise, foreseen[-1].surprise) == (None, None)
    for row, (f, token) in enumerate(zip(foreseen[1:], [*ids[1:].tolist(), None], strict=True)):
        best = np.argsort(-log_p[row])[:4]
        assert [name for name, _ in f.expected] == [names[k] for k in best]
        np.testing.assert_allclose([p for _, p in f.expected], np.exp(log_p[row, best]), rtol=1e-4)
        if token is not None:
            assert f.surprise == pytest.approx(-log_p[row, token] / log(2), rel=1e-4)
    assert [len(f.expected) for f in model.predict("t", top=99)] == [0, len(names)]
    assert [f.expected for f in model.predict("th", top=0)] == [()] * 3


def test_predict_takes_memory_for_a_part_of_the_text_at_a_time(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "ENTRIES", 1000)
    sizes: list[int] = []
    softmax = torch.log_softmax

    def seen(logits: torch.Tensor, axis: int) -> torch.Tensor:
        sizes.append(logits.numel())
        return softmax(logits, axis)

    monkeypatch.setattr(torch, "log_softmax", seen)
    model.predict(TEXT, top=1)
    assert max(sizes) <= 1000
    assert sum(sizes) == len(TEXT) * len(model.predict("th", top=99)[-1].expected)


def test_unknown_characters_are_said_once(model: LanguageModel, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        model.predict("xyz the sea QQ")
    assert [record.getMessage() for record in caplog.records] == [
        "note: 5 of the text's tokens were not in the text it learned from and are read as one"
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (b"bytes", 'be a str, or paths of class pathlib.Path; got bytes. Decode it: text.decode("utf-8").'),
        (None, "pathlib.Path; got NoneType."),
        ([3], "pathlib.Path; got int."),
        (["a", b"b"], "pathlib.Path; got bytes."),
        ("a\ud800b", "have characters of utf-8 alone; got '\\ud800' at 1."),
        ("a\0b", "be text; got a zero byte at 1."),
        ("", "hold text; got none."),
        ([], "hold text; got none."),
        ("book.txt", "not the name of a file; got 'book.txt'. Pass its path: pathlib.Path('book.txt')."),
    ],
    ids=str,
)
def test_what_is_no_text_is_refused(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text(TEXT)
    for use in (LanguageModel().fit, model.evaluate, model.predict):
        with pytest.raises(DataError) as caught:
            use(wrong)
        assert message in str(caught.value)


@pytest.mark.parametrize("wrong", [np.zeros(5), np.zeros((2, 2), int), np.array([0, 999]), np.array([-1, 2])])
def test_ids_of_another_kind_are_refused(model: LanguageModel, wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match="Take those of a Corpus with the model's tokenizer"):
        model.evaluate(wrong)
    with pytest.raises(DataError, match="at least 2 tokens; got 1"):
        model.evaluate(np.array([1], np.uint8))


def test_a_text_is_learned_in_whatever_encoding_files_have(tmp_path: Path) -> None:
    fields: dict[str, Any] = dict(hidden=8, batch=2, length=8, epochs=0.1, encoding="cp1252")
    text = "naïve café; " * 40
    (tmp_path / "a.txt").write_text(text, encoding="cp1252")
    for given in (text, [text, tmp_path / "a.txt"], tmp_path / "a.txt"):
        model = LanguageModel(**fields).fit(given)
        assert model.evaluate(text).unknown == model.evaluate(tmp_path / "a.txt").unknown == 0
    with pytest.raises(DataError, match="have characters of cp1252 alone; got"):
        LanguageModel(**fields).fit("日本" * 99)


def test_mistakes_are_said() -> None:
    with pytest.raises(OptionError, match="hidden"):
        LanguageModel(hiden=3)
    with pytest.raises(NotFittedError, match=r"Call fit first"):
        LanguageModel().generate()
    with pytest.raises(DataError):
        LanguageModel().fit("short")


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_fit_that_is_stopped_says_so_and_leaves_what_was_best(
    which: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Learner.step

    def interrupted(self: Learner[Any]) -> object:
        if self.position.update == 3 and self.position.updates < UNKNOWN:
            os.kill(os.getpid(), which)
        return step(self)

    monkeypatch.setattr(Learner, "step", interrupted)
    model = LanguageModel(hidden=8, batch=4, length=16, epochs=9.0, evaluate_every=50)
    with pytest.raises(KeyboardInterrupt, match="asked to stop"):
        model.fit(TEXT)
    if which == signal.SIGINT:  # it was judged where it stopped
        assert model.evaluate("the sea").nats > 0
    else:
        with pytest.raises(NotFittedError):
            model.evaluate("the sea")


def test_the_options_can_be_asked_for_and_changed() -> None:
    model = LanguageModel(hidden=8)
    assert model.get_params()["hidden"] == 8
    assert model.set_params(hidden=16).config.hidden == 16
    assert LanguageModel(**model.get_params()).config == model.config
