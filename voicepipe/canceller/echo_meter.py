"""The figures of an echo: how much a canceller takes away, and how strong and how late the echo is.

They are taken over windows of 3 s in which the program sounds, its echo is louder than the room's noise, and
nobody talks over it. That is judged by comparing microphone, words and speaker, and not by voice detection,
which may be wrong about just this.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.cancelled_block import CancelledBlock
from voicepipe.canceller.delay_watch import DelayWatch
from voicepipe.canceller.echo_delay import EchoDelay

__all__ = ["EchoMeter", "EchoWindow"]

HOP_BLOCKS = 5
"""Powers are compared over 50 ms: syllables differ by then, and reverberation of before matters little."""
WINDOW_HOPS = 60
"""3 s."""
MEMORY_HOPS = 3 * WINDOW_HOPS
"""Hops for a window are looked for among so many: where somebody talks for longer, the oldest go."""
LEAST_FAR = 10**-5.5
"""The power of a speaker's sound, at full scale 1, from which on its echo is looked for: -55 dB."""
CLEAR = 10.0
"""The power of an echo above the noise of the room. What is fainter troubles no judge."""
OUTLIER_DB = 6.0
"""A hop that has so much more than the median, behind the canceller or against the speaker, has a voice."""
SMEAR = 0.5
"""The part of a hop's sound that still echoes in the next one."""
LEAST_CORRELATION = 0.6
"""The rest of an echo rises and falls with it; a voice does not."""
DOUBTFUL_DB = 12.0
"""A lower reduction may be a voice that was taken for the rest of an echo."""
QUIET_HOPS = 100
"""The noise of the room is the least of the last 5 s in which no speaker sounded."""
MINIMUM_BIAS = 1.3
"""The least power of many blocks of noise is lower than their mean by about so much."""
BEST_DB = 60.0
"""No figure is better than this, as rounding is noise too."""

_Floats = npt.NDArray[np.float64]


class EchoWindow(NamedTuple):
    """The figures of one window. Decibels are of power."""

    erle_db: float
    """The reduction of the echo at the ear."""
    words_erle_db: float
    """The reduction of the echo in the words."""
    strength_db: float
    """The level of the echo at the microphone against the speaker's sound."""
    delay_s: float | None
    """From the sound at the speaker to its echo at the microphone; None: it was not found."""


class _Hop(NamedTuple):
    mic: float
    ear: float
    words: float
    far: float
    smeared: float
    """The speaker's sound with what still echoes of before."""


