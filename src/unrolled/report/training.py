"""A training as a person sees it: the box before it, the bar and rows during it, the result beside baselines.

Progress goes to stderr, the result to stdout. Where stderr is no terminal, the same is said in plain lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from textwrap import indent
from time import monotonic
from typing import Self

from rich.box import ROUNDED
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from unrolled.metrics import bits
from unrolled.report.wording import clock, visible
from unrolled.tasks.base import Measure, Row, Terms

LIVE, LINES = 0.2, 5.0
"""Seconds between two pictures of the bar, and between two plain lines of progress."""

SAMPLES = 15.0
"""Seconds between two samples of text: now and then, not at every row of a quick training."""

WIDEST = 100
"""Columns of the bar and the box at most: the eye does not travel further."""

BAR = 20
"""Columns of the longest bar of the result."""

ROW = "{:>10}{:>9}{:>{wide}}{:>{wide}}{:>{wide}}{:>10}  "
"""An evaluation: update, epoch, loss in training, held out, the measure of the held-out part, time."""

WIDE = 14
"""Columns of a loss in it, unless its heading needs more."""

HEAD = ("update", "epoch", "training", "held out", "held out", "time")


@dataclass(frozen=True)
class Progress:
    """How a training goes.

    Units: ``loss`` as the task has it and ``clipped`` as a share of updates, both since the last report; time
    in seconds; ``rate`` is the learning rate, ``gradient_norm`` that before clipping.
    """

    update: int
    updates: int
    epoch: float
    epochs: float
    speed: float
    loss: float
    rate: float
    gradient_norm: float
    clipped: float
    seconds_left: float

    @property
    def share(self) -> float:
        """How much of the training is done."""
        return min(1.0, self.update / max(1, self.updates))


@dataclass(frozen=True)
class Evaluation:
    """Losses at one point of a training, and the measure that the task shows beside them.

    Units: as the task has them; ``train_loss`` is the mean since the last evaluation.
    """

    update: int
    epoch: float
    train_loss: float
    valid_loss: float
    measure: float
    best: bool


TOKENS = Terms("token", "nats a token", "tokens", Measure("bits", "bits a token", ".4f"))
"""The words of a training that has not said its own."""


class Display:
    """Shows a training as it goes; as a context it leaves the terminal in order, whatever happens.

    ``quiet`` leaves out all but the result; with ``json`` the result is left to whoever prints it as data.

    Example:
        >>> with Display(quiet=True) as display:
        ...     display.note("nobody sees this")
    """

    def __init__(
        self,
        quiet: bool = False,
        json: bool = False,
        progress: Console | None = None,
        results: Console | None = None,
    ) -> None:
        self.quiet, self.json = quiet, json
        self._progress = progress or Console(stderr=True, highlight=False)
        self._results = results or Console(highlight=False)
        self._live: Live | None = None
        self._has_head = False
        self._terms = TOKENS
        self._started = self._shown = monotonic()
        self._sampled = -inf
        self._pending: list[tuple[int, Progress]] = []
        self._update = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def is_live(self) -> bool:
        """Whether a bar can move."""
        return self._progress.is_terminal and not self._progress.is_dumb_terminal

    def reading(self, doing: str, characters: int) -> None:
        """Says how far a text is read that takes a while; `unrolled.data.Corpus.write` calls it."""
        if self.quiet or monotonic() - self._shown < (LIVE if self.is_live else LINES):
            return
        self._shown = monotonic()
        said = f"reading: {doing}, {characters:,} characters"
        if self.is_live:
            self._move(Text(f" {said}", style="dim"))
        else:
            self._say(said)

    def begin(
        self,
        facts: Sequence[tuple[str, str]],
        terms: Terms = TOKENS,
        title: str = "unrolled train lm",
        seconds: float = 0.0,
    ) -> None:
        """Shows the box: what is about to be trained, on what, how long, and where it is kept.

        ``seconds`` is how long it has been trained before.
        """
        self._stop()
        self._shown = monotonic()
        self._started = self._shown - seconds
        self._terms = terms
        if self.quiet:
            return
        if not self.is_live:
            width = max(len(name) for name, _ in facts)
            self._say("\n".join([title, *(f"  {name:{width}}  {value}" for name, value in facts)]))
            return
        grid = Table.grid(padding=(0, 3, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in facts:
            grid.add_row(name, Text(value))
        width = min(WIDEST, self._progress.width)
        box = Panel(grid, box=ROUNDED, title=f"[bold]{title}[/]", title_align="left", border_style="dim")
        self._progress.print(Padding(box, (1, 0)), width=width)

    def progress(self, p: Progress) -> None:
        """Moves the bar, or says a plain line; what comes too soon is added to the next that is shown."""
        if self.quiet:
            return
        self._pending.append((max(1, p.update - self._update), p))
        self._update = p.update
        if monotonic() - self._shown < (LIVE if self.is_live else LINES):
            return
        p, self._shown = mean(self._pending), monotonic()
        self._pending.clear()
        if self.is_live:
            self._move(picture(p, self._terms, min(WIDEST, self._progress.width)))
        else:
            done = f"{p.share:4.0%}  update {p.update:,} of {p.updates:,}"
            speed = f"{p.speed:,.0f} {self._terms.count}/s"
            self._say(f"{done}  {state(p, self._terms)}  {speed}  {clock(p.seconds_left)} left")

    def evaluation(self, e: Evaluation) -> None:
        """Adds a row of losses."""
        if self.quiet:
            return
        terms = self._terms
        wide = max(WIDE, *(len(heading) + 2 for heading in (terms.loss, terms.shown.heading)))
        if not self._has_head:
            per = ("", "", terms.loss, terms.loss, terms.shown.heading, "")
            heads = (ROW.format(*names, wide=wide).rstrip() for names in (HEAD, per))
            self._say(Text("\n".join(heads), "dim"))
            self._has_head = True
        row = ROW.format(
            f"{e.update:,}",
            f"{e.epoch:.2f}",
            f"{e.train_loss:.4f}",
            f"{e.valid_loss:.4f}",
            format(e.measure, terms.shown.form),
            clock(monotonic() - self._started),
            wide=wide,
        )
        self._say(Text.assemble(row, ("best", "green")) if e.best else row.rstrip())

    def sample(self, text: str, always: bool = False) -> None:
        """Shows text that the model wrote, unless some was just shown and this one need not be."""
        if not self.quiet and text and (always or monotonic() - self._sampled > SAMPLES):
            self._sampled = monotonic()
            written = visible(text).strip("\n")
            block = Padding(Text(written, "italic cyan"), (1, 4))
            self._say(block if self.is_live else f"\n{indent(written, '    ')}\n")

    def note(self, text: str) -> None:
        """Says something that one should know."""
        if not self.quiet:
            self._say(Text.assemble(("note: ", "yellow"), text))

    def say(self, text: str) -> None:
        """Shows a result that is a sentence."""
        self._stop()
        if not self.json:
            self._results.print(text, soft_wrap=True, markup=False)

    def result(
        self,
        title: str,
        rows: Sequence[Row],
        measures: Sequence[Measure],
        next_commands: Sequence[str] = (),
    ) -> None:
        """Shows the model (the first row) among the baselines, best first, and commands to go on with."""
        self._stop()
        if self.json:
            return
        out = self._results
        out.print(f"\n{title}", style="bold", soft_wrap=True)
        table = comparison(rows, measures)
        room = out.width - out.measure(table).maximum - 2
        out.print(comparison(rows, measures, min(BAR, room)) if room >= BAR // 3 else table)
        if next_commands:
            out.print("\nNext", style="bold")
            for command in next_commands:
                out.print(Text(f"  {command}"), soft_wrap=True)

    def _say(self, what: RenderableType) -> None:
        """Prints above the bar; plain lines are never wrapped."""
        self._progress.print(what, soft_wrap=not self.is_live, markup=False)

    def _move(self, what: RenderableType) -> None:
        """Shows a picture at the bottom, in place of the one before."""
        if not self._live:
            self._live = Live(console=self._progress, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(what, refresh=True)

    def _stop(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


def state(p: Progress, terms: Terms) -> str:
    """Loss, learning rate and gradient, in words."""
    loss = f"{p.loss:.3f} {terms.loss}"
    if terms.shown.key == "bits":
        loss = f"{p.loss:.3f} nats, {bits(p.loss):.3f} {terms.shown.heading}"
    return f"loss {loss}  rate {p.rate:.2g}  gradient {p.gradient_norm:.2g}, clipped {p.clipped:.0%}"


def picture(p: Progress, terms: Terms, width: int) -> RenderableType:
    """The bar, ``width`` columns wide, and below it the numbers."""
    epoch = f"epoch {p.epoch:.1f} of {p.epochs:.4g}"
    left = f"{p.share:.0%}  {p.speed:,.0f} {terms.count}/s  {clock(p.seconds_left)} left"
    bar = ProgressBar(total=1.0, completed=p.share, width=max(8, width - len(epoch) - len(left) - 6))
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_row(Text(f" {epoch}"), bar, Text(left))
    return Group(line, Text(f" {state(p, terms)}", style="dim", no_wrap=True, overflow="ellipsis"))


def comparison(rows: Sequence[Row], measures: Sequence[Measure], bar: int = 0) -> Table:
    """The rows, best first, the first given in bold; with a ``bar``, each has one, the longest that wide."""
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=True)
    table.add_column(no_wrap=True)
    if bar:
        table.add_column(no_wrap=True)
    tall = any("\n" in measure.heading for measure in measures)
    for measure in measures:
        head = measure.heading if "\n" in measure.heading or not tall else f"\n{measure.heading}"
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column()
    key = measures[0].key
    most = max((abs(known(row, key) or 0.0) for row in rows), default=0.0) or 1.0
    for row in ranked(rows, measures):
        style = "bold green" if row is rows[0] else ""
        line = "━" * max(1, round(bar * abs(known(row, key) or 0.0) / most))
        cells = (shown(known(row, measure.key), measure) for measure in measures)
        table.add_row(
            Text(row.name, style),
            *[Text(line, style or "dim")] * bool(bar),
            *(Text(cell, style) for cell in cells),
            Text(row.remark, "dim"),
        )
    return table


def ranked(rows: Sequence[Row], measures: Sequence[Measure]) -> list[Row]:
    """The rows, best first by the first measure; what lacks it comes last."""
    first = measures[0]

    def place(row: Row) -> tuple[bool, float]:
        value = known(row, first.key)
        return (True, 0.0) if value is None else (False, -value if first.higher else value)

    return sorted(rows, key=place)


def known(row: Row, key: str) -> float | None:
    """A value of a row, as far as there is a number for it."""
    value = row.values.get(key)
    return value if value is not None and isfinite(value) else None


def shown(value: float | None, measure: Measure) -> str:
    """A value as its measure shows it."""
    return "" if value is None else format(value, measure.form)


def mean(reports: Sequence[tuple[int, Progress]]) -> Progress:
    """The last of several reports, its loss, norm and share of clipped updates the means over all updates."""
    updates = sum(count for count, _ in reports)

    def over(name: str) -> float:
        return sum(count * getattr(p, name) for count, p in reports) / updates

    means = {name: over(name) for name in ("loss", "gradient_norm", "clipped")}
    return replace(reports[-1][1], **means)
