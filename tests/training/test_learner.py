"""A training taken apart and put together again goes on as if nothing had been."""

import numpy as np
import pytest
import torch

from unrolled.config import LanguageModelConfig, override
from unrolled.data import Streams
from unrolled.tasks.language_model import NextToken
from unrolled.training.learner import Learner
from unrolled.training.optimisation import rate
from unrolled.wirings import TokenModel

CONFIG = LanguageModelConfig(hidden=12, length=10, batch=4, clip=0.5)
IDS = np.random.default_rng(0).integers(0, 9, 1000).astype(np.uint8)


def learner(config: LanguageModelConfig) -> Learner[TokenModel]:
    streams = Streams(IDS, config.batch, config.length, config.carry, config.seed)
    made = Learner(NextToken(config, 9, streams))
    made.position.updates = 60
    return made


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"cell": "lstm", "layers": "2", "dropout_layers": "0.3", "dropout_input": "0.2"},
        {"cell": "rnn", "dropout_steps": "0.4", "average": "0.9", "optimiser": "adamw"},
        {"carry": "off", "optimiser": "sgd", "momentum": "0.9", "memoryless": "off"},
        {"tied": "on", "optimiser": "sgd", "schedule": "plateau", "dropout_output": "0.5"},
    ],
    ids=lambda fields: " ".join(fields) or "plain",
)
def test_what_is_restored_learns_on_to_the_bit(fields: dict[str, str]) -> None:
    config = override(CONFIG, fields)
    whole = learner(config)
    for _ in range(37):
        whole.step()
    kept = {name: tensor.clone() for name, tensor in whole.tensors().items()}
    facts = whole.facts()
    again = learner(config)
    again.restore(kept, facts)
    for _ in range(23):  # over the end of an epoch, at update 50
        assert whole.step() == again.step()
    for name, tensor in whole.tensors().items():
        assert torch.equal(tensor, again.tensors()[name]), name
    assert whole.facts() == again.facts()


def test_one_step_is_what_torch_makes_of_the_same_model() -> None:
    """The first updates, written plainly with torch.nn: loss, clipping, Adam, the state carried on."""
    config = override(CONFIG, {"schedule": "constant", "memoryless": "off"})
    ours = learner(config)
    weights = {n: w.clone() for n, w in ours.model.state_dict().items()}
    embedding, gru, head = torch.nn.Embedding(9, 12), torch.nn.GRU(12, 12), torch.nn.Linear(12, 9)
    for prefix, module in (("embedding.", embedding), ("layers.0.", gru), ("head.", head)):
        module.load_state_dict(
            {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
        )
    parameters = [*embedding.parameters(), *gru.parameters(), *head.parameters()]
    adam, h = torch.optim.Adam(parameters, config.learning_rate), None
    text = torch.from_numpy(IDS.astype(np.int64))
    steps = (len(IDS) - 1) // 4
    for update in range(5):
        begin = update * 10
        window = torch.stack([text[s * steps + begin : s * steps + begin + 11] for s in range(4)], 1)
        output, h = gru(embedding(window[:-1]), h)
        loss = torch.nn.functional.cross_entropy(head(output).flatten(0, 1), window[1:].flatten())
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        adam.step()
        h = h.detach()
        assert ours.step().loss == pytest.approx(loss.item(), rel=1e-5)


def test_without_carry_every_window_begins_at_zero() -> None:
    """The loss of a window does not depend on what came before it."""
    config = override(CONFIG, {"carry": "off", "learning_rate": "1e-30", "memoryless": "off"})
    made = learner(config)
    losses = [made.step().loss for _ in range(6)]
    alone = learner(config)
    alone.position.update = 5
    assert alone.step().loss == losses[5]


def test_the_average_follows_the_weights() -> None:
    made = learner(override(CONFIG, {"average": "0.5"}))
    expected = [w.detach().clone() for w in made.main.model.parameters()]
    for n in range(1, 6):
        made.step()
        decay = min(0.5, n / (n + 9))
        for mean, weight in zip(expected, made.main.model.parameters(), strict=True):
            mean.mul_(decay).add_(weight.detach(), alpha=1 - decay)
    for mean, weight in zip(expected, made.main.judged.parameters(), strict=True):
        torch.testing.assert_close(weight, mean)


def test_the_recipe_of_zaremba_halves_the_rate_after_the_fourth_epoch() -> None:
    """Zaremba et al. 2014, small model: rate 1, halved at every epoch after the fourth."""
    config = LanguageModelConfig(
        optimiser="sgd", learning_rate=1.0, schedule="decay", decay=0.5, decay_from=4
    )
    rates = [rate(config, epoch * 10 + 9, 130, 10) for epoch in range(13)]
    assert rates == [1, 1, 1, 1, *(0.5**k for k in range(1, 10))]


def test_the_rate_begins_at_its_full_size_and_ends_at_the_final_one() -> None:
    for schedule in ("cosine", "linear"):
        config = LanguageModelConfig(schedule=schedule, learning_rate=2.0, final_rate=0.1, warmup=4)
        rates = [rate(config, update, 104, 10) for update in range(105)]
        assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
        assert rates[4] == 2.0
        assert rates[104] == pytest.approx(0.2)
        assert sorted(rates[4:], reverse=True) == rates[4:]
