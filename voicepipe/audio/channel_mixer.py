"""Several channels of a microphone become one: their mean, or the best of them where the mean is worse.

Two capsules of which one is wired the wrong way round cancel each other. A channel with hum, or with nothing
in it, spoils what the other hears. Both show while somebody speaks, in the levels of mix and channels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.audio.format import AudioFormat
from voicepipe.log import logger_of

__all__ = ["ChannelMixer"]

WINDOW_S = 0.02
FLOOR_S = 1.0
"""The noise floor is the lowest power of the last three stretches of so much time, and of the present one."""
STRETCHES = 3
SMOOTH = 0.5
"""The weight of a window in the power whose minimum is the floor."""
LEAST_FLOOR = 0.25
"""The power of rounding, in steps of 16 bits: nothing is quieter."""
SOUNDS = 10.0
"""The ratio of power to floor from which something is to be heard."""
MEMORY_S = 0.5
"""The time of sound over which powers are compared: some syllables."""
EVIDENCE_S = 1.0
"""The time of sound for which a channel must be better than the mix before it is taken: in a single vowel
capsules at some distance may cancel too."""
SUSPICION_S = 0.1
"""The time after which to name it where somebody asks."""
RETURN_S = 3.0
"""The time of sound for which the mix must be as good again."""
CLEARER = 4.0
"""The advantage in signal to noise, 6 dB, that counts. Two equal capsules differ from their mix by 3."""
LOUDER = 3.0
"""The advantage in level, 5 dB, that counts. Capsules in quadrature differ from their mix by 3."""
NEARLY = 0.6
"""The mix is as good again by narrower limits, so that nothing goes to and fro."""
PLAINLY, AT_ONCE = 4.0, 5
"""Where an advantage is 6 dB more than that, each window counts as five."""
SILENT = 0.1
"""A channel with so small a part of the best one's signal hears nothing."""

_log = logger_of("voicepipe")
_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int16]


class ChannelMixer:
    """Mixes a stream to mono. The result does not depend on where the stream is cut.

    It judges whole windows of 20 ms, and changes over the next one, so nothing is held back, and there is
    no click. The first change is told in the log.

    Args:
        source: the format of what goes in.
        name: the name of the source in the log.
    """

    def __init__(self, source: AudioFormat, name: str = "the audio") -> None:
        count = source.channels
        self._name = name
        self._window = max(1, source.samples(WINDOW_S))
        self._ones = np.ones(self._window)
        self._candidates: _Floats = np.vstack([np.full(count, 1 / count), np.eye(count)])
        """By row, the weights of the mix and of each channel alone."""
        self._fault = ""
        self._taken = 0
        """The row that is heard."""
        self._before = self._weights = self._candidates[0]
        self._judge = _Judge(len(self._candidates))
        self._is_told = False
        self._forget()

    @property
    def channel(self) -> int | None:
        """The channel that is heard, counted from 1; None: all, mixed."""
        return self._taken or None

    @property
    def fault(self) -> str:
        """A sentence on what spoils the mix, even before it is certain; empty where nothing does."""
        return self._fault if self._taken else self._judge.suspicion()

    def mix(self, audio: _Ints) -> _Ints:
        """Mix audio of shape (samples, channels) to (samples, 1)."""
        mixed = np.empty((len(audio), 1), np.int16)
        at = 0
        while at < len(audio):
            end = min(len(audio), at + self._window - self._filled)
            mixed[at:end, 0] = self._mix_piece(audio[at:end].astype(np.float64))
            at = end
        return mixed

    def _mix_piece(self, audio: _Floats) -> _Floats:
        """Mix a part of one window, and measure it. Sums of whole numbers are exact, in any order."""
        mixed: _Floats = audio @ self._weights
        if self._before is not self._weights:
            share = np.arange(self._filled + 1, self._filled + len(audio) + 1) / self._window
            mixed = share * mixed + (1 - share) * (audio @ self._before)
        self._products += audio.T @ audio
        self._sums += self._ones[: len(audio)] @ audio  # numpy's sum over short rows is dearer
        self._filled += len(audio)
        if self._filled == self._window:
            self._end_window()
        np.rint(mixed, out=mixed)
        return mixed

    def _end_window(self) -> None:
        mean = self._sums / self._window
        together = self._products / self._window - mean[:, None] * mean
        powers = ((self._candidates @ together) * self._candidates).sum(1)
        self._before = self._weights
        best = self._judge.best(np.maximum(powers, 0.0), self._taken)
        if best != self._taken:
            self._take(best)
        self._forget()

    def _forget(self) -> None:
        count = self._candidates.shape[1]
        self._products: _Floats = np.zeros((count, count))
        self._sums: _Floats = np.zeros(count)
        self._filled = 0

    def _take(self, row: int) -> None:
        self._taken = row
        self._weights = self._candidates[row]
        self._fault = f"{self._judge.describe(row)}; only channel {row} is heard" if row else ""
        if row and not self._is_told:
            self._is_told = True
            hint = "--mic-channel %d, or channel=%d, does so from the beginning"
            _log.warning(f"%s: %s ({hint})", self._name, self._fault, row, row)


