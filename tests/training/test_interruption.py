"""What a training is asked by signals, and that nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from unrolled.training.interruption import SECONDS, Interruption

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers_are_restored() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    after = [signal.getsignal(number) for number in SIGNALS]
    assert after == before
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def test_nothing_is_asked_at_first():
    with Interruption() as asked:
        assert (asked.to_stop, asked.deadline, asked.signal) == (False, None, None)


def test_control_c_asks_once_and_then_ends_at_once():
    with Interruption() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        assert (asked.to_stop, asked.deadline, asked.signal) == (True, None, signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_terminate_gives_a_deadline_that_a_second_one_does_not_move():
    with Interruption() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = asked.deadline
        assert asked.to_stop
        assert deadline
        assert 0 < deadline - time.monotonic() <= SECONDS <= 5
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.deadline == deadline
        assert asked.signal is signal.SIGTERM


def test_terminate_after_control_c_hurries_and_control_c_after_it_ends():
    with Interruption() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.deadline
        assert asked.signal is signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as asked:
            os.kill(os.getpid(), signal.SIGINT)
            assert not asked.to_stop
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_is_asked():
    answers: list[bool] = []

    def train() -> None:
        with Interruption() as asked:
            answers.append(asked.to_stop)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert answers == [False]


def test_handlers_are_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), Interruption():
        _ = 1 / 0


def test_a_process_ends_in_order():
    program = (
        "import time\n"
        "from unrolled.training.interruption import Interruption\n"
        "with Interruption() as asked:\n"
        "    print('ready', flush=True)\n"
        "    while not asked.to_stop:\n"
        "        time.sleep(0.01)\n"
        "    print(asked.signal.name)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "SIGTERM\n"
        assert process.wait() == 0
