"""The one table of limits that the rules of `unrolled.diagnose` compare with, each with its reason."""

from __future__ import annotations

from typing import NamedTuple


class Threshold(NamedTuple):
    """A limit, its unit, and why it stands there."""

    value: float
    unit: str
    reason: str


THRESHOLDS: dict[str, Threshold] = {
    "gone": Threshold(
        0.01,
        "share of the gradient",
        "What arrives with a hundredth of its length moves a weight a hundred times less than what is near.",
    ),
    "half": Threshold(0.5, "share of the gradient", "Half: what a half-life is."),
    "of window": Threshold(
        0.25,
        "share of the window",
        "Three quarters of the steps that are computed going back then tell the weights next to nothing.",
    ),
    "steps": Threshold(
        20, "steps", "In fewer, a quarter of them is not told apart from the first few steps of any network."
    ),
    "grown": Threshold(
        100,
        "times",
        "The counterpart of a hundredth: a far step then outweighs a near one a hundred times.",
    ),
    "grown much": Threshold(1e4, "times", "The same twice over; float32 has seven digits to add both with."),
    "flat": Threshold(
        0.04,
        "share of the largest slope",
        "A gradient passes with a 25th of the most there is: σ above 0.99 or below 0.01, |tanh| above 0.98.",
    ),
    "saturated": Threshold(0.5, "share of the values", "More than half the time nothing gets through."),
    "saturated much": Threshold(0.9, "share of the values", "Almost nothing gets through at any time."),
    "still": Threshold(
        1e-3,
        "of the range a unit has",
        "What changes by less than a thousandth over all that was read tells no readable story of it.",
    ),
    "seen": Threshold(
        100,
        "values of a unit",
        "A unit that speaks at 3 in 100 is silent through 100 of them once in 20 times (0.97^100 = 0.05).",
    ),
    "dead": Threshold(0.1, "share of the units", "Fewer are lost in the choice of the layer's size."),
    "dead much": Threshold(0.5, "share of the units", "Half of what is computed is for nothing."),
    "clipped": Threshold(
        0.9, "share of the updates", "A limit that always holds is no guard but another learning rate."
    ),
    "gain": Threshold(
        0.02,
        "share of the loss without memory",
        "A fiftieth is what another seed changes; so small a gain is no evidence of memory.",
    ),
    "tokens": Threshold(100, "tokens", "The mean of fewer differences is too uncertain to be judged by."),
    "cut off": Threshold(
        0.1,
        "share of the gradient",
        "Where a signal falls as r^d, the share of all of it that lies beyond W steps is r^W: "
        "what is left at the window's edge.",
    ),
}  # fmt: skip
"""By what is compared. ``docs/diagnosis.md`` shows the rules that use them."""


def limit(name: str) -> float:
    """The value of a threshold."""
    return THRESHOLDS[name].value