class _Judge:
    """Compares the candidates: row 0 is the mix, the others are the channels."""

    def __init__(self, rows: int) -> None:
        self._smooth: _Floats | None = None
        self._minima: _Floats = np.full((STRETCHES, rows), np.inf)
        self._least: _Floats = np.full(rows, np.inf)
        """The lowest of them. It is looked at in each window, and changes once a second."""
        self._latest: _Floats = np.full(rows, np.inf)
        self._windows = 0
        self._stretch = round(FLOOR_S / WINDOW_S)
        self._heard: _Floats | None = None
        """The mean powers while there is sound."""
        self._floor: _Floats = np.full(rows, LEAST_FLOOR)
        self._signal: _Floats = np.zeros(rows)
        """Those without the noise, as of the last window with sound."""
        self._better_for = self._as_good_for = 0

    def best(self, powers: _Floats, taken: int) -> int:
        """Return the row to hear from now on, after a window with these powers."""
        self._follow_the_floor(powers)
        if not (powers > SOUNDS * self._floor).any():
            return taken
        share = WINDOW_S / MEMORY_S
        self._heard = powers if self._heard is None else self._heard + share * (powers - self._heard)
        self._signal = np.maximum(self._heard - self._floor, 0.0)
        best = self._best_channel()
        worse = self._is_worse(taken, best)
        evidence = AT_ONCE if worse and self._is_worse(taken, best, PLAINLY) else 1
        self._better_for = self._better_for + evidence if worse else 0
        good = taken and not self._is_worse(0, best, NEARLY)
        self._as_good_for = self._as_good_for + 1 if good else 0
        if self._better_for * WINDOW_S >= EVIDENCE_S:
            return self._change(best)
        return self._change(0) if self._as_good_for * WINDOW_S >= RETURN_S else taken

    def suspicion(self) -> str:
        """Describe what seems to spoil the mix; empty: nothing, or too little was heard."""
        return self.describe(self._best_channel()) if self._better_for * WINDOW_S >= SUSPICION_S else ""

    def describe(self, row: int) -> str:
        """Describe what spoils the mix where the channel of this row is better."""
        signal, floor = self._signal, self._floor
        others = [n for n in range(1, len(signal)) if n != row]
        noisy = [n for n in others if floor[n] > CLEARER * floor[row] and signal[n] < CLEARER * floor[n]]
        silent = [n for n in others if n not in noisy and signal[n] < SILENT * signal[row]]
        if noisy:
            return f"noise spoils {_channels(noisy)}"
        if silent:
            return f"{_channels(silent)} hear{'s' * (len(silent) == 1)} nothing"
        return (
            "its channels cancel each other when they are mixed (one may be wired with its polarity turned)"
        )

    def _follow_the_floor(self, powers: _Floats) -> None:
        self._smooth = powers if self._smooth is None else self._smooth + SMOOTH * (powers - self._smooth)
        np.minimum(self._latest, self._smooth, out=self._latest)
        self._floor = np.maximum(np.minimum(self._least, self._latest), LEAST_FLOOR)
        self._windows += 1
        if self._windows % self._stretch == 0:
            self._minima[self._windows // self._stretch % STRETCHES] = self._latest
            self._least = self._minima.min(0)
            self._latest = np.full(len(powers), np.inf)

    def _best_channel(self) -> int:
        """Return the loudest of the clearest channels."""
        clear: _Floats = self._signal[1:] / self._floor[1:]
        return 1 + int(np.argmax(np.where(clear * CLEARER >= np.max(clear), self._signal[1:], -1.0)))

    def _is_worse(self, row: int, best: int, times: float = 1.0) -> bool:
        """Return True where a row is so much noisier, or so much fainter, than the best channel."""
        signal, floor = self._signal, self._floor
        noisier = signal[row] / floor[row] * CLEARER * times < signal[best] / floor[best]
        return bool(noisier or signal[row] * LOUDER * times < signal[best])

    def _change(self, row: int) -> int:
        self._better_for = self._as_good_for = 0
        return row


def _channels(rows: list[int]) -> str:
    """Return "channel 2" or "channels 2, 3"."""
    return f"channel{'s' * (len(rows) > 1)} {', '.join(map(str, rows))}"
