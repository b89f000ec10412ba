"""A speaker's sound in mono at the microphone's rate: at its places, and soon."""

from __future__ import annotations

import numpy as np
import pytest

from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.reference.mono_converter import MonoConverter

RATES = [
    (22_050, 16_000),
    (44_100, 16_000),
    (22_050, 8_000),
    (11_025, 16_000),
    (16_000, 44_100),
    (24_000, 16_000),
]


def sine(rate: int, seconds: float) -> np.ndarray:
    return 20_000 * np.sin(2 * np.pi * 700 * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_sine_keeps_its_place_and_is_held_for_two_milliseconds_at_most(source: int, target: int) -> None:
    converter = MonoConverter(AudioFormat(source), target)
    data = sine(source, 0.4).astype(np.int16).tobytes()
    step = 2 * (source // 100)
    out, held = b"", 0.0
    for at in range(0, len(data), step):
        out += converter.convert(data[at : at + step])
        held = max(held, min(at + step, len(data)) / 2 / source - len(out) / 2 / target)
    out += converter.flush()
    heard = np.frombuffer(out, np.int16)
    assert abs(len(heard) - 0.4 * target) <= 1
    assert held < 0.0025
    assert np.abs(heard - sine(target, 0.5)[: len(heard)])[100:-100].max() < 40


@pytest.mark.parametrize(("source", "target"), RATES)
def test_the_result_does_not_depend_on_where_it_is_cut(source: int, target: int) -> None:
    data = np.random.default_rng(1).integers(-9000, 9000, source // 5).astype(np.int16).tobytes()
    whole, pieces = (MonoConverter(AudioFormat(source), target) for _ in range(2))
    chance = np.random.default_rng(2)
    out, at = b"", 0
    while at < len(data):
        size = 2 * int(chance.integers(1, 300))
        out += pieces.convert(data[at : at + size])
        at += size
    assert out + pieces.flush() == whole.convert(data) + whole.flush()


def test_what_the_lower_rate_has_no_place_for_is_gone() -> None:
    high = 10_000 * np.sin(2 * np.pi * 8_800 * np.arange(22_050) / 22_050)
    converter = MonoConverter(AudioFormat(22_050), 16_000)
    heard = np.frombuffer(converter.convert(high.astype(np.int16).tobytes()), np.int16)
    assert np.abs(heard[200:]).max() < 10


def test_another_stream_begins_anew_behind_a_flush() -> None:
    converter = MonoConverter(AudioFormat(22_050, 2), 16_000)
    data = np.repeat(sine(22_050, 0.1).astype(np.int16), 2).tobytes()
    first = converter.convert(data) + converter.flush()
    assert converter.convert(data) + converter.flush() == first
