"""What the facts of a trace say of the training of its model, and the calls that begin it anew, changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from unrolled.traces.diagnosis.finding import number

Value: TypeAlias = bool | int | float | str

FEW = 3
"""Sources that are named where the config names them too; of more, it alone does."""


@dataclass(frozen=True)
class Training:
    """How the model of a trace was trained, as far as its facts tell.

    Attributes:
        task: as ``unrolled train`` takes it; empty for a module of one's own, which nobody trained by it.
        sources: what it read; empty where it was given in Python.
        config: the file with its fields; empty where there is no run.
        fields: those that a change begins from, by name.
    """

    task: str = ""
    sources: tuple[str, ...] = ()
    config: str = ""
    fields: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """From the facts of a trace."""
        told = facts.get("training") or {}
        sources = tuple(told.get("sources", ()))
        return cls(told.get("task", ""), sources, told.get("config", ""), told.get("fields"))

    def field(self, name: str, otherwise: float) -> float:
        """A field of the training's config, or another number where it is not known."""
        return float((self.fields or {}).get(name, otherwise))

    def command(self, **fields: Value) -> str:
        """The command that trains the same with other fields; empty for a module of one's own.

        Example:
            >>> Training("tag", ("a b.conll",), "runs/x/config.toml").command(learning_rate=1e-3)
            "unrolled train tag 'a b.conll' --config runs/x/config.toml --learning-rate 0.001"
        """
        if not self.task:
            return ""
        words = ["unrolled", "train", self.task, *self._named()]
        if self.config:
            words += ["--config", self.config]
        for name, value in fields.items():
            written = ("off", "on")[value] if isinstance(value, bool) else _written(value)
            words += [f"--{name.replace('_', '-')}", written]
        return shlex.join(words)

    def python(self, **fields: Value) -> str:
        """The same in Python.

        Example:
            >>> Training("lm").python(length=64, carry=True)
            'unrolled.train("lm", "TEXT", length=64, carry=True)'
        """
        if not self.task:
            return ""
        words = [json.dumps(word, ensure_ascii=False) for word in (self.task, *self._named())]
        given = {"config": self.config} if self.config else {}
        for name, value in {**given, **fields}.items():
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
            words.append(f"{name}={_written(value) if isinstance(value, float) else text}")
        return f"unrolled.train({', '.join(words)})"

    def _named(self) -> tuple[str, ...]:
        """The sources as a call names them."""
        if not self.sources:
            return ("TEXT" if self.task == "lm" else "DATA",)
        return () if self.config and len(self.sources) > FEW else self.sources


def _written(value: Value) -> str:
    return number(value) if isinstance(value, float) else str(value)


NO_TRAINING = Training()
"""What is known of a module of one's own."""
