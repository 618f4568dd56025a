"""What a network reads: tokens, features, or words with the characters they are spelled with.

Each is a module that turns a batch into the vectors of its steps. A `Stack` over it is built from its
``source`` and reads what `Inputs.steps` gives, which for tokens are the ids themselves, so that the first
layer's products are looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding

from unrolled.errors import OptionError, ShapeError
from unrolled.wirings.stack import Lengths, Recurrence, Stack


class Inputs(torch.nn.Module):
    """From a batch to the vectors ``[T, B, I]`` of its steps. Abstract.

    Attributes:
        size: I, the features of a step.
    """

    size: int

    @property
    def source(self) -> int | torch.nn.Embedding:
        """What a `Stack` over these inputs is built from: I, or the embedding whose rows alone it sees."""
        return self.size

    def steps(self, batch: Any, generator: torch.Generator | None = None) -> Tensor:
        """What that stack reads.

        Shapes:
            gives ``[T, B, I]``, or ids ``[T, B]`` where the source is an embedding.
        """
        return self(batch, generator)


class Tokens(Inputs):
    """Each token is a vector that is learned.

    Args:
        vocabulary: tokens.
        size: features of a token's vector.
        unknown: the id that stands for tokens that are not in the vocabulary.
        to_unknown: the share of tokens that are read as unknown in training, so that its vector is learned.

    Shapes:
        int64 ``[T, B]`` to ``[T, B, I]``.

    Raises:
        OptionError: tokens are to be read as unknown, and there is none.

    Example:
        >>> Tokens(65, 8)(torch.zeros(5, 2, dtype=torch.int64)).shape
        torch.Size([5, 2, 8])
    """

    def __init__(
        self, vocabulary: int, size: int, unknown: int | None = None, to_unknown: float = 0.0
    ) -> None:
        super().__init__()
        if to_unknown and unknown is None:
            fix = "Say which id stands for the tokens it does not know."
            raise OptionError("Tokens: unknown", "be an id where to_unknown is above 0", unknown, fix)
        self.vocabulary, self.size, self.unknown, self.to_unknown = vocabulary, size, unknown, to_unknown
        self.embedding = torch.nn.Embedding(vocabulary, size)

    @property
    def source(self) -> torch.nn.Embedding:
        """The embedding."""
        return self.embedding

    def forward(self, batch: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The vectors of the ids.

        Shapes:
            batch: int64 ``[T, B]``; gives ``[T, B, I]``.
        """
        return self.embedding(self.steps(batch, generator))

    def steps(self, batch: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The ids, some of them unknown in training.

        Shapes:
            batch: int64 ``[T, B]``; gives the same.
        """
        if self.unknown is None or not (self.training and self.to_unknown > 0):
            return batch
        hidden = torch.rand(batch.shape, generator=generator, device=batch.device) < self.to_unknown
        return batch.masked_fill(hidden, self.unknown)


class Features(Inputs):
    """Measured values in the user's units, normalised by numbers that the model keeps.

    A value that is missing, NaN, becomes 0 after normalising, which is the mean; features named in
    ``missing`` get a channel besides that is 1 where the value is missing and else 0.

    Args:
        size: features that are measured.
        mean, scale: of each feature, ``[size]``; by default 0 and 1.
        missing: which features get such a channel: those that have missing values in training.

    Shapes:
        float ``[T, B, size]`` to ``[T, B, I]``, I = size + the number of channels.

    Raises:
        ShapeError: mean or scale of another size.
        OptionError: a scale that is not above 0, or a channel of a feature that there is not.

    Example:
        >>> inputs = Features(2, mean=[10.0, 0.0], scale=[2.0, 1.0], missing=[1])
        >>> inputs(torch.tensor([[[14.0, float("nan")]]]))
        tensor([[[2., 0., 1.]]])
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        size: int,
        mean: Sequence[float] | Tensor | None = None,
        scale: Sequence[float] | Tensor | None = None,
        missing: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if not all(0 <= feature < size for feature in missing):
            fix = f"Count features from 0 to {size - 1}."
            raise OptionError("Features: missing", f"name some of {size} features", list(missing), fix)
        self.features, self.missing, self.size = size, tuple(missing), size + len(missing)
        for name, given, default in (("mean", mean, 0.0), ("scale", scale, 1.0)):
            of = torch.as_tensor([default] * size if given is None else given, dtype=torch.float32).clone()
            if of.shape != (size,):
                fix = "Give one number for each feature."
                raise ShapeError(f"Features: {name}", f"have shape [{size}]", list(of.shape), fix)
            self.register_buffer(name, of)
        if not (self.scale.is_meta or bool((self.scale > 0).all())):  # on meta there are no numbers
            fix = "A feature that never changes has scale 1."
            raise OptionError("Features: scale", "be above 0", self.scale.tolist(), fix)

    def forward(self, batch: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The values normalised, and which of them are missing.

        Shapes:
            batch: float ``[T, B, size]``; gives ``[T, B, I]`` in the model's dtype.

        Raises:
            ShapeError: another number of features.
        """
        del generator  # nothing is drawn
        if batch.size(-1) != self.features:
            fix = "Give the features the model was built for, in their order."
            raise ShapeError("Features: the last axis", f"have {self.features} features", batch.size(-1), fix)
        absent = batch.isnan()
        # In the batch's own precision: large values may differ by little.
        values = ((batch - self.mean) / self.scale).masked_fill(absent, 0).to(self.mean.dtype)
        if not self.missing:
            return values
        return torch.cat([values, absent[..., list(self.missing)].to(values.dtype)], -1)


class Spelled(NamedTuple):
    """Words and the characters of each; the word at step t of sequence b is spelled in column t*B + b.

    A word that stands in several places need be spelled once only: ``which`` then says in which of W columns
    each is.

    Shapes:
        words: int64 ``[T, B]``; characters: int64 ``[C, W]``, W = T*B without ``which``; lengths: ``[W]``, 0
            for padding; which: int64 ``[T, B]``.
    """

    words: Tensor
    characters: Tensor
    lengths: Lengths
    which: Tensor | None = None


class WordsAndCharacters(Inputs):
    """A word is its own vector beside what a small recurrence makes of its characters, read to the end.

    A word that is read as unknown in training keeps its characters.

    Args:
        words: vectors of words.
        characters: vectors of characters.
        spelling: the layers over the characters; in both directions, they know how a word begins and ends.

    Shapes:
        a `Spelled` to ``[T, B, I]``, I = the size of words + that of the spelling.

    Raises:
        OptionError: a cell that is not offered.

    Source: Lample et al. 2016, Neural Architectures for Named Entity Recognition, section 4.1.

    Example:
        >>> inputs = WordsAndCharacters(Tokens(9, 8), Tokens(30, 5), Recurrence("lstm", 1, 4, True))
        >>> words, letters = torch.zeros(3, 2, dtype=torch.int64), torch.ones(7, 6, dtype=torch.int64)
        >>> inputs(Spelled(words, letters, [7, 2, 1, 4, 3, 0])).shape
        torch.Size([3, 2, 16])
    """

    def __init__(self, words: Tokens, characters: Tokens, spelling: Recurrence) -> None:
        super().__init__()
        self.size = words.size + spelling.size
        self.words, self.characters = words, characters
        self.spelling = Stack(characters.source, spelling)

    def forward(self, batch: Spelled, generator: torch.Generator | None = None) -> Tensor:
        """The vectors of the words and their spellings side by side.

        Shapes:
            gives ``[T, B, I]``.

        Raises:
            ShapeError: there is not one column of characters for each word.
        """
        T, B = batch.words.shape
        which = batch.which
        if which is None and batch.characters.size(1) != T * B:
            fix = "Spell the word at step t of sequence b in column t*B + b, padding with length 0."
            rule = f"have shape [C, T*B] = [C, {T * B}]"
            raise ShapeError("WordsAndCharacters: characters", rule, list(batch.characters.shape), fix)
        letters = self.characters.steps(batch.characters, generator)
        _, state = self.spelling(letters, lengths=batch.lengths, generator=generator)
        spelled = self.spelling.last(state)
        spelled = spelled.view(T, B, -1) if which is None else embedding(which, spelled)
        return torch.cat([self.words(batch.words, generator), spelled], -1)
