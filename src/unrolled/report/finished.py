"""A training at its end as one page that works offline, and the curve of its losses as a figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

from unrolled.report.card import Result
from unrolled.report.figures import layout
from unrolled.report.figures.svg import WIDTH, Figure, Pen, escape
from unrolled.report.html import style
from unrolled.report.training import ranked, shown
from unrolled.tasks.base import Terms

LEFT, RIGHT, TOP, HIGH = 64, 24, 42, 240
"""Units beside the plot and above it, and its height."""


def report(
    name: str,
    facts: Sequence[tuple[str, str]],
    result: Result,
    rows: Sequence[Mapping[str, Any]],
    terms: Terms,
) -> tuple[str, dict[str, str]]:
    """The page as HTML, and its figures by name as SVG.

    Args:
        facts: what was learned, from what and by what.
        rows: the journal.
    """
    losses = curve(rows, terms)
    told = [*facts, ("training", result.ending)]
    heads = ["", *(" ".join(measure.heading.split()) for measure in result.measures), ""]
    compared = [
        [row.name, *(shown(row.values.get(m.key), m) for m in result.measures), row.remark]
        for row in ranked(result.rows, result.measures)
    ]
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(name)}</title>\n<style>\n{style()}</style>\n</head>\n<body>\n"
        f'<main class="u-report">\n<h1>{escape(name)}</h1>\n{_table(told)}\n'
        f"<h2>On what it has not seen</h2>\n{_table(compared, heads)}\n"
        f"<section>\n<h2>{escape(losses.title)}</h2>\n<p>{escape(losses.words)}</p>\n"
        f"<figure>{losses.svg(titled=False, styled=False)}</figure>\n</section>\n</main>\n</body>\n</html>\n"
    )
    return page, {losses.name: losses.svg()}


def curve(rows: Sequence[Mapping[str, Any]], terms: Terms) -> Figure:
    """The losses by update, in training and held out, and where the weights that are kept are from."""
    trained = [(row["update"], row["loss"]) for row in rows if row.get("loss") is not None]
    judged = [(row["update"], row["valid_loss"]) for row in rows if row.get("valid_loss") is not None]
    kept = next(((row["update"], row["valid_loss"]) for row in reversed(rows) if row.get("best")), None)
    points = [*trained, *judged] or [(0, 0.0)]
    last = max(1, *(update for update, _ in points))
    step = _step(min(loss for _, loss in points), max(loss for _, loss in points))
    low = floor(min(loss for _, loss in points) / step)
    high = max(low + 1, ceil(max(loss for _, loss in points) / step))
    wide = WIDTH - LEFT - RIGHT

    def at(update: float, loss: float) -> tuple[float, float]:
        return LEFT + wide * update / last, TOP + HIGH * (high - loss / step) / (high - low)

    pen = Pen()
    pen.line(16, 9, 36, 9, "forward-line")
    pen.text(42, 13, "held out", "soft")
    pen.line(120, 9, 140, 9, "faint-line")
    pen.text(146, 13, "in training", "soft")
    for k in range(low, high + 1):
        _, y = at(0, k * step)
        pen.line(LEFT, y, WIDTH - RIGHT, y, "grid")
        pen.text(LEFT - 8, y + 4, f"{k * step:.6g}", "soft small", "end")
    for update in range(0, last + 1, layout.tick(last + 1, 12)):
        pen.text(at(update, 0)[0], TOP + HIGH + 14, f"{update:,}", "soft small", "middle")
    pen.text(16, TOP - 12, terms.loss, "soft small")
    pen.text(LEFT + wide / 2, TOP + HIGH + 30, "updates", "soft", "middle")
    for line, role in ((trained, "faint-line"), (judged, "forward-line")):
        if line:
            pen.path([at(*point) for point in (line if len(line) > 1 else [*line, *line])], role)
    words = f"The loss by update, {terms.loss}: in training, and on the held-out part."
    if kept:
        x, y = at(*kept)
        pen.line(x, y, x, TOP + HIGH, "limit")
        words += f" The weights that are kept are those of update {kept[0]:,}, with {kept[1]:.4f} held out."
    return Figure("loss", "Loss", words, TOP + HIGH + 48, pen.body)


def _step(low: float, high: float) -> float:
    """What lies between two lines of a scale: 1, 2 or 5 times a power of ten, so that there are 4 to 10.

    Example:
        >>> _step(1.31, 4.2), _step(2.0, 2.0)
        (0.5, 0.5)
    """
    span = high - low or max(abs(high), 1.0)
    power = 10.0 ** floor(log10(span / 4))
    return next(power * times for times in (5, 2, 1) if span / (power * times) >= 4)


def _table(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Rows of cells, the first of each its heading, the last in words; those between are numbers."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f'<td class="number">{escape(cell)}</td>' for cell in between)
        + f"<td>{escape(last)}</td></tr>"
        for first, *between, last in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
