"""Frames, rows of measurements with a label each, as numbers."""

from __future__ import annotations

from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from unrolled import storage
from unrolled.config.tag import TagConfig
from unrolled.data.labels import Labels
from unrolled.data.ragged import Ragged
from unrolled.data.tables import Table
from unrolled.errors import DataError
from unrolled.tasks.examples import Examples
from unrolled.tasks.tag.sources import Columns, labels_of


class Frames(Struct, frozen=True, tag="frames", tag_field="reads", dict=True, kw_only=True):
    """What turns measurements into numbers, and numbers into labels.

    Attributes:
        label, sequence, time, features: the columns they were read from; no features where these lack names.
        mean, scale: of each feature in training; 0 and 1 where each sequence has its own.
        own: each sequence is normalised by its own mean and scale, as of another person or another sensor.
        missing: the features, from 0, that have missing values in training.
        labels: by number.
        bidirectional: the network reads in both directions.
    """

    label: str
    sequence: str
    time: str
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    own: bool
    missing: tuple[int, ...]
    labels: tuple[Any, ...]
    bidirectional: bool

    @classmethod
    def fit(cls, config: TagConfig, columns: Columns, tables: dict[str, Table], labels: Labels) -> Frames:
        """The reader of a config for the frames to learn from.

        Raises:
            DataError: a feature without any value.
        """
        own = config.normalise == "sequence"
        train = tables["train"]
        x = steps(train, own)
        empty = np.flatnonzero(np.isnan(x.values).all(0))
        if len(empty):
            name = columns.features[empty[0]] if columns.features else f"{empty[0] + 1}"
            fix = "Leave it out: name the others with --features."
            raise DataError(f'feature "{name}"', "have a value in the train part", "none", fix)
        mean, scale = ([0.0] * x.values.shape[1], [1.0] * x.values.shape[1]) if own else _moments(x.values)
        return cls(
            label=columns.label,
            sequence=columns.sequence,
            time=columns.time,
            features=columns.features,
            mean=tuple(mean),
            scale=tuple(scale),
            own=own,
            missing=tuple(np.flatnonzero(np.isnan(x.values).any(0)).tolist()),
            labels=labels.names,
            bidirectional=config.bidirectional == "on",
        )

    @cached_property
    def classes(self) -> Labels:
        """The labels, which know their numbers."""
        return Labels(self.labels)

    @property
    def columns(self) -> Columns:
        """Which columns the measurements and labels of a table are in."""
        return Columns("frames", "", self.label, self.sequence, self.time, self.features)

    def examples(self, table: Table) -> Examples:
        """Sequences and their labels as numbers.

        Raises:
            DataError: a label that is not among those learned, or another number of features.
        """
        places = [
            f"{table.where(row)}, frame {number}"
            for row, labels in enumerate(labels_of(table))
            for number in range(1, len(labels) + 1)
        ]
        x = steps(table, self.own)
        if x.values.shape[1] != len(self.mean):
            fix = "Give the features that it was trained on, in their order."
            raise DataError(table.where(0), f"have {len(self.mean)} features", x.values.shape[1], fix)
        y = self.classes.numbers(list(chain.from_iterable(labels_of(table))), places)
        return {"x": x, "y": Ragged(y.astype(np.int32), x.starts)}

    def save(self, path: Path) -> None:
        """Writes it as JSON.

        Raises:
            StorageError: the file cannot be written.
        """
        storage.write(path, msgspec.json.format(msgspec.json.encode(self), indent=0).decode())


def steps(table: Table, own: bool = False) -> Ragged:
    """The sequences of a table, of at least one feature, in float64; each by its ``own`` mean and scale."""
    x = table["x"]
    assert isinstance(x, Ragged)
    return features(x, own)


def features(x: Ragged, own: bool = False) -> Ragged:
    """Sequences in float64, with an axis of features; each by its ``own`` mean and scale, if these are meant.

    Shapes:
        x: ``[N]`` or ``[N, ...]``; gives ``[N, I]``.
    """
    values: NDArray[np.float64] = x.values.astype(np.float64).reshape(len(x.values), -1)
    for a, b in pairwise(x.starts.tolist()) if own else ():
        mean, scale = _moments(values[a:b])
        values[a:b] = (values[a:b] - mean) / scale
    return Ragged(values, x.starts)


def _moments(values: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Mean and scale of each feature of some frames; scale 1 where it never changes, or has no value."""
    there = ~np.isnan(values)
    count = np.maximum(1, there.sum(0))
    mean = np.where(there, values, 0.0).sum(0) / count
    scale = np.sqrt((np.where(there, values - mean, 0.0) ** 2).sum(0) / count)
    return mean.tolist(), np.where(scale > 0, scale, 1.0).tolist()
