"""Tasks: what is learned from which data, how it is judged, and what it is compared with.

`base` says what a task is; `TASKS` lists them. Adding one: a config in `unrolled.config`, a module with a
`Task` here, a line in both lists.
"""

from typing import Any

from unrolled.tasks.base import Task
from unrolled.tasks.classify import Classification
from unrolled.tasks.forecast import Forecasting
from unrolled.tasks.language_model import LanguageModelling
from unrolled.tasks.notes import Music
from unrolled.tasks.tag import Tagging
from unrolled.tasks.translate import Translating

TASKS: dict[str, type[Task[Any]]] = {
    "classify": Classification,
    "forecast": Forecasting,
    "lm": LanguageModelling,
    "notes": Music,
    "tag": Tagging,
    "translate": Translating,
}
"""By the name that ``train`` takes."""

__all__ = ["TASKS", "Task"]
