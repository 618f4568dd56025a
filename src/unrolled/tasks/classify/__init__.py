"""Classification, many to one: a class for each text, or each sequence of numbers.

columns.py    which columns of a source hold what, and the examples that they make
reading.py    from sources or data in Python to tables of examples in three parts
reader.py     from examples to numbers, kept beside the weights
network.py    the network, its long sequences, its answers
judging.py    accuracy, F1, who is taken for whom, the worst mistakes
baselines.py  what needs no network
task.py       all of it as a task
"""

from unrolled.tasks.classify.judging import Confusion, Judged, Mistake
from unrolled.tasks.classify.reader import Reader, SensorReader, TextReader
from unrolled.tasks.classify.task import Classification

__all__ = ["Classification", "Confusion", "Judged", "Mistake", "Reader", "SensorReader", "TextReader"]
