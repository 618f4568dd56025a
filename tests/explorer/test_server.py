"""The explorer's server: what it answers, and whom it refuses with which sentence."""

import asyncio
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import unrolled
from tests.explorer import golden
from unrolled.errors import OptionError, RunError, TraceError, UnavailableError
from unrolled.explorer import guard, server
from unrolled.explorer.choices import Choices
from unrolled.traces import Trace

TOKEN = "a-token-of-the-tests"
STORED = golden.FOLDER / "lstm-stacked.safetensors"
LATER = STORED.read_bytes().replace(b'"version":"1"', b'"version":"9"')


@pytest.fixture(autouse=True)
def no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    return tmp_path


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def refused(self) -> str:
        return json.loads(self.body)["refused"]


def ask(path: str, *, given: str = str(STORED), body: bytes | None = None, **headers: str) -> Answer:
    """One request to the application, as a server would hand it over."""
    app = server.app(Choices(given), ("trace", ""), TOKEN)
    sent = {"host": "127.0.0.1:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body is not None:
        sent |= {"content-length": str(len(body))} | sent
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
        "method": "GET" if body is None else "POST", "path": path, "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 5),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }  # fmt: skip
    chunks = [(body or b"")[at : at + 65536] for at in range(0, max(1, len(body or b"")), 65536)]
    heard: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Any) -> None:
        heard.append(message)

    asyncio.run(app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in heard[0]["headers"]}
    return Answer(heard[0]["status"], headers, b"".join(message.get("body", b"") for message in heard[1:]))


def question(name: str, text: str = "") -> bytes:
    return json.dumps({"name": name, "text": text}).encode()


def test_page_and_its_module():
    page = ask(f"/{TOKEN}/")
    assert (page.status, "explorer.js" in page.body.decode()) == (200, True)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    script = ask(f"/{TOKEN}/explorer.js")
    assert (script.status, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


def test_choices_are_what_was_given_and_the_examples():
    choices = json.loads(ask(f"/{TOKEN}/api/choices").body)["choices"]
    assert choices[0] == {"name": "trace", "title": STORED.name, "kind": "run", "asks": False}
    assert {choice["kind"] for choice in choices[1:]} == {"example"}
    assert json.loads(ask(f"/{TOKEN}/api/first").body) == {"name": "trace", "text": ""}


@pytest.mark.parametrize("name", ["trace", "example hello"])
def test_trace_with_what_is_said_of_it(name: str, tmp_path: Path):
    answer = ask(f"/{TOKEN}/api/trace", body=question(name))
    about, weights, trace = struct.unpack("<3I", answer.body[:12])
    assert len(answer.body) == 12 + about + weights + trace
    assert json.loads(answer.body[12 : 12 + about])["findings"]
    (tmp_path / "a.safetensors").write_bytes(answer.body[12 + about + weights :])
    assert Trace.load(tmp_path / "a.safetensors").check().ok


@pytest.mark.parametrize(
    ("path", "headers", "status", "says"),
    [
        ("/", {}, 403, "lacks its token"),
        ("/wrong/api/choices", {}, 403, "lacks its token"),
        (f"/{TOKEN}x/", {}, 403, "lacks its token"),
        (f"/x/../{TOKEN}/", {}, 403, "lacks its token"),
        (f"/{TOKEN}/", {"host": "evil.example:8000"}, 421, "this machine's own name"),
        (f"/{TOKEN}/", {"host": "127.0.0.1.evil.example"}, 421, "this machine's own name"),
        (f"/{TOKEN}/", {"host": ""}, 421, "this machine's own name"),
        (f"/{TOKEN}/api/choices", {"origin": "http://evil.example"}, 403, "Another page asked"),
        (f"/{TOKEN}/api/choices", {"origin": "null"}, 403, "Another page asked"),
        (f"/{TOKEN}/explorer.js", {"sec_fetch_site": "cross-site"}, 403, "Another page asked"),
        (f"/{TOKEN}/../../etc/passwd", {}, 404, "nothing at this address"),
        (f"/{TOKEN}/api/../../pyproject.toml", {}, 404, "nothing at this address"),
        (f"/{TOKEN}/api/trace", {}, 404, "nothing at this address"),
    ],
)
def test_refusals(path: str, headers: dict[str, Any], status: int, says: str):
    answer = ask(path, **headers)
    assert (answer.status, says in answer.refused) == (status, True), answer.body
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("headers", [{"origin": "http://127.0.0.1:8000"}, {"host": "localhost:9"}])
def test_own_page_by_any_own_name_is_answered(headers: dict[str, Any]):
    assert ask(f"/{TOKEN}/api/choices", **headers).status == 200


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (question("../../etc"), 422, "must be one of the list; got '../../etc'"),
        (question("exmple hello"), 422, "Did you mean example hello?"),
        (b"{", 400, "JSON with a name and a text"),
        (b"[]", 400, "JSON with a name and a text"),
        (b'{"name": 1, "text": "a"}', 400, "JSON with a name and a text"),
        (b" " * (guard.LARGEST + 1), 413, "may have 1,000,000 bytes"),
    ],
)
def test_questions_that_are_none(body: bytes, status: int, says: str):
    answer = ask(f"/{TOKEN}/api/trace", body=body)
    assert (answer.status, says in answer.refused) == (status, True), answer.body


