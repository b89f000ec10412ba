"""A page of memory that a program shares with the sound process of its speaker.

The callback notes its progress there, and the program looks when it wants to know: no message, and nobody
wakes up. A message is for what the program waits for: the page has its wish too. Each number has one writer.

A callback writes in two places in turn, so that a look never meets one that stands still while it writes. The
two processors may see each other's writes in another order. So the progress has a checksum, and what does not
add up is looked at again. Behind the page there may be a record of the sound (`shared_record`).
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import tempfile
from typing import NamedTuple

from voicepipe.devices.port import StreamRequest
from voicepipe_devices.sound_process.shared_record import SharedRecord, record_bytes

__all__ = ["Progress", "SharedPage", "make_page"]

_PROGRESS = struct.Struct("@9Q")
_CHECK = struct.Struct("@Q")
_STEP = 128
"""Between two places: a look at the one does not slow down writes of the other."""
_CALLS, _WISH = 2 * _STEP // 8, 3 * _STEP // 8
"""The places of the number of callbacks and of the wish, among the numbers."""
_BYTES = 4 * _STEP
_LOOKS = 100
"""The number of looks that are more than enough, where the writer was not killed while it wrote."""
_ALL = (1 << 64) - 1
_SERIALS = 255
"""Wishes have serial numbers from 1 on, so that the same one counts when it is made again. 0 is none."""


class Progress(NamedTuple):
    """The work of a speaker's callbacks so far."""

    calls: int = 0
    played: int = 0
    """Samples handed to the device. This and the next two are those of a `PlaybackRing`."""
    dropped: int = 0
    overrun: int = 0
    flushes_done: int = 0
    late: int = 0
    underflows: int = 0
    longest_wait_ns: int = 0
    last_ns: int = 0
    """The time of the last callback, by the clock that all processes have."""


def make_page(record_bytes: int = 0) -> int:
    """Make the memory, with so much behind the page, and return its descriptor. Raises: OSError."""
    descriptor = _make_file()
    try:
        os.ftruncate(descriptor, mmap.PAGESIZE + record_bytes)
    except BaseException:  # whatever it is, the descriptor must not stay open
        os.close(descriptor)
        raise
    return descriptor


def _make_file() -> int:
    if sys.platform == "linux":
        try:
            return os.memfd_create("voicepipe-speaker")
        except OSError:
            pass  # an old kernel, or a sandbox
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class SharedPage:
    """The page, in either process. After its close it stays as it was then.

    Args:
        descriptor: that of `make_page`, which is closed here.
    """

    def __init__(self, descriptor: int) -> None:
        try:
            self._map(mmap.mmap(descriptor, 0))
        finally:
            os.close(descriptor)
        self.record: SharedRecord | None = None
        """The record of the sound; None: nobody keeps one."""
        self._served = self._serial = 0
        """The wish that was reached last, and the number of the last one."""

    def _map(self, memory: mmap.mmap | bytearray) -> None:
        self._memory = memory
        self._numbers = memoryview(memory)[:_BYTES].cast("Q")

    def keep_record(self, request: StreamRequest) -> SharedRecord:
        """Begin with the record that the memory has room for."""
        end = mmap.PAGESIZE + record_bytes(request)
        self.record = SharedRecord(memoryview(self._memory)[mmap.PAGESIZE : end], request)
        return self.record

    def close(self) -> None:
        """Give the memory back; a second call does nothing."""
        memory = self._memory
        if isinstance(memory, mmap.mmap):
            if self.record is not None:
                self.record.close()
            self._numbers.release()
            self._map(bytearray(memory[:_BYTES]))
            memory.close()

    # -- in the sound process --------------------------------------------------------

    def note(self, progress: Progress) -> None:
        """Note the progress. For the callback."""
        at = _STEP * (progress.calls & 1)
        _PROGRESS.pack_into(self._memory, at, *progress)
        _CHECK.pack_into(self._memory, at + _PROGRESS.size, sum(progress) & _ALL)
        self._numbers[_CALLS] = progress.calls

    def reaches_wish(self, samples: int) -> bool:
        """Return True once for each wish, when so many samples are as many as it says. For the callback."""
        wish = self._numbers[_WISH]
        if wish in (0, self._served) or samples < wish >> 8:
            return False
        self._served = wish
        return True

    # -- in the program --------------------------------------------------------------

    def look(self, seen: Progress) -> Progress:
        """Return the progress until now: `seen` itself where it is that."""
        if self._numbers[_CALLS] == seen.calls:
            return seen
        for _ in range(_LOOKS):
            at = _STEP * (self._numbers[_CALLS] & 1)
            found = _PROGRESS.unpack_from(self._memory, at)
            if _CHECK.unpack_from(self._memory, at + _PROGRESS.size)[0] == sum(found) & _ALL:
                return Progress(*found)
        return seen

    def wish(self, samples: int | None) -> None:
        """Wish for a message when so many samples are reached; None: for none."""
        self._serial = self._serial % _SERIALS + 1
        self._numbers[_WISH] = 0 if samples is None else max(0, samples) << 8 | self._serial
