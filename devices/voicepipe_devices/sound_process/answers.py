"""The way out of a sound process: messages that nobody who sends them waits for."""

from __future__ import annotations

import os
import queue
import select
import threading
from collections.abc import Callable

__all__ = ["Answers"]


class Answers:
    """Writes messages. Nobody who sends one waits: what the pipe does not take at once is for a thread."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._rest = b""
        """The bytes that the pipe has not taken; for whoever writes."""
        self._rung = False
        self._news: Callable[[], bytes] = bytes
        threading.Thread(target=self._write, name="answers", daemon=True).start()

    def tell(self, news: Callable[[], bytes]) -> None:
        """Ask this function for messages whenever it is rung."""
        self._news = news

    def send(self, data: bytes) -> None:
        """Send one message, behind the news until now."""
        self._queue.put(None)
        self._queue.put(data)

    def ring(self) -> None:
        """Send the news. From the callback, which writes it itself where nothing stands before it."""
        if self._writing.acquire(blocking=False):
            try:
                if not self._rest and self._queue.empty():
                    self._take(self._news())
                    if not self._rest:
                        return
            finally:
                self._writing.release()
        if not self._rung:
            self._rung = True
            self._queue.put(None)

    def _write(self) -> None:
        while True:
            data = self._queue.get()
            with self._writing:
                self._take(self._rest + (self._take_news() if data is None else data))
            while self._rest:
                select.select((), (self._descriptor,), ())
                with self._writing:
                    self._take(self._rest)

    def _take_news(self) -> bytes:
        self._rung = False
        return self._news()

    def _take(self, data: bytes) -> None:
        """Write what the pipe takes."""
        try:
            self._rest = data[os.write(self._descriptor, data) :] if data else b""
        except BlockingIOError:
            self._rest = data
        except OSError:  # the program is gone
            os._exit(0)