def test_question_that_hides_its_length_is_not_read_to_its_end():
    answer = ask(f"/{TOKEN}/api/trace", body=b" " * (3 * guard.LARGEST), content_length="5")
    assert answer.status == 413


@pytest.mark.parametrize(
    ("made", "error", "says"),
    [
        (lambda path: path.write_bytes(STORED.read_bytes()[:-1]), TraceError, "be complete"),
        (lambda path: path.write_bytes(LATER), TraceError, "version 1 or less; got 9"),
        (lambda path: path.write_text("no trace"), TraceError, "be complete"),
    ],
)
def test_damaged_trace_is_refused_in_words(tmp_path: Path, made: Any, error: type[Exception], says: str):
    made(tmp_path / "bad.safetensors")
    with pytest.raises(error, match=says):
        Choices(str(tmp_path / "bad.safetensors")).open("trace", "")
    answer = ask(f"/{TOKEN}/api/trace", given=str(tmp_path / "bad.safetensors"), body=question("trace"))
    assert (answer.status, says in answer.refused) == (422, True)


def test_names_that_are_not_there():
    with pytest.raises(RunError, match="nothing must be a run's folder"):
        Choices("nothing").all()
    with pytest.raises(OptionError, match="must be one of the list"):
        Choices().open("nothing", "")


def test_taken_port_is_said():
    listening = server._listen(0)
    with pytest.raises(UnavailableError, match="port must be free"):
        server._listen(listening.getsockname()[1])
    listening.close()


def test_command_serves_until_it_is_interrupted(tmp_path: Path):
    code = """
import http.client, os, signal, threading
import unrolled.explorer.server as server
real = server._listen
def listen(port):
    listening = real(port)
    def look():
        at = http.client.HTTPConnection(*listening.getsockname())
        at.request("GET", "/")
        print("status", at.getresponse().status, flush=True)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=look).start()
    return listening
server._listen = listen
from unrolled.cli import main
main(["explore", "--no-browser"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The explorer: http://127.0.0.1:")
    assert "status 403" in done.stdout
    assert done.stdout.endswith("The explorer has ended.\n")


def test_runs_are_opened_over_a_text(tmp_path: Path):
    model = unrolled.LanguageModel(hidden=8, batch=2, length=8, epochs=0.3, valid=0.2, test=0.2)
    model.fit("the sea, the wind and the sail; " * 20).save(tmp_path / "runs" / "sea")
    choices = Choices()
    choice = choices.all()["sea"]
    assert (choice.kind, choice.asks) == ("run", True)
    opened = choices.open("sea", "the wind")
    assert opened.weights is not None
    assert opened.trace.facts["model"]["run"] == "sea"
    assert opened.trace.facts["outputs"][opened.trace["ids"][0, 0]] == "t"
    assert choices.open("sea", "the sea").trace.tokens[0][-1] == "e"
    answer = ask(f"/{TOKEN}/api/trace", body=question("sea", "x"))
    assert (answer.status, "at least 2 tokens" in answer.refused) == (422, True)
