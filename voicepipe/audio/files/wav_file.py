"""WAV files, read and written: a header is a claim here, and what is there is what counts.

The standard library's `wave` leaks its own errors for a bad file, and believes any header.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import Self

from voicepipe.audio.files.regular_file import open_regular
from voicepipe.audio.files.wav_encoding import PCM
from voicepipe.audio.files.wav_header import layout_of
from voicepipe.audio.format import AudioFormat, samples_in
from voicepipe.checks import check_count
from voicepipe.errors import AudioFormatError

__all__ = ["WavReader", "WavWriter"]

_PIECE = 65_536
"""Samples decoded at a time: what decoding needs besides the result is bounded by it."""
_UNKNOWN_SIZE = 0xFFFF_FFFF
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_MOST_BYTES = _UNKNOWN_SIZE - _HEADER.size
"""Of audio in a file: its sizes have 32 bits, all ones mean that the size is not known."""
_NEW = os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class WavReader:
    """Reads a WAV file as interleaved int16, whatever it holds.

    PCM of 8, 16, 24, 32 and 64 bits, and floats of 32 and 64 (NaN is 0, what is beyond full
    scale is clipped), of either byte order; A-law and mu-law.
    The file may be RIFF, RIFX, RF64 or BW64. A header that is wrong about its byte rate or block
    align is read all the same. A file whose header was never finished, or that was cut off, is
    read as far as it goes. The file is read when asked, in the thread that asks.

    Raises:
        AudioFormatError: it is no regular file, no WAV file, or holds what none of these are.
        OSError: it cannot be opened or read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = os.fdopen(open_regular(path, os.O_RDONLY), "rb")
        try:
            self._layout = layout_of(self._file, os.fsdecode(path))
            self._file.seek(self._layout.start)
        except BaseException:
            self._file.close()
            raise
        self._rest = self._layout.num_samples

    @property
    def format(self) -> AudioFormat:
        """Rate and channels of the file."""
        return self._layout.format

    @property
    def num_samples(self) -> int:
        """Whole samples that were there when it was opened, whatever the header says."""
        return self._layout.num_samples

    @property
    def remarks(self) -> tuple[str, ...]:
        """Faults of the file that it is read in spite of: it is cut off, or another one follows in it."""
        return self._layout.remarks

    def read(self, samples: int) -> bytes:
        """Read the next samples, as interleaved int16: as many, or as there are; b"" at the end.

        Raises:
            OSError: the disk fails. A file that was cut short meanwhile just ends.
            ValueError: it is closed.
        """
        wanted = min(check_count("samples", samples), self._rest)
        parts: list[bytes] = []
        while wanted > 0:
            raw = self._file.read(min(wanted, _PIECE) * self._layout.sample_bytes)
            part = self._layout.decode(raw)
            got = samples_in(part, self.format.channels)
            parts.append(part)
            self._rest = self._rest - got if got else 0
            wanted = wanted - got if got else 0
        return b"".join(parts)

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WavWriter:
    """Writes a WAV file of int16. It is valid at any time, short of the last second at most.

    Written audio is with the operating system at once. A new file is its owner's alone
    (0600); a regular file that is there is overwritten, anything else is refused.

    Args:
        path: the file.
        format: of what is written.
        new: it must not be there yet, not even as a link.

    Raises:
        AudioFormatError: there is something at `path` that is no regular file.
        FileExistsError: it is there, and was to be new.
        OSError: it cannot be opened or written.
    """

    def __init__(self, path: str | os.PathLike[str], format: AudioFormat, *, new: bool = False) -> None:  # noqa: A002
        self.format = format
        self._path = path
        self._bytes = 0
        self._told = 0
        """Bytes of audio that the header speaks of."""
        # Truncated only when it is known to be a regular file. Without a buffer: a crash loses nothing.
        flags = os.O_WRONLY | os.O_CREAT | (_NEW if new else 0)
        self._file = os.fdopen(open_regular(path, flags), "wb", buffering=0)
        try:
            self._file.truncate(0)
            self._write_all(memoryview(self._header()))
        except BaseException:
            self._file.close()
            raise

    @property
    def num_samples(self) -> int:
        """Samples in the file."""
        return self._bytes // self.format.sample_bytes

    def write(self, data: bytes | memoryview) -> None:
        """Append whole samples, interleaved int16.

        Raises:
            AudioFormatError: the bytes end within a sample. Nothing is written.
            OSError: the disk is full or fails; `num_samples` says how far it got. Or the file
                would grow beyond the 4 GiB of its kind (EFBIG): nothing is written.
            ValueError: it is closed.
        """
        view = memoryview(data).cast("B")
        if view.nbytes % self.format.sample_bytes:
            raise AudioFormatError(
                f"{view.nbytes} bytes are no whole number of samples: {self.format} take "
                f"{self.format.sample_bytes} bytes a sample"
            )
        if self._bytes + view.nbytes > _MOST_BYTES:
            raise OSError(
                errno.EFBIG, "a WAV file ends at 4 GiB: go on in another one", os.fspath(self._path)
            )
        self._append(view)
        if self._bytes - self._told >= self.format.rate * self.format.sample_bytes:
            self._tell_sizes()

    def update_header(self) -> None:
        """Let the header speak of all that is written, for readers that believe it. Raises: OSError."""
        self._tell_sizes()

    def rewrite(self, at: int, data: bytes | memoryview) -> None:
        """Replace samples that are in the file, from sample `at` on.

        Raises:
            ValueError: they are not all in the file, or it is closed.
            OSError: the disk fails.
        """
        view = memoryview(data).cast("B")
        begin = at * self.format.sample_bytes
        if not 0 <= begin <= begin + view.nbytes <= self._bytes:
            raise ValueError(
                f"samples {at} to {at + view.nbytes // self.format.sample_bytes} are not in the file"
            )
        self._file.seek(_HEADER.size + begin)
        try:
            self._write_all(view)
        finally:
            self._file.seek(_HEADER.size + self._bytes)

    def close(self) -> None:
        """Finish the header and close the file. A second call does nothing.

        Raises:
            OSError: the disk fails; the file is closed all the same.
        """
        if self._file.closed:
            return
        try:
            self._tell_sizes()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, view: memoryview) -> None:
        before = self._file.tell()
        try:
            self._write_all(view)
        finally:
            done = self._file.tell() - before
            self._bytes += done - done % self.format.sample_bytes
            if done != view.nbytes:  # what comes next must not begin within a sample
                self._file.seek(_HEADER.size + self._bytes)

    def _write_all(self, view: memoryview) -> None:
        """Write all of it: a full disk takes a part, and only then says so."""
        while view.nbytes:
            view = view[self._file.write(view) or 0 :]

    def _tell_sizes(self) -> None:
        self._file.seek(0)
        self._write_all(memoryview(self._header()))  # one call: nobody finds half a header
        self._file.seek(_HEADER.size + self._bytes)
        self._told = self._bytes

    def _header(self) -> bytes:
        rate, channels, width = self.format.rate, self.format.channels, self.format.sample_bytes
        size = self._bytes + _HEADER.size - 8
        return _HEADER.pack(
            *(b"RIFF", size, b"WAVE"),
            *(b"fmt ", 16, PCM, channels, rate, rate * width, width, 16),
            *(b"data", self._bytes),
        )
