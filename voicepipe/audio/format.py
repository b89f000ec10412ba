"""Audio as voicepipe carries it: interleaved 16-bit PCM, and what is converted to it.

One *sample* here is one instant of all channels (2 bytes for each channel); rates,
positions and counts are all in these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voicepipe.checks import check_count
from voicepipe.errors import AudioFormatError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["KNOWN_FORMATS", "AudioFormat", "format_of", "pcm_bytes", "samples_in"]

SAMPLE_BYTES = 2
FULL_SCALE = 32767
"""The scale between float audio (-1 to 1) and int16."""
MOST_CHANNELS = 32
"""Of any stream."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Sampling rate and channels; the sample format is always int16.

    Raises:
        TypeError, ValueError: a field is no whole number in its bounds.
    """

    rate: int = 16_000
    """Samples a second, 1,000 to 384,000."""
    channels: int = 1
    """1 to 32."""

    def __post_init__(self) -> None:
        check_count("rate", self.rate, at_least=1_000, at_most=384_000)
        check_count("channels", self.channels, at_least=1, at_most=MOST_CHANNELS)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return SAMPLE_BYTES * self.channels

    def error_for(self, data: bytes) -> AudioFormatError:
        """Return the error for bytes that end within a sample."""
        return AudioFormatError(
            f"{len(data)} bytes are no whole number of samples: "
            f"{self.channels} channel(s) of int16 take {self.sample_bytes} bytes a sample"
        )

    def samples(self, seconds: float) -> int:
        """Return the number of samples that last that long, rounded."""
        return round(seconds * self.rate)

    def seconds(self, samples: int) -> float:
        """Return the length of so many samples, in seconds."""
        return samples / self.rate

    def __str__(self) -> str:
        return f"{self.rate} Hz, {self.channels} channel{'s' if self.channels != 1 else ''}"


KNOWN_FORMATS: dict[int, dict[int, AudioFormat]] = {}
"""Those that frames have, by rate and by channels. A program has a handful."""
_MOST_RATES = 256


def format_of(rate: int, channels: int) -> AudioFormat:
    """Return the format of this rate and these channels: checked once, and shared from then on.

    Raises:
        TypeError, ValueError: as `AudioFormat`.
    """
    plain = type(rate) is type(channels) is int
    found = KNOWN_FORMATS.get(rate, {}).get(channels) if plain else None
    if found is None:
        found = AudioFormat(rate, channels)
        if plain and (rate in KNOWN_FORMATS or len(KNOWN_FORMATS) < _MOST_RATES):
            KNOWN_FORMATS.setdefault(rate, {})[channels] = found
    return found


def samples_in(data: bytes, channels: int) -> int:
    """Return the number of samples that the bytes hold.

    Raises:
        AudioFormatError: the bytes end within a sample.
    """
    count, rest = divmod(len(data), SAMPLE_BYTES * channels)
    if rest:
        raise AudioFormat(channels=channels).error_for(data)
    return count


def pcm_bytes(audio: npt.NDArray[Any], channels: int = 1) -> bytes:
    """Return an array as interleaved int16 bytes.

    Takes int16 as it is, and floats where -1 to 1 is full scale: NaN becomes 0, what is
    beyond full scale is clipped. The shape is (samples,) for one channel, or
    (samples, channels).

    Raises:
        AudioFormatError: another dtype, or a shape that is not `channels` wide.
    """
    import numpy as np  # here, for a process that only moves bytes needs none of it

    array = np.asarray(audio)
    width = array.shape[1] if array.ndim == 2 else 1
    if array.ndim not in (1, 2) or width != channels:
        raise AudioFormatError(
            f"audio of shape {array.shape} is not {channels} channel(s); use the shape (samples, {channels})"
        )
    if array.dtype == np.int16:
        return array.tobytes()
    if not np.issubdtype(array.dtype, np.floating):
        raise AudioFormatError(f"audio of dtype {array.dtype}; use int16, or floats from -1 to 1")
    # NaN is silence; the clip comes before the cast, which would wrap 1.5 to -16386.
    finite = np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.rint(np.clip(finite, -1.0, 1.0) * FULL_SCALE).astype(np.int16).tobytes()
