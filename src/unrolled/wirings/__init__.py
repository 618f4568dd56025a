"""Which steps read an input, and which give an output: see ``docs/wirings.md``."""

from unrolled.wirings.attention import AttentionOverSteps
from unrolled.wirings.inputs import Features, Inputs, Spelled, Tokens, WordsAndCharacters
from unrolled.wirings.many_to_many import ManyToMany, Sizes, TokenModel
from unrolled.wirings.many_to_one import ManyToOne
from unrolled.wirings.one_to_one import OneToOne
from unrolled.wirings.stack import Dropouts, Recurrence, Stack
from unrolled.wirings.streaming import ModelStream

__all__ = [
    "AttentionOverSteps",
    "Dropouts",
    "Features",
    "Inputs",
    "ManyToMany",
    "ManyToOne",
    "ModelStream",
    "OneToOne",
    "Recurrence",
    "Sizes",
    "Spelled",
    "Stack",
    "TokenModel",
    "Tokens",
    "WordsAndCharacters",
]
