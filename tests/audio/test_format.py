"""Formats have bounds, and whatever is converted to PCM is int16 within full scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.audio.format import FULL_SCALE, AudioFormat, pcm_bytes, samples_in
from voicepipe.errors import AudioFormatError

INTEGERS = [np.int8, np.uint8, np.uint16, np.int32, np.int64]


def as_ints(data: bytes) -> list[int]:
    return [int(value) for value in np.frombuffer(data, np.int16)]


@pytest.mark.parametrize("rate", [1_000, 8_000, 16_000, 44_100, 384_000])
@pytest.mark.parametrize("channels", [1, 2, 32])
def test_a_format_within_its_bounds_is_one(rate: int, channels: int) -> None:
    format_ = AudioFormat(rate, channels)
    assert (format_.rate, format_.channels, format_.sample_bytes) == (rate, channels, 2 * channels)


@pytest.mark.parametrize("rate", [0, -16_000, 999, 384_001, 10**9])
def test_a_rate_out_of_bounds_is_refused_by_name(rate: int) -> None:
    with pytest.raises(ValueError, match=f"^rate must be a whole number from 1000 to 384000, not {rate}$"):
        AudioFormat(rate)


@pytest.mark.parametrize("channels", [0, -1, 33, 65_535])
def test_a_channel_count_out_of_bounds_is_refused_by_name(channels: int) -> None:
    with pytest.raises(ValueError, match=f"^channels must be a whole number from 1 to 32, not {channels}$"):
        AudioFormat(16_000, channels)


@pytest.mark.parametrize("value", [True, math.nan, math.inf, 16_000.0, "16000", "48k", None])
def test_a_format_of_no_whole_numbers_is_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^rate must be a whole number"):
        AudioFormat(value)
    with pytest.raises(TypeError, match=r"^channels must be a whole number"):
        AudioFormat(16_000, value)


def test_formats_compare_by_value_and_do_not_change() -> None:
    assert AudioFormat() == AudioFormat(16_000, 1)
    assert AudioFormat() != AudioFormat(16_000, 2)
    assert len({AudioFormat(), AudioFormat(), AudioFormat(8_000)}) == 2
    with pytest.raises(AttributeError):
        AudioFormat().rate = 8_000  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_format_converts_between_samples_and_seconds() -> None:
    assert AudioFormat(44_100).samples(0.02) == 882
    assert AudioFormat(11_025).samples(0.02) == 220  # 220.5, to even
    assert AudioFormat(11_025).samples(0.0201) == 222
    assert AudioFormat(48_000, 2).seconds(24_000) == 0.5


def test_a_format_reads_well() -> None:
    assert str(AudioFormat(16_000, 1)) == "16000 Hz, 1 channel"
    assert str(AudioFormat(48_000, 2)) == "48000 Hz, 2 channels"


@pytest.mark.parametrize(
    ("size", "channels", "count"), [(0, 1, 0), (2, 1, 1), (640, 1, 320), (640, 2, 160), (0, 3, 0)]
)
def test_bytes_hold_so_many_samples(size: int, channels: int, count: int) -> None:
    assert samples_in(bytes(size), channels) == count


@pytest.mark.parametrize(
    ("size", "channels", "whole"), [(1, 1, 2), (641, 1, 2), (2, 2, 4), (642, 2, 4), (64, 3, 6)]
)
def test_bytes_that_end_within_a_sample_are_refused_with_both_sides_named(
    size: int, channels: int, whole: int
) -> None:
    with pytest.raises(
        AudioFormatError, match=rf"^{size} bytes .* {channels} channel\(s\) .* {whole} bytes a sample"
    ):
        samples_in(bytes(size), channels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_nan_is_silence_infinity_is_full_scale_and_too_loud_is_clipped(dtype: type[np.floating[Any]]) -> None:
    audio = np.array([math.nan, math.inf, -math.inf, 1.5, -1.5, 1.0, -1.0, 0.0, 0.5], dtype)
    expected = [0, FULL_SCALE, -FULL_SCALE, FULL_SCALE, -FULL_SCALE, FULL_SCALE, -FULL_SCALE, 0, 16_384]
    assert as_ints(pcm_bytes(audio)) == expected


def test_the_largest_floats_do_not_wrap() -> None:
    for dtype in (np.float32, np.float64):
        top = np.finfo(dtype).max
        assert as_ints(pcm_bytes(np.array([top, -top], dtype))) == [FULL_SCALE, -FULL_SCALE]


def test_floats_come_out_within_half_a_step_of_what_they_were() -> None:
    audio = np.random.default_rng(1).uniform(-1, 1, 10_000)
    steps = np.frombuffer(pcm_bytes(audio), np.int16) - audio * FULL_SCALE
    assert np.abs(steps).max() <= 0.5 + 1e-9


def test_int16_passes_as_it_is_to_the_last_value() -> None:
    audio = np.arange(-32_768, 32_768, dtype=np.int16)
    assert pcm_bytes(audio) == audio.tobytes()


def test_what_is_converted_is_left_as_it_was() -> None:
    audio = np.array([math.nan, 2.0, -2.0])
    pcm_bytes(audio)
    assert np.isnan(audio[0])
    assert audio[1:].tolist() == [2.0, -2.0]


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_channels_are_interleaved_however_the_array_lies_in_memory(dtype: type[np.generic]) -> None:
    audio = np.array([[1, -1], [0, 1], [-1, 0]]).astype(dtype)
    interleaved = pcm_bytes(np.ascontiguousarray(audio), 2)
    assert pcm_bytes(np.asfortranarray(audio), 2) == interleaved
    assert pcm_bytes(np.repeat(audio, 2, axis=0)[::2], 2) == interleaved
    scale = 1 if dtype is np.int16 else FULL_SCALE
    assert as_ints(interleaved) == [value * scale for value in (1, -1, 0, 1, -1, 0)]


@pytest.mark.parametrize("shape", [(4,), (4, 1), (0,), (0, 1)])
def test_one_channel_is_flat_or_a_column(shape: tuple[int, ...]) -> None:
    assert pcm_bytes(np.zeros(shape)) == bytes(8 if 4 in shape else 0)


def test_no_samples_of_several_channels_are_no_bytes() -> None:
    assert pcm_bytes(np.zeros((0, 2), np.int16), 2) == b""


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((4,), 2), ((4, 2), 1), ((2, 4), 2), ((4, 1), 2), ((), 1), ((4, 2, 1), 2), ((4, 0), 1)],
)
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_wrong_shape_is_refused_with_both_sides_named(
    shape: tuple[int, ...], channels: int, dtype: type[np.generic]
) -> None:
    with pytest.raises(AudioFormatError) as refused:
        pcm_bytes(np.zeros(shape, dtype), channels)
    assert str(shape) in str(refused.value)
    assert f"use the shape (samples, {channels})" in str(refused.value)


@pytest.mark.parametrize(
    "audio",
    [
        *(np.zeros(4, dtype) for dtype in INTEGERS),
        np.zeros(4, np.bool_),
        np.zeros(4, np.complex64),
        np.zeros(4, np.dtype(">i2")),
        np.array(["a", "b"]),
        np.array([1.0, None], object),
    ],
    ids=lambda audio: str(audio.dtype),
)
def test_a_wrong_dtype_is_refused_with_both_sides_named(audio: npt.NDArray[Any]) -> None:
    with pytest.raises(AudioFormatError) as refused:
        pcm_bytes(audio)
    assert str(audio.dtype) in str(refused.value)
    assert "; use int16, or floats from -1 to 1" in str(refused.value)
