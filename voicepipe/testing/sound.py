"""Test sounds: a tone, silence, noise, speech. The same arguments give the same bytes.

Each sound is a one-channel array of int16, for `card.mic.hear(...)` or for `frames_of`.
Levels are RMS values in dB relative to full scale, as in `Level`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt

from voicepipe.audio.format import FULL_SCALE, AudioFormat, pcm_bytes
from voicepipe.checks import check_count, check_number, check_seconds
from voicepipe.frames import AudioFrame, InputAudioFrame
from voicepipe.sample import speech as bundled_speech
from voicepipe.text import quote

__all__ = ["Samples", "frames_of", "noise", "silence", "speech", "tone"]

Samples = npt.NDArray[np.int16]
F = TypeVar("F", bound=AudioFrame)
_LONGEST_S = 3_600.0


def silence(seconds: float, *, rate: int = 16_000) -> Samples:
    """Return silence: zeros of int16, shape (samples,)."""
    return np.zeros(_count(seconds, rate), np.int16)


def tone(seconds: float, hz: float = 440.0, *, level_db: float = -20.0, rate: int = 16_000) -> Samples:
    """Return a sine that begins at zero, as int16, shape (samples,).

    Args:
        seconds: the duration, up to one hour.
        hz: the frequency, up to half the rate.
        level_db: the RMS level in dB relative to full scale, -96 to 0.
        rate: samples per second.

    Raises:
        TypeError, ValueError: a number is out of its bounds.
    """
    moments = np.arange(_count(seconds, rate)) / rate
    check_number("hz", hz, at_least=0.0, at_most=rate / 2)
    return _at_level(np.sin(2 * np.pi * hz * moments) * np.sqrt(2), level_db)


def noise(
    seconds: float,
    color: Literal["white", "pink"] = "white",
    *,
    level_db: float = -20.0,
    rate: int = 16_000,
    seed: int = 0,
) -> Samples:
    """Return noise, as int16, shape (samples,).

    Args:
        seconds: the duration, up to one hour.
        color: "white" has the same power at every frequency. "pink" has 3 dB less for each octave,
            like a room.
        level_db: the RMS level in dB relative to full scale, -96 to 0.
        rate: samples per second.
        seed: the seed of the random numbers. The same seed gives the same bytes.

    Raises:
        TypeError, ValueError: a number is out of its bounds, or the colour is unknown.
    """
    if color not in ("white", "pink"):
        raise ValueError(f"color must be 'white' or 'pink', not {quote(color)}")
    count = _count(seconds, rate)
    # The raw bits of a generator are the same in every version of numpy; its distributions may change.
    bits = np.random.PCG64(check_count("seed", seed)).random_raw(count)
    sound = bits.astype(np.float64) / 2**63 - 1
    if color == "pink" and count:
        spectrum = np.fft.rfft(sound)
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        spectrum[0] = 0
        sound = np.fft.irfft(spectrum, count)
    rms = np.sqrt(np.mean(sound * sound)) if count else 1.0
    return _at_level(sound / (rms or 1.0), level_db)


def speech(*, rate: int = 16_000) -> Samples:
    """Return the bundled voice: two sentences with a pause between them, as int16, shape (samples,)."""
    return np.frombuffer(bundled_speech(AudioFormat(rate)), np.int16)


@overload
def frames_of(
    sound: npt.NDArray[Any], *, rate: int = 16_000, block_s: float = 0.02
) -> list[InputAudioFrame]: ...
@overload
def frames_of(
    sound: npt.NDArray[Any], kind: type[F], *, rate: int = 16_000, block_s: float = 0.02
) -> list[F]: ...
def frames_of(
    sound: npt.NDArray[Any],
    kind: type[AudioFrame] = InputAudioFrame,
    *,
    rate: int = 16_000,
    block_s: float = 0.02,
) -> Any:
    """Cut a sound into frames, as a microphone delivers it. The last frame may be shorter.

    Positions begin at 0.

    Args:
        sound: int16 or float, shape (samples,) or (samples, channels).
        kind: the class of the frames.
        rate: samples per second.
        block_s: the duration of each frame, in seconds.

    Raises:
        TypeError, ValueError: an argument is out of its bounds.
        AudioFormatError: `sound` is not audio.
    """
    channels = sound.shape[1] if sound.ndim == 2 else 1
    audio = AudioFormat(rate, channels)
    data, size = pcm_bytes(sound, channels), audio.sample_bytes
    block = check_count("samples in a block", audio.samples(check_seconds("block_s", block_s)), at_least=1)
    return [
        kind(data[at * size : (at + block) * size], rate, channels, position=at)
        for at in range(0, len(data) // size, block)
    ]


def _count(seconds: float, rate: int) -> int:
    return AudioFormat(rate).samples(check_seconds("seconds", seconds, at_most=_LONGEST_S))


def _at_level(sound: npt.NDArray[np.float64], level_db: float) -> Samples:
    """Scale a sound with an RMS of 1 to the level; clip samples beyond full scale."""
    gain = FULL_SCALE * 10 ** (check_number("level_db", level_db, at_least=-96.0, at_most=0.0) / 20)
    return np.rint(np.clip(sound * gain, -FULL_SCALE, FULL_SCALE)).astype(np.int16)