class EchoMeter:
    """Measures the echo from what goes into a canceller and what comes out.

    Args:
        rate: of the microphone, in samples a second.
        channels: of the microphone.
        delay: the samples by which ear and words lag behind the microphone.
        lead: the samples by which the speaker's sound is early.
    """

    def __init__(self, rate: int, channels: int, delay: int, lead: int = 0) -> None:
        self._channels, self._lag = channels, delay
        self._delay, self._rest_delay = EchoDelay(rate, lead), EchoDelay(rate, lead)
        """The delay of the echo at the microphone, and of what is left of it at the ear."""
        self._watch = DelayWatch(self._delay)
        self._rate = rate
        self.misplaced_s = 0.0
        """By how much the canceller should look later for the echo, which it does not find; 0: it may."""
        self._blocks: list[CancelledBlock] = []
        self._before: _Floats = np.zeros((delay, channels))
        """The microphone's last samples of the hop before."""
        self._smeared = 0.0
        self._floors: deque[float] = deque(maxlen=QUIET_HOPS)
        self._hops: deque[_Hop] = deque(maxlen=MEMORY_HOPS)
        self._rested = 0

    def add(self, block: CancelledBlock) -> EchoWindow | None:
        """Take the next block; return the figures of a window that it completes."""
        if block.far is None or block.ear is None:
            self._rest(block)
            return None
        self._blocks.append(block)
        if len(self._blocks) < HOP_BLOCKS:
            return None
        blocks, self._blocks = self._blocks, []
        hop = self._measure(blocks)
        if hop is None:
            return None
        self._hops.append(hop)
        return self._close_window() if len(self._hops) >= WINDOW_HOPS else None

    def move(self, by_s: float) -> None:
        """Note that the canceller looks so much later from now on."""
        self.misplaced_s = 0.0
        self._hops.clear()
        for delay in (self._delay, self._rest_delay):
            delay.move(round(by_s * self._rate))

    def _rest(self, block: CancelledBlock) -> None:
        """Note the noise of the room now and then; it costs next to nothing."""
        self._blocks.clear()
        self._smeared = 0.0
        self._delay.forget()
        self._rest_delay.forget()
        self._rested += 1
        if self._rested % HOP_BLOCKS == 0:
            self._floors.append(_power(_samples(block.mic, self._channels)))

    def _measure(self, blocks: list[CancelledBlock]) -> _Hop | None:
        """Return the powers of a hop in which an echo may be heard; None: none may."""
        mic = _samples(b"".join([block.mic for block in blocks]), self._channels)
        far = np.concatenate([block.far for block in blocks if block.far is not None]).astype(np.float64)
        ear = _samples(b"".join([block.ear or b"" for block in blocks]), 1)
        words = _samples(b"".join([block.words for block in blocks]), self._channels)
        self._delay.add(mic[:, 0], far)
        self._rest_delay.add(ear[:, 0], far)
        late = np.concatenate([self._before, mic])
        late, self._before = late[: len(mic)], late[len(mic) :]
        power = _power(far)
        self._smeared = power + SMEAR * self._smeared
        hop = _Hop(_power(late), _power(ear), _power(words), power, self._smeared)
        if hop.smeared < LEAST_FAR / 100:
            least = np.min(np.square(late).reshape(HOP_BLOCKS, -1).mean(axis=1))
            self._floors.append(float(least))
        if hop.far < LEAST_FAR or hop.mic < CLEAR * self._noise:
            return None
        self.misplaced_s = self._watch.note(hop.mic, hop.words) or self.misplaced_s
        return hop

    @property
    def _noise(self) -> float:
        """The power of the room's noise; 0 until the speakers were silent for once."""
        return MINIMUM_BIAS * min(self._floors, default=0.0)

    def _close_window(self) -> EchoWindow | None:
        """Return the figures if there are enough hops in which nobody talks."""
        hops = np.array(self._hops)
        clean = hops[_has_no_voice(hops)]
        if len(clean) < WINDOW_HOPS:
            return None
        clean = clean[-WINDOW_HOPS:]
        self._hops.clear()
        mic, ear, words, far, _ = (float(total) for total in clean.sum(axis=0))
        noise = self._noise * len(clean)
        erle_db = _reduction_db(mic, ear, noise)
        delay_s = self._delay.find()
        if erle_db < DOUBTFUL_DB and self._is_voice(delay_s, clean):
            return None
        return EchoWindow(
            erle_db,
            _reduction_db(mic, words, noise),
            _db(max(mic - noise, 1e-12) / far),
            delay_s,
        )

    def _is_voice(self, delay_s: float | None, hops: _Floats) -> bool:
        """Return True if the ear's rest is no echo: it does not resemble the speaker's sound in any way."""
        if self._rest_delay.find() is not None:
            return False
        return delay_s is None or not _follows(hops[:, 1], hops[:, 4])


def _has_no_voice(hops: _Floats) -> npt.NDArray[np.bool_]:
    """Return the hops in which neither the words nor the microphone have more than usual."""
    mic, _, words, _, smeared = hops.T
    behind, against = 10 * np.log10(words / mic), 10 * np.log10(mic / smeared)
    result: npt.NDArray[np.bool_] = (behind < np.median(behind) + OUTLIER_DB) & (
        against < np.median(against) + OUTLIER_DB
    )
    return result


def _follows(left: _Floats, smeared: _Floats) -> bool:
    """Return True if what is left rises and falls with the speaker's sound."""
    first, second = np.log(left), np.log(smeared)
    first, second = first - first.mean(), second - second.mean()
    norm = math.sqrt(float(first @ first) * float(second @ second))
    return norm == 0 or float(first @ second) / norm > LEAST_CORRELATION


def _reduction_db(mic: float, left: float, noise: float) -> float:
    """Return the ratio of the echo before and after; the noise of the room is no echo."""
    return min(BEST_DB, _db(max(mic - noise, 1e-12) / max(left - noise, noise / 4, 1e-12)))


def _samples(data: bytes, channels: int) -> _Floats:
    return np.frombuffer(data, np.int16).reshape(-1, channels) / 32768


def _power(audio: _Floats) -> float:
    """Return the mean power; rounding to 16 bits has at least so much."""
    return max(float(np.vdot(audio, audio)) / audio.size, 1e-11)


def _db(ratio: float) -> float:
    return 10 * math.log10(ratio)
