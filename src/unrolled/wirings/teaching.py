"""How often a decoder in training is told the right token before the next, and how often it reads its own."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

from unrolled.errors import OptionError, nearest

SCHEDULES = ("constant", "linear", "inverse_sigmoid")


@dataclass(frozen=True, slots=True)
class Teaching:
    """The probability that a decoder reads the right token, not the likeliest by itself, as training goes on.

    Maths:
        constant: least;  linear: 1 - i / pace;  inverse sigmoid: k / (k + exp(i / k)), k being pace; none
        falls below ``least``.

    Units: ``pace`` in updates.

    Source: Bengio et al. 2015, Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks,
    section 2.4.

    Raises:
        OptionError: a schedule that is not offered, or a number out of its range.

    Example:
        >>> Teaching("linear", least=0.5, pace=1000).at(200)
        0.8
    """

    schedule: str = "constant"
    least: float = 1.0
    pace: float = 1.0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            rule, fix = f"be one of {', '.join(SCHEDULES)}", nearest(self.schedule, SCHEDULES)
            raise OptionError("Teaching: schedule", rule, self.schedule, fix)
        if not 0 <= self.least <= 1:
            fix = "1 always tells the right token."
            raise OptionError("Teaching: least", "be a number from 0 to 1", self.least, fix)
        if not self.pace >= 1:
            fix = "Say over about how many updates it falls."
            raise OptionError("Teaching: pace", "be at least 1", self.pace, fix)

    def at(self, update: int) -> float:
        """The probability at an update, of which the first is 0."""
        if self.schedule == "constant":
            return self.least
        if self.schedule == "linear":
            return max(self.least, 1 - update / self.pace)
        exponent = min(update / self.pace - log(self.pace), 700.0)  # exp overflows beyond
        return max(self.least, 1 / (1 + exp(exponent)))
