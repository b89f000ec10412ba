"""WebRTC's voice activity detector for steady noise: behind a suppressor, beside what makes a voice."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from voicepipe.speech.detectors.noise_suppressor import (
    BINS,
    CLEANED_RATE,
    DITHER,
    HOP,
    HZ,
    RATE,
    VOICE_HZ,
    NoiseSuppressor,
    within,
)
from voicepipe.speech.detectors.protocol import check_window
from voicepipe.speech.detectors.webrtc import load_detector

__all__ = ["RobustWebRTCEngine"]

_Floats = npt.NDArray[np.float64]

LOW_HZ, HIGH_HZ = (200, 750), (2_000, 3_800)
WINDOW_S = HOP / RATE

WEIGHTS = (
    *(2.352, 1.978),  # highest tone and verdict lately; how the timbre moves
    *(0.77, 0.875, 1.293, -2.425, -3.366, 0.977),  # over 0.1 s: verdict, bands, sameness, voiced
    *(1.57, 2.786, 1.549),  # over 0.5 s: verdict, level of both bands over the noise
    *(0.663, 1.171),  # that level now
)
BIAS = -4.989

RECENT = 7
"""Windows: 0.2 s. A voice is never unvoiced for longer while it speaks."""
VOICED = 0.6
"""Periodicity, 0 to 1, that counts as a voice's tone."""
TO_HOLD = 0.35
"""The periodicity that there was lately while a voice goes on."""
SPAN = 10
"""Windows: 0.3 s, by which a beginning is judged."""
TO_BEGIN = 0.6
"""The mean score that these must reach."""
TONED, TONED_WINDOWS = 0.45, 3
"""And how many of them must have had so much of a tone."""
UNSURE = 0.45
"""The most that a window scores without that: enough to go on, not to begin."""
UNVOICED = 0.3
"""The most that a window scores where nothing lately had a voice's tone."""


class RobustWebRTCEngine:
    """A `SpeechEngine` over webrtcvad that is not fooled by steady noise: hum, wind, rain, fans.

    It is what that detector can do, to compare with; `silero` is better in every figure. Music, beeps and
    animals it takes for a voice: its features tell them apart on recordings that it was fitted to, not on
    others.

    Each window of 30 ms is cleaned of steady noise and judged by WebRTC's detector in its strictest
    mode. Beside its verdict stand how much of a low and of a high band rose above the noise, how
    periodic the sound is, how much its spectrum stays the same, and how its timbre moves. A logistic
    function makes one score of them, whose weights were fitted to read speech in sixteen kinds of
    noise, without music. A beginning needs the evidence of 0.3 s, and some tone of a voice in it;
    going on needs some within 0.2 s.

    Raises:
        BackendMissingError: the package webrtcvad-wheels is not installed.
    """

    name = "webrtc"
    wants_level = True
    rate = RATE
    window = HOP

    def __init__(self) -> None:
        self._new_detector = load_detector()
        self._suppressor = NoiseSuppressor()
        columns = [within(LOW_HZ), within(HIGH_HZ), np.ones(BINS), HZ / 4_000]
        self._bands: _Floats = np.array(columns).T.copy()
        self._tone = _Periodicity()
        self._stayed, self._sound = _Sameness(2), _Sameness(4)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._suppressor.reset()
        for each in (self._stayed, self._sound):
            each.reset()
        self._detector = self._new_detector(3)
        self._soon = [0.0] * 6
        self._late = [0.0] * 3
        self._timbre = self._timbre_squared = 0.0
        self._tones: deque[float] = deque([0.0] * SPAN, SPAN)
        self._verdicts: deque[bool] = deque([False] * RECENT, RECENT)
        self._likely: deque[float] = deque([0.0] * SPAN, SPAN)

    def score(self, window: bytes) -> float:
        """Score a window: 0 is surely no speech, 1 surely speech.

        Raises:
            TypeError: it is no bytes.
            ValueError: it is not exactly one window.
        """
        check_window(window, self.window)
        exponent = BIAS + sum(map(float.__mul__, WEIGHTS, self.measure(window)))
        likely = 1.0 / (1.0 + math.exp(-exponent))
        tones, scores = self._tones, self._likely
        scores.append(likely)
        if self._tone_lately() < TO_HOLD:
            return min(likely, UNVOICED)
        sure = sum(scores) >= TO_BEGIN * SPAN and (
            sum(tone >= TONED and score >= 0.4 for tone, score in zip(tones, scores, strict=True))
            >= TONED_WINDOWS
        )
        return likely if sure else min(likely, UNSURE)

    def measure(self, window: bytes) -> tuple[float, ...]:
        """Measure what the score is made of: 13 numbers from 0 to 1."""
        suppressor = self._suppressor
        verdict = self._detector.is_speech(suppressor.process(window), CLEANED_RATE)
        spectra = suppressor.spectra
        heard, stayed, floor = (spectra @ self._bands).tolist()
        low, high, _, _ = heard
        low_left, high_left, left, moment = stayed
        low_floor, high_floor, _, _ = floor
        tone = self._tone.of(spectra[0])
        self._tones.append(tone)
        self._verdicts.append(verdict)
        magnitudes = np.sqrt(spectra[:2])
        over = _over(low, low_floor), _over(high, high_floor)
        self._fade(
            (
                float(verdict),
                _remainder(low, low_left),
                _remainder(high, high_left),
                self._stayed.of(magnitudes[1]),
                self._sound.of(magnitudes[0]),
                float(verdict and tone > VOICED),
            ),
            (float(verdict), *over),
        )
        timbre = self._timbre_moves(min(1.0, moment / (left + 1e-6)))
        lately = self._tone_lately() if any(self._verdicts) else 0.0
        return (lately, timbre, *self._soon, *self._late, *over)

    def _fade(self, soon: tuple[float, ...], late: tuple[float, ...]) -> None:
        """Follow with the means over the last 0.1 and 0.5 s."""
        self._soon = [mean + SOON * (now - mean) for mean, now in zip(self._soon, soon, strict=True)]
        self._late = [mean + LATE * (now - mean) for mean, now in zip(self._late, late, strict=True)]

    def _timbre_moves(self, timbre: float) -> float:
        """Measure the movement of the spectrum's centre lately."""
        self._timbre += TIMBRE * (timbre - self._timbre)
        self._timbre_squared += TIMBRE * (timbre * timbre - self._timbre_squared)
        return min(1.0, 3 * math.sqrt(max(0.0, self._timbre_squared - self._timbre**2)))

    def _tone_lately(self) -> float:
        tones = self._tones
        return max(tones[n] for n in range(SPAN - RECENT, SPAN))


