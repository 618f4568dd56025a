"""A run's README.md: what the model is, what it learned from, how good it is, how to use it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from unrolled import __version__
from unrolled.config import Config
from unrolled.report.training import ranked, shown
from unrolled.tasks.base import Card, Measure, Row


class Result(NamedTuple):
    """What came of a training, the model first; ``ending`` says how it ended, a sentence without its stop."""

    measures: tuple[Measure, ...] = ()
    rows: tuple[Row, ...] = ()
    ending: str = ""


def card(
    name: str,
    config: Config,
    about: Card,
    facts: Sequence[tuple[str, str]],
    result: Result | None = None,
    run: str = "",
) -> str:
    """The card of a model, in Markdown, with the header that model hubs read.

    Args:
        about: what the task says of its models.
        facts: what is learned, from what and by what, as the box before the start says it.
        result: none where it is not known.
        run: what commands call it; its name unless given.
    """
    result, run = result or Result(), run or name
    told = [*facts, ("training", result.ending)] if result.ending else facts
    table = "\n".join(f"| {key} | {value} |" for key, value in told)
    cell = config.cell
    return f"""---
library_name: unrolled
pipeline_tag: {about.pipeline}
tags: [unrolled, {cell}, {about.tag}]
---

# {name}

{about.sentence.format(cell=config.cell_in_words)}, trained with unrolled {__version__}.

| | |
| --- | --- |
{table}
{_results(result) if result.rows else ""}
## Use

```
{about.commands.format(run=shlex.quote(run))}
```

```python
import unrolled

{about.python.format(run=run)}
```

## Limits

{about.limits}
"""


def _results(result: Result) -> str:
    heads = "".join(f" {' '.join(measure.heading.split())} |" for measure in result.measures)
    lines = "\n".join(_line(row, result.measures) for row in ranked(result.rows, result.measures))
    return f"""
## On what it has not seen

The judged data had no part in training nor in the choice of these weights. Every number is of those same
data.

| |{heads} |
| --- |{" ---: |" * len(result.measures)} --- |
{lines}
"""


def _line(row: Row, measures: Sequence[Measure]) -> str:
    cells = (shown(row.values.get(measure.key), _finer(measure)) for measure in measures)
    return f"| {row.name} | {' | '.join(cells)} | {row.remark} |"


def _finer(measure: Measure) -> Measure:
    """The measure with a fourth digit where it is shown with three."""
    return measure._replace(form=measure.form.replace(".3f", ".4f"))
