"""The runs there are, one a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import time
from typing import Protocol

from unrolled.report.wording import ago


class Run(Protocol):
    """What is to be known of a run.

    Units: ``changed`` is seconds since 1970; ``valid_loss`` is in nats a token.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def changed(self) -> float: ...  # noqa: D102
    @property
    def training(self) -> bool: ...  # noqa: D102
    @property
    def finished(self) -> bool: ...  # noqa: D102
    @property
    def update(self) -> int | None: ...  # noqa: D102
    @property
    def valid_loss(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True)
class Runs:
    """Runs, the one trained last first; its text is a table."""

    runs: Sequence[Run]

    def __str__(self) -> str:
        if not self.runs:
            return "No runs yet. Train one: unrolled train lm TEXT"
        width = max(len(run.name) for run in self.runs)
        lines = [f"{'run':{width}}  {'state':9}  {'updates':>9}  {'held out':>8}  changed"]
        for run in self.runs:
            state = "training" if run.training else "finished" if run.finished else "stopped"
            update = "" if run.update is None else f"{run.update:,}"
            loss = "" if run.valid_loss is None else f"{run.valid_loss:.4f}"
            lines.append(
                f"{run.name:{width}}  {state:9}  {update:>9}  {loss:>8}  {ago(time() - run.changed)}"
            )
        stopped = any(not run.finished and not run.training for run in self.runs)
        hint = "\nA stopped run goes on by: unrolled resume RUN" if stopped else ""
        return "\n".join(lines) + hint
