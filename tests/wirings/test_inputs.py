"""What the inputs make of a batch, worked by hand or by torch's own modules."""

from typing import Any

import pytest
import torch

from unrolled.errors import OptionError, ShapeError
from unrolled.wirings import Features, Recurrence, Spelled, Stack, Tokens, WordsAndCharacters

NAN = float("nan")


def test_features_are_normalised_and_a_missing_one_is_the_mean() -> None:
    inputs = Features(3, mean=[10, 0, 1], scale=[2, 1, 4], missing=[2, 0])
    x = torch.tensor([[[14, 3, 9], [NAN, NAN, 5]], [[8, 0, NAN], [10, -1, 1]]])
    expected = [[[2, 3, 2, 0, 0], [0, 0, 1, 0, 1]], [[-1, 0, 0, 1, 0], [0, -1, 0, 0, 0]]]
    assert inputs.size == 5
    torch.testing.assert_close(inputs(x), torch.tensor(expected, dtype=torch.float32))


def test_a_saved_model_takes_raw_values() -> None:
    kept = Features(2, mean=[1e3, 5], scale=[10, 2], missing=[1])
    loaded = Features(2, missing=[1])
    loaded.load_state_dict(kept.state_dict())
    x = torch.tensor([[[1010, NAN]]])
    assert loaded(x).tolist() == kept(x).tolist() == [[[1, 0, 1]]]
    assert not list(kept.parameters())


def test_large_values_that_differ_by_little_keep_their_difference() -> None:
    """A clock in seconds, of which float32 knows every 128th."""
    start = float(torch.tensor(1.7e9))
    x = torch.tensor([[[start]], [[start + 1]]], dtype=torch.float64)
    assert Features(1, mean=[start])(x).flatten().tolist() == [0, 1]


def test_tokens_are_rows_of_the_embedding_and_some_unknown_in_training() -> None:
    inputs, ids = Tokens(9, 3, unknown=0, to_unknown=0.25), torch.randint(1, 9, (100, 20))
    read = inputs.steps(ids, torch.Generator().manual_seed(0))
    assert 0.22 < (read == 0).float().mean() < 0.28, "3 standard deviations of 2,000 draws"
    assert (read[read != 0] == ids[read != 0]).all()
    vectors = inputs(ids, torch.Generator().manual_seed(0))
    torch.testing.assert_close(vectors, inputs.embedding.weight[read])
    inputs.eval()
    assert inputs.steps(ids) is ids
    torch.testing.assert_close(inputs(ids), inputs.embedding.weight[ids])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_word_is_its_vector_beside_its_spelling_read_both_ways(cell: str) -> None:
    """Each spelling alone, unpadded, through torch's layer of the same weights."""
    torch.manual_seed(0)
    inputs = WordsAndCharacters(Tokens(9, 4), Tokens(7, 3), Recurrence(cell, 1, 5, bidirectional=True))
    words, letters = torch.randint(9, (3, 2)), torch.randint(7, (6, 6))
    lengths = [6, 1, 3, 2, 4, 5]
    found = inputs(Spelled(words, letters, lengths))
    kinds: dict[str, Any] = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
    reference = kinds[cell](3, 5, bidirectional=True)
    reference.load_state_dict(next(inputs.spelling.children()).state_dict())
    for n, length in enumerate(lengths):
        _, state = reference(inputs.characters.embedding(letters[:length, n]))
        ends = (state[0] if cell == "lstm" else state).flatten()
        t, b = divmod(n, 2)
        word = inputs.words.embedding.weight[words[t, b]]
        torch.testing.assert_close(found[t, b], torch.cat([word, ends]), rtol=1e-5, atol=1e-6)


def test_padding_of_words_has_no_spelling() -> None:
    inputs = WordsAndCharacters(Tokens(9, 4), Tokens(7, 3), Recurrence("gru", 1, 5))
    found = inputs(Spelled(torch.zeros(2, 1, dtype=torch.int64), torch.ones(4, 2, dtype=torch.int64), [4, 0]))
    assert found[0, 0, 4:].count_nonzero() == 5
    assert found[1, 0, 4:].count_nonzero() == 0


def test_a_stack_over_tokens_looks_up_and_gives_what_it_would_of_their_vectors() -> None:
    inputs, ids = Tokens(9, 3), torch.randint(9, (40, 2))
    layers = Stack(inputs.source, Recurrence("gru", 1, 4))
    torch.testing.assert_close(layers(inputs.steps(ids))[0], layers(inputs(ids))[0])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Tokens(9, 3, to_unknown=0.1), "be an id where to_unknown is above 0; got None"),
        (lambda: Features(2, mean=[1.0]), r"mean must have shape \[2\]; got \[1\]"),
        (lambda: Features(2, scale=[1.0, 0.0]), "never changes has scale 1"),
        (lambda: Features(2, missing=[2]), "Count features from 0 to 1"),
        (lambda: Features(2)(torch.zeros(3, 1, 4)), "have 2 features; got 4"),
        (
            lambda: WordsAndCharacters(Tokens(9, 4), Tokens(7, 3), Recurrence(hidden=2))(
                Spelled(torch.zeros(2, 3).long(), torch.zeros(4, 5).long(), [1] * 5)
            ),
            r"\[C, T\*B\] = \[C, 6\]; got \[4, 5\]",
        ),
    ],
)
def test_what_does_not_fit_is_said(build: Any, words: str) -> None:
    with pytest.raises((OptionError, ShapeError), match=words):
        build()


def test_a_word_that_is_spelled_once_is_read_in_all_its_places() -> None:
    inputs = WordsAndCharacters(Tokens(9, 4), Tokens(7, 3), Recurrence("lstm", 1, 5, True))
    words, which = torch.randint(9, (3, 2)), torch.tensor([[1, 0], [1, 1], [0, 1]])
    letters, lengths = torch.randint(7, (4, 2)), torch.tensor([4, 2])
    in_full = Spelled(words, letters[:, which.flatten()], lengths[which.flatten()])
    torch.testing.assert_close(inputs(Spelled(words, letters, lengths, which)), inputs(in_full))
