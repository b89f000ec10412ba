"""The course of a file for a picture: nothing is missed, and memory does not grow."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from voicepipe import AudioFormat
from voicepipe.cli.parts.trace import Extremes, Trace
from voicepipe.speech.stretch import Judgement

NOISE = np.random.default_rng(4).integers(-32_768, 32_768, 400_000, np.int16)


@pytest.mark.parametrize("piece", [1_000, 4_096, 99_999, 400_000])
@pytest.mark.parametrize("each", [1, 3, 40])
def test_every_value_is_within_its_column(each: int, piece: int) -> None:
    extremes = Extremes(each)
    for begin in range(0, len(NOISE), piece):
        extremes.add(NOISE[begin : begin + piece])
    at, lowest, highest = extremes.between(0, len(NOISE), 2_000)
    assert 1_000 <= len(at) <= 2_000
    wide = int(2 * at[0])
    for n in range(0, len(at) - 1, 97):
        part = NOISE[n * wide : (n + 1) * wide]
        assert (lowest[n], highest[n]) == (part.min(), part.max())
        assert at[n] == (n + 0.5) * wide


@pytest.mark.parametrize(
    ("begin", "end"), [(0, 100_000), (100_000, 250_000), (390_000, 500_000), (450_000, 460_000)]
)
def test_a_part_has_its_own_columns(begin: int, end: int) -> None:
    extremes = Extremes()
    extremes.add(NOISE)
    at, lowest, highest = extremes.between(begin, end, 100)
    part = NOISE[begin:end]
    assert len(at) <= 100
    if not part.size:
        assert len(at) == 0
        return
    assert begin <= at[0] <= at[-1] <= end
    assert lowest.min() <= part[: -extremes.each].min()
    assert highest.max() >= part[: -extremes.each].max()


@pytest.mark.heavy
def test_a_day_takes_no_more_memory_than_an_hour() -> None:
    trace = Trace()
    data = bytes(2 * 8_000)
    audio = AudioFormat(8_000, 1)
    tracemalloc.start()
    try:
        for second in range(5_000):
            trace.hear(data, audio)
            for n in range(8):
                trace.note(Judgement(second * 8_000 + (n + 1) * 1_000, 0.5, -60.0, -70.0, False))
        assert tracemalloc.get_traced_memory()[1] < 3_500_000
    finally:
        tracemalloc.stop()
    (at_s, _, score), *_ = trace.judgements(0, 5_000, 1_000, 8_000)
    assert at_s[-1] == pytest.approx(5_000, abs=10)
    assert set(score) == {0.5}


def test_silence_before_any_audio_has_no_columns() -> None:
    assert [len(part) for part in Trace().wave(0, 10, 100)] == [0, 0, 0]
    assert [len(columns[0]) for columns in Trace().judgements(0, 10, 100, 8_000)] == [0, 0, 0]
