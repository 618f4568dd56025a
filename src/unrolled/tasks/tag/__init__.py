"""Tagging: a label for every word of a sentence, or for every frame of a sequence of measurements.

sources.py   from files or Python to sentences, or sequences, with their labels, part by part
words.py     what turns words into numbers; frames.py, measurements
network.py   the network of a config, and what it reads of a batch
task.py      the task as a training sees it
scoring.py   how good labels are; baselines.py, what needs no network
judging.py   all that there is to say of a model's labels, and its mistakes in context
using.py     labels from a trained model; lines.py, what it is given on a command line
"""

from unrolled.tasks.tag.judging import Judged
from unrolled.tasks.tag.task import Tagging

__all__ = ["Judged", "Tagging"]
