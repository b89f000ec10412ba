"""The sound process's end of the pipe with the sound to be heard. Nobody waits for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

__all__ = ["SoundPipe", "make_roomy"]

_ROOM_BYTES = 1 << 18
"""More than a second of stereo at 48 kHz, so that all of it is here while the program stands still."""
_MOST_BYTES = 1 << 14
"""Read at once."""


def make_roomy(descriptor: int) -> None:
    """Let a pipe hold a second of sound, where the system can."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _ROOM_BYTES)


class SoundPipe:
    """Reads whole samples. For the callback.

    Args:
        descriptor: the end of the pipe.
        sample_bytes: the size of a sample of all channels.
    """

    def __init__(self, descriptor: int, sample_bytes: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._size = sample_bytes
        self._piece = b""
        """The beginning of a sample: a pipe cuts anywhere."""
        self._has_ended = False

    def read(self) -> Iterator[bytes]:
        """Yield what has come."""
        while not self._has_ended:
            try:
                data = os.read(self._descriptor, _MOST_BYTES)
            except BlockingIOError:
                return
            self._has_ended = not data
            if self._piece or len(data) % self._size:
                data = self._piece + data
                whole = len(data) - len(data) % self._size
                data, self._piece = data[:whole], data[whole:]
            if data:
                yield data
            if len(data) < _MOST_BYTES - self._size:
                return
