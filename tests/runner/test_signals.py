"""Who hears signals, how often, and that everything is put back. Whole programs: tests/process."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from voicepipe.runner.signals import SIGNALS, listen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: no signals between processes")

SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM


def custom(number: int, frame: FrameType | None) -> None:
    """Somebody's own handler."""


def listening(listener: Callable[[signal.Signals], None]) -> Callable[[], None]:
    stop = listen(listener)
    assert stop is not None
    return stop


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def nothing(number: signal.Signals) -> None:
    """Hears, and does nothing."""


@pytest.fixture
def put_back() -> Iterator[None]:
    """For a test that installs handlers, or a wake-up descriptor, of its own."""
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGUSR1)}
    wakeup = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(wakeup)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def wakeup(put_back: None) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Somebody's wake-up descriptor, as an event loop with signal handlers has one."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno())
    yield ours, theirs
    for end in (ours, theirs):
        end.close()


def wakeup_now() -> int:
    now = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(now)
    return now


# -- who hears -----------------------------------------------------------------------------


def test_every_signal_is_heard_once_and_in_order() -> None:
    """Although it comes two ways: from C's handler, and from Python's."""
    heard: list[signal.Signals] = []
    stop = listening(heard.append)
    sent = [*SIGNALS, *SIGNALS, SIGINT]
    for number in sent:
        signal.raise_signal(number)
    stop()
    assert heard == sent


@pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: elsewhere a zeroed mutex is none")
def test_signals_are_heard_while_the_main_thread_is_in_c() -> None:
    """Three in a row, where Python's own handler would have run once, and later."""
    libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    heard: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
    in_time: list[signal.Signals] = []

    def send() -> None:
        try:
            for _ in range(3):
                os.kill(os.getpid(), SIGINT)
                in_time.append(heard.get(timeout=5))
        finally:
            libc.pthread_mutex_unlock(mutex)

    stop = listening(heard.put)
    libc.pthread_mutex_lock(mutex)
    sender = threading.Thread(target=send)
    sender.start()
    libc.pthread_mutex_lock(mutex)
    sender.join()
    stop()
    assert in_time == [SIGINT] * 3
    assert heard.empty()


def test_every_listener_hears_until_it_stops() -> None:
    first: list[signal.Signals] = []
    second: list[signal.Signals] = []
    stop_first, stop_second = listening(first.append), listening(second.append)
    signal.raise_signal(SIGTERM)
    wait_until(lambda: len(first) == len(second) == 1)
    stop_first()
    stop_first()  # twice is once
    signal.raise_signal(SIGINT)
    stop_second()
    assert (first, second) == ([SIGTERM], [SIGTERM, SIGINT])


def test_one_listener_may_listen_twice_over() -> None:
    """Two runs of one object: the first to stop leaves the second its ear."""
    heard: list[signal.Signals] = []
    stop_first, stop_second = listening(heard.append), listening(heard.append)
    stop_first()
    stop_first()
    signal.raise_signal(SIGTERM)
    stop_second()
    assert heard == [SIGTERM]


def test_off_the_main_thread_nobody_listens() -> None:
    answers: list[object] = []
    before = [signal.getsignal(number) for number in SIGNALS]
    thread = threading.Thread(target=lambda: answers.append(listen(nothing)))
    thread.start()
    thread.join()
    assert answers == [None]
    assert [signal.getsignal(number) for number in SIGNALS] == before


# -- handlers ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.default_int_handler, custom])
def test_handlers_are_put_back_as_they_were(put_back: None, number: signal.Signals, before: Any) -> None:
    signal.signal(number, before)
    first, second = listening(nothing), listening(nothing)
    assert signal.getsignal(number) is not before
    first()
    assert signal.getsignal(number) is not before
    second()
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_is_ignored_stays_ignored(put_back: None, number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
    heard: list[signal.Signals] = []
    stop = listening(heard.append)
    assert signal.getsignal(number) is signal.SIG_IGN
    signal.raise_signal(number)
    stop()
    assert signal.getsignal(number) is signal.SIG_IGN
    assert heard == []


def test_who_replaces_a_handler_meanwhile_keeps_it_and_its_signals(put_back: None) -> None:
    heard: list[signal.Signals] = []
    stop = listening(heard.append)
    signal.signal(SIGTERM, custom)
    signal.raise_signal(SIGTERM)
    signal.raise_signal(SIGINT)
    stop()
    assert signal.getsignal(SIGTERM) is custom
    assert heard == [SIGINT]


def test_a_signal_that_comes_while_the_last_listener_stops_is_not_lost(put_back: None) -> None:
    came_again: list[int] = []
    heard: list[signal.Signals] = []
    stopping = threading.Event()

    def listener(number: signal.Signals) -> None:
        if number is SIGTERM:
            stopping.wait(10)
            os.kill(os.getpid(), SIGINT)
        else:
            heard.append(number)

    signal.signal(SIGINT, lambda number, frame: came_again.append(number))
    stop = listening(listener)
    signal.raise_signal(SIGTERM)
    timer = threading.Timer(0.1, stopping.set)  # the main thread is in stop() by then
    timer.start()
    stop()
    timer.join()
    assert [*heard, *came_again] == [SIGINT]


# -- the wake-up descriptor ------------------------------------------------------------------


def test_the_wakeup_descriptor_is_put_back(wakeup: tuple[socket.socket, socket.socket]) -> None:
    stop = listening(nothing)
    assert wakeup_now() != wakeup[1].fileno()
    stop()
    assert wakeup_now() == wakeup[1].fileno()


def test_who_takes_the_wakeup_descriptor_meanwhile_keeps_it(put_back: None) -> None:
    heard: list[signal.Signals] = []
    stop = listening(heard.append)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        signal.raise_signal(SIGINT)
        stop()
        assert wakeup_now() == theirs.fileno()
        signal.set_wakeup_fd(-1)
    assert heard == [SIGINT], "Python's handler hears it all the same"


def test_a_wakeup_descriptor_that_was_closed_meanwhile_is_forgotten(put_back: None) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno())
    stop = listening(nothing)
    ours.close()
    theirs.close()
    stop()
    assert wakeup_now() == -1


def test_signals_of_others_are_passed_on_and_ours_are_not(
    wakeup: tuple[socket.socket, socket.socket],
) -> None:
    """An event loop with signal handlers of its own waits for them at its descriptor."""
    signal.signal(signal.SIGUSR1, custom)
    heard: list[signal.Signals] = []
    stop = listening(heard.append)
    for number in (SIGINT, signal.SIGUSR1, SIGTERM):
        signal.raise_signal(number)
    stop()
    assert wakeup[0].recv(16) == bytes([signal.SIGUSR1])
    assert heard == [SIGINT, SIGTERM]
