"""Polyphonic music as a task: which of a piano's keys sound next, each of them by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from unrolled import storage
from unrolled.config.notes import NotesConfig
from unrolled.data import formats, parts, same
from unrolled.data.formats import Options
from unrolled.data.formats.notes import KEYS, LOWEST
from unrolled.data.ragged import Ragged
from unrolled.data.report import DataReport
from unrolled.data.splits import PARTS
from unrolled.data.tables import Table
from unrolled.errors import DataError, RunError
from unrolled.tasks.base import (
    Card,
    Carried,
    Kept,
    Measure,
    Row,
    Score,
    Step,
    Terms,
    Watched,
    parameters,
)  # fmt: skip
from unrolled.tasks.examples import Batch, Examples, ExamplesTask, OverExamples, Prepared
from unrolled.wirings import Dropouts, Features, ManyToMany, Recurrence

PART = "part"
"""The column that says of which part a piece is, where the file says it."""

USES = {"train": "learn from", "valid": "choose the best weights", "test": "judge"}

WATCHED = 64
"""Steps on which gradients are looked at, at most."""

NATS = Measure("nats", "nats\na step")
ACCURACY = Measure("accuracy", "notes\nright", ".3f", higher=True)


@dataclass(frozen=True)
class Keyboard:
    """Which keys are read: all that a piano has; and how often each sounds, from which the learning sets out.

    Attributes:
        often: the share of steps at which each key sounds in training.
        lowest: the MIDI number of the lowest.
    """

    often: tuple[float, ...]
    lowest: int = LOWEST

    @property
    def keys(self) -> int:
        """How many there are."""
        return len(self.often)

    @classmethod
    def fit(cls, examples: Examples) -> Keyboard:
        """Counts the keys to be foretold, each once more and once less than they are there."""
        return cls(tuple(shares_of(_column(examples, "y").values).tolist()))

    def save(self, path: Path) -> None:
        """Writes it as JSON; raises StorageError."""
        facts = {"reads": "notes", "lowest": self.lowest, "often": self.often}
        storage.write(path, json.dumps(facts) + "\n")

    @classmethod
    def load(cls, path: Path) -> Keyboard:
        """Reads what `save` wrote.

        Raises:
            RunError: the file is missing or damaged.
        """
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(map(float, facts["often"])), int(facts["lowest"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            fix = "Take it from the run it belongs to, or train anew."
            raise RunError(str(path), "say which keys are read", error, fix) from error


class Transposed(OverExamples[ManyToMany]):
    """Batches whose pieces are shifted, all by as many semitones, drawn anew for each and each epoch."""

    def batch(self, update: int) -> Batch:
        """The batch; a window of pieces is shifted as those before it."""
        batch, most = super().batch(update), self.config.transpose
        if not most:
            return batch
        epoch = update // self.updates_per_epoch
        by = int(
            np.random.default_rng([self.config.seed, epoch, int(batch.rows[0])]).integers(-most, most + 1)
        )
        return batch._replace(columns={name: shifted(keys, by) for name, keys in batch.columns.items()})


class Music(ExamplesTask[ManyToMany]):
    """A model of music as a task.

    Columns of a part: ``x``, the keys that sound at each step but the last; ``y``, at each but the first.
    """

    ALIGNED: ClassVar[tuple[str, ...]] = ("x", "y")
    CARD: ClassVar[Card] = Card(
        pipeline="other",
        tag="music",
        sentence="A recurrent model of polyphonic music ({cell}): which keys sound next",
        commands="unrolled evaluate {run} FILE\nunrolled predict {run} FILE",
        python='model = unrolled.NoteModel.load("{run}")\nprint(model.predict([[[60, 64], [60, 65]]]))',
        limits="It knows music like that it was trained on. It says of each key by itself how likely it is: "
        "drawn so,\nthe keys of a step need not go together.",
    )

    def __init__(self, config: NotesConfig, prepared: Prepared) -> None:
        super().__init__(config, prepared)
        self.measures = (NATS, ACCURACY)
        self.terms = Terms("step", "nats a step", "steps", ACCURACY._replace(heading="notes right"))

    @classmethod
    def prepare(
        cls,
        config: NotesConfig,
        heard: Callable[[str, int], None],
        given: Mapping[str, Table] | None = None,
    ) -> Prepared:
        """Reads the pieces, or takes those ``given`` by part.

        Raises:
            DataError: files that cannot be read, or have no pieces; a piece of fewer than two steps.
        """
        tables = _parted(config, given)
        for part, table in tables.items():
            heard(part, len(table))
        report = DataReport.of(tables, "x").data()
        made = {part: examples(table) for part, table in tables.items()}
        return Prepared(made, Keyboard.fit(made["train"]), report)

    @classmethod
    def load_reader(cls, path: Path) -> Keyboard:
        """Which keys are read."""
        return Keyboard.load(path)

    @classmethod
    def build(cls, config: NotesConfig, reader: Keyboard) -> ManyToMany:
        """A network over these keys, which at first says of each how often it sounds."""
        recurrence = Recurrence(config.cell, config.layers, config.hidden, order=config.order)
        dropouts = Dropouts(
            config.dropout_input, config.dropout_layers, config.dropout_steps, config.dropout_output
        )
        model = ManyToMany(Features(reader.keys), recurrence, reader.keys, dropouts)
        with torch.no_grad():
            model.head.bias.copy_(torch.logit(torch.tensor(reader.often)))
        return model

    @classmethod
    def description(cls, config: NotesConfig, reader: Keyboard, model: ManyToMany) -> dict[str, Any]:
        """Type and sizes."""
        return {
            "model_type": "unrolled-notes",
            "lowest": reader.lowest,
            "keys": reader.keys,
            "cell": config.cell,
            "layers": config.layers,
            "hidden": config.hidden,
            "parameters": parameters(model),
        }

    @classmethod
    def described(cls, kept: Kept) -> list[tuple[str, str]]:
        """Task, network, parameters."""
        config = kept.config
        layers = f"{config.layers} layer{'s' * (config.layers > 1)} of {config.hidden}"
        return [
            ("task", "music: which keys sound next"),
            ("model", f"{config.cell_in_words}, {layers}, {kept.reader.keys} keys"),
            ("parameters", f"{parameters(kept.model):,}, the same at any length"),
        ]

    @classmethod
    def rehearse(cls, kept: Kept) -> None:
        """Reads two steps of silence."""
        probabilities(kept, Ragged.of([np.zeros((2, kept.reader.keys), np.uint8)]))

    def about(self, model: ManyToMany) -> list[tuple[str, str]]:
        """Task, data, split, network, parameters."""
        uses = [
            f"{len(_column(self.parts[part], 'x').values):,} steps of "
            f"{len(_column(self.parts[part], 'x')):,} pieces to {use}"
            for part, use in USES.items()
            if self.has(part)
        ]
        task, *rest = self.described(Kept(model, self.reader, self.config, {}))
        data = ("data", " ".join(self.config.sources) or "given in Python")
        return [task, data, ("split", ", ".join(uses)), *rest]

    def loss(self, model: ManyToMany, batch: Batch, carried: Carried, generator: torch.Generator) -> Step:
        """The mean over real steps of what all keys together surprise."""
        x, y = batch.columns["x"].float(), batch.columns["y"].float()
        logits, after = model.go_on(x, carried, lengths=batch.lengths, reset=batch.reset, generator=generator)
        real = torch.arange(len(y))[:, None] < batch.lengths
        loss = surprise(logits, y)[real].mean()
        return Step(loss, int(batch.lengths.sum()), after if self.config.length else None)

    def answers(self, model: ManyToMany, batch: Batch) -> tuple[float, NDArray[np.int64]]:
        """The summed loss of the real steps; and of the notes how many are right, and right or wrong."""
        x, y = batch.columns["x"].float(), batch.columns["y"]
        logits = model(x, lengths=batch.lengths, reset=batch.reset)
        real = torch.arange(len(y))[:, None] < batch.lengths
        nats = float(surprise(logits, y.float())[real].double().sum())
        return nats, notes_right(y[real].numpy() > 0, logits[real].numpy() > 0)

    def score(self, part: str, answered: list[tuple[Batch, Any]]) -> Score:
        """Nats a step, and the share of notes that is right."""
        nats = sum(nats for _, (nats, _) in answered) / len(_column(self.parts[part], "y").values)
        counts = np.sum([counts for _, (_, counts) in answered], axis=0)
        return Score(nats, {"nats": nats, "accuracy": counts[0] / max(1, counts[1])})

    def baselines(self) -> list[Row]:
        """How often each key sounds; and the last step again, as often as keys go on and begin."""
        x, y = (_column(self.parts["train"], name).values > 0 for name in ("x", "y"))
        before, after = (_column(self.parts["test"], name).values > 0 for name in ("x", "y"))
        often = shares_of(y)
        goes_on, begins = ((y[x == was].sum() + 1) / ((x == was).sum() + 2) for was in (True, False))
        return [
            _row("the last step again", np.where(before, goes_on, begins), after, "as often as keys go on"),
            _row("how often each key sounds", np.broadcast_to(often, after.shape), after),
        ]

    def watched(self) -> Watched:
        """The first steps of a held-out piece."""
        x, y = (_column(self.parts["valid"], name)[0][:WATCHED, None] for name in ("x", "y"))
        target = torch.from_numpy(y.astype(np.float32))
        read = torch.from_numpy(x.astype(np.float32))
        return Watched(read, lambda logits: surprise(logits, target).mean())

    def _objective(self, examples: Examples) -> OverExamples[ManyToMany]:
        made = super()._objective(examples)
        return Transposed(self.config, examples, made.model, self.loss, self.READ, self.ALIGNED)


def surprise(logits: Tensor, keys: Tensor) -> Tensor:
    """-log p of what sounds and of what does not, summed over the keys.

    Shapes:
        logits, keys: ``[T, B, 88]``; gives ``[T, B]``.

    Units: nats.
    """
    return binary_cross_entropy_with_logits(logits, keys, reduction="none").sum(-1)


def notes_right(true: NDArray[np.bool], said: NDArray[np.bool]) -> NDArray[np.int64]:
    """How many notes are in both, and how many in either.

    Shapes:
        true, said: ``[N, 88]``.
    """
    return np.array([(true & said).sum(), (true | said).sum()], np.int64)


def shares_of(keys: NDArray[Any]) -> NDArray[np.float64]:
    """At which share of the steps each key sounds, counted once more and once less than it does.

    Shapes:
        keys: ``[N, 88]``; gives ``[88]``.
    """
    return ((keys > 0).sum(0) + 1) / (len(keys) + 2)


def shifted(keys: Tensor, by: int) -> Tensor:
    """Keys by so many semitones higher; what leaves the piano is no more to be heard.

    Shapes:
        keys: ``[..., 88]``; gives the same.
    """
    moved = torch.roll(keys, by, -1)
    if by:
        moved[..., slice(0, by) if by > 0 else slice(by, None)] = 0
    return moved


def examples(table: Table) -> Examples:
    """Each piece without its last step, and without its first.

    Raises:
        DataError: a piece of fewer than two steps.
    """
    x = table["x"]
    assert isinstance(x, Ragged)
    for row, steps in enumerate(x.lengths.tolist()):
        if steps < 2:
            fix = "Leave such a piece out."
            raise DataError(table.where(row), "have at least 2 steps, one to foresee", steps, fix)
    return {"x": Ragged.of([piece[:-1] for piece in x]), "y": Ragged.of([piece[1:] for piece in x])}


def read(config: NotesConfig, sources: tuple[str, ...]) -> Table:
    """The pieces of files.

    Raises:
        DataError: they cannot be read, or hold something else.
    """
    table = formats.read(sources, "json", Options(config.encoding))
    x = table.columns.get("x")
    if not isinstance(x, Ragged) or x.values.shape[1:] != (KEYS,):
        fix = "Write a list of pieces, each a list of steps, each a list of MIDI notes: [[[60, 64], [62]]]."
        raise DataError(" ".join(sources), "hold pieces of music", "other JSON", fix)
    return table


def probabilities(kept: Kept, pieces: Ragged) -> list[NDArray[np.float32]]:
    """How likely each key sounds after each step of each piece, ``[T, 88]``."""
    with torch.inference_mode():
        return [
            torch.sigmoid(kept.model(torch.from_numpy(piece.astype(np.float32))[:, None]))[:, 0].numpy()
            for piece in pieces
        ]


def values(shares: NDArray[np.float64], keys: NDArray[np.bool]) -> dict[str, float]:
    """What the probability of each key is worth, by the measure's key.

    Shapes:
        shares, keys: ``[N, 88]``.
    """
    of_truth = np.maximum(np.where(keys, shares, 1 - shares), np.finfo(np.float32).tiny)
    right, either = notes_right(keys, shares > 0.5)
    return {"nats": float(-np.log(of_truth).sum(-1).mean()), "accuracy": float(right / max(1, either))}


def _parted(config: NotesConfig, given: Mapping[str, Table] | None) -> dict[str, Table]:
    """The pieces of each part: given, in files, as the file names its parts, or drawn by the seed."""
    if given:
        found = dict(given)
    else:
        named = {"train": config.sources, "valid": config.valid_sources, "test": config.test_sources}
        found = {part: read(config, sources) for part, sources in named.items() if sources}
    whole = found["train"]
    missing = [part for part in PARTS if part not in found and not (given and part == "test")]
    if not missing:
        return found
    split = config.split or (PART if PART in whole.columns else "")
    if split:
        rows = parts.by_column(whole, split)
        for part in missing:
            if part not in rows:
                fix = f"Name some so, or give files: --{part}-sources."
                raise DataError(f'column "{split}"', f"name pieces of the {part} part", "none", fix)
    elif config.group:
        shares = {part: getattr(config, part) for part in missing}
        rows = parts.by_group(whole.labels(config.group), shares, config.seed)
    else:
        shares = {part: getattr(config, part) for part in missing}
        rows = parts.by_share(len(whole), shares, config.seed, same=same.numbered([whole["x"]])[0])
    cut = {part: whole.take(rows[part]) for part in ("train", *missing)}
    return {part: table for part in PARTS if (table := cut.get(part, found.get(part))) is not None}


def _column(examples: Examples, name: str) -> Ragged:
    column = examples[name]
    assert isinstance(column, Ragged)
    return column


def _row(name: str, shares: NDArray[np.float64], keys: NDArray[np.bool], remark: str = "") -> Row:
    return Row(name, {**values(shares, keys)}, remark)
