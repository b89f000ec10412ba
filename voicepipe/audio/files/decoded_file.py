"""Files that libsndfile decodes, through the package `soundfile`: FLAC, Ogg, MP3, AIFF and others.

What the package does around a read is avoided: it seeks to where it is, and some decoders lose their place.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Self

import numpy as np

from voicepipe.audio.files.regular_file import open_regular
from voicepipe.audio.files.rounding import round_floats
from voicepipe.audio.files.sound_kinds import FLAC, MP3, OGG, Kind, find_kind, kind_of
from voicepipe.audio.files.unmeasured_mp3 import UnmeasuredMp3, is_unmeasured
from voicepipe.audio.files.wav_advice import AGAIN, ffmpeg_command
from voicepipe.audio.format import AudioFormat, pcm_bytes
from voicepipe.checks import check_count
from voicepipe.errors import AudioFormatError
from voicepipe.text import printable

__all__ = ["DecodedReader"]

_PIECE = 4_096
"""Samples decoded at a time: what decoding needs besides the result is bounded by it."""
_NEAR = 65_536
"""Bytes before and behind the place that was read last, in which another file may begin."""
_MAGIC = 4
_UNKNOWN_LENGTH = 1 << 62
"""Samples, from which on a length is that of a file whose header does not say it."""
_ANOTHER = {
    OGG.name: re.compile(rb"OggS\x00[\x00\x01\x04\x05].*?OggS\x00\x02", re.DOTALL),
    FLAC.name: re.compile(rb"fLaC\x00\x00\x00\x22"),
}
"""The beginning of another file within one; for Ogg, behind a page that is no beginning."""


class DecodedReader:
    """Reads a sound file as interleaved int16, piece by piece, in the thread that asks.

    A file that is damaged or cut off is read as far as it can be decoded; `remarks` say so at its end.

    Args:
        path: of the file.
        kind: the file's.

    Raises:
        AudioFormatError: the package is not installed, or cannot read it.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], kind: Kind) -> None:
        self._path = os.fsdecode(path)
        self._kind = kind
        self._library = _library(self._path, kind)
        self._file = os.fdopen(open_regular(path), "rb", buffering=0)  # the library shares its place
        try:
            self._sound, claimed = self._open()
            self.format = self._check_format()
        except BaseException:  # at Ctrl-C too, no descriptor may stay
            self._file.close()
            raise
        self.num_samples = claimed if claimed < _UNKNOWN_LENGTH else None
        """Samples by the header; None where it does not say."""
        self.remarks: tuple[str, ...] = ()
        """Faults of the file, which show when they are reached."""
        self._is_exact = self._sound.subtype.startswith("PCM_")
        self._read = 0
        self._failure = ""
        self._ended = False

    def read(self, samples: int) -> bytes:
        """Read the next samples, as interleaved int16: as many, or as there are; b"" at the end.

        Raises:
            ValueError: it is closed.
        """
        wanted = check_count("samples", samples)
        if self._file.closed:
            raise ValueError("read of a closed file")
        parts: list[bytes] = []
        while wanted > 0 and not self._ended:
            part = self._decode(min(wanted, _PIECE))
            parts.append(part)
            got = len(part) // self.format.sample_bytes
            self._read += got
            wanted -= got
            if not got or self._failure:
                self._end()
        return b"".join(parts)

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._sound.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> tuple[Any, int]:
        """Open the file in the library; return it with the length that its header claims."""
        start = find_kind(self._file)[1]
        unmeasured = self._kind is MP3 and is_unmeasured(self._file, start)
        self._file.seek(0)
        # On Windows the library has file numbers of its own.
        whole: object = self._path if sys.platform == "win32" else self._file.fileno()
        try:
            sound = self._library.SoundFile(UnmeasuredMp3(self._file) if unmeasured else whole, closefd=False)
        except self._library.LibsndfileError as error:
            raise self._refusal(error.error_string) from error
        # It would seek after each read, which harms what MP3, Vorbis and unfinished FLAC give next.
        sound.seekable = lambda: False
        return sound, _UNKNOWN_LENGTH if unmeasured else sound.frames

    def _refusal(self, why: object) -> AudioFormatError:
        cure = f"use a WAV file: {ffmpeg_command(self._path)} makes one, or {AGAIN}"
        return AudioFormatError(
            f"{printable(self._path)} is {self._kind.name} that libsndfile cannot read "
            f"({printable(why).strip('. ')}); {cure}"
        )

    def _check_format(self) -> AudioFormat:
        """Return the format. Raises: AudioFormatError: it is out of bounds."""
        try:
            return AudioFormat(self._sound.samplerate, self._sound.channels)
        except ValueError as error:
            self._sound.close()
            raise self._refusal(error) from error

    def _decode(self, samples: int) -> bytes:
        """Decode the next samples; note the failure that ends the file, and keep what came before it."""
        buffer = np.full((samples, self.format.channels), np.nan)
        try:
            got = self._sound.buffer_read_into(buffer, "float64")
        except self._library.LibsndfileError as error:
            self._failure = printable(error.error_string).removeprefix("Error : ").strip(". ")
            decoded = np.flatnonzero(~np.isnan(buffer[:, 0]))
            got = int(decoded[-1]) + 1 if decoded.size else 0
        audio = round_floats(buffer[:got], half_up=self._is_exact)
        return pcm_bytes(audio, self.format.channels)

    def _end(self) -> None:
        """End the file, and look for what it does not give."""
        self._ended = True
        if self._another_follows():
            cure = f"{ffmpeg_command(self._path)} may join them"
            self.remarks = (f"another sound file follows its audio, and is not read: {cure}",)
        else:
            self.remarks = tuple(self._shortage())

    def _shortage(self) -> Iterator[str]:
        """Yield a remark where the header, the decoder or the last page says that there should be more."""
        has, says = self._seconds(self._read), self._seconds(self.num_samples or 0)
        more = f" ({self._failure}); {ffmpeg_command(self._path)} may find more" if self._failure else ""
        if self.num_samples is not None and self.num_samples > self._read and says != has:
            yield f"it is cut off or damaged: its header says {says}, {has} can be read{more}"
        elif self._failure:
            yield f"it is damaged after {has}{more}"
        elif self._kind is OGG and not self._has_last_page():
            yield f"it is cut off after {has}"

    def _has_last_page(self) -> bool:
        """Return True where the last page of an Ogg file says that it is the last."""
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - _NEAR))
        tail = self._file.read(_NEAR)
        flags = tail[tail.rfind(b"OggS\0") + 5 :][:1]
        return bool(flags) and bool(flags[0] & 4)

    def _another_follows(self) -> bool:
        """Return True where a second file begins near the place that was read last."""
        at = os.lseek(self._file.fileno(), 0, os.SEEK_CUR)
        first = max(_MAGIC, at - _NEAR)
        self._file.seek(first)
        near = self._file.read(2 * _NEAR)
        if self._kind is MP3:
            return kind_of(near[at - first :]) is MP3 or near[at - first :].startswith(b"ID3")
        pattern = _ANOTHER.get(self._kind.name)
        return pattern is not None and pattern.search(near) is not None

    def _seconds(self, samples: int) -> str:
        return f"{self.format.seconds(samples):.2f} s"


def _library(path: str, kind: Kind) -> Any:
    """Import the package. Raises: AudioFormatError: it is not there, or its library is not."""
    try:
        return import_module("soundfile")
    except (ImportError, OSError) as error:
        raise AudioFormatError(
            f"{printable(path)} is {kind.name}, and the package soundfile, which reads it, is not installed "
            f"({printable(error)}): python -m pip install soundfile, or this project with its extra [files]; "
            f"or {ffmpeg_command(path)} makes a WAV file"
        ) from error
