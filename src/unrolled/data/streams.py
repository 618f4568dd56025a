"""Windows of a text of tokens, each found by the number of the update that reads it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unrolled.errors import DataError, OptionError


class Window(NamedTuple):
    """What one update reads.

    Shapes:
        ids: int64 ``[T+1, B]``, C-contiguous; row t is the input of step t and the target of step t-1.

    Attributes:
        begins: the states are to start at zero; otherwise they are those that the window before left.
    """

    ids: NDArray[np.int64]
    begins: bool


class Streams:
    """A text cut into windows of ``length`` steps, ``batch`` of them side by side.

    With ``carry``, the text is ``batch`` contiguous streams, read from their beginning in every epoch; the
    last window of an epoch may be shorter. Without, its windows come in an order drawn anew every epoch, and
    the few that do not fill a batch are left out of it. Which window an update reads follows from its number
    and the arguments alone, so a position in the data is one whole number.

    Shapes:
        ids: ``[N]``, any unsigned integers, also memory-mapped: only what a window needs is read.

    Cost:
        without ``carry``, 4 bytes a window of the text.

    Raises:
        DataError: the text is too short for one window of this batch.
        OptionError: a batch below 1 or a length below 0.
    """

    def __init__(
        self,
        ids: NDArray[np.unsignedinteger[Any]],
        batch: int,
        length: int,
        carry: bool = True,
        seed: int = 0,
    ) -> None:
        if batch < 1:
            raise OptionError("Streams: batch", "be at least 1", batch, "Take 1 for a single stream.")
        if length < 0:
            raise OptionError("Streams: length", "be at least 0", length, "Take 0 for the whole stream.")
        steps = (len(ids) - 1) // batch
        if steps < max(length, 1):
            raise _too_short(len(ids), batch, max(length, 1))
        self.ids, self.batch, self.length, self.carry, self.seed = ids, batch, length or steps, carry, seed
        self._steps = steps
        self._order: tuple[int, NDArray[np.uint32]] | None = None

    @property
    def updates_per_epoch(self) -> int:
        """How many windows of this batch an epoch has."""
        return -(-self._steps // self.length) if self.carry else self._windows // self.batch

    def window(self, update: int) -> Window:
        """The window that update number ``update``, from 0, reads."""
        epoch, number = divmod(update, self.updates_per_epoch)
        if self.carry:
            begin = number * self.length
            starts = begin + self._steps * np.arange(self.batch)
            steps = min(self.length, self._steps - begin)
        else:
            chosen = self._shuffled(epoch)[number * self.batch : (number + 1) * self.batch]
            starts = chosen.astype(np.int64) * self.length
            steps = self.length
        ids = self.ids[starts + np.arange(steps + 1)[:, None]]
        return Window(ids.astype(np.int64, order="C"), begins=number == 0 or not self.carry)

    @property
    def _windows(self) -> int:
        return (len(self.ids) - 1) // self.length

    def _shuffled(self, epoch: int) -> NDArray[np.uint32]:
        """The windows of the text in the order of an epoch, kept until another one is asked for."""
        if self._order is None or self._order[0] != epoch:
            order = np.arange(self._windows, dtype=np.uint32)
            np.random.default_rng([self.seed, epoch]).shuffle(order)
            self._order = epoch, order
        return self._order[1]


def _too_short(tokens: int, batch: int, length: int) -> DataError:
    batches, lengths = (tokens - 1) // length, (tokens - 1) // batch
    fixes = [f"--batch {batches}" if batches > 0 else "", f"--length {lengths}" if lengths > 0 else ""]
    return DataError(
        "Streams: the text",
        f"have at least batch * length + 1 = {batch * length + 1} tokens",
        tokens,
        " or ".join(["Take more text", *filter(None, fixes)]) + ".",
    )
