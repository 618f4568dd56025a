"""Tagging: a label for every word of a sentence, or for every frame of a sequence of measurements.

sources.py   from files or Python to sentences, or sequences, with their labels, part by part
words.py     what turns words into numbers; frames.py, measurements
network.py   the network of a config, and what it reads of a batch
task.py      the task as a training sees it
scoring.py   how good labels are; baselines.py, what needs no network
mistakes.py  what a model gets wrong, in context
"""

from unrolled.tasks.tag.task import Tagging

__all__ = ["Tagging"]
