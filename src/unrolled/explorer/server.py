"""The explorer from this machine, for this machine: a page, what it can open, and traces of it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import struct
import sys
import webbrowser
from collections.abc import Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from unrolled.errors import UnavailableError, UnrolledError
from unrolled.explorer import page
from unrolled.explorer.choices import Choices, Opened
from unrolled.explorer.guard import Guard
from unrolled.traces import file

LOOPBACK = "127.0.0.1"
OWN_NAMES = (LOOPBACK, "localhost")

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>unrolled</title>
<style>body{margin:0}</style>
</head>
<body>
<div id="unrolled-explorer"></div>
<noscript>The explorer draws with JavaScript; the report in the file that
<code>unrolled explain RUN TEXT --html FILE</code> writes needs none.</noscript>
<script type="module" src="explorer.js"></script>
</body>
</html>
"""


def app(
    choices: Choices, first: tuple[str, str] | None, token: str, names: Sequence[str] = OWN_NAMES
) -> Guard:
    """The server as an ASGI application.

    Args:
        choices: what can be opened.
        first: name and text of what the page shows at once; None to choose there.
        token: without which nothing is answered.
        names: by which this machine may be called.
    """

    async def index(request: Request) -> Response:
        del request
        return HTMLResponse(_PAGE)

    async def script(request: Request) -> Response:
        del request
        return Response(page.script(), media_type="text/javascript")

    async def opening(request: Request) -> Response:
        del request
        return JSONResponse({"name": None} if first is None else {"name": first[0], "text": first[1]})

    async def listed(request: Request) -> Response:
        del request
        found = await run_in_threadpool(choices.all)
        return JSONResponse({"choices": [_line(choice) for choice in found.values()]})

    async def trace(request: Request) -> Response:
        asked = _asked(await request.body())
        if asked is None:
            return _refusal(400, "A question must be JSON with a name and a text.")
        opened = await run_in_threadpool(choices.open, *asked)
        return Response(_packed(opened), media_type="application/octet-stream")

    async def refused(request: Request, error: Exception) -> Response:
        del request
        return _refusal(422, str(error))

    async def unknown(request: Request, error: Exception) -> Response:
        del request, error
        return _refusal(404, "There is nothing at this address.")

    routes = [
        Route("/", index),
        Route("/explorer.js", script),
        Route("/api/first", opening),
        Route("/api/choices", listed),
        Route("/api/trace", trace, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {UnrolledError: refused, 404: unknown, 405: unknown}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, names)


def serve(
    choices: Choices,
    first: tuple[str, str] | None,
    *,
    port: int = 0,
    proxy: str = "",
    browser: bool = True,
) -> None:
    """Serves until it is interrupted; prints the link, and opens it where there is a display.

    Args:
        port: 0 for any that is free.
        proxy: the name of a host in front of this machine that may ask too.

    Raises:
        UnavailableError: the port is taken.
    """
    token = secrets.token_urlsafe(16)
    names = (*OWN_NAMES, proxy) if proxy else OWN_NAMES
    listening = _listen(port)
    link = f"http://{LOOPBACK}:{listening.getsockname()[1]}/{token}/"
    print(f"The explorer: {link}\nCtrl-C ends it.", flush=True)
    if browser and sys.stdout.isatty() and _has_display():
        webbrowser.open(link)
    config = uvicorn.Config(app(choices, first, token, names), log_level="warning", access_log=False)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:  # how it is meant to end
        pass
    finally:
        listening.close()


def _listen(port: int) -> socket.socket:
    """A socket of this machine alone."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        fix = "Leave --port out for one that is free."
        raise UnavailableError("explore: port", "be free", f"{port}: {error}", fix) from error
    return listening


def _has_display() -> bool:
    """Whether there is a screen to open a browser on."""
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _line(choice: Any) -> dict[str, Any]:
    return {"name": choice.name, "title": choice.title, "kind": choice.kind, "asks": choice.asks}


def _asked(body: bytes) -> tuple[str, str] | None:
    """The name and the text of a question; None where it is none."""
    try:
        asked = json.loads(body)
        name, text = asked["name"], asked["text"]
    except (ValueError, TypeError, KeyError):
        return None
    return (name, text) if isinstance(name, str) and isinstance(text, str) else None


def _packed(opened: Opened) -> bytes:
    """Three lengths of four bytes, and what is so long: what is said of it, the weights, the trace."""
    parts = [
        json.dumps(opened.about).encode(),
        opened.weights or b"",
        file.contents(opened.trace.arrays, opened.trace.facts),
    ]
    return struct.pack("<3I", *map(len, parts)) + b"".join(parts)


def _refusal(status: int, sentence: str) -> Response:
    return JSONResponse({"refused": sentence}, status)
