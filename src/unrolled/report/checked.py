"""What data are, before anything is learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unrolled.data.report import DataReport
from unrolled.report.explanation import table


@dataclass(frozen=True)
class Checked:
    """Data that can be learned from.

    Attributes:
        facts: what would be learned, from what and by what, line by line.
        report: what the parts hold.
    """

    facts: Sequence[tuple[str, str]]
    report: dict[str, Any]

    def __str__(self) -> str:
        about = table(list(self.facts))
        parts = self.report.get("parts", {})
        detailed = bool(parts) and all("lengths" in part for part in parts.values())
        return f"{about}\n\n{DataReport.from_data(self.report)}" if detailed else about

    def as_data(self) -> dict[str, Any]:
        """The facts and the report."""
        return {"facts": dict(self.facts), "report": self.report}
