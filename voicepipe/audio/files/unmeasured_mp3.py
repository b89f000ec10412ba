"""MP3 files without a header that counts their samples, as streams are recorded and phones write them."""

from __future__ import annotations

import os
from typing import BinaryIO

__all__ = ["UnmeasuredMp3", "is_unmeasured"]

_FRAME = 8_192
"""Bytes in which the first frame ends."""
_COUNTED = 1
"""The bit of the flags, behind the header's name, that says there is a count."""
_TAG = 128
"""Bytes of an ID3 tag at a file's end."""
_STRETCH = 64
"""Times by which the file is made to look longer: the highest rate of bits is 40 times the lowest."""


def is_unmeasured(file: BinaryIO, start: int) -> bool:
    """Return True for an MP3 file whose first frame, at `start` or behind, holds no count of samples."""
    file.seek(start)
    head = file.read(_FRAME)
    for magic in (b"Xing", b"Info"):
        at = head.find(magic)
        if at >= 0:
            return not int.from_bytes(head[at + 4 : at + 8], "big") & _COUNTED
    return True


class UnmeasuredMp3:
    """A file for libsndfile that says it is much longer.

    The library guesses the number of samples by the first bit rates and the file's length, and reads no
    further. Speech behind music would be lost.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = _end_of_sound(file)
        self._claimed = self._end * _STRETCH
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, which may be behind the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._claimed}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def read(self, count: int) -> bytes:
        """Read bytes. A disk that fails is the end: no exception may pass through the library."""
        try:
            data = self._read(count)
        except OSError:
            data = b""
        self._at += len(data)
        return data

    def _read(self, count: int) -> bytes:
        if self._at >= self._claimed - _TAG:  # the library looks for a tag there, and wants to see none
            return bytes(min(count, max(0, self._claimed - self._at)))
        self._file.seek(self._at)
        return self._file.read(max(0, min(count, self._end - self._at)))


def _end_of_sound(file: BinaryIO) -> int:
    """Return the length of a file without a tag at its end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAG))
    return size - _TAG if file.read(3) == b"TAG" else size
