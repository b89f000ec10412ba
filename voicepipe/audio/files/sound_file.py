"""Sound files of every kind that can be read here, behind one interface."""

from __future__ import annotations

import os
from typing import Protocol, Self

from voicepipe.audio.files.regular_file import open_regular
from voicepipe.audio.files.sound_kinds import Kind, find_kind
from voicepipe.audio.files.wav_encoding import OtherEncodingError
from voicepipe.audio.files.wav_file import WavReader
from voicepipe.audio.format import AudioFormat

__all__ = ["SoundReader", "open_sound_file"]


class SoundReader(Protocol):
    """An open file that gives its audio as interleaved int16."""

    @property
    def format(self) -> AudioFormat:
        """Rate and channels of the file."""
        ...

    @property
    def num_samples(self) -> int | None:
        """Samples by the header, held against the file where that can be done; None where it does not say."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """Faults of the file that it is read in spite of. Some show only when they are reached."""
        ...

    def read(self, samples: int) -> bytes:
        """Read the next samples: as many, or as there are; b"" at the end. Raises: OSError."""
        ...

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        ...

    def __enter__(self) -> Self:
        """Return the reader."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        ...


def open_sound_file(path: str | os.PathLike[str]) -> SoundReader:
    """Open a sound file. Its content tells its kind, whatever its name says.

    WAV files need nothing else. FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU, CAF and Wave64, and WAV files of
    other encodings, need the package `soundfile` (the extra `files`).

    Raises:
        AudioFormatError: it is no sound file that can be read here; the message has the cure.
        OSError: it cannot be opened.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        kind, _ = find_kind(file)
    if kind.reader == "soundfile":
        return _decode(path, kind)
    try:
        return WavReader(path)  # which says about any other kind what helps
    except OtherEncodingError as error:
        return _decode(path, Kind(f"a WAV file with {error.encoding}", "soundfile"))


def _decode(path: str | os.PathLike[str], kind: Kind) -> SoundReader:
    # Where it is used: it is not needed for WAV files.
    from voicepipe.audio.files.decoded_file import DecodedReader

    return DecodedReader(path, kind)
