"""The record of what a speaker's device took, in the memory that its sound process shares with the program.

The callback writes and the program reads, when it wants to: no message, and nobody wakes up. Neither waits
for the other. So a reader may come too late, or look at what is being written: each entry has a checksum
over its samples too, and an entry that does not add up is gone. Positions tell what is missing.

There are two rings: of entries, each with a serial number, and of samples, each at its position.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections import deque

from voicepipe.devices.port import StreamRequest
from voicepipe.speakers import KEPT_S, Sounded

__all__ = ["SharedRecord", "record_bytes"]

_ENTRY = struct.Struct("@QQQdQ")
"""The serial number, the position of the first sample, the number of bytes, the time of the sound, and the
code of the worth of that time (`messages.STAMPS`)."""
_CHECK = struct.Struct("@Q")
_STEP = _ENTRY.size + _CHECK.size
_HEAD = 128
"""The bytes before the entries, for their number: a look at it does not slow down other writes."""
_SPARE = 2
"""Blocks beyond 4 s: what is being written has a place of its own."""
_LOOKS = 3
"""The looks at an entry. One that was just written adds up at the second one at the latest."""


def record_bytes(request: StreamRequest) -> int:
    """Return the size of the record of such a stream: 0 if the request wants none."""
    return (
        _HEAD + _entries(request) * _STEP + _samples(request) * request.format.sample_bytes
        if request.tap
        else 0
    )


def _entries(request: StreamRequest) -> int:
    return math.ceil(KEPT_S / request.block_s) + _SPARE


def _samples(request: StreamRequest) -> int:
    return request.format.samples(KEPT_S) + _SPARE * request.block


class SharedRecord:
    """The record, in either process. After its close, what was not read can be read.

    Args:
        memory: `record_bytes(request)` of shared memory, all zeros at first.
        request: the same in both processes.
    """

    def __init__(self, memory: memoryview, request: StreamRequest) -> None:
        self._memory = memory
        self._numbers = memory[:_HEAD].cast("Q")
        self._entries = _entries(request)
        self._ring = memory[_HEAD + self._entries * _STEP :]
        self._size = request.format.sample_bytes
        self._serial = 0
        """The entries that were added, or read, so far."""
        self._rest: deque[Sounded] | None = None
        self.stamps = 0
        """The code of the worth of the device's time stamps, as of the last entry that was read."""

    def close(self) -> None:
        """Let go of the memory."""
        if self._rest is None:
            self._rest = deque(iter(self.take, None))
            for view in (self._numbers, self._ring, self._memory):
                view.release()

    # -- in the sound process --------------------------------------------------------

    def add(self, data: bytes, position: int, sounds_s: float, stamps: int = 0) -> None:
        """Add a block, in place of the oldest ones. For the callback."""
        ring, most = self._ring, len(self._ring)
        if len(data) > most:
            position += (len(data) - most) // self._size
            data = data[-most:]
        at = position * self._size % most
        here = min(len(data), most - at)
        ring[at : at + here] = data[:here]
        ring[: len(data) - here] = data[here:]
        entry = _ENTRY.pack(self._serial, position, len(data), sounds_s, stamps)
        place = _HEAD + self._serial % self._entries * _STEP
        self._memory[place : place + _ENTRY.size] = entry
        _CHECK.pack_into(self._memory, place + _ENTRY.size, zlib.crc32(data, zlib.crc32(entry)))
        self._serial += 1
        self._numbers[0] = self._serial

    # -- in the program --------------------------------------------------------------

    def take(self) -> Sounded | None:
        """Take the oldest block that is still there, or None."""
        if self._rest is not None:
            return self._rest.popleft() if self._rest else None
        while self._serial < (added := self._numbers[0]):
            self._serial = max(self._serial, added - self._entries)
            for _ in range(_LOOKS):
                if (found := self._look(self._serial)) is not None:
                    self._serial += 1
                    return found
            self._serial += 1  # another one has its place by now
        return None

    def _look(self, serial: int) -> Sounded | None:
        """Return the entry of that number, if it adds up."""
        place = _HEAD + serial % self._entries * _STEP
        entry = bytes(self._memory[place : place + _ENTRY.size])
        number, position, length, sounds_s, stamps = _ENTRY.unpack(entry)
        if number != serial or length > len(self._ring):
            return None
        at = position * self._size % len(self._ring)
        data = bytes(self._ring[at : at + length])
        data += bytes(self._ring[: length - len(data)])
        (check,) = _CHECK.unpack_from(self._memory, place + _ENTRY.size)
        if check != zlib.crc32(data, zlib.crc32(entry)):
            return None
        self.stamps = stamps
        return Sounded(data, position, sounds_s)
