"""One page of a trace that works without a network and without scripts, and a shorter one for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from unrolled.report.explanation import Explanation, explain
from unrolled.report.figures import FIGURES, LONGEST, STEP_BY_STEP, Figure, draw_all, measures, palette
from unrolled.report.figures.palette import FILLS
from unrolled.report.figures.svg import WIDTH, escape
from unrolled.traces import Trace

SMALL = 300
"""Steps up to which a notebook shows every figure; of more, those that do not grow with them."""

PAPER = 1000
"""Units that a figure may be high to stand on one page of paper with its title."""

_PAGE = f"""\
:root{{color-scheme:light dark}}
body{{margin:0}}
.u-report{{max-width:{WIDTH}px;margin:0 auto;padding:24px 16px;font:15px/1.5 {palette.SANS}}}
h1{{font-size:24px;margin:0}}
h2{{font-size:18px;margin:32px 0 4px}}
p{{margin:4px 0 12px}}
pre{{font:13px/1.45 {palette.MONO};overflow-x:auto}}
section{{break-inside:avoid}}
section.tall{{break-inside:auto}}
h2{{break-after:avoid}}
figure{{margin:0;overflow-x:auto}}
figure svg{{max-width:100%;height:auto;min-width:640px}}
table{{border-collapse:collapse;font-size:13px}}
th,td{{padding:2px 12px 2px 0;text-align:left;vertical-align:top}}
td.number{{text-align:right;font-variant-numeric:tabular-nums}}
td{{overflow-wrap:anywhere}}
thead th{{white-space:nowrap}}
@page{{margin:14mm}}
@media print{{*{{print-color-adjust:exact}}figure svg{{min-width:0}}
figure,pre{{overflow:visible;white-space:pre-wrap}}}}
"""


def page(trace: Trace, b: int = 0) -> str:
    """A trace as one HTML page: what is said of it, every figure, the numbers of every step, its origin.

    Raises:
        DataError: the trace has no layer.
        OptionError: no such sequence.
    """
    said = explain(trace, b)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(said.title)}</title>\n<style>\n{style()}</style>\n"
        f'</head>\n<body>\n<main class="u-report">\n{body(trace, b)}\n</main>\n</body>\n</html>\n'
    )


def style() -> str:
    """The style sheet of `body`, for light pages, dark ones and paper."""
    return f"{_PAGE}{_themes()}{palette.css('auto')}"


def body(trace: Trace, b: int = 0) -> str:
    """What `page` holds, for an element of class ``u-report``.

    Raises:
        DataError: the trace has no layer.
        OptionError: no such sequence.
    """
    said, drawn = explain(trace, b), draw_all(trace, b)
    sections = [_section(figure) for figure in drawn.figures]
    if drawn.missing:
        sections.append(f"<h2>Not drawn</h2>\n{_table(drawn.missing.items())}")
    return "\n".join(
        [
            f"<h1>{escape(said.title)}</h1>",
            f"<p>{escape(said.about)}</p>",
            f"<pre>{escape(said.tables())}</pre>",
            *sections,
            f"<h2>The numbers of every step</h2>\n{_numbers(trace, said, b)}",
            f"<h2>Where this is from</h2>\n{_table(_origin(trace))}",
        ]
    )


def card(trace: Trace) -> str:
    """A trace as a part of a page, for a notebook."""
    said = explain(trace)
    names = FIGURES if said.steps.count <= SMALL else FIGURES.keys() - STEP_BY_STEP
    figures = draw_all(trace, names=(name for name in FIGURES if name in names)).figures
    folded = "\n".join(
        f"<details{' open' * (not number)}><summary>{escape(figure.title)}</summary>\n"
        f"<p>{escape(figure.words)}</p>\n{figure.svg(titled=False, styled=False)}</details>"
        for number, figure in enumerate(figures)
    )
    return (
        f'<div class="u-card"><style>{palette.css("auto")}</style>\n<pre>{escape(str(said))}</pre>\n'
        f"{folded}\n</div>"
    )


def _section(figure: Figure) -> str:
    """A figure under its title and what it shows."""
    opening = '<section class="tall">' if figure.height > PAPER else "<section>"
    return (
        f"{opening}\n<h2>{escape(figure.title)}</h2>\n<p>{escape(figure.words)}</p>\n"
        f"<figure>{figure.svg(titled=False, styled=False)}</figure>\n</section>"
    )


def _themes() -> str:
    """The colours of the page itself, as the figures have them."""
    light, dark = (
        f"body{{background:{FILLS['surface'][theme]};color:{FILLS['ink'][theme]}}}\n"
        f"p,th,summary{{color:{FILLS['soft'][theme]}}}\n"
        for theme in (0, 1)
    )
    return f"{light}@media screen and (prefers-color-scheme:dark){{\n{dark}}}\n"


def _numbers(trace: Trace, said: Explanation, b: int) -> str:
    """What the figures show of every step, as a table that folds up."""
    columns = list(_columns(trace, said, b))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name, _ in columns)
    body = "\n".join(
        "<tr>" + "".join(f'<td class="number">{escape(value)}</td>' for value in row) + "</tr>"
        for row in islice(zip(*(values for _, values in columns), strict=True), LONGEST)
    )
    return (
        f"<details><summary>{min(LONGEST, said.steps.count):,} rows</summary>\n<figure><table>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></figure></details>"
    )


def _columns(trace: Trace, said: Explanation, b: int) -> Iterator[tuple[str, list[str]]]:
    """The table's columns: heading and values."""
    steps = said.steps
    yield "step", [str(steps.first + t) for t in range(steps.count)]
    if trace.tokens:
        yield "token", list(steps.names)
    if said.loss_t:
        yield "loss, nats", [f"{loss:.4f}" for loss in said.loss_t]
    for layer, of in zip(trace.layers, said.layers, strict=True):
        if layer.T != trace.layers[0].T:  # a decoder beside its encoder: other steps
            continue
        if "h" in layer.arrays:
            strength = measures.strength(layer.output[: steps.count], b)
            yield f"{layer.name} h, root mean square", [f"{value:.4f}" for value in strength]
        if "dh" in layer.arrays:
            norms = measures.norm(layer.dh[: steps.count], b)
            yield f"{layer.name} |∂L/∂h|", [f"{value:.3e}" for value in norms]
        for weight, shares in of.shares.items():
            yield (
                f"{layer.name} share of {weight}",
                [f"{100 * share:.2f} %" for share in shares[: steps.count]],
            )


def _origin(trace: Trace) -> Iterator[tuple[str, str]]:
    """Everything one needs to make the trace again, and what is not in it."""
    facts = trace.facts
    for name, value in facts["model"].items():
        yield name, str(value)
    yield "weights, SHA-256", facts["weights_sha256"]
    yield "seed", str(facts["seed"])
    yield "made by", ", ".join(f"{program} {version}" for program, version in facts["versions"].items())
    for name, why in facts["left_out"].items():
        yield f"left out: {name}", str(why)
    for line in str(trace.check()).splitlines():
        yield "check", line


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """Rows of a name and what is said of it."""
    told = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows
    )
    return f"<table>\n{told}\n</table>"
