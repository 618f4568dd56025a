"""Worked examples: every number of every step, with the formula it came from.

    page.py         how they are laid out
    network.py      letters, softmax, loss and Adam around the recurrence
    hello.py ...    one file an example; `unroll` computes in each

``python -m unrolled.walkthroughs docs/walkthroughs`` writes the pages.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from unrolled.errors import OptionError, nearest
from unrolled.walkthroughs import forgetting, hello, loop, two_steps, vanishing
from unrolled.walkthroughs.page import Walkthrough

WALKTHROUGHS: Mapping[str, Callable[..., Walkthrough]] = {
    "hello": hello.walk,
    "loop": loop.walk,
    "two-steps": two_steps.walk,
    "forgetting": forgetting.walk,
    "vanishing": vanishing.walk,
}
"""The worked examples by name, in the order in which they are best read."""


def walk(name: str, options: Mapping[str, Any]) -> Walkthrough:
    """Works an example through.

    Raises:
        OptionError: there is no such example, or it has no such option.
    """
    if name not in WALKTHROUGHS:
        rule = f"be one of {', '.join(WALKTHROUGHS)}"
        raise OptionError("walkthrough: name", rule, repr(name), nearest(str(name), WALKTHROUGHS))
    example = WALKTHROUGHS[name]
    takes = list(inspect.signature(example).parameters)
    for option in options:
        if option not in takes:
            rule = f"be one of {', '.join(takes)}" if takes else "be left out"
            others = [
                other for other, it in WALKTHROUGHS.items() if option in inspect.signature(it).parameters
            ]
            fix = f"Of this option: {', '.join(others)}."
            raise OptionError(f"walkthrough {name}: the option", rule, option, fix)
    if options.get("seed", 0) < 0:
        raise OptionError(f"walkthrough {name}: seed", "be 0 or more", options["seed"], "Leave it out for 0.")
    return example(**options)


__all__ = ["WALKTHROUGHS", "Walkthrough", "walk"]
