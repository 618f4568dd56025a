"""What does a language model cost: a whole training step, and a token written?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.cases import Run
from benchmarks.measure import Setting, compare
from benchmarks.results import Limit, Row, Series
from unrolled.config import LanguageModelConfig
from unrolled.data import Streams
from unrolled.speed import using_threads
from unrolled.tasks import sampling
from unrolled.tasks.language_model import NextToken
from unrolled.training.learner import Learner
from unrolled.wirings import TokenModel

STEP = Series("language", "torch's time / ours, training step with data, loss, clipping and Adam")
TOKEN = Series("language", "torch's time / ours, a token written")

Cell = Literal["rnn", "gru", "lstm"]
CELLS: tuple[Cell, ...] = ("rnn", "gru", "lstm")

V = 65
"""Characters, as in tinyshakespeare."""

SIZES = ((128, 32, 64), (256, 32, 128), (512, 64, 128))
"""H, B, T."""

STEP_LIMITS = {"rnn": (2.5, 2.0, 1.3), "gru": (2.5, 2.0, 1.3), "lstm": (1.4, 1.3, 1.2)}
TOKEN_LIMIT = Limit(">=", 8.0)


class Plain(nn.Module):
    """The model as one writes it with torch.nn, with the same weights as ours."""

    def __init__(self, ours: TokenModel) -> None:
        super().__init__()
        sizes = ours.sizes
        layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[sizes.cell]
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.embedding)
        self.rnn = layer(sizes.embedding, sizes.hidden)
        self.head = nn.Linear(sizes.hidden, sizes.vocabulary)
        for module, name in ((self.embedding, "embedding"), (self.rnn, "layers.0"), (self.head, "head")):
            begin = name + "."
            weights = {n.removeprefix(begin): w for n, w in ours.state_dict().items() if n.startswith(begin)}
            module.load_state_dict(weights)

    def forward(self, ids: Tensor, state: object = None) -> tuple[Tensor, object]:
        """Shapes: ids ``[T, B]`` to logits ``[T, B, V]``."""
        output, state = self.rnn(self.embedding(ids), state)
        return self.head(output), state


def run(setting: Setting) -> Iterator[Row]:
    """Training steps of every size, then one stream of tokens."""
    for cell in CELLS:
        for (H, B, T), limit in zip(SIZES, STEP_LIMITS[cell], strict=True):
            yield _step(setting, cell, *((8, 4, 5) if setting.quick else (H, B, T)), Limit(">=", limit))
    for cell in CELLS:
        yield _token(setting, cell, 8 if setting.quick else 256, TOKEN_LIMIT if cell == "gru" else None)


def _step(setting: Setting, cell: Cell, H: int, B: int, T: int, limit: Limit) -> Row:
    """A text of chance, long enough that an epoch does not end while it is measured."""
    ids = np.random.default_rng(0).integers(0, V, 400 * B * T + 1).astype(np.uint8)
    config = LanguageModelConfig(
        cell=cell,
        hidden=H,
        batch=B,
        length=T,
        schedule="constant",
        memoryless=False,
    )
    with using_threads(setting.most_threads):
        learner = Learner(NextToken(config, V, Streams(ids, B, T)))
        plain = plain_step(Plain(learner.model), ids, config)
        compared = compare(setting, lambda: [np.float32(learner.step().loss)], {"torch": plain})
    place = (cell, f"H={H} B={B} T={T} V={V}", "training step", setting.most_threads)
    speed = B * T / np.median(compared.ours)
    return STEP.row(*place, compared.gain, limit, f"{compared}, {speed:,.0f} tokens/s")


def plain_step(model: Plain, ids: np.ndarray, config: LanguageModelConfig) -> Run:
    """The same updates as a user of torch writes them: streams as columns, the state detached."""
    B, T = config.batch, config.length
    steps = (len(ids) - 1) // B
    streams = torch.from_numpy(ids[: steps * B].reshape(B, steps).T.astype(np.int64)).contiguous()
    adam = torch.optim.Adam(model.parameters(), config.learning_rate)
    state: list[object] = [None]
    updates = count()

    def step() -> list[np.float32]:
        begin = next(updates) * T % (steps - T - 1)
        logits, after = model(streams[begin : begin + T], state[0])
        loss = cross_entropy(logits.flatten(0, 1), streams[begin + 1 : begin + T + 1].flatten())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        adam.step()
        state[0] = tuple(s.detach() for s in after) if isinstance(after, tuple) else after.detach()
        return [np.float32(loss.item())]

    return step


def _token(setting: Setting, cell: Cell, H: int, limit: Limit | None) -> Row:
    """A hundred tokens a call, one stream, drawn at temperature 1."""
    config = LanguageModelConfig(cell=cell, hidden=H)
    with using_threads(setting.most_threads):
        learner = Learner(NextToken(config, V, Streams(np.zeros(9999, np.uint8), 32, 128)))
        ours = learner.model.eval()
        written = sampling.tokens(sampling.Speaker(ours), sampling.Choice(), seed=0)
        plain = plain_tokens(Plain(ours).eval())
        contestants = {"torch": lambda: list(islice(plain, 100))}
        compared = compare(setting, lambda: list(islice(written, 100)), contestants, same=False)
    speed = 100 / np.median(compared.ours)
    place = (cell, f"H={H} V={V}, one stream", "generation", setting.most_threads)
    return TOKEN.row(*place, compared.gain, limit, f"100 tokens: {compared}, {speed:,.0f} tokens/s")


def plain_tokens(model: Plain) -> Iterator[int]:
    """Token after token as one writes it with torch.nn."""
    with torch.inference_mode():
        token, state = torch.zeros(1, 1, dtype=torch.int64), None
        while True:
            logits, state = model(token, state)
            token = torch.multinomial(torch.softmax(logits[0], -1), 1)
            yield int(token)
