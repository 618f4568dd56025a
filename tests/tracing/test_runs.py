"""A language model's run, traced over a text: the model's own numbers, with the tokens beside them."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from unrolled import LanguageModel
from unrolled.errors import DataError
from unrolled.traces import Trace
from unrolled.tracing import Keep, trace_run

TEXT = "to be, or not to be, that is the question. "


@pytest.fixture(scope="module", params=["rnn", "lstm", "gru"])
def model(request) -> LanguageModel:
    return LanguageModel(
        cell=request.param, layers=2, hidden=12, batch=2, length=8, epochs=0.5, memoryless=False
    ).fit(TEXT * 8)


def test_a_text_with_its_tokens(model: LanguageModel):
    trace = trace_run(model._fitted(), "to be or not", keep=("forward", "backward", "G"))
    assert trace.check().ok, str(trace.check())
    assert trace.tokens == [list("to␣be␣or␣no")]
    assert [(layer.name, layer.module) for layer in trace.layers] == [("l0", "layers.0"), ("l1", "layers.1")]
    np.testing.assert_allclose(trace["loss_t"].mean(), trace.facts["loss"], rtol=1e-6)
    np.testing.assert_allclose(trace.facts["loss"], model.evaluate("to be or not").nats, rtol=1e-5)
    np.testing.assert_allclose(trace["p"].sum(axis=2), 1, rtol=1e-5)
    assert trace.G.shape == (11, 11)
    assert not np.triu(trace.G, 1).any(), "nothing goes back to a step after its loss"


def test_the_itemised_matrix_is_that_of_each_tokens_own_surprise(model: LanguageModel):
    trace = trace_run(model._fitted(), "to be or not", keep="G")
    kept = model._fitted()
    ids = torch.from_numpy(kept.reader.look_up("to be or not")[0].astype(np.int64))[:, None]
    x = kept.model.embedding(ids[:-1])
    for layer in list(kept.model.layers)[:-1]:
        x = layer(x)[0]
    x.retain_grad()
    h = kept.model.layers[-1](x)[0]
    loss_t = cross_entropy(kept.model.head(h)[:, 0], ids[1:, 0], reduction="none") / len(h)
    for s in range(len(h)):
        # what reaches the layer below through the last one is all that it gets for its outputs
        (dx,) = torch.autograd.grad(loss_t[s], x, retain_graph=True)
        (dh,) = torch.autograd.grad(loss_t[s], h, retain_graph=True)
        assert trace.G[s, s] == pytest.approx(float(dh[s].norm()), rel=1e-5)
        assert trace.layers[0].G[s, s] == pytest.approx(float(dx[s].norm()), rel=1e-5)


def test_a_window_has_its_own_tokens(model: LanguageModel, tmp_path):
    trace = trace_run(model._fitted(), "to be or not", keep=Keep(steps=range(3, 8)))
    assert trace.tokens == [list("be␣or")]
    assert trace["ids"].shape == (5, 1)
    trace.save(tmp_path / "window.safetensors")
    assert Trace.load(tmp_path / "window.safetensors").tokens == trace.tokens


def test_too_short(model: LanguageModel):
    with pytest.raises(DataError, match="must have at least 2 tokens; got 1"):
        trace_run(model._fitted(), "t")
