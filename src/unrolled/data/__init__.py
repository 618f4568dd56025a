"""Texts become streams of tokens, files of rows become tables, and their rows sequences and labels."""

from unrolled.data.corpus import Corpus
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.data.report import DataReport
from unrolled.data.streams import Streams, Window
from unrolled.data.tables import Table
from unrolled.data.tokenizers import Tokenizer

__all__ = ["Corpus", "DataReport", "Labels", "Ragged", "Streams", "Table", "Tokenizer", "Window"]
