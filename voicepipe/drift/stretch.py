"""Audio made longer or shorter by parts in a million, while it plays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    _Floats = npt.NDArray[np.float32]

__all__ = ["MOST_PPM", "Stretcher"]

MOST_PPM = 500.0
"""The largest correction; in pitch it is 0.87 cents."""
SLEW_PPM_PER_S = 50.0
"""The speed of the correction: no step of pitch is heard."""
LANDING_PPM = 20.0
"""The speed at which the last fraction of a sample is made up before audio passes as it is again."""
AHEAD = 16
"""Samples behind the present one that a sample is made of: what is held while it stretches."""
BEFORE = AHEAD - 1
"""And samples before it."""
PHASES = 512
"""Steps between two samples; in between the filter is interpolated, with an error of -116 dB."""
KAISER_BETA = 9.0
CHUNK = 1024
"""Samples made at once: bounds the memory of a long write, and how long one ratio stays."""


class Stretcher:
    """A resampler of slowly variable ratio near one, for interleaved int16.

    While nothing is to be corrected, bytes pass as they are and nothing is held. Otherwise 16
    samples are held, and each sample out is a windowed sinc's sum over 32 samples in. At a whole
    sample's place that sum is the sample itself, so it begins there, and ends by gliding to the
    next such place: neither is a step. (soxr's variable mode holds 240 samples, 15 ms at 16 kHz,
    and begins only when they are in.)

    Not thread-safe.

    Args:
        format: of what goes in and comes out.
    """

    def __init__(self, format: AudioFormat) -> None:  # noqa: A002
        self.format = format
        self.taken = 0
        """Samples that came in."""
        self.given = 0
        """Samples that went out."""
        self.discarded = 0
        """Samples that `reset` took."""
        self.ppm = 0.0
        """The present correction: positive is shorter and higher."""
        self._history_bytes = BEFORE * format.sample_bytes
        self._history = bytes(self._history_bytes)
        self._sinc: _Sinc | None = None
        """Made at the first correction."""
        self._engaged = False
        self._waiting: _Floats
        """The samples that came in, from `BEFORE` samples before the next place on."""
        self._place = 0.0
        """The place in `_waiting` of the next sample out."""

    @property
    def engaged(self) -> bool:
        """Audio goes through the resampler; else it passes as it is."""
        return self._engaged

    @property
    def held(self) -> int:
        """Samples inside."""
        return len(self._waiting) - math.floor(self._place) if self._engaged else 0

    @property
    def removed(self) -> int:
        """Samples that the correction took away so far; negative: that it made."""
        return self.taken - self.given - self.held - self.discarded

    def process(self, data: bytes | memoryview, ppm: float) -> bytes:
        """Take so many whole samples, and return what can be given out; the correction moves towards `ppm`.

        Raises:
            TypeError, ValueError: `ppm` is no number, or beyond 500 either way.
        """
        if not self._engaged and ppm == 0.0:
            return self._pass(data)
        check_number("ppm", ppm, at_least=-MOST_PPM, at_most=MOST_PPM)
        if not self._engaged:
            self._engage()
        size = self.format.sample_bytes
        self.taken += len(data) // size
        out = self._stretch(data, ppm)
        self.given += len(out) // size
        return out

    def flush(self) -> bytes:
        """End the sound here, and return what is still inside. Audio that follows passes as it is."""
        if not self._engaged:
            return b""
        import numpy as np

        held = self.held
        end = np.zeros((AHEAD, self.format.channels), np.float32)
        self._waiting = np.concatenate((self._waiting, end))
        data = _pcm(self._make(held, 1.0)) if held else b""
        self.given += held
        self._disengage(bytes(self._history_bytes))
        return data

    def reset(self) -> int:
        """Forget what is inside; what comes next passes as it is. Returns how many samples that were."""
        held = self.held
        self.discarded += held
        self._disengage(bytes(self._history_bytes))
        return held

    # -- as it is ----------------------------------------------------------------

    def _pass(self, data: bytes | memoryview) -> bytes:
        most = self._history_bytes
        if len(data) >= most:
            self._history = bytes(data[-most:])
        else:
            self._history = (self._history + data)[-most:]
        count = len(data) // self.format.sample_bytes
        self.taken += count
        self.given += count
        return bytes(data)

    def _engage(self) -> None:
        if self._sinc is None:
            self._sinc = _Sinc()
        self._waiting = self._floats(self._history)
        self._place = float(BEFORE)
        self._engaged = True

    def _disengage(self, history: bytes) -> None:
        self._engaged = False
        self._history = history
        self.ppm = 0.0

    # -- stretched -----------------------------------------------------------------

    def _stretch(self, data: bytes | memoryview, ppm: float) -> bytes:
        import numpy as np

        self._waiting = np.concatenate((self._waiting, self._floats(data)))
        parts: list[_Floats] = []
        while (room := len(self._waiting) - AHEAD - self._place) > 0:
            if ppm == 0.0 and self.ppm == 0.0:
                if self._glide(room, parts):
                    return _pcm(np.concatenate(parts))
            else:
                most_s = min(CHUNK, room) / self.format.rate
                self.ppm = _towards(self.ppm, ppm, most_s * SLEW_PPM_PER_S)
                step = 1 + self.ppm * 1e-6
                parts.append(self._make(min(CHUNK, math.ceil(room / step)), step))
        return _pcm(np.concatenate(parts)) if parts else b""

    def _glide(self, room: float, parts: list[_Floats]) -> bool:
        """Move towards the nearest whole place; there, give out all that waits, and be done."""
        way = round(self._place) - self._place
        count = math.ceil(abs(way) / (LANDING_PPM * 1e-6))
        if count:
            step = 1 + way / count
            count = min(count, CHUNK, math.ceil(room / step))
            parts.append(self._make(count, step))
        if abs(round(self._place) - self._place) > 1e-6:
            return False
        rest = self._waiting[round(self._place) :]
        parts.append(rest)
        self._disengage(_pcm(self._waiting[-BEFORE:]))
        return True

    def _make(self, count: int, step: float) -> _Floats:
        """Make the next samples out; what is needed no more is let go."""
        assert self._sinc is not None
        out = self._sinc.between(self._waiting, self._place, step, count)
        place = self._place + count * step
        gone = math.floor(place + 1e-9) - BEFORE
        self._waiting = self._waiting[gone:]
        self._place = max(place - gone, float(BEFORE))
        return out

    def _floats(self, data: bytes | memoryview) -> _Floats:
        import numpy as np

        return np.frombuffer(data, np.int16).reshape(-1, self.format.channels).astype(np.float32)


class _Sinc:
    """The values of sampled sound between its samples: a sinc under a Kaiser window."""

    def __init__(self) -> None:
        import numpy as np

        self._taps = np.arange(-BEFORE, AHEAD + 1)
        at = self._taps[None, :] - np.arange(PHASES + 1)[:, None] / PHASES
        window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (at / AHEAD) ** 2, 0, 1))) / np.i0(KAISER_BETA)
        filters = np.sinc(at) * window
        filters /= filters.sum(axis=1, keepdims=True)
        self._filters: _Floats = filters.astype(np.float32)

    def between(self, audio: _Floats, first: float, step: float, count: int) -> _Floats:
        """Return `count` values at `first`, `first + step`, ...; shape (count, channels)."""
        import numpy as np

        places = first + step * np.arange(count)
        whole = places.astype(np.intp)
        phase = (places - whole) * PHASES
        below = phase.astype(np.intp)
        part = (phase - below).astype(np.float32)[:, None]
        filters = self._filters[below] * (1 - part) + self._filters[below + 1] * part
        near = audio[whole[:, None] + self._taps]
        values: _Floats = np.einsum("nt,ntc->nc", filters, near)
        return values


def _towards(value: float, wanted: float, most: float) -> float:
    return max(value - most, min(value + most, wanted))


def _pcm(audio: _Floats) -> bytes:
    import numpy as np

    # A sum may reach beyond full scale between two samples that do not: a cast alone would wrap it.
    return np.clip(np.rint(audio), -32_768, 32_767).astype(np.int16).tobytes()
