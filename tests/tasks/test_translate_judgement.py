"""BLEU beside its definition, exactness, the worst mistakes; the baselines beside plain ones."""

import sys
from collections import Counter
from collections.abc import Sequence
from math import exp, log

import numpy as np
import pytest

from unrolled.config import TranslateConfig
from unrolled.data.ragged import Ragged
from unrolled.errors import UnavailableError
from unrolled.tasks.base import unheard
from unrolled.tasks.translate import Judge, Translating
from unrolled.tasks.translate.baselines import ROUNDS, WordByWord, nearest

SAID = ["the cat sat on the mat", "a dog runs fast today", "it is very cold here now", "two birds"]
REFERENCES = [
    ["the cat sat on a mat", "a cat sat on the mat now"],
    ["a dog runs very fast today"],
    ["it is cold here", "here it is very cold now", "it is very cold here today"],
    ["two birds"],
]


def grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[k : k + n]) for k in range(len(words) - n + 1))


def bleu(said: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """As Papineni et al. 2002 define it; of references, the one closest in length, the shorter of two."""
    right, total, lengths = np.zeros(4), np.zeros(4), np.zeros(2)
    for text, each in zip(said, references, strict=True):
        words = text.split()
        others = [other.split() for other in each]
        closest = min((abs(len(other) - len(words)), len(other)) for other in others)[1]
        lengths += (len(words), closest)
        for n in range(1, 5):
            most: Counter[tuple[str, ...]] = Counter()
            for other in others:
                most |= grams(other, n)
            right[n - 1] += sum((grams(words, n) & most).values())
            total[n - 1] += max(0, len(words) - n + 1)
    brevity = min(0.0, 1 - lengths[1] / lengths[0])
    return 100 * exp(brevity + sum(log(p) for p in right / total) / 4)


@pytest.mark.parametrize("texts", [4, 3])
def test_bleu_is_as_it_is_defined_over_every_reference(texts: int) -> None:
    judge = Judge(lower=False, metric="bleu")
    values = judge.values(SAID[:texts], REFERENCES[:texts])
    assert values["bleu"] == pytest.approx(bleu(SAID[:texts], REFERENCES[:texts]), abs=1e-6)
    assert 20 < values["chrf"] < 100


def test_capitals_count_unless_they_are_left_out() -> None:
    said, references = ["The Cat Sat On The Mat"], [["the cat sat on the mat"]]
    assert Judge(lower=True, metric="bleu").values(said, references)["bleu"] == pytest.approx(100)
    assert Judge(lower=False, metric="bleu").values(said, references)["bleu"] < 20
    assert [Judge(lower, "exact").values(said, references)["exact"] for lower in (True, False)] == [1, 0]


def test_exactness_takes_any_reference_and_any_white_space() -> None:
    judge = Judge(lower=False, metric="exact")
    values = judge.values(["1999-03-03", "b  c", "d"], [["1999-03-03"], ["x", "b\u202fc"], ["e"]])
    assert values["exact"] == pytest.approx(2 / 3)


def test_the_signature_says_references_and_capitals() -> None:
    several, one = (Judge(True, "bleu").signature(refs) for refs in (REFERENCES, [["a"], ["b"]]))
    assert several.startswith("nrefs:var|case:lc|")
    assert one.startswith("nrefs:1|case:lc|")


def test_without_sacrebleu_the_fix_is_said_before_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(UnavailableError, match=r'sacrebleu; got none\. Fix: pip install "unrolled\[text\]"'):
        Translating.prepare(TranslateConfig(tokens="char"), unheard, (["a", "b"], ["x", "y"]))


@pytest.mark.parametrize("metric", ["bleu", "exact"])
def test_the_worst_come_first_and_what_is_right_not_at_all(metric: str) -> None:
    judge = Judge(lower=True, metric=metric)
    said = ["the cat sat", "nothing alike", "the cat sat on the hat", "the cat sat on the mat"]
    right = [["the cat sat on the mat"]] * 4
    found = judge.worst(["1", "2", "3", "4"], said, right, most=2)
    assert [mistake.source for mistake in found] == ["2", "1"]
    assert found[0].score < found[1].score < 100
    assert found[0].references == ("the cat sat on the mat",)


def table(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> dict[int, int]:
    """IBM's model 1, a pair, a target token and a source token at a time."""
    t: dict[tuple[int, int], float] = {(e, f): 1.0 for es, fs in pairs for e in es for f in fs}
    for _ in range(ROUNDS):
        counts: dict[tuple[int, int], float] = dict.fromkeys(t, 0.0)
        for es, fs in pairs:
            for f in fs:
                whole = sum(t[e, f] for e in es)
                for e in es:
                    counts[e, f] += t[e, f] / whole
        totals: dict[int, float] = dict.fromkeys((e for e, _ in t), 0.0)
        for (e, _), count in counts.items():
            totals[e] += count
        t = {(e, f): count / totals[e] for (e, f), count in counts.items()}
    return {e: max((p, f) for (other, f), p in t.items() if other == e)[1] for e, _ in t}


def test_word_by_word_is_ibm_s_model_1() -> None:
    random = np.random.default_rng(0)
    pairs = [
        (source, [10 + (token * 3) % 8 for token in random.permutation(source)])
        for source in (random.integers(0, 8, random.integers(1, 6)).tolist() for _ in range(60))
    ]
    found = WordByWord(Ragged.of(e for e, _ in pairs), Ragged.of(f for _, f in pairs))
    expected = table(pairs)
    assert found.translated(range(8)) == [expected[e] for e in range(8)] == [10 + e * 3 % 8 for e in range(8)]
    assert found.translated([99, 0]) == [expected[0]]


@pytest.mark.parametrize("letters", [False, True])
def test_the_nearest_text_shares_rare_words_or_letters(letters: bool) -> None:
    sources = ["the red house", "the blue house", "the old bridge", "a fast car"]
    targets = ["rot", "blau", "brücke", "auto"]
    found = nearest(["an old stone bridge", "fast cars", "The blue one"], sources, targets, letters)
    assert found == ["brücke", "auto", "blau"]
