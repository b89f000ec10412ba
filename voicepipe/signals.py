"""Signals of the process, with one owner for however many runs want to hear of them.

Handlers are plain `signal.signal` ones, the same on every system: `add_signal_handler`
does not exist on Windows, and its removal destroys the handlers that were there before.
They are installed for the first listener and put back as they were after the last.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["SIGNALS", "Listener", "listen"]

SIGNALS: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""What stops a program; Windows has no SIGHUP."""

Listener = Callable[[signal.Signals], None]
"""Called in the main thread, between any two bytecodes: must be quick, and must not raise."""

_lock = threading.Lock()
_listeners: list[Listener] = []
_before: dict[signal.Signals, Any] = {}


def listen(listener: Listener) -> Callable[[], None] | None:
    """Hear of SIGINT, SIGTERM and SIGHUP until the returned function is called.

    Returns None, and does nothing, off the main thread: Python allows no handlers there.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    with _lock:
        _listeners.append(listener)
        if len(_listeners) == 1:
            _install()

    def stop() -> None:
        with _lock:
            if listener in _listeners:
                _listeners.remove(listener)
                if not _listeners:
                    _put_back()

    return stop


def _install() -> None:
    for number in SIGNALS:
        before = signal.getsignal(number)
        # What ignores a signal (nohup, a background job) keeps ignoring it; None: C code owns it.
        if before not in (signal.SIG_IGN, None):
            _before[number] = before
            signal.signal(number, _handle)


def _put_back() -> None:
    for number, before in _before.items():
        # Somebody who replaced our handler meanwhile keeps his.
        if signal.getsignal(number) is _handle:
            signal.signal(number, before)
    _before.clear()


def _handle(number: int, frame: FrameType | None) -> None:
    for listener in tuple(_listeners):
        listener(signal.Signals(number))
