"""Everything unrolled raises, in one tree, and the one way it says a note.

    UnrolledError
    ├── ShapeError         (ValueError)      an array has another rank or size
    ├── DtypeError         (TypeError)       an array has another dtype, or is no array
    ├── OptionError        (ValueError)      a name, number or combination that is not offered
    ├── LengthsError       (ValueError)      lengths that the batch cannot have
    ├── NonFiniteError     (ValueError)      NaN or infinity where a check was asked for
    ├── NotKeptError       (AttributeError)  a tape without the array that is asked of it
    ├── NotFittedError     (ValueError)      a model is used before it has weights
    ├── DataError          (ValueError)      data that cannot be read, or are too few for what is asked
    ├── RunError           (ValueError)      a folder that is no run, or a run whose files do not go together
    ├── TraceError         (ValueError)      a file that is no trace, or a damaged one, or of a later version
    ├── StorageError       (OSError)         what was to be kept could not be written
    └── UnavailableError   (RuntimeError)    this build or this machine cannot do it

Each also derives from Python's own class in brackets, so that ``except ValueError`` works.
"""

from __future__ import annotations

import difflib
import functools
import logging
from collections.abc import Iterable


class UnrolledError(Exception):
    """A mistake that unrolled noticed, said as ``<where>: <name> must <rule>; got <what>. <fix>``.

    Example:
        >>> print(UnrolledError("unroll.forward: x", "have 3 axes", "2", "Add one: x[:, None]."))
        unroll.forward: x must have 3 axes; got 2. Add one: x[:, None].
    """

    def __init__(self, subject: str, rule: str, got: object, fix: str) -> None:
        super().__init__(subject, rule, got, fix)
        self.subject, self.rule, self.got, self.fix = subject, rule, got, fix

    def __str__(self) -> str:
        return f"{self.subject} must {self.rule}; got {self.got}. {self.fix}"


class ShapeError(UnrolledError, ValueError):
    """An array has another rank or size than its place in the notation asks for."""


class DtypeError(UnrolledError, TypeError):
    """An array has another dtype than the rest, or is no array; nothing is cast silently."""


class OptionError(UnrolledError, ValueError):
    """A name, a number or a combination that is not offered."""


class LengthsError(UnrolledError, ValueError):
    """Lengths that the batch cannot have."""


class NonFiniteError(UnrolledError, ValueError):
    """NaN or infinity where a check was asked for."""


class NotKeptError(UnrolledError, AttributeError):
    """A tape is asked for an array that was not kept when it was recorded."""


class NotFittedError(UnrolledError, ValueError):
    """A model is used before it has weights."""


class DataError(UnrolledError, ValueError):
    """Data that cannot be read, or are too few for what is asked."""


class RunError(UnrolledError, ValueError):
    """A folder that is no run, or a run whose files are damaged or do not go together."""


class TraceError(UnrolledError, ValueError):
    """A file that is no trace, or is damaged, or of a later version."""


class StorageError(UnrolledError, OSError):
    """What was to be kept could not be written."""


class UnavailableError(UnrolledError, RuntimeError):
    """This build or this machine cannot do what was asked for."""


def nearest(name: str, offered: Iterable[str]) -> str:
    """A sentence that names what ``name`` was probably meant to be, or all that is offered.

    Example:
        >>> nearest("gru_reset", ["rnn_tanh", "lstm", "gru_reset_before"])
        'Did you mean gru_reset_before?'
    """
    offered = list(offered)
    close = difflib.get_close_matches(name, offered, n=1)
    return f"Did you mean {close[0]}?" if close else f"Offered: {', '.join(offered)}."


@functools.cache
def note(sentence: str) -> None:
    """Says ``note: <sentence>`` through the logger ``unrolled``, once in a process.

    Example:
        >>> note("the reference runs, because this cell has no compiled version")
    """
    logging.getLogger("unrolled").warning("note: %s", sentence)
