"""The short filter: what it passes, how long it takes, and the same samples with numpy and without."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.audio.rates.filter_plan import TAP_BITS, plan_filter, ratio_of, suits_short_filter
from voicepipe.audio.rates.long_sums import long_sums
from voicepipe.audio.rates.matrix_sums import matrix_sums
from voicepipe.audio.rates.short_filter import ShortFilter, Sums

Ints = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]

WAYS = [
    (48_000, 16_000),
    (8_000, 16_000),
    (16_000, 48_000),
    (32_000, 48_000),
    (16_000, 8_000),
    (48_000, 32_000),
    (48_000, 8_000),
    (32_000, 24_000),
]
BOTH = pytest.mark.parametrize("sums", [long_sums, matrix_sums])
every_way = pytest.mark.parametrize(("source", "target"), WAYS)


def through(resampler: ShortFilter, audio: Ints, *sizes: int) -> Ints:
    """All that comes of the audio, cut into pieces of these sizes over and over."""
    parts, at = list[bytes](), 0
    while at < len(audio):
        for size in sizes:
            parts.append(resampler.convert(audio[at : at + size].tobytes()))
            at += size
    return np.frombuffer(b"".join([*parts, resampler.flush()]), np.int16)


def noise(samples: int, *, loudest: int = 32_768) -> Ints:
    return np.random.default_rng(samples).integers(-loudest, loudest, samples).astype(np.int16)


def by_the_book(source: int, target: int, audio: Ints) -> Ints:
    """The sums of products, one by one, of whole numbers."""
    up, down = ratio_of(source, target)
    plan = plan_filter(up, down)
    padded = np.concatenate([np.zeros(plan.before, int), audio, np.zeros(plan.ahead + 2 * down, int)])
    seen = np.lib.stride_tricks.sliding_window_view(padded, plan.width * down)[::down]
    sums = (seen @ np.array(plan.taps).T).reshape(-1)[: (2 * len(audio) * up + down) // (2 * down)]
    rounded: Ints = np.clip((sums + (1 << (TAP_BITS - 1))) >> TAP_BITS, -32_768, 32_767).astype(np.int16)
    return rounded


def response_db(source: int, target: int, frequencies: Floats) -> Floats:
    """The gain at these frequencies, from the impulse responses for every place of the impulse in a group."""
    up, down = ratio_of(source, target)
    wide = np.zeros(4_096 * up)
    for place in range(down):
        audio = np.zeros(2_048, np.int16)
        audio[1_020 + place] = 16_384
        out = through(ShortFilter(source, target), audio, 2_048)
        moments = np.arange(len(out)) * down - (1_020 + place) * up + len(wide) // 2
        wide[moments] += out / 16_384 / up
    gains: Floats = np.abs(np.fft.rfft(wide))
    places = np.rint(frequencies / (source * up) * len(wide)).astype(int)
    decibels: Floats = 20 * np.log10(np.maximum(gains[places], 1e-9))
    return decibels


@every_way
@BOTH
def test_the_samples_are_those_of_the_definition_however_they_are_cut(
    source: int, target: int, sums: Sums
) -> None:
    audio = noise(1_501)
    expected = by_the_book(source, target, audio)
    for sizes in ((1_501,), (480,), (1, 7, 2, 100), (3,)):
        found = through(ShortFilter(source, target, sums=sums), audio, *sizes)
        np.testing.assert_array_equal(found, expected)


@every_way
def test_long_pieces_are_the_same_with_numpy_and_without(source: int, target: int) -> None:
    audio = noise(20_000)
    with_numpy = through(ShortFilter(source, target, sums=matrix_sums), audio, 7_001)
    without = through(ShortFilter(source, target, sums=long_sums), audio, 11_003)
    np.testing.assert_array_equal(with_numpy, without)


@every_way
def test_it_passes_what_is_below_and_rejects_what_has_no_place(source: int, target: int) -> None:
    low = min(source, target)
    passed = response_db(source, target, np.linspace(0, 0.4 * low, 100))
    assert np.max(np.abs(passed)) < 0.1
    rejected = response_db(source, target, np.linspace(0.5 * low, 0.5 * max(source, target), 500))
    assert np.max(rejected) < -50


@every_way
@BOTH
def test_silence_and_what_does_not_move_stay_as_they_are(source: int, target: int, sums: Sums) -> None:
    for level in (0, 1, -1, 32_767, -32_768):
        out = through(ShortFilter(source, target, sums=sums), np.full(6_000, level, np.int16), 480)
        inner = slice(200, -200) if level else slice(None)
        assert set(out[inner].tolist()) == {level}


@every_way
@BOTH
def test_what_is_too_loud_is_clipped_and_does_not_wrap(source: int, target: int, sums: Sums) -> None:
    for row in plan_filter(*ratio_of(source, target)).taps:
        loudest = np.where(np.array(row) > 0, 32_767, -32_768).astype(np.int16)
        found = through(ShortFilter(source, target, sums=sums), np.tile(loudest, 3), 77)
        turned = through(ShortFilter(source, target, sums=sums), ~np.tile(loudest, 3), 77)
        assert (int(np.max(found)), int(np.min(turned))) == (32_767, -32_768)
        np.testing.assert_array_equal(found, by_the_book(source, target, np.tile(loudest, 3)))


@every_way
def test_an_impulse_stays_at_its_moment(source: int, target: int) -> None:
    up, down = ratio_of(source, target)
    audio = np.zeros(200 * down, np.int16)
    audio[100 * down] = 20_000
    out = through(ShortFilter(source, target), audio, 160).astype(int)
    middle = 100 * up
    assert np.argmax(np.abs(out)) == middle
    assert np.max(np.abs(out[middle + 1 : middle + 20] - out[middle - 19 : middle][::-1])) <= 20


@every_way
def test_it_gives_out_all_but_what_it_needs(source: int, target: int) -> None:
    resampler = ShortFilter(source, target)
    lower = min(source, target)
    assert 16 / lower <= resampler.delay_s <= 21 / lower
    block, given = source // 100, 0
    for count in range(1, 20):
        given += len(resampler.convert(bytes(2 * block))) // 2
        assert 0 <= count * block / source - given / target <= resampler.delay_s + 1e-9
        if block % ratio_of(source, target)[1] == 0:
            assert count * target // 100 - given == resampler.lag


@every_way
@BOTH
def test_a_flush_gives_the_exact_rest_and_a_new_stream_begins(source: int, target: int, sums: Sums) -> None:
    resampler = ShortFilter(source, target, sums=sums)
    for length in (*range(8), 479, 480, 481):
        audio = noise(length)
        out = through(resampler, audio, 100)
        assert len(out) == int(length * target / source + 0.5)
        np.testing.assert_array_equal(out, through(ShortFilter(source, target), audio, 480))
        assert resampler.flush() == b""


@every_way
@BOTH
def test_each_channel_is_converted_alone(source: int, target: int, sums: Sums) -> None:
    channels = [noise(1_000, loudest=1_000 * n) for n in (1, 2, 3)]
    data = np.stack(channels, 1).tobytes()
    three = ShortFilter(source, target, 3, sums)
    together = np.frombuffer(three.convert(data) + three.flush(), np.int16).reshape(-1, 3)
    for nth, audio in enumerate(channels):
        np.testing.assert_array_equal(
            together[:, nth], through(ShortFilter(source, target, sums=sums), audio, 1_000)
        )


@pytest.mark.parametrize(
    ("source", "target", "suits"),
    [
        *((*way, True) for way in WAYS),
        (96_000, 16_000, True),
        (44_100, 22_050, True),
        (24_000, 16_000, True),
        (44_100, 16_000, False),
        (44_100, 48_000, False),
        (22_050, 16_000, False),
        (11_025, 8_000, False),
        (16_000, 15_999, False),
        (384_000, 1_000, False),
    ],
)
def test_ratios_of_small_whole_numbers(source: int, target: int, suits: bool) -> None:
    assert suits_short_filter(source, target) is suits_short_filter(target, source) is suits


def test_a_program_without_numpy_needs_none() -> None:
    code = (
        "import sys; from voicepipe.audio.convert import Converter; "
        "from voicepipe.audio.format import AudioFormat; "
        "found = Converter(AudioFormat(48_000, 2), AudioFormat(16_000), channel=2).convert(bytes(4 * 480)); "
        "found += Converter(AudioFormat(16_000), AudioFormat(48_000, 2)).convert(bytes(2 * 160)); "
        "print(len(found), {'numpy', 'soxr'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{2 * 144 + 4 * 432} set()\n"
