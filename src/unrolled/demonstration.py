"""Two character models of Python's own manual, one with our GRU, one with torch's, trained side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from math import log
from pydoc_data.topics import topics
from statistics import fmean
from time import perf_counter

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn.functional import cross_entropy

from unrolled import nn, timing
from unrolled.errors import OptionError

STEPS, BATCH, EMBEDDING, HIDDEN = 64, 16, 64, 128
LEARNING_RATE, CLIP = 3e-3, 1.0
ROWS = 12
"""Lines of the table, spread evenly over the time."""


@dataclass(frozen=True)
class Outcome:
    """How the two models ended.

    Units: losses in nats a character, means over the table's last line; speeds in characters a second.
    """

    updates: int
    characters: int
    loss_of_frequencies: float
    loss: float
    torch_loss: float
    largest_difference: float
    speed: float
    torch_speed: float
    ratio: timing.Ratio

    def __str__(self) -> str:
        return f"""
After {self.updates:,} updates on {self.characters:,} characters, in nats a character:
  knowing only how frequent each is   {self.loss_of_frequencies:.3f}
  the model with torch.nn.GRU         {self.torch_loss:.3f}
  the model with unrolled.nn.GRU      {self.loss:.3f}
The losses of the same update differed by {self.largest_difference:.1e} at most.
Training, with embedding, head and optimiser, ran at {self.ratio.median:.1f} times torch's speed
(half of the updates between {self.ratio.low:.1f} and {self.ratio.high:.1f}).

Next:
  unrolled bench --cell gru --T 200 --B 1 --H 128   the same question for a shape of yours
  unrolled doctor                                   what this installation runs on"""


class CharacterModel(torch.nn.Module):
    """Embedding, GRU, one logit a character; ``gru`` is ours or torch's."""

    def __init__(self, gru: torch.nn.Module, characters: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(characters, EMBEDDING)
        self.gru = gru
        self.head = torch.nn.Linear(HIDDEN, characters)

    def forward(self, ids: Tensor, h_0: Tensor | None) -> tuple[Tensor, Tensor]:
        """Reads on from ``h_0``.

        Shapes: ids [T, B], h_0 [1, B, H]; gives logits [T, B, characters] and h_n [1, B, H].
        """
        output, h_n = self.gru(self.embedding(ids), h_0)
        return self.head(output), h_n


class Training:
    """One model, its optimiser, the state it carries from window to window, and its clock."""

    def __init__(self, model: CharacterModel) -> None:
        self.model = model
        self.optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)
        self.h: Tensor | None = None
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def update(self, window: Tensor, begins: bool) -> None:
        """Truncated backpropagation through one window; the state is cleared where the text begins.

        Shapes: window [T+1, B]; all rows but the last are read, all but the first predicted.
        """
        start = perf_counter()
        logits, h_n = self.model(window[:-1], None if begins else self.h)
        loss = cross_entropy(logits.flatten(0, 1), window[1:].flatten())
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimiser.step()
        self.h = h_n.detach()
        self.losses.append(loss.item())
        self.seconds.append(perf_counter() - start)

    def loss(self, since: int) -> float:
        """Mean loss from update ``since`` on."""
        return fmean(self.losses[since:])

    def speed(self, since: int) -> float:
        """Characters a second from update ``since`` on."""
        return STEPS * BATCH / fmean(self.seconds[since:])


def run(seconds: float, seed: int) -> Outcome:
    """Trains both models in turn on the same windows for about ``seconds``, printing a table as it goes.

    Raises:
        OptionError: ``seconds`` is not above 0.
    """
    if not seconds > 0:
        raise OptionError("demo: seconds", "be above 0", seconds, "40 shows the losses well below the start.")
    ids, vocabulary = manual()
    ours, theirs = twins(len(vocabulary), seed)
    console = Console(highlight=False)
    console.print(f"Python's own manual: {len(ids):,} characters, {len(vocabulary)} different ones.")
    console.print("Two models, same first weights, same text. Loss in nats a character.\n")
    last = train(ours, theirs, windows(ids), seconds, console)
    return Outcome(
        updates=len(ours.losses),
        characters=len(ours.losses) * STEPS * BATCH,
        loss_of_frequencies=entropy(ids),
        loss=ours.loss(last),
        torch_loss=theirs.loss(last),
        largest_difference=max(abs(a - b) for a, b in zip(ours.losses, theirs.losses, strict=True)),
        speed=ours.speed(0),
        torch_speed=theirs.speed(0),
        ratio=timing.ratio(theirs.seconds, ours.seconds),
    )


def train(
    ours: Training, theirs: Training, text: Iterator[tuple[bool, Tensor]], seconds: float, console: Console
) -> int:
    """Trains until the time is up, with a bar where there is a terminal.

    Returns the update at which the table's last line begins.
    """
    columns = (BarColumn(), TimeRemainingColumn(), TextColumn("left"))
    console.print("    time  updates   loss: unrolled   torch   characters/s: unrolled    torch")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=seconds)
        start, since, rows = perf_counter(), 0, 0
        for begins, window in text:
            # who goes first changes with every update, so that neither always finds the window in the cache
            for training in (ours, theirs) if len(ours.losses) % 2 else (theirs, ours):
                training.update(window, begins)
            elapsed = perf_counter() - start
            bar.update(task, completed=elapsed)
            done = int(ROWS * elapsed / seconds)
            if done > rows:
                losses = f"{ours.loss(since):16.4f} {theirs.loss(since):7.4f}"
                speeds = f"{ours.speed(since):25,.0f} {theirs.speed(since):8,.0f}"
                bar.console.print(f"{elapsed:3.0f}/{seconds:3.0f}s {len(ours.losses):8,} {losses}{speeds}")
                if done >= ROWS and len(ours.losses) > 1:  # a ratio needs two pairs
                    break
                since, rows = len(ours.losses), done
    return since


def manual() -> tuple[Tensor, list[str]]:
    """The topics of ``pydoc`` as one text: the id of every character, and the characters."""
    text = "\n\n".join(topics[name] for name in sorted(topics))
    vocabulary = sorted(set(text))
    ids = {character: number for number, character in enumerate(vocabulary)}
    return torch.tensor([ids[character] for character in text]), vocabulary


def entropy(ids: Tensor) -> float:
    """Loss of guessing by frequency alone, in nats a character: what any model must beat."""
    shares = [n / len(ids) for n in Counter(ids.tolist()).values()]
    return -sum(share * log(share) for share in shares)


def windows(ids: Tensor) -> Iterator[tuple[bool, Tensor]]:
    """Cuts the text into parallel streams and reads them window by window, again and again.

    Gives whether the streams begin anew, and ids [T+1, B]; the last row is the next window's first.
    """
    streams = ids[: len(ids) // BATCH * BATCH].view(BATCH, -1).T.contiguous()
    while True:
        for start in range(0, len(streams) - STEPS, STEPS):
            yield start == 0, streams[start : start + STEPS + 1]


def twins(characters: int, seed: int) -> tuple[Training, Training]:
    """Two models with the same weights, the first with our GRU, the second with torch's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        theirs = CharacterModel(torch.nn.GRU(EMBEDDING, HIDDEN), characters)
    ours = deepcopy(theirs)
    ours.gru = nn.GRU(EMBEDDING, HIDDEN)
    ours.load_state_dict(theirs.state_dict())
    return Training(ours), Training(theirs)
