"""Pages and a server for the tests in a browser: ``python -m tests.explorer.pages FOLDER PORT``."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import uvicorn

import unrolled
from tests.explorer import golden
from tests.explorer.test_page import HOSTILE
from unrolled import nn
from unrolled.explorer import carried, page, server
from unrolled.explorer.choices import Choices
from unrolled.traces import Trace

TOKEN = "token-of-the-tests"


def write(folder: Path) -> None:
    """Writes a page of every stored trace, of a language model, of a long trace and of a hostile one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in golden.cases():
        page.write(folder / f"{name}.html", Trace.load(golden.FOLDER / f"{name}.safetensors"))
    model = unrolled.LanguageModel(
        hidden=12, embedding=6, batch=2, length=16, epochs=3.0, valid=0.1, test=0.1
    )
    model.fit('the sea, "the wind" and the sail;\n' * 30)
    traced = model.explain('the "wind" and the sea')
    page.write(folder / "text.html", traced, carried.weights(model._fitted()))
    hostile = {**traced.facts, "tokens": [[HOSTILE] * len(traced.tokens[0])], "model": {"name": HOSTILE}}
    hostile["outputs"] = [HOSTILE] * len(traced.facts["outputs"])
    hostile["left_out"] = {HOSTILE: HOSTILE}
    page.write(folder / "hostile.html", Trace(dict(traced.arrays), hostile))
    torch.manual_seed(0)
    long = unrolled.trace(
        nn.LSTM(8, 64), torch.randn(300, 1, 8), loss=lambda out: out[0].square().sum(), keep=golden.ALL
    )
    page.write(folder / "long.html", long)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    uvicorn.run(server.app(Choices(), None, TOKEN), port=int(sys.argv[2]), log_level="warning")