def _share(seconds: float) -> float:
    """Return the weight of one window in a mean that fades in so much time."""
    return 1.0 - math.exp(-WINDOW_S / seconds)


SOON, LATE, TIMBRE = _share(0.1), _share(0.5), _share(0.4)


def _remainder(before: float, after: float) -> float:
    """Return the part of a band that stayed when the noise was taken out: 1 is all, 0 is 20 dB less."""
    return min(1.0, max(0.0, math.log10((after + DITHER) / (before + DITHER)) / 2 + 1))


def _over(power: float, floor: float) -> float:
    """Return the height of a band above the noise: 0.3 is as loud, 1 is 14 dB more."""
    return min(1.0, max(0.0, math.log10((power + DITHER) / (floor + DITHER)) / 2 + 0.3))


class _Sameness:
    """The likeness of a spectrum to that of some windows before, 0 to 1: high for tones and hum."""

    def __init__(self, windows: int) -> None:
        self._windows = windows
        self._voice = within(VOICE_HZ)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._before: deque[tuple[_Floats, float]] = deque(maxlen=self._windows)

    def of(self, magnitudes: _Floats) -> float:
        """Compare the next window."""
        heard = magnitudes * self._voice
        norm = float(heard @ heard)
        same = 0.0
        if len(self._before) == self._windows:
            before, its_norm = self._before[0]
            same = min(1.0, float(heard @ before) / max(1e-9, math.sqrt(norm * its_norm)))
        self._before.append((heard, norm))
        return same


class _Periodicity:
    """The repetition of a sound at the pitch of a voice: the peak of its autocorrelation, 0 to 1."""

    def __init__(self) -> None:
        # At 8 kHz: 70 to 400 Hz, and 0 for the whole. A product with so few costs less than a transform.
        lags = np.array([0, *range(20, 60), *range(60, 115, 2)])
        waves = np.cos(2 * np.pi / CLEANED_RATE * np.outer(lags, HZ))
        taper = np.hanning(2 * len(HZ) - 1)[:-1]
        own = np.fft.irfft(np.abs(np.fft.rfft(taper)) ** 2)[lags]
        waves *= (own[0] / own)[:, np.newaxis]
        self._waves: npt.NDArray[np.float32] = (waves * within(VOICE_HZ)).astype(np.float32)

    def of(self, power: _Floats) -> float:
        """Measure it in a power spectrum up to 4 kHz."""
        found = self._waves @ power.astype(np.float32)
        whole = float(found[0])
        if whole <= 8_000.0:  # nothing but rounding
            return 0.0
        return min(1.0, max(0.0, float(np.max(found[1:])) / whole))
