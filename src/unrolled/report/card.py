"""A run's README.md: what the model is, what it learned from, how good it is, how to use it."""

from __future__ import annotations

from collections.abc import Sequence

from unrolled import __version__
from unrolled.config import LanguageModelConfig
from unrolled.report.training import ResultRow


def language_model(
    name: str,
    config: LanguageModelConfig,
    facts: Sequence[tuple[str, str]],
    rows: Sequence[ResultRow] = (),
    ending: str = "",
) -> str:
    """The card of a language model, in Markdown, with the header that model hubs read.

    Args:
        facts: what is learned, from what and by what, as the box before the start says it.
        rows: the result, the model first; none where it is not known.
        ending: how the training ended, in a sentence without its stop.
    """
    told = [*facts, ("training", ending)] if ending else facts
    table = "\n".join(f"| {key} | {value} |" for key, value in told)
    return f"""---
library_name: unrolled
pipeline_tag: text-generation
tags: [unrolled, {config.cell}, language-model]
---

# {name}

A recurrent language model ({config.cell.upper()}), trained with unrolled {__version__}.

| | |
| --- | --- |
{table}
{_results(rows, "byte" if config.tokens == "byte" else "character") if rows else ""}
## Use

```
unrolled generate {name} --prompt "..."
unrolled predict {name} "some text"
```

```python
import unrolled

model = unrolled.LanguageModel.load("{name}")
print("".join(model.generate("...", length=200)))
```

## Limits

It knows the text it was trained on and nothing else: it repeats that text's habits, errors and prejudices,
and what it writes is not to be taken for fact.
"""


def _results(rows: Sequence[ResultRow], unit: str) -> str:
    lines = "\n".join(_result(row) for row in sorted(rows, key=lambda row: row.bits_per_character))
    return f"""
## On text that it has not seen

The judged text had no part in training nor in the choice of these weights. Every number is of that same text.

| | bits a {unit} | nats a token | perplexity | |
| --- | ---: | ---: | ---: | --- |
{lines}
"""


def _result(row: ResultRow) -> str:
    nats = "" if row.nats is None else f"{row.nats:.4f}"
    perplexity = "" if row.perplexity is None else f"{row.perplexity:,.2f}"
    return f"| {row.name} | {row.bits_per_character:.4f} | {nats} | {perplexity} | {row.remark} |"
