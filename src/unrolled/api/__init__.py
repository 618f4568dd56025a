"""One function a verb: what the command line does, for Python. `cli` is built from the signatures here.

Whatever needs torch is imported inside the verbs, so that ``unrolled --help`` answers at once.
"""

from unrolled.api.measuring import bench, doctor, walkthrough
from unrolled.api.training import check, compare, config, demo, resume, runs, train
from unrolled.api.using import evaluate, explain, explore, generate, predict

__all__ = [
    "bench",
    "check",
    "compare",
    "config",
    "demo",
    "doctor",
    "evaluate",
    "explain",
    "explore",
    "generate",
    "predict",
    "resume",
    "runs",
    "train",
    "walkthrough",
]
