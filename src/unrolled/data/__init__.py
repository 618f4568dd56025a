"""Texts on the disk become streams of tokens: read in pieces, numbered, kept in a file, cut into windows."""

from unrolled.data.corpus import Corpus
from unrolled.data.streams import Streams, Window
from unrolled.data.tokenizers import Tokenizer

__all__ = ["Corpus", "Streams", "Tokenizer", "Window"]
