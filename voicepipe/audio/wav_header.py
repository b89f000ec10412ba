"""The header of a WAV file, held against what is there."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voicepipe.audio.format import AudioFormat, pcm_bytes
from voicepipe.errors import AudioFormatError

__all__ = ["EXTENSIBLE", "FLOAT", "PCM", "Layout", "layout_of"]

PCM, FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
"""The numbers of the encodings that are read; the last one hides one of the others."""
_OTHER_ENCODINGS = {0x0002: "ADPCM", 0x0006: "A-law", 0x0007: "mu-law", 0x0011: "IMA ADPCM", 0x0055: "MP3"}
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""Behind an encoding's number in the sub-format of WAVE_FORMAT_EXTENSIBLE."""
_MOST_CHUNKS = 1_000
"""Before the audio. A file could hold millions of empty ones."""
_MAKE = "`sox in.mp3 out.wav` makes one"

_Decode = Callable[[bytes], npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Encoding:
    """The encoding of a file's audio, and its decoder."""

    format: AudioFormat
    width: int
    """Bytes of a sample of one channel."""
    to_array: _Decode


@dataclass(frozen=True, slots=True)
class Layout:
    """The place of a file's audio, and its encoding."""

    encoding: _Encoding
    start: int
    """The position of its first byte."""
    num_samples: int

    @property
    def format(self) -> AudioFormat:
        """Rate and channels."""
        return self.encoding.format

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels, in the file."""
        return self.encoding.width * self.format.channels

    def decode(self, raw: bytes) -> bytes:
        """Decode the whole samples of it to interleaved int16."""
        whole = raw[: len(raw) - len(raw) % self.sample_bytes]
        array = self.encoding.to_array(whole)
        return pcm_bytes(array.reshape(-1, self.format.channels), self.format.channels)


def layout_of(file: io.BufferedReader, name: str) -> Layout:
    """Walk the chunks up to the audio.

    Raises:
        AudioFormatError: there is none that can be read; `name` names the file.
        OSError: the disk fails.
    """
    size = os.fstat(file.fileno()).st_size
    riff_end = _riff_end(file.read(12), name)
    encoding: _Encoding | None = None
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        start = file.tell()
        if kind == b"data":
            if encoding is None:
                raise AudioFormatError(
                    f"{name} is no sound WAV file: its audio comes before its format; {_MAKE}"
                )
            return Layout(encoding, start, _count(encoding, length, size - start, size == riff_end))
        if kind == b"fmt ":
            encoding = _encoding(file.read(min(length, 40)), name)
        file.seek(start + length + length % 2)
    missing = "format" if encoding is None else "audio"
    raise AudioFormatError(
        f"{name} is no whole WAV file: it has no {missing} (or is cut off before); {_MAKE}"
    )


def _riff_end(head: bytes, name: str) -> int:
    """Return the place where the file should end by its header."""
    if len(head) == 12 and head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return 8 + int.from_bytes(head[4:8], "little")
    if not head:
        raise AudioFormatError(f"{name} is empty; use a WAV file: {_MAKE}")
    raise AudioFormatError(f"{name} is no WAV file: it begins with {head!r}, not with RIFF....WAVE; {_MAKE}")


def _count(encoding: _Encoding, claimed: int, there: int, sizes_agree: bool) -> int:
    """Count whole samples: as many as claimed, where that can be believed, and never more than there are.

    A size of 0 before more bytes is that of a writer that never came back to its header, unless
    the size of the whole file is right: then the audio is empty, and something else follows.
    """
    known = claimed < there and (claimed > 0 or sizes_agree)
    size = claimed if known else there
    return size // (encoding.width * encoding.format.channels)


def _encoding(chunk: bytes, name: str) -> _Encoding:
    """Parse a `fmt ` chunk."""
    if len(chunk) < 16:
        raise AudioFormatError(
            f"{name} is no sound WAV file: its format has {len(chunk)} bytes, not 16; {_MAKE}"
        )
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == EXTENSIBLE and chunk[26:40] == _GUID_TAIL:
        tag = int.from_bytes(chunk[24:26], "little")
    to_array = _DECODERS.get((tag, bits))
    if to_array is None:
        raise AudioFormatError(
            f"{name} holds {_encoding_name(tag)} of {bits} bits; use PCM of 8, 16, 24 or 32 bits, or "
            "floats of 32 or 64: `sox in.wav -e signed -b 16 out.wav` makes one"
        )
    try:
        audio = AudioFormat(rate, channels)
    except ValueError as error:
        raise AudioFormatError(f"{name} is out of bounds: {error}; {_MAKE}") from error
    if align != channels * bits // 8:
        raise AudioFormatError(
            f"{name} is no sound WAV file: {channels} channels of {bits} bits take {channels * bits // 8} "
            f"bytes, and it says {align}; {_MAKE}"
        )
    return _Encoding(audio, bits // 8, to_array)


def _encoding_name(tag: int) -> str:
    known = {PCM: "PCM", FLOAT: "floats", **_OTHER_ENCODINGS}
    return known.get(tag, f"encoding {tag:#06x}")


def _from_8(raw: bytes) -> npt.NDArray[Any]:
    """Decode 8 bits, which alone among the PCMs are unsigned."""
    return (np.frombuffer(raw, np.uint8).astype(np.int16) - 128) << 8


def _from_16(raw: bytes) -> npt.NDArray[Any]:
    return np.frombuffer(raw, "<i2").astype(np.int16)


def _from_24(raw: bytes) -> npt.NDArray[Any]:
    wide = np.zeros((len(raw) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
    return _from_32(wide.tobytes())


def _from_32(raw: bytes) -> npt.NDArray[Any]:
    """Round 32 bits: to cut the lower bits off would shift all audio by half a step."""
    array = np.frombuffer(raw, "<i4")
    return np.minimum((array >> 16) + (array >> 15 & 1), 32_767).astype(np.int16)


def _from_float(raw: bytes) -> npt.NDArray[Any]:
    with np.errstate(invalid="ignore"):  # of the NaNs there are, some make a noise when they are cast
        return np.frombuffer(raw, "<f4").astype(np.float64)


def _from_double(raw: bytes) -> npt.NDArray[Any]:
    return np.frombuffer(raw, "<f8")


_DECODERS: dict[tuple[int, int], _Decode] = {
    (PCM, 8): _from_8,
    (PCM, 16): _from_16,
    (PCM, 24): _from_24,
    (PCM, 32): _from_32,
    (FLOAT, 32): _from_float,
    (FLOAT, 64): _from_double,
}
