"""The converter: formats, lengths, moments, and how the stream is cut."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.audio.convert import Converter, live_delay_s
from voicepipe.audio.format import AudioFormat

Samples = npt.NDArray[np.int16]


def tone(rate: int, seconds: float = 1.0, hz: float = 440.0, channels: int = 1) -> Samples:
    wave = 8_000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(np.rint(wave).astype(np.int16)[:, None], channels, axis=1)


def converted(converter: Converter, audio: Samples, block: int) -> Samples:
    data = audio.tobytes()
    size = block * converter.source.sample_bytes
    parts = [converter.convert(data[at : at + size]) for at in range(0, len(data), size)]
    joined = b"".join([*parts, converter.flush()])
    return np.frombuffer(joined, np.int16).reshape(-1, converter.target.channels)


def test_the_same_format_passes_as_it_is() -> None:
    converter = Converter(AudioFormat(), AudioFormat())
    assert not converter.is_needed
    assert converter.convert(b"\1\2\3\4") == b"\1\2\3\4"
    assert converter.flush() == b""


@pytest.mark.parametrize(("source", "target"), [(48_000, 16_000), (16_000, 48_000), (44_100, 16_000)])
@pytest.mark.parametrize("quality", ["live", "LQ", "HQ"])
def test_a_tone_keeps_its_length_pitch_and_place(source: int, target: int, quality: str) -> None:
    converter = Converter(AudioFormat(source), AudioFormat(target), quality=quality)  # type: ignore[arg-type]
    out = converted(converter, tone(source), source // 100)[:, 0]
    assert len(out) == target
    inner = slice(target // 10, -target // 10)
    assert np.corrcoef(out[inner], tone(target)[inner, 0])[0, 1] > 0.9999


@pytest.mark.parametrize(("source", "target"), [(48_000, 16_000), (44_100, 16_000), (16_000, 44_100)])
def test_what_comes_out_does_not_depend_on_how_it_is_cut(source: int, target: int) -> None:
    audio = tone(source, 0.5)
    first, *others = (
        converted(Converter(AudioFormat(source), AudioFormat(target)), audio, block)
        for block in (480, 1, 7, len(audio))
    )
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize(
    ("source", "target", "delay_s"),
    [(48_000, 16_000, 0.001), (16_000, 48_000, 0.001), (8_000, 16_000, 0.002), (44_100, 16_000, 0.022)],
)
def test_live_sound_is_held_back_for_a_moment(source: int, target: int, delay_s: float) -> None:
    converter = Converter(AudioFormat(source), AudioFormat(target))
    worst = 0
    for _ in range(100):
        converter.convert(bytes(2 * (source // 100)))
        worst = max(worst, converter.held)
    assert 0 < worst <= delay_s * target + 1
    assert live_delay_s(source, target) == pytest.approx(delay_s, abs=2e-4)


def test_files_keep_what_the_short_filter_takes() -> None:
    audio = tone(48_000, 0.5, 7_000.0)
    source, target = AudioFormat(48_000), AudioFormat()
    live, file = (
        np.abs(converted(Converter(source, target, quality=quality), audio, 480))[500:-500].max()
        for quality in ("live", "HQ")
    )
    assert live < 6_500
    assert file > 7_950


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_silence_stays_silence(rate: int) -> None:
    out = converted(Converter(AudioFormat(rate), AudioFormat(16_000)), np.zeros((4_800, 1), np.int16), 480)
    assert not out.any()


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_full_scale_does_not_wrap(rate: int) -> None:
    square = np.where(np.arange(4_800) // 50 % 2, 32_767, -32_768).astype(np.int16)[:, None]
    out = converted(Converter(AudioFormat(rate), AudioFormat(16_000)), square, 480)[:, 0]
    middle = out[100:-100]
    assert int(np.max(middle)) > 32_000
    assert int(np.min(middle)) < -32_000
    # A wrapped sample would stand alone on the other side of its neighbours.
    assert not np.any((middle[1:-1] < -20_000) & (middle[:-2] > 20_000) & (middle[2:] > 20_000))


def test_channels() -> None:
    stereo = np.array([[100, 200], [-3, -4], [32_767, 32_767]], np.int16)

    def mixed(audio: Samples, channels: int) -> list[list[int]]:
        converter = Converter(AudioFormat(channels=audio.shape[1]), AudioFormat(channels=channels))
        rows: list[list[int]] = converted(converter, audio, 2).tolist()
        return rows

    assert mixed(stereo, 1) == [[150], [-4], [32_767]]
    assert mixed(stereo[:, :1], 2) == [[100, 100], [-3, -3], [32_767, 32_767]]
    assert mixed(stereo, 3) == [[100, 200, 0], [-3, -4, 0], [32_767, 32_767, 0]]
    assert mixed(np.array([[1, 2, 3]], np.int16), 2) == [[1, 2]]


@pytest.mark.parametrize("channel", [1, 2, 3])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_one_channel_is_picked_whatever_else_is_converted(channel: int, rate: int) -> None:
    three = np.concatenate([tone(48_000, 0.2, hz) for hz in (300.0, 500.0, 700.0)], axis=1)
    for channels in (1, 2, 3):
        target = AudioFormat(rate, channels)
        picked = converted(Converter(AudioFormat(48_000, 3), target, channel=channel), three, 480)
        alone = converted(Converter(AudioFormat(48_000), target), three[:, [channel - 1]], 480)
        np.testing.assert_array_equal(picked, alone)


def test_the_only_channel_passes_as_it_is() -> None:
    assert not Converter(AudioFormat(), AudioFormat(), channel=1).is_needed
    assert Converter(AudioFormat(channels=2), AudioFormat(channels=2), channel=1).is_needed


@pytest.mark.parametrize("channel", [0, 3, True, 1.0])
def test_a_channel_that_the_source_lacks_is_refused(channel: int) -> None:
    with pytest.raises((TypeError, ValueError), match="channel must be a whole number"):
        Converter(AudioFormat(channels=2), AudioFormat(), channel=channel)


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_after_a_flush_a_new_stream_begins(rate: int) -> None:
    converter = Converter(AudioFormat(rate), AudioFormat(16_000, 2))
    audio = tone(rate, 0.1)
    first = converted(converter, audio, 480)
    np.testing.assert_array_equal(first, converted(converter, audio, 333))
    assert converter.held == 0
    assert converter.flush() == b""
