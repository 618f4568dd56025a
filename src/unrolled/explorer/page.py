"""The explorer as one file: page, trace and model inside, nothing asked of anybody."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from unrolled import storage
from unrolled.explorer import carried
from unrolled.report import html
from unrolled.report.figures.svg import escape
from unrolled.traces import Trace, file

_STYLE = """\
@media (scripting: enabled){#unrolled-report:not(.shown){display:none}}
@media print{#unrolled-explorer{display:none}#unrolled-report:not(.shown){display:block}}
"""


def script() -> str:
    """The page's module, built from ``web/``."""
    built = resources.files("unrolled.explorer") / "static" / "explorer.js"
    return built.read_text(encoding="utf-8")


def page(
    trace: Trace,
    weights: bytes | None = None,
    *,
    without_weights: bool = False,
) -> str:
    """A trace as one HTML page with the explorer inside, and the report for paper and where no scripts run.

    Args:
        weights: what `carried.weights` gave, for a page that one can type into.
        without_weights: leave every weight out; then no formula can be shown with its numbers.

    Raises:
        DataError: the trace has no layer.
    """
    trace = carried.smaller(trace, without_weights)
    inside = None if without_weights else weights
    about = carried.about(trace, carries(trace, inside))
    module = script().replace("</script", "<\\/script")
    digest = base64.b64encode(hashlib.sha256(module.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    title = escape(str(trace.facts["model"].get("run", trace.facts["model"]["name"])))
    data = [_bytes("unrolled-trace", file.contents(trace.arrays, trace.facts))]
    if inside is not None:
        data.append(_bytes("unrolled-weights", inside))
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>{title}</title>\n<style>\n{html.style()}{_STYLE}</style>\n</head>\n<body>",
            '<div id="unrolled-explorer"></div>',
            f'<div id="unrolled-report" class="u-report">\n{html.body(trace)}\n</div>',
            *data,
            f'<script type="application/json" id="unrolled-about">{_json(about)}</script>',
            f'<script type="module">{module}</script>\n</body>\n</html>\n',
        ]
    )


def write(
    path: Path,
    trace: Trace,
    weights: bytes | None = None,
    *,
    without_weights: bool = False,
) -> str:
    """Writes `page`; gives a sentence on what the file carries.

    Raises:
        DataError: the trace has no layer.
        StorageError: the file cannot be written.
    """
    contents = page(trace, weights, without_weights=without_weights).encode()
    with storage.replacing(path) as out:
        out.write(contents)
    inside = None if without_weights else weights
    return (
        f"{path} ({carried.size(len(contents))}) {carries(carried.smaller(trace, without_weights), inside)}"
    )


def carries(trace: Trace, weights: bytes | None) -> str:
    """What whoever gets the page is given, in a sentence."""
    text = sum(len(token.encode()) for tokens in trace.tokens for token in tokens)
    held = sum(array.nbytes for name, array in trace.arrays.items() if "/W_" in name or "/b_" in name)
    held += len(weights or b"")
    what = [f"the text ({carried.size(text)})" if text else "the input"]
    if weights is not None:
        what.append(f"the whole model ({carried.size(held)})")
    elif held:
        what.append(f"the weights of its layers ({carried.size(held)})")
    return f"contains {' and '.join(what)}."


def _bytes(name: str, contents: bytes) -> str:
    text = base64.b64encode(contents).decode()
    return f'<script type="application/octet-stream;base64" id="{name}">{text}</script>'


def _json(value: Any) -> str:
    """JSON that no element of a page ends within."""
    return json.dumps(value).replace("<", "\\u003c")
