"""WebRTC's voice activity detector, made fit for noise: behind a suppressor, beside what makes a voice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.denoise import BINS, DITHER, FRAME, RATE, NoiseSuppressor
from voicepipe.webrtc import check_window, load_detector

__all__ = ["RobustWebRTCEngine"]

_Floats = npt.NDArray[np.float64]

WEIGHTS: _Floats = np.array(
    [
        # the verdict of the detector's modes, and of its strictest; what stayed in three bands; tone; SNR
        *(0.128, -0.504, 0.686, -0.103, 0.65, -0.276, 1.208),
        # the means of these over the last 0.1 s
        *(1.095, 1.142, 2.646, -3.322, 3.39, 5.295, -2.726),
        # the means of what was voiced, voiced and strict, strict and loud
        *(-4.594, 4.066, 0.671),
        # the highest tone lately, and with the highest verdict
        *(1.862, 3.217),
    ]
)
BIAS = -8.932

BANDS_HZ = ((200, 750), (750, 2_000), (2_000, 3_800))
VOICE_HZ = (200, 3_800)
FADE = float(np.exp(-0.02 / 0.1))
"""Every measure counts by itself and as its mean over the last 0.1 s."""
RECENT = 10
"""Windows: 0.2 s. A voice is never unvoiced for longer while it speaks."""
VOICED = 0.7
TO_HOLD = 0.6
"""Periodicity, 0 to 1, that counts as a voice's tone; and that was there lately while a voice goes on."""
VOICED_WINDOWS, OUT_OF = 5, 15
"""So many voiced windows among the last 0.3 s make a beginning certain."""
UNSURE = 0.45
"""The most that a window scores without them: enough to go on, not to begin."""
UNVOICED = 0.3
"""The most that a window scores where nothing lately had a voice's tone."""


class RobustWebRTCEngine:
    """A `SpeechEngine` over webrtcvad that tells voices from hum, wind, fans, clicks and knocks.

    Each window of 20 ms is cleaned of steady noise and judged by WebRTC's detector in all its four
    modes. Beside their verdicts stand how much of each band rose above the noise, the level over the
    noise floor, and how periodic the sound is. A logistic function, whose weights were fitted to
    read speech in fourteen kinds of noise, makes one score of them; and without the tone of a voice
    in the last 0.3 s it says neither that speech began nor that it goes on.

    Raises:
        BackendMissingError: the package webrtcvad-wheels is not installed.
    """

    name = "webrtc"
    rate = RATE
    window = FRAME

    def __init__(self) -> None:
        self._new_detector = load_detector()
        self._suppressor = NoiseSuppressor()
        self._tone = _Periodicity()
        hz = np.arange(BINS) * RATE / FRAME
        bands = [(hz >= low) & (hz < high) for low, high in (*BANDS_HZ, VOICE_HZ)]
        self._bands: _Floats = np.array(bands, float).T.copy()
        self._spectra: _Floats = np.zeros((3, BINS))
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._suppressor.reset()
        self._tone.reset()
        self._detectors = [self._new_detector(mode) for mode in range(4)]
        self._means: _Floats = np.zeros(10)
        self._tones: _Floats = np.zeros(OUT_OF)
        self._verdicts: _Floats = np.zeros(RECENT)
        self._likely: _Floats = np.zeros(OUT_OF)
        self._windows = 0

    def score(self, window: bytes) -> float:
        """How surely this is speech, 0 to 1.

        Raises:
            TypeError: it is no bytes.
            ValueError: it is not exactly one window.
        """
        check_window(window, self.window)
        exponent = float(self.measure(window) @ WEIGHTS) + BIAS
        likely = 1.0 / (1.0 + float(np.exp(-exponent)))
        at = (self._windows - 1) % OUT_OF
        self._likely[at] = likely
        voiced = np.count_nonzero((self._tones >= VOICED) & (self._likely >= 0.4))
        if self._lately(self._tones) < TO_HOLD:
            return min(likely, UNVOICED)
        return likely if voiced >= VOICED_WINDOWS else min(likely, UNSURE)

    def measure(self, window: bytes) -> _Floats:
        """What the score is made of: 19 numbers from 0 to 1."""
        suppressor = self._suppressor
        cleaned = suppressor.process(np.frombuffer(window, np.int16).astype(np.float64))
        np.clip(np.rint(cleaned), -32_768, 32_767, out=cleaned)
        pcm = cleaned.astype(np.int16).tobytes()
        verdicts = [detector.is_speech(pcm, RATE) for detector in self._detectors]
        verdict, strict = sum(verdicts) / 4, float(verdicts[3])
        tone = self._tone.of(cleaned)
        low, mid, high, snr = self._spectral()
        self._tones[self._windows % OUT_OF] = tone
        self._verdicts[self._windows % RECENT] = verdict
        self._windows += 1
        voiced = float(tone > 0.6)
        now = np.array((verdict, strict, low, mid, high, tone, snr, voiced, voiced * strict, strict * snr))
        means = self._means
        means *= FADE
        means += (1 - FADE) * now
        lately = self._lately(self._tones)
        recent = np.array((lately, lately * float(np.max(self._verdicts))))
        return np.concatenate((now[:7], means, recent))

    def _spectral(self) -> tuple[float, float, float, float]:
        """How much of three bands stayed after the noise was taken out, and the level over its floor."""
        suppressor = self._suppressor
        power, spectra = suppressor.power, self._spectra
        np.add(power[0], power[1], out=spectra[0])
        stayed = power * suppressor.gain * suppressor.gain
        np.add(stayed[0], stayed[1], out=spectra[1])
        np.multiply(suppressor.floor, 2.0, out=spectra[2])
        before, after, floor = spectra @ self._bands
        kept = 10 * np.log10((after + DITHER) / (before + DITHER)) / 20 + 1
        snr = 10 * np.log10((before[3] + DITHER) / (floor[3] + DITHER)) / 20 + 0.3
        low, mid, high, _ = np.clip(kept, 0.0, 1.0)
        return float(low), float(mid), float(high), float(min(1.0, max(0.0, snr)))

    def _lately(self, tones: _Floats) -> float:
        """The highest of the last `RECENT` windows."""
        at = np.arange(self._windows - RECENT, self._windows) % OUT_OF
        return float(np.max(tones[at]))


class _Periodicity:
    """How much a sound repeats itself at the pitch of a voice: the peak of its autocorrelation, 0 to 1.

    Over the last 32 ms, at half the rate: above 4 kHz a voice has little that repeats.
    """

    _span = 256
    _lags = slice(20, 115)
    """At 8 kHz: 70 to 400 Hz."""

    def __init__(self) -> None:
        self._taper: _Floats = np.hanning(self._span + 1)[: self._span]
        own = self._autocorrelation(self._taper)
        self._own: _Floats = own[self._lags] / own[0]
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._heard: _Floats = np.zeros(self._span)

    def of(self, window: _Floats) -> float:
        """With the next window."""
        halved = window.reshape(-1, 2).sum(1)
        self._heard = np.concatenate((self._heard[len(halved) :], halved))
        found = self._autocorrelation(self._heard * self._taper)
        if found[0] < self._span * 4.0:  # nothing but rounding
            return 0.0
        return float(min(1.0, max(0.0, float(np.max(found[self._lags] / self._own)) / found[0])))

    def _autocorrelation(self, audio: _Floats) -> _Floats:
        spectrum = np.fft.rfft(audio, 384)
        return np.fft.irfft(spectrum.real**2 + spectrum.imag**2)
