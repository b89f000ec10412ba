"""The room between loudspeaker and microphone: soft clipping, the way through the air, two clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_number
from voicepipe.text import quote
from voicepipe_devices.fake.convolution import Convolver
from voicepipe_devices.fake.fractional import LEAD, resample
from voicepipe_devices.fake.track import SoundTrack

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["LONGEST_S", "Room"]

LONGEST_S = 4.0
"""Of an impulse response."""
_LATE_S = 2.0
"""The longest delay of a loudspeaker, and of a block that is read late."""
_STEADY_S = 1e-6
"""A microphone whose next block begins within so much of its time has lost nothing."""
_MOST_GAIN = 1_000.0
_FULL_SCALE = 32_768.0


class Room:
    """The room that a loudspeaker and a microphone share.

    Everything happens at its time: each side has a clock of its own. Where the clocks differ, the
    loudspeaker's sound is read between its samples. Raises as `change`.
    """

    def __init__(self, impulse: Any, rate: int, clip: float | None) -> None:
        self._track = SoundTrack(LONGEST_S + _LATE_S)
        self.change(impulse, rate, clip)

    def change(self, impulse: Any, rate: int, clip: float | None) -> None:
        """Change the way. What still echoes takes the new one, too. Raises: TypeError, ValueError."""
        drive = None if clip is None else check_number("clip", clip, at_least=0.01, at_most=100.0)
        self._way, self._drive = _Way(_check_impulse(impulse, AudioFormat(rate).rate), rate), drive

    def play(self, data: bytes, channels: int, sounds_s: float, hz: float) -> None:
        """Take what the loudspeaker plays: int16, the first sample at that time, at a true rate of `hz`."""
        sound = np.frombuffer(data, np.int16).reshape(-1, channels) / _FULL_SCALE
        if self._drive is not None:
            sound = np.tanh(self._drive * sound) / self._drive
        self._track.add(sound.mean(axis=1), sounds_s, hz)

    def silence_from(self, time_s: float) -> None:
        """Let nothing sound from then on; what sounded before still echoes."""
        self._track.end_at(time_s)

    def add_echo(self, data: bytes, audio: AudioFormat, from_s: float, hz: float) -> bytes:
        """Add what the microphone hears of the loudspeaker to what else it hears.

        Args:
            data: int16, what else it hears.
            audio: the microphone's format.
            from_s: the time of the first sample.
            hz: its true rate.
        """
        heard = np.frombuffer(data, np.int16).reshape(-1, audio.channels)
        echo = self._way.echo(self._track, from_s, audio.rate, hz, len(heard))
        if echo is None:
            return data
        both = np.clip(np.rint(heard + echo[:, None] * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
        return both.astype(np.int16).tobytes()


class _Way:
    """One way through the air, and what is under way on it."""

    def __init__(self, impulse: npt.NDArray[np.float64], rate: int) -> None:
        self._impulse, self._rate = impulse, rate
        self._response, self._response_rate = impulse, rate
        self._lead = 0
        """Samples by which the response begins before its time."""
        self._convolver: Convolver | None = None
        self._next_s = 0.0
        """The time at which the microphone's next block begins, if it loses nothing."""
        self._hz = 0.0

    def echo(
        self, track: SoundTrack, from_s: float, rate: int, hz: float, count: int
    ) -> npt.NDArray[np.float64] | None:
        """Return what a microphone of that rate hears from then on; None: nothing."""
        response = self._response_at(rate)
        from_s += self._lead / hz
        if track.is_silent(from_s - (len(response) + LEAD) / hz):
            self._convolver = None
            return None
        convolver = self._convolver
        if convolver is None or hz != self._hz or abs(from_s - self._next_s) > _STEADY_S:
            before = len(response) - 1
            convolver = Convolver(response, track.read(from_s - before / hz, hz, before))
            self._convolver = convolver
        self._hz, self._next_s = hz, from_s + count / hz
        return convolver.convolve(track.read(from_s, hz, count))

    def _response_at(self, rate: int) -> npt.NDArray[np.float64]:
        if self._response_rate != rate:
            is_own = rate == self._rate
            self._response = self._impulse if is_own else resample(self._impulse, self._rate, rate)
            self._response_rate, self._lead, self._convolver = rate, 0 if is_own else LEAD, None
        return self._response


def _check_impulse(impulse: Any, rate: int) -> npt.NDArray[np.float64]:
    """Return an impulse response as floats. Raises: TypeError, ValueError."""
    expected = "a response of floats (1.0: as loud as it was played), shape (taps,)"
    try:
        taps = np.asarray(impulse)
    except ValueError:
        raise ValueError(f"impulse must be {expected}, not rows of different lengths") from None
    if taps.dtype.kind != "f":
        cure = ": divide int16 by 32768" if taps.dtype.kind in "iu" else ""
        raise TypeError(f"impulse must be {expected}, not {quote(taps.dtype.name)}{cure}")
    if taps.ndim != 1 or not len(taps):
        raise ValueError(f"impulse must be {expected}, not of shape {taps.shape}")
    if len(taps) > LONGEST_S * rate:
        seconds = f"not {len(taps) / rate:.1f} s at {rate} Hz"
        raise ValueError(f"impulse must last up to {LONGEST_S:g} s, {seconds}: cut its end, or give its rate")
    bad = ~np.isfinite(taps) | (np.abs(taps) > _MOST_GAIN)
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(f"impulse must be finite and up to {_MOST_GAIN:g}, not {taps[at]} at tap {at}")
    return taps.astype(np.float64)
