"""Which steps read an input, and which give an output: see ``docs/wirings.md``."""

from unrolled.wirings.attention import AdditiveAttention, Attention, AttentionOverSteps, DotAttention, Memory
from unrolled.wirings.choice import Choice
from unrolled.wirings.decoding import Ends, Steps, Written, beam, greedy, sample
from unrolled.wirings.encoder_decoder import EncoderDecoder
from unrolled.wirings.inputs import Features, Inputs, Spelled, Tokens, WordsAndCharacters
from unrolled.wirings.many_to_many import ManyToMany, Sizes, TokenModel
from unrolled.wirings.many_to_one import ManyToOne
from unrolled.wirings.one_to_many import DecoderState, OneToMany
from unrolled.wirings.one_to_one import OneToOne
from unrolled.wirings.stack import Dropouts, Recurrence, Stack
from unrolled.wirings.streaming import ModelStream
from unrolled.wirings.teaching import Teaching

__all__ = [
    "AdditiveAttention",
    "Attention",
    "AttentionOverSteps",
    "Choice",
    "DecoderState",
    "DotAttention",
    "Dropouts",
    "EncoderDecoder",
    "Ends",
    "Features",
    "Inputs",
    "ManyToMany",
    "ManyToOne",
    "Memory",
    "ModelStream",
    "OneToMany",
    "OneToOne",
    "Recurrence",
    "Sizes",
    "Spelled",
    "Stack",
    "Steps",
    "Teaching",
    "TokenModel",
    "Tokens",
    "WordsAndCharacters",
    "Written",
    "beam",
    "greedy",
    "sample",
]
