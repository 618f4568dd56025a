"""Who may ask the explorer's server: whoever has the link, from this machine, from the page itself."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 1_000_000
"""Bytes that a question may have."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


class Guard:
    """Lets through what comes with the token, for a name of this machine, from no other page, not too large.

    Args:
        app: what answers; it sees paths without the token.
        token: the first part of every path.
        names: by which this machine may be called: a name that somebody points here is not among them.
    """

    def __init__(self, app: ASGIApp, token: str, names: Sequence[str]) -> None:
        self.app, self.token, self.names = app, token.encode(), tuple(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it in a sentence."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"])
        refused = self._refused(scope["path"], given)
        body = b"" if refused else await _read(receive, given)
        if body is None:
            refused = (413, f"A question may have {LARGEST:,} bytes: give a shorter text.")
        if refused:
            await _refuse(send, *refused)
            return

        async def again() -> Message:
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        path = "/" + scope["path"][len(self.token) + 2 :]
        await self.app({**scope, "path": path, "raw_path": path.encode()}, again, guarded)

    def _refused(self, path: str, given: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Why a request is not answered, as a status and a sentence; None where it is."""
        host = re.sub(r":\d+$", "", given.get(b"host", b"").decode("latin-1"))
        if host not in self.names:
            return 421, "This server answers for this machine's own name alone. Open the link it printed."
        token = path[1:].partition("/")[0].encode()
        if not secrets.compare_digest(token, self.token):
            return 403, "The link lacks its token. Open the whole link that unrolled explore printed."
        origin = given.get(b"origin")
        if origin is not None and urlsplit(origin.decode("latin-1")).hostname not in self.names:
            return 403, "Another page asked. Only the explorer's own page may."
        if given.get(b"sec-fetch-site") == b"cross-site" and given.get(b"sec-fetch-mode") != b"navigate":
            return 403, "Another page asked. Only the explorer's own page may."
        return None


async def _read(receive: Receive, given: dict[bytes, bytes]) -> bytes | None:
    """What a question holds; None where it is too large, of which no more is read."""
    said = given.get(b"content-length", b"0")
    if said.isdigit() and int(said) > LARGEST:
        return None
    held = bytearray()
    while True:
        message = await receive()
        held += message.get("body", b"")
        if len(held) > LARGEST:
            return None
        if not message.get("more_body", False):
            return bytes(held)


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"refused": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
