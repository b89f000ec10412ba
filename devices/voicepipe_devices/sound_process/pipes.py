"""The ends of a sound process's pipes in the event loop, and what comes of the noise in one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from voicepipe.log import logger_of
from voicepipe.text import printable

__all__ = ["Noise", "Pipe"]

_MOST_BYTES = 1 << 14
"""Read at once."""
_MOST_NOISE = 4_096
_NOISE_PAUSE_S = 0.2
"""So much of what it says on stderr is read in so long: PortAudio can write 75 MB a second there."""
_log = logger_of("voicepipe.sound")


class Pipe(asyncio.Protocol):
    """One end of a pipe."""

    def __init__(self, take: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self.transport: asyncio.BaseTransport
        self.gone = asyncio.Event()
        self._take = take
        self._ended = ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read in small pieces: asyncio makes room for 256 KiB each time, which the system has to map."""
        if hasattr(transport, "max_size"):
            vars(transport)["max_size"] = _MOST_BYTES

    def data_received(self, data: bytes) -> None:
        """Hand it on."""
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the other end is closed."""
        self.gone.set()
        self._ended()


class Noise:
    """The output of the process and its libraries on stderr; a few lines of it are logged, escaped."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.last = ""
        """The last whole line."""
        self._loop = loop
        self._pipe: Pipe | None = None
        self._rest = b""
        self._timer: asyncio.TimerHandle | None = None
        self._read = 0
        self._is_stopped = False

    def read_from(self, pipe: Pipe) -> None:
        """Read from this pipe."""
        self._pipe = pipe

    def take(self, data: bytes) -> None:
        """Take some of it. Too much of it waits in the pipe, and so does its writer."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_MOST_NOISE:]
        said = [printable(line.decode(errors="replace")) for line in lines if line.strip()]
        if said:
            self.last = said[-1]
            more = f" (and {len(said) - 3} more lines)" if len(said) > 3 else ""
            for line in said[:2]:
                _log.info("%s", line)
            if said[2:]:
                _log.info("%s%s", said[-1], more)
        self._read += len(data)
        if self._read >= _MOST_NOISE and self._timer is None and self._pipe is not None:
            _reading(self._pipe).pause_reading()
            if self._is_stopped:
                return
            self._timer = self._loop.call_later(_NOISE_PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        self._read = 0
        # To go on with a transport that is closing is an error in uvloop.
        if self._pipe is not None and not self._pipe.transport.is_closing():
            _reading(self._pipe).resume_reading()

    def stop(self) -> None:
        """Read no more than a few lines, and leave no timer behind."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()


def _reading(pipe: Pipe) -> asyncio.ReadTransport:
    # A transport of uvloop is of no class of asyncio's.
    return cast("asyncio.ReadTransport", pipe.transport)
