"""What a change of rate costs live sound: how long it is held back, how true it stays, and processor time."""

from __future__ import annotations

import math
from statistics import median
from time import perf_counter

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Spread, undisturbed
from benchmarks.table import Cell, Table
from voicepipe.audio.convert import Converter, Quality
from voicepipe.audio.format import AudioFormat
from voicepipe.sample import speech

__all__ = ["measure"]

_WAYS = ((48_000, 16_000), (44_100, 16_000), (16_000, 48_000))
_QUALITIES: tuple[Quality, ...] = ("LQ", "MQ", "HQ")
_BLOCK_S = 0.01
_LOUD = 16_000.0
_TONE_HZ = 1_000.0
_COLUMNS = ("way", "held ms", "tone dB", "7 kHz dB", "alias dB", "speech", "µs per 10 ms")

_Floats = npt.NDArray[np.float64]


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Each way at each of soxr's qualities, in blocks of 10 ms, mono."""
    blocks = 30 if quick else 1_000
    rows = [
        _row(source, target, quality, repeats, blocks) for source, target in _WAYS for quality in _QUALITIES
    ]
    title = (
        "Change of rate, live: the most that is held back; a tone over all that is not it; what is left of\n"
        "7 kHz, and of 9 kHz where there is no place for it; speech there and back, correlated; time"
    )
    return [Table("resampling", title, _COLUMNS, tuple(rows))]


def _row(source: int, target: int, quality: Quality, repeats: int, blocks: int) -> tuple[Cell, ...]:
    way = _Way(source, target, quality)
    alias = None if target > source else _decibels(way.loudness(9_000.0))
    return (
        f"{source} to {target}, {quality}",
        1e3 * way.held_s(),
        way.tone_over_rest_db(),
        _decibels(way.loudness(7_000.0)),
        alias,
        way.there_and_back(),
        Spread.of([way.seconds_a_block(blocks) * 1e6 for _ in range(repeats)]),
    )


class _Way:
    """From one rate to another, mono."""

    def __init__(self, source: int, target: int, quality: Quality) -> None:
        self._source, self._target = AudioFormat(source), AudioFormat(target)
        self._quality: Quality = quality
        self._size = self._source.samples(_BLOCK_S) * self._source.sample_bytes

    def _new(self) -> Converter:
        return Converter(self._source, self._target, quality=self._quality)

    def _through(self, data: bytes) -> bytes:
        converter = self._new()
        parts = [converter.convert(data[at : at + self._size]) for at in range(0, len(data), self._size)]
        return b"".join([*parts, converter.flush()])

    def held_s(self) -> float:
        """The most, once it runs."""
        converter, worst = self._new(), 0
        for _ in range(200):
            converter.convert(bytes(self._size))
            worst = max(worst, converter.held)
        return self._target.seconds(worst)

    def _tone(self, hz: float) -> _Floats:
        """What becomes of a tone, without its beginning and end."""
        times = np.arange(self._source.rate) / self._source.rate
        wave = np.rint(_LOUD * np.sin(2 * math.pi * hz * times)).astype(np.int16)
        out = np.frombuffer(self._through(wave.tobytes()), np.int16).astype(np.float64)
        return out[self._target.rate // 10 : -self._target.rate // 10]

    def loudness(self, hz: float) -> float:
        """Of all that comes out for a tone, beside the tone that went in."""
        return float(np.sqrt(np.mean(self._tone(hz) ** 2))) / (_LOUD / math.sqrt(2))

    def tone_over_rest_db(self) -> float:
        """How far a tone stands above everything that came along: noise, distortion, images."""
        out = self._tone(_TONE_HZ)
        angle = 2 * math.pi * _TONE_HZ * np.arange(len(out)) / self._target.rate
        basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        fitted = basis @ np.linalg.lstsq(basis, out, rcond=None)[0]
        return _decibels(float(np.linalg.norm(fitted) / np.linalg.norm(out - fitted)))

    def there_and_back(self) -> float:
        """The bundled voice through this way and its reverse, correlated with itself."""
        voice = speech(self._source)
        back = _Way(self._target.rate, self._source.rate, self._quality)
        before, after = (
            np.frombuffer(data, np.int16).astype(np.float64)
            for data in (voice, back._through(self._through(voice)))
        )
        length = min(len(before), len(after))
        return float(np.corrcoef(before[:length], after[:length])[0, 1])

    def seconds_a_block(self, blocks: int) -> float:
        """The middle of so many."""
        converter = self._new()
        block = speech(self._source)[self._size * 40 : self._size * 41]
        found: list[float] = []
        with undisturbed():
            for _ in range(blocks):
                began = perf_counter()
                converter.convert(block)
                found.append(perf_counter() - began)
        return median(found)


def _decibels(ratio: float) -> float:
    return 20 * math.log10(max(ratio, 1e-6))
