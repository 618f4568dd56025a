"""Translating: a text of one kind from a text of another, by an encoder and a decoder.

texts.py      a text as tokens, and back
pairs.py      where pairs come from, and the parts of them
network.py    the network, its loss, and how it writes
judgement.py  BLEU, chrF, exactness, and the worst mistakes
baselines.py  what needs no network
task.py       all of these as a `Task`
"""

from unrolled.tasks.translate.judgement import Judge, Mistake
from unrolled.tasks.translate.network import Alignment, Search, alignment
from unrolled.tasks.translate.task import Translating, translated
from unrolled.tasks.translate.texts import Pair, Side

__all__ = [
    "Alignment",
    "Judge",
    "Mistake",
    "Pair",
    "Search",
    "Side",
    "Translating",
    "alignment",
    "translated",
]
