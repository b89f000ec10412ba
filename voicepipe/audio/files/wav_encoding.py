"""The encodings of WAV files that are read: PCM and floats of either byte order, A-law and mu-law."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from voicepipe.audio.files.companding import a_law, mu_law
from voicepipe.audio.files.rounding import round_floats, round_integers
from voicepipe.audio.files.wav_advice import (
    AGAIN,
    ffmpeg_command,
    kind_is_known,
    kind_of_encoding,
    sox_command,
)
from voicepipe.audio.format import MOST_CHANNELS, AudioFormat
from voicepipe.errors import AudioFormatError
from voicepipe.text import printable

__all__ = ["EXTENSIBLE", "FLOAT", "PCM", "Encoding", "OtherEncodingError", "encoding_of"]

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
"""The numbers of the encodings that are read; the last one hides one of the others."""
_GUID_TAILS = (
    bytes.fromhex("000000001000800000aa00389b71"),
    bytes.fromhex("00002107d3118644c8c1ca000000"),
    bytes(14),
)
"""Behind an encoding's number in the sub-format of WAVE_FORMAT_EXTENSIBLE: the usual, Ambisonic B, none."""
_WIDTHS = {PCM: (1, 2, 3, 4, 8), FLOAT: (4, 8)}
"""Bytes of a sample of one channel, for each encoding that has several."""
_TABLES = {A_LAW: a_law, MU_LAW: mu_law}
"""Encodings of one byte, whatever number of bits their headers name."""


class OtherEncodingError(AudioFormatError):
    """A WAV file whose encoding is a known one, and none of these."""

    def __init__(self, message: str, encoding: str) -> None:
        super().__init__(message)
        self.encoding = encoding
        """Its name."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a file's audio."""

    format: AudioFormat
    tag: int
    """PCM, FLOAT, A_LAW or MU_LAW."""
    width: int
    """Bytes of a sample of one channel, padding included."""
    order: str = "<"
    """The byte order, as numpy writes it: "<" or ">"."""
    shift: int = 0
    """Bits by which a sample lies too low in its bytes."""
    is_doubtful: bool = False
    """True where the header may mean 24 bits in four bytes: `settle` decides by the audio."""

    def settle(self, beginning: bytes) -> Encoding:
        """Return the encoding that a piece of the audio shows, from a sample on and not silent.

        Samples of 24 bits in four bytes leave one byte without sound, at one end or the other; three
        packed bytes do not.
        """
        if not self.is_doubtful:
            return self
        quads = np.frombuffer(beginning[: len(beginning) // 4 * 4], self.order + "i4")
        if not np.any(quads & 0xFF):
            return replace(self, width=4, is_doubtful=False)
        if np.array_equal(quads, quads << 8 >> 8):
            return replace(self, width=4, shift=8, is_doubtful=False)
        return replace(self, is_doubtful=False)

    def decode(self, raw: bytes) -> npt.NDArray[Any]:
        """Decode whole samples to int16, one channel after the other."""
        if self.tag in _TABLES:
            return _TABLES[self.tag]()[np.frombuffer(raw, np.uint8)]
        if self.tag == FLOAT:
            return round_floats(np.frombuffer(raw, f"{self.order}f{self.width}"))
        if self.width == 1:  # which alone among the PCMs are unsigned
            return (np.frombuffer(raw, np.uint8).astype(np.int16) - 128) << 8
        if self.width == 2:
            return np.frombuffer(raw, self.order + "i2").astype(np.int16)
        if self.width == 3:
            return round_integers(_widen(raw, self.order), 32)
        array = np.frombuffer(raw, f"{self.order}i{self.width}")
        return round_integers(array << self.shift if self.shift else array, self.width * 8)


def encoding_of(chunk: bytes, path: str, order: str) -> Encoding:
    """Parse a `fmt ` chunk. Its block align and byte rate are not believed: many writers get them wrong.

    Raises:
        AudioFormatError: it is none that can be read.
    """
    name = printable(path)
    if len(chunk) < 16:
        raise AudioFormatError(
            f"{name} is no sound WAV file: its format has {len(chunk)} bytes, not 16; {AGAIN}"
        )
    tag, channels, rate, _, align, bits = struct.unpack_from(order + "HHIIHH", chunk)
    if tag == EXTENSIBLE and chunk[26:40] in _GUID_TAILS:
        tag = int.from_bytes(chunk[24:26], "little" if order == "<" else "big")
    width = 1 if tag in _TABLES else -(-bits // 8)
    if tag not in _TABLES and width not in _WIDTHS.get(tag, ()):
        raise _refusal(tag, bits, path)
    doubtful = tag == PCM and width == 3 and align == 4 * channels
    return Encoding(_audio_format(rate, channels, path), tag, width, order, is_doubtful=doubtful)


def _refusal(tag: int, bits: int, path: str) -> AudioFormatError:
    """Return the error for an encoding that is not read."""
    held, known = kind_of_encoding(tag), kind_is_known(tag) and tag not in _WIDTHS
    if tag in _WIDTHS:
        held += f" of {bits} bits"
    cure = f"{ffmpeg_command(path)} makes one" if known else AGAIN
    readable = "use PCM of 8, 16, 24 or 32 bits, floats of 32 or 64, A-law or mu-law"
    message = f"{printable(path)} holds {held}; {readable}: {cure}"
    return OtherEncodingError(message, held) if known else AudioFormatError(message)


def _audio_format(rate: int, channels: int, path: str) -> AudioFormat:
    try:
        return AudioFormat(rate, channels)
    except ValueError as error:
        if not rate or not channels:
            cure = AGAIN
        elif channels > MOST_CHANNELS:
            cure = f"{sox_command(path, effect='remix 1')} takes its first channel"
        else:
            cure = f"{sox_command(path, writing='-r 48000')} makes one"
        raise AudioFormatError(f"{printable(path)} is out of bounds: {error}; {cure}") from error


def _widen(raw: bytes, order: str) -> npt.NDArray[Any]:
    """Return three bytes as the upper ones of four."""
    wide = np.zeros((len(raw) // 3, 4), np.uint8)
    place = slice(1, 4) if order == "<" else slice(0, 3)
    wide[:, place] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
    return wide.reshape(-1).view(order + "i4")
