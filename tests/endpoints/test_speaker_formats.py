"""A speaker takes any rate and any channels, changing from frame to frame."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from endpoints.speaking import Speaking
from support.sound import RATE, heard, noise, samples, seam
from voicepipe import AudioFormat, OutputAudioFrame, SpokenFrame
from voicepipe.endpoints.format_run import FormatRun
from voicepipe.report import RunReport

DEVICE = "SpeakerOutput device"
Audio = npt.NDArray[np.int16]


def tone(seconds: float, rate: int, hertz: float = 440.0, phase: float = 0.7) -> Audio:
    """A tone that begins and ends at once, in the middle of a wave."""
    moments = np.arange(round(seconds * rate)) / rate
    return (8_000 * np.sin(2 * np.pi * hertz * moments + phase)).astype(np.int16)


def frames(audio: Audio, rate: int, piece_s: float, channels: int = 1) -> list[OutputAudioFrame]:
    size = round(piece_s * rate)
    data = np.repeat(audio, channels) if channels > 1 else audio
    return [
        OutputAudioFrame(data[at : at + size * channels].tobytes(), rate, channels)
        for at in range(0, len(data), size * channels)
    ]


async def said(*parts: list[OutputAudioFrame], **arguments: Any) -> tuple[Audio, RunReport]:
    async with Speaking(**arguments) as run:
        for frame in itertools.chain(*parts):
            await run.say(frame)
    report = await run.done_of_other_formats()
    return samples(run.card.speaker.played()), report


def correlation(one: Audio, other: npt.NDArray[Any]) -> float:
    return float(np.corrcoef(one.astype(float), other.astype(float))[0, 1])


@pytest.mark.parametrize("piece_s", [0.01, 0.05, 1.0])
async def test_voices_of_two_rates_alternate_without_a_click(piece_s: float) -> None:
    rates = [22_050, 24_000, 22_050, 24_000, 22_050]
    # Each begins half a wave away from the end of the one before.
    tones = [(300.0 + 50 * n, 0.7 + np.pi * n) for n in range(5)]
    spoken = [frames(tone(1.0, rate, *tones[n]), rate, piece_s) for n, rate in enumerate(rates)]
    played, report = await said(*spoken)
    begin = int(np.flatnonzero(played)[0]) - int(played[np.flatnonzero(played)[0]] == 0)
    assert seam(report, DEVICE).given == 5 * RATE
    assert report.dropped == {}
    steps = np.abs(np.diff(played[begin : begin + 5 * RATE].astype(int)))
    assert steps.max() <= 8_000 * 2 * np.pi * 500 / RATE + 8_000 * 2 / 80  # its own, and a step over 5 ms
    for n in range(5):
        alone = tone(1.0, RATE, *tones[n])
        assert correlation(played[begin + n * RATE : begin + (n + 1) * RATE], alone) > 0.99, n


@pytest.mark.parametrize("sentences", [True, False])
async def test_two_sentences_of_one_rate_have_no_edge(sentences: bool) -> None:
    whole = tone(2.0, 24_000)
    async with Speaking() as run:
        for part in (whole[:24_000], whole[24_000:]):
            if sentences:
                await run.say(SpokenFrame("hello"))
            for frame in frames(part, 24_000, 0.02):
                await run.say(frame)
    await run.done_of_other_formats()
    played = heard(run.card)
    assert np.abs(np.diff(played.astype(int))).max() <= 1.02 * 8_000 * 2 * np.pi * 440 / RATE
    assert correlation(played[: 2 * RATE], tone(2.0, RATE)[: len(played)]) > 0.999


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 12_345])
async def test_every_rate_and_channel_count_lasts_as_long_as_it_does(rate: int, channels: int) -> None:
    played, report = await said(frames(tone(0.7, rate), rate, 0.033, channels))
    due = round(round(0.7 * rate) * RATE / rate)
    assert abs(seam(report, DEVICE).given - due) <= 1
    loud = played[np.flatnonzero(played)[0] :][:due]
    assert correlation(loud[: due - 5], tone(0.7, RATE)[: due - 5]) > 0.99


async def test_a_speaker_of_two_channels_plays_one_on_both() -> None:
    played, _ = await said(
        frames(noise(0.2), RATE, 0.02), frames(tone(0.2, 8_000), 8_000, 0.02), output=AudioFormat(RATE, 2)
    )
    stereo = played.reshape(-1, 2)
    assert np.array_equal(stereo[:, 0], stereo[:, 1])


async def test_the_end_of_a_sentence_sounds_although_nothing_follows_it() -> None:
    async with Speaking() as run:
        for frame in frames(tone(1.0, 24_000), 24_000, 0.1):
            await run.say(frame)
        await asyncio.sleep(1.5)  # no end yet: the rest must not wait for it
        assert len(heard(run.card)) >= RATE - 2
    await run.done_of_other_formats()


async def test_an_interruption_drops_what_the_conversion_holds_too() -> None:
    async with Speaking() as run:
        for frame in frames(tone(1.0, 22_050), 22_050, 0.1):
            await run.say(frame)
        await asyncio.sleep(0.305)
        await run.interrupt()
        await asyncio.sleep(0.5)
        await run.say(OutputAudioFrame(noise(0.2).tobytes()))
    report = await run.done_of_other_formats()
    assert np.array_equal(heard(run.card)[-3_200:], noise(0.2))
    assert seam(report, DEVICE).taken == round(1.2 * RATE)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("source", "target"), [(22_050, 16_000), (8_000, 48_000), (48_000, 22_050)])
def test_a_run_does_not_depend_on_where_it_is_cut(source: int, target: int, live: bool) -> None:
    audio = noise(0.5, rate=source)

    def converted(size: int) -> bytes:
        run = FormatRun(AudioFormat(source), AudioFormat(target), live=live)
        parts = [run.convert(audio[at : at + size].tobytes()) for at in range(0, len(audio), size)]
        return b"".join([*parts, run.finish()])

    assert converted(7) == converted(441) == converted(len(audio))


@pytest.mark.parametrize(("source", "target"), [(24_000, 16_000), (16_000, 48_000), (48_000, 16_000)])
def test_a_live_run_holds_back_little_and_is_the_same_sound(source: int, target: int) -> None:
    audio, size = tone(0.5, source), source // 100
    run = FormatRun(AudioFormat(source), AudioFormat(target), live=True)
    parts: list[bytes] = []
    for at in range(0, len(audio), size):
        parts.append(run.convert(audio[at : at + size].tobytes()))
        assert run.held <= 0.003 * target
    whole = samples(b"".join([*parts, run.finish()]))
    assert len(whole) == target // 2
    assert np.abs(whole - tone(0.5, target).astype(int)).max() < 100
