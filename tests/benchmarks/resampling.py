"""What a change of rate costs live sound: how long it is held back, how true it stays, and processor time."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Spread, undisturbed
from benchmarks.table import Cell, Table
from voicepipe.audio.convert import Converter, Quality
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.rates.long_sums import long_sums
from voicepipe.audio.rates.short_filter import ShortFilter
from voicepipe.sample import speech

__all__ = ["measure"]

_WAYS = ((48_000, 16_000), (8_000, 16_000), (16_000, 48_000), (16_000, 8_000), (44_100, 16_000))
_WITHOUT_NUMPY = ((48_000, 16_000), (16_000, 48_000))
_QUALITIES: tuple[Quality, ...] = ("live", "LQ", "MQ", "HQ")
_BLOCK_S = 0.01
_LOUD = 16_000.0
_TONE_HZ = 1_000.0
_COLUMNS = ("way", "held ms", "tone dB", "6/16 dB", "7/16 dB", "alias dB", "speech", "µs per 10 ms")

_Floats = npt.NDArray[np.float64]


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Each way by the short filter and at each of soxr's qualities, in blocks of 10 ms, mono."""
    blocks = 30 if quick else 1_000
    rows = [
        _row(source, target, quality, repeats, blocks) for source, target in _WAYS for quality in _QUALITIES
    ]
    rows += [_row_without_numpy(*way, repeats, blocks) for way in _WITHOUT_NUMPY]
    title = (
        "Change of rate, live: the most that is held back; a tone over all that is not it; what is left\n"
        "at 6/16 and 7/16 of the lower rate, and at 9/16, where it has no place; speech there and back; time"
    )
    return [Table("resampling", title, _COLUMNS, tuple(rows))]


def _row(source: int, target: int, quality: Quality, repeats: int, blocks: int) -> tuple[Cell, ...]:
    way = _Way(source, target, quality)
    part = min(source, target) / 16
    has_no_place = -way.tone_over_rest_db(7 * part) if target > source else _decibels(way.loudness(9 * part))
    return (
        f"{source} to {target}, {quality}",
        1e3 * way.held_s(),
        way.tone_over_rest_db(_TONE_HZ),
        _decibels(way.loudness(6 * part)),
        _decibels(way.loudness(7 * part)),
        has_no_place,
        way.there_and_back(),
        Spread.of([way.seconds_a_block(blocks) * 1e6 for _ in range(repeats)]),
    )


def _row_without_numpy(source: int, target: int, repeats: int, blocks: int) -> tuple[Cell, ...]:
    """Only the time: every sample is the same."""
    block = _voice(AudioFormat(source))
    spent = [
        _seconds_a_block(ShortFilter(source, target, sums=long_sums).convert, block, blocks)
        for _ in range(repeats)
    ]
    times = Spread.of([seconds * 1e6 for seconds in spent])
    return (f"{source} to {target}, without numpy", *(None for _ in _COLUMNS[2:]), times)


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

    def tone_over_rest_db(self, hz: float) -> float:
        """How far a tone stands above everything that came along: noise, distortion, images."""
        out = self._tone(hz)
        angle = 2 * math.pi * hz * np.arange(len(out)) / self._target.rate
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
        return _seconds_a_block(self._new().convert, _voice(self._source), blocks)


def _voice(audio: AudioFormat) -> bytes:
    """A block in the middle of a word."""
    size = audio.samples(_BLOCK_S) * audio.sample_bytes
    return speech(audio)[size * 40 : size * 41]


def _seconds_a_block(convert: Callable[[bytes], bytes], block: bytes, blocks: int) -> float:
    found: list[float] = []
    with undisturbed():
        for _ in range(blocks):
            began = perf_counter()
            convert(block)
            found.append(perf_counter() - began)
    return median(found)


def _decibels(ratio: float) -> float:
    return 20 * math.log10(max(ratio, 1e-6))
