"""What Ctrl-C and SIGTERM ask of a training, which ends where it can be resumed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

SECONDS = 5.0
"""What SIGTERM leaves for saving, seconds; those who send it kill not long after."""

TERMINATED = 128 + signal.SIGTERM
"""The exit code of a process that SIGTERM ended, as a shell tells it."""


@contextmanager
def terminable() -> Generator[None]:
    """Makes an exception of SIGTERM, SystemExit with `TERMINATED`, so that what is half-done is cleared away.

    Only where nobody has a handler of their own: by itself the signal ends a process at once. Inside, an
    `Interruption` takes its place for as long as it lasts.
    """

    def end(*_: object) -> None:
        raise SystemExit(TERMINATED)

    in_main = threading.current_thread() is threading.main_thread()
    ours = in_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Interruption:
    """Signals turned into questions that a loop asks between two updates.

    Ctrl-C once: `to_stop`, for the loop to finish its update, evaluate and save. Ctrl-C again:
    KeyboardInterrupt at once. SIGTERM: `to_stop`, and `deadline` besides: only save. A signal that was
    ignored when the block began, as Ctrl-C is in a background job, stays ignored. Signals reach only Python's
    main thread; in another, nothing is ever asked.

    Example:
        >>> with Interruption() as asked:
        ...     for update in range(3):
        ...         if asked.to_stop:
        ...             break
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._signal: signal.Signals | None = None
        self._deadline: float | None = None

    @property
    def to_stop(self) -> bool:
        """Whether the loop is to end after this update."""
        return self._signal is not None

    @property
    def deadline(self) -> float | None:
        """When the loop must have saved, on the clock of `time.monotonic`; None if it has all its time."""
        return self._deadline

    @property
    def signal(self) -> signal.Signals | None:
        """The first signal that came."""
        return self._signal

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number, handler in ((signal.SIGINT, self._interrupt), (signal.SIGTERM, self._terminate)):
                before = signal.getsignal(number)
                if before not in (signal.SIG_IGN, None):  # None: not Python's, and could not be put back
                    self._before[number] = before
                    signal.signal(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def _interrupt(self, number: int, _: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)

    def _terminate(self, number: int, _: FrameType | None) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + SECONDS
        self._signal = self._signal or signal.Signals(number)
