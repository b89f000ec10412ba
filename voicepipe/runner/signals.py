"""SIGINT, SIGTERM and SIGHUP, with one owner for any number of runs.

Handlers are plain `signal.signal` ones, the same on every system: `add_signal_handler`
does not exist on Windows, and its removal destroys the handlers that were there before.
They are installed for the first listener and put back as they were after the last.

A thread does the hearing, because Python runs a handler only when the main thread comes
back from C, if it ever does, and once for however many signals came meanwhile. What
C's own handler writes to the wake-up descriptor reaches the thread at once. Only code that
keeps the interpreter lock for ever makes it deaf too; Ctrl-\\ (SIGQUIT) ends such a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

__all__ = ["SIGNALS", "Listener", "listen", "owner_of", "signals_without_owner"]

SIGNALS: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals that stop a program; Windows has no SIGHUP."""

Listener = Callable[[signal.Signals], None]
"""Called once for every signal, in the hearing thread: must be quick, and must not raise."""

_BY_PYTHON = 0x80
"""Marks a byte that Python's handler wrote; no signal has so high a number."""

_listeners: dict[object, tuple[Listener, tuple[signal.Signals, ...]]] = {}
_ear: _Ear | None = None


def signals_without_owner() -> tuple[signal.Signals, ...]:
    """Return the signals for which nobody else in the program has a handler: a server, say, or a loop.

    Python's own handlers do not count, nor does the one that `asyncio.run` installs for SIGINT. SIGHUP
    goes with SIGTERM: a server that handles one of them ends the program in its own way.
    """
    free = tuple(number for number in SIGNALS if not owner_of(number))
    return free if signal.SIGTERM in free else tuple(n for n in free if n is signal.SIGINT)


def owner_of(number: signal.Signals) -> str:
    """Return the name of the handler that somebody else installed for a signal, or ""."""
    handler = signal.getsignal(number)
    if handler in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler, _handle, None):
        return ""
    function = getattr(handler, "func", handler)  # asyncio.run installs a partial
    if isinstance(getattr(function, "__self__", None), asyncio.Runner):
        return ""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '?')}.{name}"


def listen(listener: Listener, numbers: tuple[signal.Signals, ...] = SIGNALS) -> Callable[[], None] | None:
    """Call the listener for every signal of `numbers`, until the returned function is called.

    A signal that the process ignores (nohup, a background job) stays ignored.

    Returns None, and does nothing, off the main thread: Python allows no handlers there. Nor without a
    signal to listen to.
    """
    global _ear
    if not numbers or threading.current_thread() is not threading.main_thread():
        return None
    key = object()
    _listeners[key] = listener, numbers
    if _ear is None:
        _ear = _Ear()
        _ear.open()
    _ear.take(numbers)

    def stop() -> None:
        global _ear
        last = list(_listeners) == [key]
        try:
            if last and _ear is not None:
                _ear.close()
        finally:  # Ctrl-C may raise from the close
            _listeners.pop(key, None)
            if last:
                _ear = None

    return stop


class _Ear:
    """Our handlers, the wake-up descriptor, and the thread that reads it."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._wakeup_before = -1
        self._closing = False
        self._late: list[int] = []
        self._inner, self._outer = socket.socketpair()
        self._outer.setblocking(False)
        self._thread = threading.Thread(target=self._hear, name="voicepipe:signals", daemon=True)

    def open(self) -> None:
        """Start the thread."""
        self._thread.start()
        if sys.platform != "win32":  # there the event loop itself needs it
            self._wakeup_before = signal.set_wakeup_fd(self._outer.fileno(), warn_on_full_buffer=False)

    def take(self, numbers: Iterable[signal.Signals]) -> None:
        """Install the handlers that are not installed yet."""
        for number in numbers:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None, _handle):  # None: C code owns it
                self._before.setdefault(number, before)
                signal.signal(number, _handle)

    def close(self) -> None:
        """Pass on the last signals and restore everything. A signal that comes meanwhile is raised again."""
        self._put_back_wakeup()
        self._closing = True
        self._outer.shutdown(socket.SHUT_WR)
        self._thread.join(1.0)
        self._inner.close()
        self._outer.close()
        for number in reversed(self._before):  # SIGINT last: from then on, Ctrl-C may raise
            self._put_back(number)
        for late in self._late:
            signal.raise_signal(late)

    def close_in_child(self) -> None:
        """Close after a fork, where there is no thread, and the parent reads the other end."""
        self._put_back_wakeup()
        for number in self._before:
            self._put_back(number)
        self._inner.close()
        self._outer.close()

    def handle(self, number: int) -> None:
        """Note a signal from Python's handler."""
        if self._closing:
            self._late.append(number)
            return
        with contextlib.suppress(OSError):  # full: a signal of this kind is on its way
            self._outer.send(bytes((number | _BY_PYTHON,)))

    def _put_back(self, number: signal.Signals) -> None:
        if signal.getsignal(number) is _handle:  # somebody who replaced it meanwhile keeps his
            signal.signal(number, self._before[number])

    def _put_back_wakeup(self) -> None:
        if sys.platform == "win32":
            return
        now = signal.set_wakeup_fd(-1)
        try:
            # Somebody who took it meanwhile keeps it.
            signal.set_wakeup_fd(self._wakeup_before if now == self._outer.fileno() else now)
        except (OSError, ValueError):
            pass  # whose it was has closed it

    # -- the thread --------------------------------------------------------------

    def _hear(self) -> None:
        """Call the listeners once for every signal, by the faster of the two ways."""
        by_c, by_python, told = Counter[int](), Counter[int](), Counter[int]()
        while block := self._inner.recv(64):
            for byte in block:
                number = byte & ~_BY_PYTHON
                if number == byte and signal.getsignal(number) is not _handle:
                    self._pass_on(byte)
                    continue
                heard = by_c if number == byte else by_python
                heard[number] += 1
                if heard[number] > told[number]:
                    told[number] += 1
                    for listener, numbers in tuple(_listeners.values()):
                        if number in numbers:
                            listener(signal.Signals(number))

    def _pass_on(self, byte: int) -> None:
        """Pass on a signal of others: an event loop with handlers of its own may wait for it."""
        if self._wakeup_before >= 0:
            with contextlib.suppress(OSError):
                os.write(self._wakeup_before, bytes((byte,)))


def _handle(number: int, frame: FrameType | None) -> None:
    """Act as Python's handler: in the main thread, between any two bytecodes."""
    if _ear is not None:
        _ear.handle(number)


def _after_fork() -> None:
    """Undo the listening in a forked child, which is another program.

    Its handlers would write to the parent's thread, and one Ctrl-C would count for every process.
    """
    global _ear
    _listeners.clear()
    if _ear is not None:
        _ear.close_in_child()
        _ear = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
