"""The page that is shipped is the one that its sources make."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from unrolled.explorer import page

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
STATIC = ROOT / "src/unrolled/explorer/static"
BESIDE = ("package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.ts")
REBUILD = "the page was not built from these sources: make web builds it"
BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")

needs_node = pytest.mark.skipif(
    shutil.which("npm") is None or not (WEB / "node_modules").is_dir(),
    reason="Node.js or web/node_modules is not here; make web installs and runs these",
)


def digest() -> str:
    """The same digest as web/vite.config.ts writes beside what it builds."""
    files = [WEB / name for name in BESIDE] + [path for path in (WEB / "src").rglob("*") if path.is_file()]
    hasher = hashlib.sha256()
    for name in sorted(path.relative_to(WEB).as_posix() for path in files):
        hasher.update(f"{name}\n".encode() + (WEB / name).read_bytes())
    return hasher.hexdigest()


def test_page_is_built_from_these_sources():
    assert json.loads((STATIC / "build.json").read_text())["sources"] == digest(), REBUILD


def test_page_is_small_enough_to_travel():
    packed = len(gzip.compress(page.script().encode()))
    assert packed <= 250_000


def test_lock_names_no_registry():
    text = (WEB / "package-lock.json").read_text()
    assert '"resolved"' not in text


def test_web_sources_are_short():
    files = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    assert {path.name: n for path in files if (n := len(path.read_text().splitlines())) > 400} == {}


@needs_node
def test_page_s_own_tests():
    done = subprocess.run(["npx", "vitest", "run"], cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]


@needs_node
@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium is here (on Debian: apt install chromium-headless-shell)"
)
def test_page_in_a_browser():
    env = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(["npx", "playwright", "test"], cwd=WEB, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
